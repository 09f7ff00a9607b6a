# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process runtime: a workload is a process, its image's tag names its faults, and it never outlives us."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.runtime import (
    BLOCKS,
    ImagePullError,
    ProcessRuntime,
    Workload,
    WorkloadSpec,
    image_faults,
    stop_leftovers,
)

ROOT = Path(__file__).resolve().parents[3]
Wait = Callable[..., None]


def start(runtime: ProcessRuntime, tag: str = "0.32.15", **spec: object) -> Workload:
    environment = {"POLYCLOUD_MODELS": "gemma3:1b"}
    return runtime.start(WorkloadSpec(f"ollama:{tag}", environment, runtime.allocate_address("ecs"), **spec))


def ask(workload: Workload) -> tuple[int, dict[str, object]]:
    status, body = workload.http(
        "POST", "/api/generate", {"model": "gemma3:1b", "prompt": "Hello", "stream": False}, timeout=5
    )
    return status, json.loads(body)


def running(pid: int) -> bool:
    """A zombie has ended: only its parent's knowledge is missing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_workload_becomes_healthy_answers_and_stops_cleanly(runtime: ProcessRuntime, wait: Wait) -> None:
    workload = start(runtime)
    wait(workload.healthy)
    status, answer = ask(workload)
    assert (status, answer["done_reason"]) == (200, "stop")
    assert [known.pid for known in runtime.workloads()] == [workload.pid]
    workload.stop()
    assert (workload.alive(), workload.exit_code(), workload.healthy()) == (False, 0, False)
    assert runtime.workloads() == []


@pytest.mark.parametrize(
    ("image", "faults"),
    [
        ("ollama:0.32.15", set()),
        ("ollama:0.32.15-crash", {"crash"}),
        ("registry.test:5000/team/ollama:0.32.15-never-ready@sha256:00", {"never-ready"}),
        ("registry.test:5000/crash/ollama", set()),
        ("ollama@sha256:00", set()),
        ("ollama:slow-no-model", {"slow", "no-model"}),
        ("ollama:crashed", set()),
        ("ollama:missing", {"missing"}),
    ],
)
def test_faults_are_words_of_the_tag(image: str, faults: set[str]) -> None:
    assert image_faults(image) == faults


def test_a_crashing_image_exits_with_1_and_says_why(runtime: ProcessRuntime, wait: Wait) -> None:
    workload = start(runtime, "1-crash")
    wait(lambda: not workload.alive())
    assert workload.exit_code() == 1
    assert "crash" in workload.log()


def test_a_never_ready_image_lives_but_its_port_does_not_answer(runtime: ProcessRuntime) -> None:
    workload = start(runtime, "1-never-ready")
    with pytest.raises(ConnectionRefusedError):
        workload.http("GET", "/api/version")
    assert workload.alive()
    assert not workload.healthy()


def test_an_image_without_models_is_healthy_and_answers_404(runtime: ProcessRuntime, wait: Wait) -> None:
    workload = start(runtime, "1-no-model")
    wait(workload.healthy)
    assert json.loads(workload.http("GET", "/api/tags")[1]) == {"models": []}
    assert ask(workload) == (404, {"error": "model 'gemma3:1b' not found"})


def test_a_slow_image_takes_its_time_to_load(
    runtime: ProcessRuntime, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYCLOUD_SANDBOX_SLOW_SECONDS", "0.4")
    workload = start(runtime, "1-slow")
    wait(workload.healthy)
    first, second = ask(workload)[1], ask(workload)[1]
    assert first["load_duration"] >= 4e8
    assert second["load_duration"] < 1e8


def test_a_wrong_answer_is_a_200_without_text(runtime: ProcessRuntime, wait: Wait) -> None:
    workload = start(runtime, "1-wrong-answer")
    wait(workload.healthy)
    status, answer = ask(workload)
    assert (status, answer["response"], answer["done"]) == (200, "", True)


@pytest.mark.parametrize(("tag", "gpu", "share"), [("1", True, 1), ("1-no-gpu", True, 0), ("1", False, 0)])
def test_size_vram_tells_whether_the_model_is_on_the_gpu(
    runtime: ProcessRuntime, wait: Wait, tag: str, gpu: bool, share: int
) -> None:
    workload = start(runtime, tag, gpu=gpu)
    wait(workload.healthy)
    ask(workload)
    [loaded] = json.loads(workload.http("GET", "/api/ps")[1])["models"]
    assert loaded["size_vram"] == share * loaded["size"]


def test_a_missing_image_cannot_be_pulled(runtime: ProcessRuntime) -> None:
    with pytest.raises(ImagePullError, match=r"ollama:1-missing: manifest unknown"):
        start(runtime, "1-missing")
    assert runtime.workloads() == []


def test_a_killed_workload_has_the_exit_code_of_sigkill(runtime: ProcessRuntime) -> None:
    workload = start(runtime)
    workload.kill()
    assert workload.exit_code() == 128 + signal.SIGKILL


def test_every_block_has_its_own_network_and_an_address_is_lent_once(runtime: ProcessRuntime) -> None:
    addresses = [runtime.allocate_address(block) for block in BLOCKS for _ in range(3)]
    assert len(set(addresses)) == len(addresses)
    assert [address.split(".")[1] for address in addresses[::3]] == [str(number) for number in BLOCKS.values()]


def test_two_sandboxes_side_by_side_never_share_an_address(runtime: ProcessRuntime, tmp_path: Path) -> None:
    # Both search from the same place, since that follows from the pid.
    other = ProcessRuntime(tmp_path / "other")
    try:
        mine = {runtime.allocate_address("ecs") for _ in range(5)}
        theirs = {other.allocate_address("ecs") for _ in range(5)}
    finally:
        other.close()
    assert not mine & theirs


def test_an_address_in_use_by_a_stranger_is_passed_over(runtime: ProcessRuntime, tmp_path: Path) -> None:
    probe = ProcessRuntime(tmp_path / "probe")
    next_address = probe.allocate_address("aci")
    probe.close()
    with socket.create_server((next_address, 11434)):
        assert runtime.allocate_address("aci") != next_address


def test_a_workload_outlives_the_thread_that_started_it(runtime: ProcessRuntime, wait: Wait) -> None:
    started: list[Workload] = []
    thread = threading.Thread(target=lambda: started.append(start(runtime)))
    thread.start()
    thread.join()
    wait(started[0].healthy)


def start_and_be_killed(state_dir: Path) -> list[int]:
    """Let another process start two workloads and die of SIGKILL; return their pids."""
    program = (
        "import os, signal, sys, time; from pathlib import Path; from tests.sandbox.runtime import *\n"
        "runtime = ProcessRuntime(Path(sys.argv[1]))\n"
        "for tag in ('1', '1-never-ready'):\n"
        "    workload = runtime.start(WorkloadSpec(f'ollama:{tag}', {}, runtime.allocate_address('ecs')))\n"
        "    print(workload.pid, flush=True)\n"
        "while uses_real_engine() and not runtime.workloads()[0].log():\n"
        "    time.sleep(0.01)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, str(state_dir)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    pids = [int(line) for line in ended.stdout.split()]
    assert (ended.returncode, len(pids)) == (-signal.SIGKILL, 2), ended.stderr
    return pids


def test_no_workload_outlives_a_sandbox_that_is_killed(tmp_path: Path, wait: Wait) -> None:
    pids = start_and_be_killed(tmp_path)
    wait(lambda: not any(map(running, pids)))


def test_leftovers_are_killed_but_never_a_process_that_took_over_the_pid(
    runtime: ProcessRuntime, tmp_path: Path, wait: Wait
) -> None:
    ours = start(runtime)
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        for name, pid in (("ours", ours.pid), ("stranger", stranger.pid)):
            directory = tmp_path / "left" / "workloads" / name
            directory.mkdir(parents=True)
            (directory / "pid").write_text(str(pid))
        assert stop_leftovers(tmp_path / "left") == 1
        wait(lambda: not ours.alive())
        assert stranger.poll() is None
        assert list((tmp_path / "left" / "workloads").iterdir()) == []
    finally:
        stranger.kill()
        stranger.wait()


def test_files_are_written_below_the_workloads_own_directory(runtime: ProcessRuntime) -> None:
    workload = start(runtime, files={"/etc/sidecar/config.yaml": "port: 8080"})
    assert (workload.directory / "files/etc/sidecar/config.yaml").read_text() == "port: 8080"
    with pytest.raises(ValueError, match="outside"):
        start(runtime, files={"../../escaped": "x"})


def test_stop_all_ends_everything_and_the_runtime_can_go_on(runtime: ProcessRuntime, wait: Wait) -> None:
    workloads = [start(runtime) for _ in range(3)]
    runtime.stop_all()
    assert not any(workload.alive() for workload in workloads)
    wait(start(runtime).healthy)


@pytest.fixture
def installed_ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the real binary: it says what it was given, and starts a child as Ollama >= 0.30 does."""
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nsleep 60 &\necho "$* at $OLLAMA_HOST child $!"\nwait\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("POLYCLOUD_SANDBOX_ENGINE", "ollama")


