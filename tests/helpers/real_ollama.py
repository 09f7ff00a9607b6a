# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Ollama (`make engine`) with the random-weight model, for tests marked `real`."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.modules import ROOT
from tests.helpers.tiny_model import Packed, pack

BINARY = ROOT / ".build" / "engine" / "ollama"
START_SECONDS = 30


@dataclass(frozen=True)
class RealOllama:
    """A running server. models: its C(OLLAMA_MODELS)."""

    url: str
    models: Path
    packed: Packed


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ollama_binary() -> Path:
    """The built engine; the test is skipped where there is none."""
    if not BINARY.is_file():
        pytest.skip("there is no real Ollama: `make engine` builds it (Go, g++, some minutes)")
    return BINARY


@contextmanager
def serving(folder: Path, models: Path) -> Iterator[str]:
    """Run the engine on a free port until the block ends; yields its URL."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(models),
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_CONTEXT_LENGTH": "2048",
    }
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen([str(ollama_binary()), "serve"], env=environment, stdout=log, stderr=log)
        try:
            wait_until_up(f"http://127.0.0.1:{port}/api/version", server, folder / "serve.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=10)


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = START_SECONDS) -> None:
    """Ask until a server answers; its log is told where it ends before or takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return  # it answers; a registry wants a login
        except (OSError, urllib.error.URLError):
            assert server.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)


@pytest.fixture(scope="session")
def real_ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealOllama]:
    """One server for all tests, with the model C(tiny:latest)."""
    ollama_binary()
    folder = tmp_path_factory.mktemp("ollama")
    packed = pack(folder / "models")
    with serving(folder, folder / "models") as url:
        yield RealOllama(url, folder / "models", packed)
