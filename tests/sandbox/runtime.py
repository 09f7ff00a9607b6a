# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process runtime: a running task or replica is a local process that speaks Ollama's HTTP API.

Each workload has an address of its own in 127.64.0.0/13, so that all of them listen on Ollama's port. The process is
the test engine (``engine.py``), or the real ``ollama`` where POLYCLOUD_SANDBOX_ENGINE=ollama and it is installed. The
sidecar beside it is the real one (``sidecars.py``).
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sandbox import sidecars

PORT = 11434
# Linux answers on all of 127.0.0.0/8 without any set-up; each kind of address has a /16 of its own.
BLOCKS = {"ecs": 64, "aci": 65, "app": 66, "revision": 67, "replica": 68}
FAULTS = ("crash", "never-ready", "no-model", "slow", "wrong-answer", "no-gpu")
PROBE_SECONDS = 0.5
_ROOT = Path(__file__).resolve().parents[2]
# How a workload's Python begins: isolated (-I) and without site (-S) for a fast start, with our root last on its path.
_BOOT = f"import sys; sys.path.append({str(_ROOT)!r}); from tests.sandbox.{{module}} import main; "
_ENGINE_BOOT = _BOOT.format(module="engine") + "main(sys.argv[1])"
_SUPERVISOR_BOOT = _BOOT.format(module="supervise") + "sys.exit(main(sys.argv[1:]))"


class ImagePullError(RuntimeError):
    """The image of a workload cannot be pulled."""


@dataclass(frozen=True)
class WorkloadSpec:
    """What to run, and where. ``image`` may carry faults in its tag, see ``image_faults``.

    ``files`` maps absolute container paths to contents; they are written below the workload's own directory, whose
    path the process finds in POLYCLOUD_SANDBOX_FILES.
    """

    image: str
    environment: Mapping[str, str]
    address: str
    port: int = PORT
    gpu: bool = False
    name: str = ""
    files: Mapping[str, str] | None = None


@dataclass(frozen=True, eq=False)
class Workload:
    """A started process. ``started_at`` is in seconds since the epoch."""

    spec: WorkloadSpec
    pid: int
    started_at: float
    directory: Path
    _process: subprocess.Popen[bytes] = field(repr=False)

    def alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def exit_code(self) -> int | None:
        """Return the exit code as a container runtime states it (128 + signal), or None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def healthy(self) -> bool:
        """Say whether the API answers, which is all that ``ollama ps``, a sidecar's check or a probe would see."""
        path = "/livez" if sidecars.is_sidecar(self.spec.environment) else "/api/version"
        try:
            return self.http("GET", path, timeout=PROBE_SECONDS)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def http(self, method: str, path: str, body: Any = None, timeout: float = 1.0) -> tuple[int, bytes]:
        """Send one request (``body`` as JSON) and return (status, body); raises OSError where nothing answers."""
        connection = http.client.HTTPConnection(self.spec.address, self.spec.port, timeout=timeout)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def log(self) -> str:
        """Return what the process has written so far."""
        path = self.directory / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def kill(self) -> None:
        """End the process and its children with SIGKILL, as a crash or the out-of-memory killer does."""
        if self.alive():
            _signal_group(self.pid, signal.SIGKILL)
        self._process.wait(5)

    def stop(self, grace: float = 2.0, *, drains: bool = True) -> None:
        """End the process and its children: SIGTERM, and after ``grace`` seconds SIGKILL.

        drains: the platform gives a sidecar its time to drain, and Ollama outlives the sidecar beside it.
        """
        drains = drains and grace > 0
        grace = max(grace, sidecars.stop_seconds(self.spec.environment)) if drains else grace
        if self.alive():
            if drains:
                sidecars.hold(self.spec.environment, self.spec.address)
            _signal_group(self.pid, signal.SIGTERM)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()


