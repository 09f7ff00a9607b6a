# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container app as it runs: its revisions, which of them get the requests, and its ingress."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.sandbox.azure.arm import Json, same_text
from tests.sandbox.azure.gpus import PROFILE_TYPES
from tests.sandbox.azure.ingress import Gateway, Listener, NoTarget
from tests.sandbox.azure.operations import Operation
from tests.sandbox.azure.replica import ReplicaPlan
from tests.sandbox.azure.revision import Revision
from tests.sandbox.azure.world import Resource, World

HOLD_SECONDS = 60.0
STOPPED_TEXT = "Error 404 - This Container App is stopped or does not exist."


class ContainerAppMachine:
    """The running side of one container app."""

    def __init__(self, world: World, gateway: Gateway, resource: Resource, environment: Resource) -> None:
        self._world, self._gateway = world, gateway
        self.resource, self.environment = resource, environment
        self.revisions: dict[str, Revision] = {}
        self.latest: Revision | None = None
        self.latest_ready: Revision | None = None
        self.provisioning_state, self.error = "InProgress", ""
        self.stopped = False
        self.deleting = False
        self.secrets: dict[str, str] = {}
        self._operation: Operation | None = None
        self._waits_for: Revision | None = None
        self._settle_at = 0.0
        self._listener: Listener | None = None
        self.fqdn = ""
        self._credit: dict[str, float] = {}

    # What others read

    @property
    def location(self) -> str:
        """Return the region."""
        return str(self.resource.body["location"])

    @property
    def gpus_held(self) -> int:
        """Return how many GPUs all replicas hold."""
        return sum(revision.gpus_held for revision in self.revisions.values())

    @property
    def busy(self) -> bool:
        """Say whether an operation is under way."""
        return self._operation is not None

    @property
    def single(self) -> bool:
        """Say whether the app keeps one revision active."""
        return same_text(self._configuration.get("activeRevisionsMode", "Single"), "Single")

    @property
    def _configuration(self) -> Json:
        found: Json = self.resource.body["properties"]["configuration"]
        return found

    @property
    def _ingress(self) -> Json | None:
        return self._configuration.get("ingress")

    def traffic(self) -> dict[str, int]:
        """Return the share of requests, in percent, of each revision that gets any."""
        if self._ingress is None:
            return {}
        if self.single:
            serving = self.latest_ready
            return {serving.name: 100} if serving is not None and serving.active else {}
        shares: dict[str, int] = {}
        for entry in self._ingress["traffic"]:
            name = entry.get("revisionName") or (self.latest_ready.name if self.latest_ready else None)
            if name and entry.get("weight"):
                shares[name] = shares.get(name, 0) + entry["weight"]
        return shares

    # What requests do

    def deploy(self, template: Json, operation: Operation) -> None:
        """Make a new revision of a template and wait for it."""
        revision = Revision(self._world, self._new_name(template), template, self._plan)
        self.revisions[revision.name] = revision
        self.latest = revision
        self._begin(operation, revision)
        self.configure()

    def configure(self) -> None:
        """Open and close what the configuration says; the replicas stay."""
        if self._ingress is not None and self._listener is None:
            self.fqdn = self._world.runtime.allocate_address("app")
            self._listener = self._gateway.listen(self.fqdn, partial(self._choose, None))
        elif self._ingress is None and self._listener is not None:
            self._unlisten(self._listener)
            self._listener, self.fqdn = None, ""
        for revision in self.revisions.values():
            self._configure_revision(revision)

    def _configure_revision(self, revision: Revision) -> None:
        wanted = self._ingress is not None and revision.active
        if wanted and revision.listener is None:
            revision.fqdn = self._world.runtime.allocate_address("revision")
            revision.listener = self._gateway.listen(revision.fqdn, partial(self._choose, revision))
        elif not wanted and revision.listener is not None:
            self._unlisten(revision.listener)
            revision.listener, revision.fqdn = None, ""

    def settle_later(self, operation: Operation) -> None:
        """Begin an operation that has nothing to wait for but its own time, or for the newest revision's end."""
        failed = self.latest is not None and self.latest.provisioning == "Failed" and self.latest.active
        self._begin(operation, self.latest if failed else None)

    def activate(self, revision: Revision) -> None:
        """Start a revision again; in single mode it takes the place of the one that serves."""
        if not revision.active:
            revision.provision()
        self.configure()

    def deactivate(self, revision: Revision) -> None:
        """Stop a revision; it is kept."""
        revision.active = False
        revision.halt()
        if revision is self._waits_for:
            self._end("Failed", "ContainerAppOperationError", f"The revision '{revision.name}' was deactivated.")
        self.configure()

    def stop_app(self, operation: Operation) -> None:
        """Stop all replicas; the revisions stay as they are."""
        self.stopped = True
        self._begin(operation, None)

    def start_app(self, operation: Operation) -> None:
        """Start the app again and wait for the revision that serves."""
        self.stopped = False
        serving = self.latest_ready if self.latest_ready is not None and self.latest_ready.active else self.latest
        if serving is not None:
            serving.provision()
        self._begin(operation, serving)

    def delete(self, operation: Operation) -> None:
        """Stop for good; the resource goes when its time has come."""
        self._cancel()
        self.deleting, self.provisioning_state = True, "Deleting"
        for revision in self.revisions.values():
            revision.active = False
            revision.halt()
        self._operation, self._settle_at = operation, time.monotonic() + self._world.timing.operation

    def stop(self) -> None:
        """Stop because the resource goes or the sandbox is reset."""
        self._cancel()
        listeners = [self._listener, *(revision.listener for revision in self.revisions.values())]
        for listener in listeners:
            if listener is not None:
                self._unlisten(listener)
        for revision in self.revisions.values():
            revision.active, revision.listener = False, None
            revision.halt()
        self._listener = None

    # What the scheduler does

    def tick(self, now: float) -> None:
        """Take the next step."""
        if self.deleting:
            if now >= self._settle_at:
                self._end("Deleting")
                self._world.remove(self.resource.id)
            return
        for revision in list(self.revisions.values()):
            was = revision.provisioning
            revision.tick(now, self.stopped)
            if was == "Provisioning" and revision.provisioning == "Provisioned":
                self._promote(revision)
        if self._operation is not None and now >= self._settle_at:
            self._watch(self._waits_for)

    def _watch(self, revision: Revision | None) -> None:
        if revision is None or revision.provisioning == "Provisioned":
            self._end("Succeeded")
        elif revision.provisioning == "Failed":
            self._end(
                "Failed",
                "ContainerAppOperationError",
                f"Failed to provision revision for container app '{self.resource.id.name}'. Error details: "
                f"{revision.error}",
            )

    def _promote(self, revision: Revision) -> None:
        """A revision has become ready: in single mode the others end."""
        self.latest_ready = revision
        if self.single:
            for other in self.revisions.values():
                if other is not revision and other.active and not (other is self.latest and other is self._waits_for):
                    other.active = False
        self._prune()
        self.configure()

    def _prune(self) -> None:
        limit = self._configuration.get("maxInactiveRevisions", 100)
        inactive = [revision for revision in self.revisions.values() if not revision.active]
        for revision in inactive[: max(0, len(inactive) - limit)]:
            del self.revisions[revision.name]

    # Operations

    def _begin(self, operation: Operation, waits_for: Revision | None) -> None:
        self._cancel()
        self._operation, self._waits_for = operation, waits_for
        self._settle_at = time.monotonic() + self._world.timing.operation
        self.provisioning_state, self.error = "InProgress", ""

    def refuse(self, operation: Operation, message: str) -> None:
        """End an operation badly although nothing runs differently."""
        self._begin(operation, None)
        text = f"Failed to provision revision for container app '{self.resource.id.name}'. Error details: {message}"
        self._end("Failed", "ContainerAppOperationError", text)

    def _end(self, state: str, code: str = "", message: str = "") -> None:
        self.provisioning_state, self.error = state, message
        operation, self._operation, self._waits_for = self._operation, None, None
        if operation is not None and code:
            operation.fail(code, message)
        elif operation is not None:
            operation.succeed()

    def _cancel(self) -> None:
        operation, self._operation, self._waits_for = self._operation, None, None
        if operation is not None:
            operation.fail("OperationCanceled", "Another operation took its place.", "Canceled")

    # Ingress

    def _unlisten(self, listener: Listener) -> None:
        self._gateway.close_listener(listener)
        self._world.runtime.release_address(listener.address)

    @contextmanager
    def _choose(self, fixed: Revision | None) -> Iterator[tuple[str, int]]:
        """Give a ready replica for one request; wakes a revision that is scaled to zero and waits for it."""
        with self._world.lock:
            revision = fixed or self._draw()
            if revision is None or self.stopped or not revision.active:
                raise NoTarget(404, STOPPED_TEXT)
            revision.open_requests += 1
            asleep = not revision.replicas
        try:
            yield self._wait_for_replica(revision, HOLD_SECONDS if asleep else 0.0)
        finally:
            with self._world.lock:
                revision.open_requests -= 1

    def _wait_for_replica(self, revision: Revision, seconds: float) -> tuple[str, int]:
        deadline = time.monotonic() + seconds
        while True:
            with self._world.lock:
                replica = revision.next_replica()
                if replica is not None and self._ingress is not None:
                    return str(replica.address), self._ingress["targetPort"]
                over = not revision.active or self.stopped or revision.provisioning == "Failed"
            if over or time.monotonic() >= deadline:
                raise NoTarget(503, "upstream connect error or disconnect/reset before headers: no healthy upstream")
            time.sleep(self._world.timing.tick)

    def _draw(self) -> Revision | None:
        """Return the revision for the next request: shares are kept exactly, not by chance."""
        shares = {name: share for name, share in self.traffic().items() if name in self.revisions}
        if not shares:
            return None
        for name, share in shares.items():
            self._credit[name] = self._credit.get(name, 0.0) + share
        chosen = max(shares, key=lambda name: self._credit[name])
        self._credit[chosen] -= sum(shares.values())
        return self.revisions[chosen]

    # Making revisions

    def _new_name(self, template: Json) -> str:
        suffix = template.get("revisionSuffix")
        if not suffix:
            letters = string.ascii_lowercase + string.digits
            suffix = "".join(secrets.choice(letters) for _ in range(7))
        return f"{self.resource.id.name.lower()}--{suffix}"

    def _plan(self, revision: Revision) -> ReplicaPlan:
        ingress = self._ingress
        return ReplicaPlan(
            revision=revision.name,
            location=self.location,
            template=revision.template,
            target_port=ingress["targetPort"] if ingress else None,
            environment=self.environment,
            gpu=self.has_gpu(),
            secrets=self.secrets,
        )

    def has_gpu(self) -> bool:
        """Say whether the app's workload profile gives each replica a GPU."""
        wanted = self.resource.body["properties"].get("workloadProfileName")
        profiles: list[dict[str, Any]] = self.environment.body["properties"].get("workloadProfiles") or []
        for profile in profiles:
            if wanted and same_text(profile["name"], wanted):
                return PROFILE_TYPES[profile["workloadProfileType"]].gpus > 0
        return False
