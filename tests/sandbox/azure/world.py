# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all services of the emulated Azure share: state, clock, scheduler, worker threads.

One lock guards all state. Requests and the scheduler hold it while they read or change something; nothing slow happens
under it: probes and the stopping of processes run in worker threads.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.sandbox.azure.arm import Json, ResourceId, now_text
from tests.sandbox.faults import FaultSwitch
from tests.sandbox.runtime import ProcessRuntime

LOG = logging.getLogger(__name__)


def _seconds(name: str, default: float) -> float:
    return float(os.environ.get(f"POLYCLOUD_SANDBOX_AZURE_{name}", default))


@dataclass(frozen=True)
class Timing:
    """How fast the emulated Azure is; all in real seconds, but ``scale``."""

    tick: float = 0.05
    # How long an operation takes that has nothing to wait for (an environment, a storage account).
    operation: float = field(default_factory=lambda: _seconds("OPERATION_SECONDS", 0.3))
    # Real seconds for one second of a body: probe periods, delays, back-off, cool-down.
    scale: float = field(default_factory=lambda: _seconds("TIME_SCALE", 0.01))
    # When a revision that does not become ready has failed.
    deadline: float = field(default_factory=lambda: _seconds("DEADLINE_SECONDS", 6.0))
    # The same for a revision whose replica waits for a GPU.
    assign_deadline: float = field(default_factory=lambda: _seconds("ASSIGN_DEADLINE_SECONDS", 30.0))
    # No probe ends a process younger than this: processes start in real time, which ``scale`` does not shorten.
    probe_grace: float = field(default_factory=lambda: _seconds("PROBE_GRACE_SECONDS", 4.0))
    # The slowest and the fastest that a probe is repeated.
    probe_floor: float = 0.1


class Machine(Protocol):
    """Something that moves by itself."""

    def tick(self, now: float) -> None:
        """Take the steps that are due; called with the lock held."""

    def stop(self) -> None:
        """End all processes and free all addresses, for good."""


@dataclass
class Resource:
    """A resource: its id and what was stored of its body, secrets included.

    ``machine`` is what runs on its behalf.
    """

    id: ResourceId
    body: Json
    machine: Any = None
    created_at: str = field(default_factory=now_text)
    changed_at: str = field(default_factory=now_text)

    def system_data(self) -> Json:
        """Return ARM's account of who made it."""
        by = {"createdBy": "sandbox", "createdByType": "Application", "createdAt": self.created_at}
        changed = {"lastModifiedBy": "sandbox", "lastModifiedByType": "Application", "lastModifiedAt": self.changed_at}
        return {**by, **changed}


class World:
    """The state of one emulated Azure."""

    def __init__(self, runtime: ProcessRuntime, switch: FaultSwitch, timing: Timing | None = None) -> None:
        self.runtime = runtime
        self.switch = switch
        self.timing = timing or Timing()
        self.lock = threading.RLock()
        self.resources: dict[str, Resource] = {}
        # An error of the emulator itself in a step of the scheduler.
        self.failure: Exception | None = None
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._closing = threading.Event()
        self._workers = ThreadPoolExecutor(8, "azure worker")
        self._thread = threading.Thread(target=self._run, name="azure scheduler", daemon=True)
        self._thread.start()

    # Resources

    def put(self, resource: Resource) -> None:
        """Add or replace a resource."""
        self.resources[resource.id.key] = resource

    def get(self, identifier: ResourceId) -> Resource | None:
        """Return a resource by id, whatever its case."""
        return self.resources.get(identifier.key)

    def remove(self, identifier: ResourceId) -> None:
        """Forget a resource and its children."""
        below = identifier.key + "/"
        for key in [key for key in self.resources if key == identifier.key or key.startswith(below)]:
            machine = self.resources.pop(key).machine
            if machine is not None:
                machine.stop()

    def find(self, resource_type: str, below: str = "") -> Iterator[Resource]:
        """Yield the resources of a type whose id begins with ``below``, in order of creation."""
        for resource in list(self.resources.values()):
            same_type = resource.id.type.lower() == resource_type.lower()
            if same_type and resource.id.key.startswith(below.lower()):
                yield resource

    # Time

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run an action in the scheduler, with the lock held, when some real seconds have passed."""
        with self.lock:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), action))

    def submit(self, action: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run something slow in a worker thread."""
        return self._workers.submit(action, *arguments)

    def release_after(self, address: str, ends: Sequence[Future[Any]]) -> None:
        """Give an address back when the processes that listened on it have ended."""

        def release() -> None:
            wait(ends)
            self.runtime.release_address(address)

        self.submit(release)

    def _run(self) -> None:
        while not self._closing.wait(self.timing.tick):
            with self.lock:
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    self._guarded(heapq.heappop(self._timers)[2])
                for resource in list(self.resources.values()):
                    if resource.machine is not None:
                        self._guarded(resource.machine.tick, now)

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        # One broken resource must not stop the others; the next request tells what happened.
        try:
            step(*arguments)
        except Exception as error:
            LOG.exception("a step of the emulated Azure failed")
            self.failure = error

    def clear(self) -> None:
        """Stop all workloads and forget everything; returns when the processes have ended."""
        with self.lock:
            machines = [resource.machine for resource in self.resources.values() if resource.machine is not None]
            self.resources.clear()
            self._timers.clear()
            self.failure = None
            for machine in machines:
                machine.stop()
        self._workers.shutdown(wait=True)
        self._workers = ThreadPoolExecutor(8, "azure worker")

    def close(self) -> None:
        """Stop for good."""
        self._closing.set()
        self._thread.join(5)
        self.clear()
        self._workers.shutdown(wait=True)
