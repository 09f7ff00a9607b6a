# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health probes as both services have them: httpGet, tcpSocket, exec; delay, period, thresholds.

Times of a body run at ``Timing.scale``. A probe's request runs in a worker thread, so a hanging target holds nobody.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.azure.world import World
from tests.sandbox.runtime import Workload

STEADY_PERIOD = 0.3


@dataclass(frozen=True)
class ProbeSpec:
    """One probe; seconds are those of the body."""

    kind: str  # Startup, Liveness or Readiness
    action: str  # http, tcp or exec
    port: int = 0
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    failures: int = 3
    successes: int = 1


class Probe:
    """The state of one probe of one started process."""

    def __init__(self, spec: ProbeSpec, world: World, workload: Workload, started: float) -> None:
        self.spec = spec
        self._world = world
        self._workload = workload
        self._due = started + spec.initial_delay * world.timing.scale
        self._future: Future[bool] | None = None
        self._good = 0
        self.bad = 0
        self.passing = False
        self.last_failed = False

    @property
    def exhausted(self) -> bool:
        """Say whether it has failed as often in a row as its threshold says."""
        return self.bad >= self.spec.failures

    def tick(self, now: float) -> bool:
        """Start a check where one is due; returns True when a check has just ended."""
        if self._future is not None:
            if not self._future.done():
                return False
            self._count(self._future.result())
            self._future = None
            period = max(self.spec.period * self._world.timing.scale, self._world.timing.probe_floor)
            self._due = now + (max(period, STEADY_PERIOD) if self.passing else period)
            return True
        if now >= self._due:
            self._future = self._world.submit(_check, self.spec, self._workload)
        return False

    def _count(self, good: bool) -> None:
        self.last_failed = not good
        self._good, self.bad = (self._good + 1, 0) if good else (0, self.bad + 1)
        if good and self._good >= self.spec.successes:
            self.passing = True
        elif self.exhausted:
            self.passing = False


def _check(spec: ProbeSpec, workload: Workload) -> bool:
    address = workload.spec.address
    # Real time, and never less than half a second: the machine that runs the tests may be busy.
    timeout = min(max(spec.timeout, 0.5), 2.0)
    if spec.action == "exec":
        # A command cannot run inside of a local process; the one that reads its own API is what Ollama images use.
        return workload.healthy() if "ollama" in " ".join(spec.command) else workload.alive()
    try:
        if spec.action == "tcp":
            socket.create_connection((address, spec.port), timeout).close()
            return True
        return _http_status(address, spec, timeout) in range(200, 400)
    except (OSError, http.client.HTTPException):
        return False


def _http_status(address: str, spec: ProbeSpec, timeout: float) -> int:
    connection = http.client.HTTPConnection(address, spec.port, timeout=timeout)
    try:
        connection.request("GET", spec.path, headers=dict(spec.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def probe_fields(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that both services spell the same way, as arguments of ProbeSpec."""
    names = {
        "initialDelaySeconds": "initial_delay",
        "periodSeconds": "period",
        "timeoutSeconds": "timeout",
        "failureThreshold": "failures",
        "successThreshold": "successes",
    }
    found = {ours: described[theirs] for theirs, ours in names.items() if described.get(theirs) is not None}
    if described.get("httpGet"):
        target = described["httpGet"]
        headers = {header["name"]: header["value"] for header in target.get("httpHeaders") or []}
        found.update(action="http", port=target["port"], path=target.get("path") or "/", headers=headers)
    elif described.get("tcpSocket"):
        found.update(action="tcp", port=described["tcpSocket"]["port"])
    else:
        found.update(action="exec", command=tuple((described.get("exec") or {}).get("command") or ()))
    return found