@pytest.mark.usefixtures("installed_ollama")
def test_the_real_engine_gets_the_address_and_ends_with_its_children(runtime: ProcessRuntime, wait: Wait) -> None:
    workload = start(runtime)
    wait(lambda: "child" in workload.log())
    said, _, child = workload.log().strip().rpartition(" child ")
    assert said == f"serve at {workload.spec.address}:11434"
    assert running(int(child))
    workload.stop()
    assert workload.exit_code() == 128 + signal.SIGTERM
    wait(lambda: not running(int(child)))


@pytest.mark.usefixtures("installed_ollama")
def test_an_image_with_a_fault_runs_the_test_engine_even_where_ollama_is_installed(
    runtime: ProcessRuntime, wait: Wait
) -> None:
    workload = start(runtime, "1-crash")
    wait(lambda: not workload.alive())
    assert workload.exit_code() == 1


@pytest.mark.usefixtures("installed_ollama")
def test_the_real_engine_and_its_children_do_not_outlive_a_sandbox_that_is_killed(tmp_path: Path, wait: Wait) -> None:
    pids = start_and_be_killed(tmp_path)
    [said] = [text for log in tmp_path.glob("workloads/*/log") if "child" in (text := log.read_text())]
    pids.append(int(said.rpartition(" child ")[2]))
    wait(lambda: not any(map(running, pids)))
