# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in a fork of a process that has its libraries imported: as a process of its own, without its start.

A run costs some 50 ms instead of one second. What it gets and gives is what tests/helpers/modules.py gives and gets;
unlike tests/helpers/in_process.py a run can be killed, and leaves nothing behind in the test.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from tests.helpers.modules import ROOT, module_environment, module_input, read_result

START_SECONDS = 60.0


class Running:
    """A module that runs. pid: its process, which a test may kill."""

    def __init__(self, name: str, connection: socket.socket, output: IO[bytes], errors: IO[bytes]) -> None:
        self._name = name
        self._answers = connection.makefile("rb")
        self._connection = connection
        self._streams = (output, errors)
        self.pid = int(self._answer()["pid"])

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise AssertionError(f"the warm server ended while {self._name} ran")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def wait(self) -> int:
        """Wait for the end; returns the exit code, negative for the signal that ended it."""
        try:
            return int(self._answer()["rc"])
        except TimeoutError as error:
            os.kill(self.pid, 9)
            raise AssertionError(f"module {self._name} did not end in time") from error
        finally:
            self._answers.close()
            self._connection.close()

    def result(self) -> dict[str, Any]:
        """Wait for the end and return the module's result; AssertionError where it gave none."""
        return self.collect(self.wait())

    def collect(self, code: int) -> dict[str, Any]:
        """The result of a module that has ended with an exit code."""
        output, errors = self.discard()
        return read_result(self._name, code, output, errors)

    def discard(self) -> tuple[str, str]:
        """What was written, for a module that has ended; the files are gone afterwards."""
        texts = []
        for stream in self._streams:
            stream.seek(0)
            texts.append(stream.read().decode())
            stream.close()
        return texts[0], texts[1]


class WarmServer:
    """The server process. Started by the first run, ended with the process that uses it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="polycloud-warm-")
        self._path = str(Path(self._folder.name) / "socket")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.warm_server", self._path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=module_environment(),
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            raise AssertionError("the warm server did not start")

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._folder.cleanup()

    def start(
        self, name: str, stdin: str, env: Mapping[str, str], timeout: float, longest_sleep: float | None
    ) -> Running:
        """Start a module."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(self._path)
        request = {"module": name, "env": dict(env), "longest_sleep": longest_sleep}
        # Closed by Running.result, whose stream they are.
        output, errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as given:
            given.write(stdin.encode())
            given.seek(0)
            line = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(connection, [line], [given.fileno(), output.fileno(), errors.fileno()])
            connection.sendall(line[sent:])
        return Running(name, connection, output, errors)


_server: WarmServer | None = None


def _shared() -> WarmServer:
    global _server
    if _server is None:
        _server = WarmServer()
        atexit.register(_server.close)
    return _server


def start_warm(
    name: str,
    args: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 120.0,
    longest_sleep: float | None = None,
) -> Running:
    """Start module `name` and return at once. longest_sleep: cuts the pauses between retries, for tests of many."""
    return _shared().start(name, module_input(args, check, diff), module_environment(env), timeout, longest_sleep)


def run_warm(
    name: str, args: Mapping[str, Any] | None = None, check: bool = False, diff: bool = False, **how: Any
) -> dict[str, Any]:
    """Run a module and return its result, as `run_module` does."""
    return start_warm(name, args, check, diff, **how).result()
