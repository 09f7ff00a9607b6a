# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of a container group or a replica: its process, its restarts, its probes, its events.

The containers that run Ollama and our sidecar are real local processes. Others (an init container) are only imagined:
they run and stay running, unless the tag of their image names the fault ``crash`` or ``missing``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from tests.sandbox.azure.arm import Json, now_text
from tests.sandbox.azure.probes import Probe, ProbeSpec
from tests.sandbox.azure.world import World
from tests.sandbox.runtime import PORT, ImagePullError, Workload, WorkloadSpec, image_faults
from tests.sandbox.sidecars import START_SECONDS, is_sidecar, listen_port

BACK_OFF_START, BACK_OFF_LIMIT = 10.0, 300.0
PULL_BACK_OFF = 20.0


class ContainerRun:
    """A container that is to run. ``phase`` is Waiting, Running or Terminated."""

    def __init__(
        self,
        world: World,
        name: str,
        image: str,
        make_spec: Callable[[], WorkloadSpec] | None,
        restart_policy: str = "Always",
        probes: Sequence[ProbeSpec] = (),
        *,
        drains: bool = True,
    ) -> None:
        self.name, self.image = name, image
        self.phase, self.detail = "Waiting", ""
        self.restart_count = 0
        self.exit_code: int | None = None
        self.started_text: str | None = None
        self.finished_text: str | None = None
        self.previous: Json | None = None
        self.pull_failed = False
        self.events: list[Json] = []
        self.workload: Workload | None = None
        self.probes: list[Probe] = []
        self._world, self._make_spec = world, make_spec
        self._policy, self._probe_specs = restart_policy, tuple(probes)
        self._drains = drains
        self._not_before = 0.0
        self._started = 0.0
        self._stopping: Future[Any] | None = None
        self._logs = ""

    # What others read

    @property
    def started(self) -> bool:
        """Say whether it runs and its startup probe, if any, has passed."""
        return self.phase == "Running" and all(probe.passing for probe in self.probes if probe.spec.kind == "Startup")

    @property
    def ready(self) -> bool:
        """Say whether it may receive requests."""
        return self.started and all(probe.passing for probe in self.probes if probe.spec.kind == "Readiness")

    @property
    def ended(self) -> bool:
        """Say whether it has run to its end and will not run again."""
        return self.phase == "Terminated"

    def logs(self) -> str:
        """Return what this container has written since it was last started anew."""
        return self._logs + (self.workload.log() if self.workload else "")

    # What the machine does

    def tick(self, now: float) -> None:
        """Start, watch or restart the process."""
        if self._stopping is not None:
            if not self._stopping.done():
                return
            self._stopping = None
        if self.phase == "Waiting" and now >= self._not_before:
            self._start(now)
        elif self.phase == "Running":
            self._watch(now)

    def restart(self) -> None:
        """Stop the process and start it anew as soon as it has ended; counters begin again."""
        self.halt()
        self.phase, self.detail, self.restart_count, self._not_before = "Waiting", "", 0, 0.0

    def halt(self) -> Future[Any] | None:
        """Stop the process, if any; returns the future of its end."""
        self.probes = []
        workload, self.workload = self.workload, None
        if workload is not None:
            self._logs = workload.log()[-65536:]
            self._stopping = self._world.submit(partial(workload.stop, drains=self._drains))
        return self._stopping

    def finish(self, exit_code: int, detail: str) -> None:
        """Note that the process was stopped on purpose."""
        self._end(exit_code, detail)

    # Steps

    def _start(self, now: float) -> None:
        self._event("Pulling", f'pulling image "{self.image}"')
        try:
            if self._make_spec is not None:
                self.workload = self._world.runtime.start(self._make_spec())
            elif "missing" in image_faults(self.image):
                raise ImagePullError(f"failed to pull {self.image}: manifest unknown")
        except ImagePullError as error:
            self.pull_failed, self.detail = True, "ImagePullBackOff"
            self._event("Failed", f'Failed to pull image "{self.image}": {error}', "Warning")
            self._not_before = now + PULL_BACK_OFF * self._world.timing.scale
            return
        self.pull_failed = False
        self._event("Pulled", f'Successfully pulled image "{self.image}"')
        self._event("Started", "Started container")
        self.phase, self.detail, self.exit_code = "Running", "", None
        self.started_text, self.finished_text, self._started = now_text(), None, now
        if self.workload is not None:
            self.probes = [Probe(spec, self._world, self.workload, now) for spec in self._probe_specs]

    def _watch(self, now: float) -> None:
        if self.workload is None:
            if self._make_spec is None and "crash" in image_faults(self.image):
                self._exited(1, now)
            return
        code = self.workload.exit_code()
        if code is not None:
            self._exited(code, now)
            return
        for probe in self._active_probes():
            if probe.tick(now) and probe.last_failed:
                self._event("Unhealthy", f"{probe.spec.kind} probe failed", "Warning")
        slow = START_SECONDS if is_sidecar(self.workload.spec.environment) else 0.0
        young = now - self._started < self._world.timing.probe_grace + slow
        if not young and any(probe.exhausted for probe in self._active_probes() if probe.spec.kind != "Readiness"):
            self._event("Killing", f"Container {self.name} failed its probe and will be restarted", "Warning")
            self.halt()
            self._exited(137, now)

    def _active_probes(self) -> list[Probe]:
        waiting = [probe for probe in self.probes if probe.spec.kind == "Startup" and not probe.passing]
        return waiting or [probe for probe in self.probes if probe.spec.kind != "Startup"]

    def _exited(self, code: int, now: float) -> None:
        if self.workload is not None:
            self._logs = self.workload.log()[-65536:]
            self.workload = None
        self._end(code, "Completed" if code == 0 else "Error")
        self.probes = []
        if self._policy == "Never" or (self._policy == "OnFailure" and code == 0):
            return
        self.previous = self.state()
        back_off = min(BACK_OFF_START * 2**self.restart_count, BACK_OFF_LIMIT) * self._world.timing.scale
        self.restart_count += 1
        self.phase, self.detail = "Waiting", "CrashLoopBackOff: Back-off restarting failed"
        self._not_before = now + back_off
        self._event("BackOff", "Back-off restarting failed container", "Warning")

    def _end(self, code: int, detail: str) -> None:
        self.phase, self.exit_code, self.detail, self.finished_text = "Terminated", code, detail, now_text()

    def state(self) -> Json:
        """Return the state in the form of a container group's instanceView."""
        state: Json = {"state": self.phase, "detailStatus": self.detail}
        if self.phase in ("Running", "Terminated") and self.started_text:
            state["startTime"] = self.started_text
        if self.phase == "Terminated":
            state.update(exitCode=self.exit_code, finishTime=self.finished_text)
        return state

    def _event(self, name: str, message: str, kind: str = "Normal") -> None:
        for event in self.events:
            if (event["name"], event["message"]) == (name, message):
                event["count"] += 1
                event["lastTimestamp"] = now_text()
                return
        self.events.append(new_event(name, message, kind))


