# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidecar as a process of its own, as a container runs it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.helpers.modules import ROOT
from tests.helpers.real_ollama import free_port
from tests.helpers.sidecar_yard import Client, request

SECONDS = 30.0


class Process:
    """A running sidecar. port: of its clients."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self._process = process
        self.port = port
        self._log = log
        self.pid = process.pid

    @classmethod
    async def start(cls, upstream: str, **given: str) -> Process:
        """Start it. given: settings without their prefix."""
        places = {name: f"127.0.0.1:{free_port()}" for name in ("LISTEN", "ADMIN_LISTEN", "METRICS_LISTEN")}
        settings = {**places, "UPSTREAM": upstream, "POLL_SECONDS": "0.2", **given}
        log = Path(tempfile.mkdtemp(prefix="sidecar-")) / "log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ollama_sidecar",
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT / "roles" / "image" / "files" / "sidecar"),
                    **{f"SIDECAR_{name}": value for name, value in settings.items()},
                },
                stdout=out,
                stderr=out,
            )
        return cls(process, int(settings["LISTEN"].rpartition(":")[2]), log)

    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    async def up(self) -> None:
        """Wait until it listens."""
        async with asyncio.timeout(SECONDS):
            while "listening on" not in self.said():
                assert self._process.returncode is None, self.said()
                await asyncio.sleep(0.02)

    async def ready(self) -> None:
        """Wait until it says that a prompt would be answered."""
        async with asyncio.timeout(2 * SECONDS):
            while True:
                client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
                await client.send(request("GET", "/readyz"))
                answer = await client.answer("GET")
                await client.close()
                if answer.status == 200:
                    return
                await asyncio.sleep(0.05)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def wait(self) -> int:
        async with asyncio.timeout(SECONDS):
            return await self._process.wait()

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def sidecar_process(upstream: str, **given: str) -> AsyncIterator[Process]:
    """A sidecar that listens, until the block ends."""
    process = await Process.start(upstream, **given)
    try:
        await process.up()
        yield process
    finally:
        process.kill()
        await process.wait()
