# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Redis of a test's own, that can be killed, stopped and started again on its port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.real_ollama import free_port

START_SECONDS = 20


class RealRedis:
    """A redis-server on loopback that keeps nothing on disk. options: its own, such as `--requirepass`."""

    def __init__(self, folder: Path, *options: str, tls: bool = False) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("there is no redis-server: the package redis-server of the distribution has it")
        self.port = free_port()
        ports = ["--port", "0", "--tls-port", str(self.port)] if tls else ["--port", str(self.port)]
        plain = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        self._command = [binary, *ports, *plain, "--logfile", str(folder / "redis.log"), *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return when it listens."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                assert self._process.poll() is None, "redis-server ended"
                assert time.monotonic() < deadline, "redis-server does not listen"
                time.sleep(0.02)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=10)

    def hang(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)
        self._stopped = True

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)
        self._stopped = False

    def end(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        if self._stopped:
            self.go_on()
        self._process.terminate()
        self._process.wait(timeout=10)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)


@contextmanager
def running_redis(folder: Path, *options: str, tls: bool = False) -> Iterator[RealRedis]:
    """A server that runs until the block ends."""
    redis = RealRedis(folder, *options, tls=tls)
    redis.start()
    try:
        yield redis
    finally:
        redis.end()
