# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama's container without a container: the start script of the image, with any program as Ollama."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.modules import ROOT
from tests.helpers.real_ollama import wait_until_up

ENTRYPOINT = ROOT / "roles" / "image" / "files" / "entrypoint.sh"


@contextmanager
def container(
    folder: Path, program: Path | str, port: int, *, beside: int = 0, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The entrypoint with `program` as Ollama, until the block ends. beside: the port of a sidecar."""
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "POLYCLOUD_OLLAMA": str(program),
        "POLYCLOUD_BAKED_MODELS": str(folder / "models"),
        "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        **environment,
    }
    if beside:
        given["POLYCLOUD_SIDECAR"] = f"127.0.0.1:{beside}"
    with (folder / "container.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", str(ENTRYPOINT), "serve"], env=given, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )
        try:
            wait_until_up(f"http://127.0.0.1:{port}/", process, folder / "container.log")
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