class ProcessRuntime:
    """Starts and stops workloads, and lends them addresses. Thread safe.

    No workload outlives the sandbox: each holds the read end of a pipe as its standard input and ends when the pipe
    closes, which happens however this process dies. (PR_SET_PDEATHSIG would act on the end of the *thread* that
    started the child, and that is often a thread of one request.) The pid files in ``state_dir`` are a second net.
    """

    def __init__(self, state_dir: Path | None = None) -> None:
        self._scratch = None if state_dir else tempfile.TemporaryDirectory(prefix="polycloud-sandbox-")
        self._root = (state_dir or Path(self._scratch.name if self._scratch else "")) / "workloads"
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._workloads: list[Workload] = []
        self._addresses: dict[str, socket.socket] = {}
        # Two sandboxes begin their search at different places, so they seldom meet; where they do, the lock decides.
        self._next_host = itertools.count(os.getpid() * 251)
        self._next_name = itertools.count(1)
        self._lifeline_read, self._lifeline_write = os.pipe()

    def allocate_address(self, block: str) -> str:
        """Reserve a free loopback address for one of BLOCKS, until ``release_address`` or ``stop_all``."""
        for _ in range(1000):
            address = _address(BLOCKS[block], next(self._next_host))
            with self._lock:
                if address not in self._addresses and (reservation := _reserve(address)):
                    self._addresses[address] = reservation
                    return address
        raise OSError(
            f"no free address in 127.{BLOCKS[block]}.0.0/16: is something listening on 0.0.0.0:{PORT}? Stop it first"
        )

    def release_address(self, address: str) -> None:
        """Give an address back; unknown addresses are ignored."""
        with self._lock:
            reservation = self._addresses.pop(address, None)
        if reservation is not None:
            reservation.close()

    def start(self, spec: WorkloadSpec) -> Workload:
        """Start a workload; raises ImagePullError where the tag names the fault ``missing``."""
        faults = image_faults(spec.image)
        if "missing" in faults:
            raise ImagePullError(f"failed to pull {spec.image}: manifest unknown")
        directory = self._root / f"{os.getpid()}-{next(self._next_name)}"
        directory.mkdir(parents=True)
        environment = {"PATH": os.defpath, "HOME": str(directory), **spec.environment}
        environment["POLYCLOUD_SANDBOX_FILES"] = str(_write_files(directory, spec.files or {}))
        command = _command(spec, faults, environment, directory)
        with (directory / "log").open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, cwd=directory, stdin=self._lifeline_read, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        (directory / "pid").write_text(str(process.pid))
        workload = Workload(spec, process.pid, time.time(), directory, process)
        with self._lock:
            self._workloads = [known for known in self._workloads if known.alive()] + [workload]
        return workload

    def workloads(self) -> list[Workload]:
        """Return the workloads that run now."""
        with self._lock:
            return [workload for workload in self._workloads if workload.alive()]

    def stop_all(self) -> None:
        """Stop every workload at once and give all addresses back; the runtime can be used again."""
        with self._lock:
            workloads, self._workloads = self._workloads, []
            addresses, self._addresses = self._addresses, {}
        for workload in workloads:
            if workload.alive():
                _signal_group(workload.pid, signal.SIGTERM)
        for workload in workloads:
            workload.stop(grace=1.0)
        for directory in self._root.glob(f"{os.getpid()}-*"):
            shutil.rmtree(directory, ignore_errors=True)
        for reservation in addresses.values():
            reservation.close()

    def close(self) -> None:
        """Stop everything for good."""
        self.stop_all()
        os.close(self._lifeline_write)
        os.close(self._lifeline_read)
        if self._scratch is not None:
            self._scratch.cleanup()


def image_faults(image: str) -> frozenset[str]:
    """Return the faults that an image's tag names, as ``{"crash"}`` for ``ollama:0.17.1-crash@sha256:...``."""
    last = image.partition("@")[0].rpartition("/")[2]
    words = f"-{last.partition(':')[2]}-"
    return frozenset(fault for fault in (*FAULTS, "missing") if f"-{fault}-" in words)


def stop_leftovers(state_dir: Path) -> int:
    """Kill workloads that an earlier sandbox left in ``state_dir``; returns how many there were."""
    killed = 0
    for pid_file in (state_dir / "workloads").glob("*/pid"):
        pid = int(pid_file.read_text() or 0)
        if pid and _is_ours(pid):
            _signal_group(pid, signal.SIGKILL)
            killed += 1
        shutil.rmtree(pid_file.parent, ignore_errors=True)
    return killed


def uses_real_engine() -> bool:
    """Say whether workloads run the real ``ollama``."""
    return os.environ.get("POLYCLOUD_SANDBOX_ENGINE") == "ollama" and shutil.which("ollama") is not None


def _command(spec: WorkloadSpec, faults: frozenset[str], environment: dict[str, str], directory: Path) -> list[str]:
    """Return the command line of a workload; adapts ``environment`` for the real engine."""
    python = [sys.executable, "-I", "-S", "-c"]
    if sidecars.is_sidecar(environment):
        environment.update(sidecars.placed(environment, spec.address))
        command = ("/bin/false",) if "crash" in faults else sidecars.COMMAND
        return [*python, _SUPERVISOR_BOOT, *command]
    if uses_real_engine() and not faults:
        environment["OLLAMA_HOST"] = f"{spec.address}:{spec.port}"
        environment["OLLAMA_MODELS"] = os.environ.get("POLYCLOUD_SANDBOX_OLLAMA_MODELS", str(directory / "models"))
        return [*python, _SUPERVISOR_BOOT, str(shutil.which("ollama")), "serve"]
    settings = {
        "address": spec.address,
        "port": spec.port,
        "gpu": spec.gpu,
        "faults": sorted(faults),
        "slow_seconds": float(os.environ.get("POLYCLOUD_SANDBOX_SLOW_SECONDS", "20")),
        "token_ms": float(os.environ.get("POLYCLOUD_SANDBOX_TOKEN_MS", "1")),
    }
    return [*python, _ENGINE_BOOT, json.dumps(settings)]


def _write_files(directory: Path, files: Mapping[str, str]) -> Path:
    root = directory / "files"
    root.mkdir()
    for path, content in files.items():
        target = (root / path.lstrip("/")).resolve()
        if not target.is_relative_to(root.resolve()):
            raise ValueError(f"file {path!r} lies outside of the workload's directory")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")
    return root


def _address(block: int, index: int) -> str:
    return f"127.{block}.{index // 254 % 256}.{index % 254 + 1}"


def _reserve(address: str) -> socket.socket | None:
    """Lock an address across processes, or return None where it is taken.

    The lock is a UDP socket on Ollama's port: it bars other sandboxes but not the workload, which needs TCP.
    """
    lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        lock.bind((address, PORT))
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, PORT))
    except OSError:
        lock.close()
        return None
    return lock


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _is_ours(pid: int) -> bool:
    """Say whether a pid still belongs to a workload, and was not given to another process since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(os.fsencode(boot) in command for boot in (_ENGINE_BOOT, _SUPERVISOR_BOOT))
