# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m tests.sandbox`` as a person or a Makefile calls it, with the emulated Azure as the cloud."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox.client import SandboxClient

ROOT = Path(__file__).resolve().parents[3]
SANDBOX = (sys.executable, "-m", "tests.sandbox")
Wait = Callable[..., None]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SANDBOX, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return call("run", "--cloud", "azure", "--", *command)


@pytest.fixture
def up(tmp_path: Path, wait: Wait) -> Iterator[subprocess.Popen[str]]:
    """A sandbox in the foreground of another process, ready, with ``tmp_path`` as state directory."""
    command = [*SANDBOX, "up", "--cloud", "azure", "--state-dir", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait(lambda: (tmp_path / "env.json").exists() or process.poll() is not None, 20)
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    yield process
    process.kill()
    process.communicate()


def test_run_gives_the_command_the_exports_and_returns_its_exit_code() -> None:
    program = (
        "import os, sys; from tests.sandbox.client import SandboxClient\n"
        "print(SandboxClient.from_environment().health()['exports']['AZURE_RESOURCE_MANAGER_ENDPOINT'])\n"
        "print(os.environ['AZURE_RESOURCE_MANAGER_ENDPOINT']); sys.exit(7)"
    )
    ended = run(sys.executable, "-c", program)
    assert ended.returncode == 7, ended.stderr
    stated, exported = ended.stdout.split()
    assert stated == exported


def test_run_has_a_shells_exit_codes_for_signals_and_missing_programs() -> None:
    assert run("sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL
    missing = run("no-such-program")
    assert (missing.returncode, missing.stderr.strip()) == (
        127,
        "cannot run no-such-program: No such file or directory",
    )


def test_run_passes_sigterm_on_to_the_command() -> None:
    process = subprocess.Popen(
        [*SANDBOX, "run", "--cloud", "azure", "--", "sh", "-c", "echo up; exec sleep 60"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait(20) == 128 + signal.SIGTERM


def test_run_without_a_command_says_how_it_is_called() -> None:
    ended = call("run")
    assert ended.returncode == 2
    assert "run needs a command" in ended.stderr


def test_up_can_be_asked_for_its_status_and_stopped(up: subprocess.Popen[str], tmp_path: Path) -> None:
    status = call("status", "--state-dir", str(tmp_path))
    assert status.returncode == 0
    assert f"pid {up.pid}" in status.stdout
    assert call("stop", "--state-dir", str(tmp_path)).stdout == "Stopped.\n"
    exports, told = up.communicate(timeout=10)
    assert up.returncode == 0
    assert "export AZURE_RESOURCE_MANAGER_ENDPOINT=http://127.0.0.1:" in exports
    assert "Ctrl-C ends it" in told
    assert call("status", "--state-dir", str(tmp_path)).returncode == 1


def test_ctrl_c_ends_it_without_a_traceback(up: subprocess.Popen[str], tmp_path: Path) -> None:
    up.send_signal(signal.SIGINT)
    told = up.communicate(timeout=10)[1]
    assert (up.returncode, "Traceback" in told, (tmp_path / "env.json").exists()) == (0, False, False)


def test_a_second_sandbox_in_the_same_directory_is_refused(up: subprocess.Popen[str], tmp_path: Path) -> None:
    second = call("up", "--cloud", "azure", "--state-dir", str(tmp_path))
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert up.poll() is None


def test_after_a_kill_the_state_is_known_to_be_stale(up: subprocess.Popen[str], tmp_path: Path) -> None:
    up.kill()
    up.wait()
    assert (tmp_path / "env.json").exists()
    assert call("status", "--state-dir", str(tmp_path)).returncode == 1
    assert "No sandbox runs" in call("stop", "--state-dir", str(tmp_path)).stdout


def test_stop_never_ends_another_sandbox_that_took_over_the_port(up: subprocess.Popen[str], tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    stale.mkdir()
    state = json.loads((tmp_path / "env.json").read_text())
    (stale / "env.json").write_text(json.dumps({**state, "pid": os.getpid()}))
    assert "No sandbox runs" in call("stop", "--state-dir", str(stale)).stdout
    assert SandboxClient(state["urls"]["control"]).health()["pid"] == up.pid
