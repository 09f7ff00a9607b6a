# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A revision of a container app: how many replicas it wants, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.azure.arm import Json, now_text
from tests.sandbox.azure.ingress import Listener
from tests.sandbox.azure.replica import Replica, ReplicaPlan
from tests.sandbox.azure.scalers import cron_replicas, wakes_on_request
from tests.sandbox.azure.world import World
from tests.sandbox.sidecars import START_SECONDS


class Revision:
    """A revision. ``provisioning`` is Provisioning, Provisioned or Failed."""

    def __init__(self, world: World, name: str, template: Json, make_plan: Callable[[Revision], ReplicaPlan]) -> None:
        self.name, self.template = name, template
        self.created, self.last_active = now_text(), now_text()
        self.active = True
        self.provisioning, self.error = "Provisioning", ""
        self.replicas: list[Replica] = []
        self.listener: Listener | None = None
        self.fqdn = ""
        self.open_requests = 0
        self._failed_state = "Failed"
        self._world, self._make_plan = world, make_plan
        self._since: float | None = None
        self._up_since: float | None = None
        self._woken_until = 0.0
        self._turn = 0

    # What others read

    @property
    def scale(self) -> Json:
        """Return the scale section, with its defaults filled in."""
        found: Json = self.template["scale"]
        return found

    @property
    def ready_replicas(self) -> list[Replica]:
        """Return the replicas that may receive requests."""
        return [replica for replica in self.replicas if replica.ready]

    @property
    def gpus_held(self) -> int:
        """Return how many GPUs its replicas hold."""
        return sum(replica.gpus_held for replica in self.replicas)

    @property
    def running_state(self) -> str:
        """Return runningState, with the values that the real service gives beside the documented ones."""
        if self.provisioning == "Failed":
            return self._failed_state
        if self.provisioning == "Provisioning":
            return "Processing"
        if not self.replicas:
            return "ScaledToZero"
        ready = len(self.ready_replicas)
        if ready < len(self.replicas):
            return "Degraded" if ready else "Failed" if any(r.failure for r in self.replicas) else "Processing"
        return "RunningAtMaxScale" if ready >= self.scale["maxReplicas"] else "Running"

    @property
    def health_state(self) -> str:
        """Return healthState."""
        if self.provisioning == "Provisioning":
            return "None"
        if self.provisioning == "Failed" or len(self.ready_replicas) < len(self.replicas):
            return "Unhealthy"
        return "Healthy"

    # What the app does

    def provision(self) -> None:
        """Begin anew to become ready."""
        self.active, self.provisioning, self.error, self._since = True, "Provisioning", "", None
        self._up_since = None

    def fail(self, message: str, state: str = "Failed") -> None:
        """Give up; the replicas go on trying, as they do in Azure."""
        self.provisioning, self.error, self._failed_state = "Failed", message, state

    def wake(self, now: float) -> None:
        """A request has come: keep a replica for the cool-down."""
        self._woken_until = now + self.scale["cooldownPeriod"] * self._world.timing.scale

    def next_replica(self) -> Replica | None:
        """Return a ready replica, each in turn."""
        ready = self.ready_replicas
        self._turn += 1
        return ready[self._turn % len(ready)] if ready else None

    def halt(self) -> list[Future[Any]]:
        """Stop all replicas."""
        ends = [end for replica in self.replicas for end in replica.halt()]
        self.replicas = []
        return ends

    def tick(self, now: float, stopped: bool) -> None:
        """Take the next step."""
        wanted = self._wanted(now, stopped)
        while len(self.replicas) > wanted:
            self.replicas.pop().halt()
        while len(self.replicas) < wanted:
            self.replicas.append(Replica(self._world, self._make_plan(self)))
        for replica in self.replicas:
            replica.tick(now)
        if self.active:
            self.last_active = now_text()
        if self.active and self.provisioning == "Provisioning":
            self._judge(now, wanted)

    def _wanted(self, now: float, stopped: bool) -> int:
        if stopped or not self.active:
            return 0
        rules = self.scale["rules"]
        if self.open_requests and wakes_on_request(rules):
            self.wake(now)
        by_calendar = min(cron_replicas(rules, datetime.now(UTC)), int(self.scale["maxReplicas"]))
        return max(int(self.scale["minReplicas"] or 0), int(now < self._woken_until), by_calendar)

    def _judge(self, now: float, wanted: int) -> None:
        """Say whether a revision that is being provisioned has become ready, or has failed."""
        self._since = now if self._since is None else self._since
        ready = len(self.ready_replicas)
        if ready >= wanted:
            self.provisioning = "Provisioned"
            return
        for replica in self.replicas:
            if replica.failure is not None:
                state, message = replica.failure
                self.fail(message, state)
                return
        timing = self._world.timing
        waiting = any(not replica.assigned for replica in self.replicas)
        starting = any(replica.behind_sidecar and not replica.started for replica in self.replicas)
        self._up_since = now if self._up_since is None and not starting else self._up_since
        # What waits for its model has its time once the sidecar runs, however slow this machine has started that.
        since = self._since if waiting or starting else max(self._since, self._up_since or 0.0)
        slow = START_SECONDS if starting else 0.0
        if now - since > (timing.assign_deadline if waiting else timing.deadline + slow):
            self.fail(f"Deployment Progress Deadline Exceeded. {ready}/{wanted} replicas ready.")