def new_event(name: str, message: str, kind: str = "Normal") -> Json:
    """Return an event as it appears in an instance view."""
    stamp = now_text()
    times = {"firstTimestamp": stamp, "lastTimestamp": stamp}
    return {"count": 1, **times, "name": name, "message": message, "type": kind}


def server_port(environment: dict[str, str]) -> int:
    """Return the port on which a sidecar listens, or Ollama: that of OLLAMA_HOST, else its default."""
    if is_sidecar(environment):
        return listen_port(environment)
    tail = environment.get("OLLAMA_HOST", "").rsplit("/", 1)[-1].rpartition(":")[2]
    return int(tail) if tail.isdigit() else PORT


def ollama_index(containers: Sequence[tuple[str, dict[str, str], Sequence[int]]]) -> int:
    """Say which of (image, environment, ports) runs Ollama.

    The one that is told its models or its host, else the one whose image is named so, else the one that exposes
    Ollama's port, else the first.
    """
    rules: list[Callable[[str, dict[str, str], Sequence[int]], bool]] = [
        lambda image, environment, ports: "POLYCLOUD_MODELS" in environment,
        lambda image, environment, ports: "OLLAMA_HOST" in environment,
        lambda image, environment, ports: "ollama" in image,
        lambda image, environment, ports: PORT in ports,
    ]
    for rule in rules:
        for index, (image, environment, ports) in enumerate(containers):
            if rule(image, environment, ports):
                return index
    return 0
