# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.sandbox up | run -- COMMAND | status | stop``: see README.md beside this file."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.sandbox.client import ControlError, SandboxClient
from tests.sandbox.faults import CLOUDS
from tests.sandbox.launcher import Sandbox
from tests.sandbox.runtime import stop_leftovers

DEFAULT_STATE_DIR = Path(".build/sandbox")
STOP_SECONDS = 15.0


def up(state_dir: Path, clouds: list[str]) -> int:
    """Run in the foreground until Ctrl-C or SIGTERM; exports go to standard output, the rest to standard error."""
    if running_pid(state_dir):
        print(f"A sandbox already runs from {state_dir}; stop it with `python -m tests.sandbox stop`.", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: ended.set())
    with Sandbox(state_dir, clouds) as sandbox:
        print(sandbox.shell_lines(), end="", flush=True)
        print(
            f"# The sandbox is up; the lines above are in {sandbox.state_dir}/env.sh. Ctrl-C ends it.", file=sys.stderr
        )
        ended.wait()
    return 0


def run(command: list[str], clouds: list[str]) -> int:
    """Run one command against a sandbox of its own and return the command's exit code."""
    scratch = tempfile.TemporaryDirectory(prefix="polycloud-sandbox-")
    with scratch as directory, Sandbox(Path(directory), clouds) as sandbox:
        return run_command(command, sandbox.environment())


def run_command(command: list[str], environment: dict[str, str]) -> int:
    """Run a command that decides itself how to end on SIGINT and SIGTERM; return its exit code as a shell does."""
    process: subprocess.Popen[bytes] | None = None
    terminated = threading.Event()

    def pass_on(number: int, frame: object) -> None:
        terminated.set()
        if process is not None:
            process.terminate()

    # Ctrl-C reaches the command by itself, SIGTERM does not. Ignoring SIGINT would be inherited by the command.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.signal(signal.SIGTERM, pass_on)
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    if terminated.is_set():
        process.terminate()
    code = process.wait()
    return code if code >= 0 else 128 - code


def status(state_dir: Path) -> int:
    """Print what runs from a state directory; 0 where a sandbox answers, else 1."""
    if not running_pid(state_dir):
        print(f"No sandbox runs from {state_dir}.")
        return 1
    client = SandboxClient(read_state(state_dir)["urls"]["control"])
    health = client.health()
    print(f"pid {health['pid']}")
    for name, url in health["urls"].items():
        print(f"{name} {url}")
    print(f"{len(client.workloads())} workloads, {len(client.requests())} requests")
    return 0


def stop(state_dir: Path) -> int:
    """Stop the sandbox of a state directory and wait for its end; also kill what a dead one left."""
    pid = running_pid(state_dir)
    if pid is None:
        print(f"No sandbox runs from {state_dir}; {stop_leftovers(state_dir)} left workloads killed.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while (state_dir / "env.json").exists():
        if time.monotonic() > deadline:
            print(f"The sandbox (pid {pid}) has not stopped within {STOP_SECONDS:.0f} s.", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print("Stopped.")
    return 0


def running_pid(state_dir: Path) -> int | None:
    """Return the pid of the sandbox that answers for a state directory, or None."""
    try:
        written = read_state(state_dir)
        answered = SandboxClient(written["urls"]["control"], timeout=5).health()["pid"]
    except (OSError, ControlError, ValueError, KeyError):
        return None
    # A port of a dead sandbox may have gone to another one.
    return int(answered) if answered == written["pid"] else None


def read_state(state_dir: Path) -> dict[str, Any]:
    """Return env.json; raises FileNotFoundError where no sandbox has written it."""
    state: dict[str, Any] = json.loads((state_dir / "env.json").read_text("utf-8"))
    return state


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description="Two emulated clouds on loopback.")
    commands = parser.add_subparsers(dest="action", required=True)
    for name in ("up", "run", "status", "stop"):
        command = commands.add_parser(name)
        if name in ("up", "run"):
            command.add_argument("--cloud", action="append", choices=CLOUDS, help="default: both")
        if name == "run":
            command.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
        else:
            command.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR)
    parsed = parser.parse_args(arguments)
    if parsed.action == "run":
        parsed.command = parsed.command[1:] if parsed.command[:1] == ["--"] else parsed.command
        if not parsed.command:
            parser.error("run needs a command: python -m tests.sandbox run -- COMMAND")
    return parsed


def main(arguments: list[str]) -> int:
    """Do what the command line says and return the exit code."""
    parsed = parse_arguments(arguments)
    if parsed.action == "up":
        return up(parsed.state_dir, parsed.cloud or list(CLOUDS))
    if parsed.action == "run":
        return run(parsed.command, parsed.cloud or list(CLOUDS))
    return status(parsed.state_dir) if parsed.action == "status" else stop(parsed.state_dir)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
