# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch a revision until it is ready, or will never be. Every wait is bounded and says what it saw last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..clients.azure_errors import lacks_capacity
from ..clients.azure_versions import CONTAINER_APPS
from ..errors import ApiError, NoCapacity, NotFound, PolycloudError, RolloutFailed, WaitTimeout
from ..outcome import Emit
from ..text import one_line
from .naming import revision_id
from .resources import Arm, Write

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
GROWTH = 1.5
MOST_RESTARTS = 3
# Words of container states that do not get better by waiting. Source: Kubernetes' waiting reasons, which Azure shows.
FATAL = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError")
ASSIGNING = "AssigningReplica"


class State(StrEnum):
    """How far a revision has come, as far as waiting for it goes."""

    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Look:
    """How a revision stands, and its states in words."""

    state: State
    text: str


def judge(revision: Mapping[str, Any]) -> Look:
    """Read the three states of a revision. Pure.

    Azure answers more running states than it documents (C(RunningAtMaxScale), C(ScaledToZero), C(ActivationFailed)).
    """
    seen = revision.get("properties") or {}
    provisioning, running, health = (
        str(seen.get(key) or "unknown") for key in ("provisioningState", "runningState", "healthState")
    )
    text = f"{provisioning}, {running}, health {health}"
    if provisioning == "Failed" or running in ("Failed", "ActivationFailed"):
        error = one_line(str(seen.get("provisioningError") or ""), 500)
        return Look(State.FAILED, f"{text}: {error}" if error else text)
    asleep = not seen.get("replicas") and _may_sleep(seen) and running in ("ScaledToZero", "Stopped", "unknown")
    up = running.startswith("Running") and health != "Unhealthy"
    if provisioning == "Provisioned" and seen.get("active", True) and (up or asleep):
        return Look(State.READY, text)
    return Look(State.WAITING, text)


def trouble(replicas: Iterable[Mapping[str, Any]]) -> str:
    """Why replicas will never be ready, empty if they may be. Pure."""
    for replica in replicas:
        seen = replica.get("properties") or {}
        for container in [*(seen.get("initContainers") or ()), *(seen.get("containers") or ())]:
            detail = one_line(str(container.get("runningStateDetails") or ""), 300)
            restarts = int(container.get("restartCount") or 0)
            if any(word in detail for word in FATAL):
                return f"container {container.get('name')}: {detail}"
            if restarts >= MOST_RESTARTS and not container.get("ready"):
                return f"container {container.get('name')} crashes ({restarts} restarts): {detail or 'no detail'}"
    return ""


def unassigned(replicas: Iterable[Mapping[str, Any]]) -> bool:
    """True if a replica waits for a place to run: no node, or no GPU. Pure."""
    return any(ASSIGNING in str((item.get("properties") or {}).get("runningStateDetails") or "") for item in replicas)


def _may_sleep(properties: Mapping[str, Any]) -> bool:
    scale = (properties.get("template") or {}).get("scale") or {}
    return not scale.get("minReplicas")


class Background:
    """Follows a long operation beside the watch, for its error: ARM's text says more than a revision's state."""

    def __init__(self, write: Write) -> None:
        self.error: PolycloudError | None = None
        self._write = write
        # A daemon: a watch that fails first must not wait for the end of Azure's own deadline.
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            self._write.wait()
        except PolycloudError as error:
            self.error = error

    def join(self, timeout: float) -> None:
        """Wait for the end of the operation. Raises RolloutFailed if it failed."""
        self._thread.join(max(timeout, 0))
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise RolloutFailed if ARM has said that the operation failed."""
        if isinstance(self.error, ApiError) and self.error.answers:
            failure = NoCapacity if lacks_capacity(self.error) else RolloutFailed
            raise failure(f"Azure gave up: {self.error.message}", hint=self.error.hint)


class Watch:
    """Waits for the revisions of one app. advice: what to do when no place to run is found for a replica."""

    def __init__(
        self,
        arm: Arm,
        emit: Emit,
        app: str,
        *,
        advice: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._arm = arm
        self._emit = emit
        self._app = app
        self._advice = advice
        self._clock = clock
        self._sleep = sleep

    def ready(self, revision: str, timeout: float, operation: Background | None = None) -> None:
        """Wait until a revision is ready. Raises RolloutFailed as soon as it cannot be, WaitTimeout at the end."""
        deadline = self._clock() + timeout
        delay, told, assigning = FIRST_DELAY, "", False
        while True:
            found = self._arm.get(revision_id(self._app, revision), CONTAINER_APPS)
            look = judge(found) if found else Look(State.WAITING, "not there yet")
            if look.state is State.READY:
                break
            replicas = self._replicas(revision) if found else []
            assigning = unassigned(replicas)
            self._raise_failure(revision, look, replicas, operation, assigning=assigning)
            text = f"{look.text}, waits for a place to run" if assigning else look.text
            if text != told:
                told = text
                self._emit("Container Apps", f"revision {revision}: {text}")
            self._pause(
                deadline, delay, f"Revision {revision} is not ready after {timeout:g} s, last seen {text}", assigning
            )
            delay = min(delay * GROWTH, LONGEST_DELAY)
        self._emit("Container Apps", f"revision {revision}: ready ({look.text})")
        if operation is not None:
            operation.join(deadline - self._clock())

    def quiet(self, revision: str, timeout: float) -> None:
        """Wait until a deactivated revision has no replica left, so that its GPU is free."""
        deadline = self._clock() + timeout
        delay = FIRST_DELAY
        while True:
            found = self._arm.get(revision_id(self._app, revision), CONTAINER_APPS)
            seen = (found or {}).get("properties") or {}
            if found is None or (not seen.get("active") and not seen.get("replicas")):
                return
            self._pause(deadline, delay, f"Revision {revision} still has {seen.get('replicas')} replicas", False)
            delay = min(delay * GROWTH, LONGEST_DELAY)

    def asleep(self, revision: str, timeout: float) -> None:
        """Wait until a revision of a stopped app has no replica left."""
        deadline = self._clock() + timeout
        delay = FIRST_DELAY
        while True:
            found = self._arm.get(revision_id(self._app, revision), CONTAINER_APPS)
            left = ((found or {}).get("properties") or {}).get("replicas")
            if not left:
                return
            self._pause(deadline, delay, f"Revision {revision} still has {left} replicas", False)
            delay = min(delay * GROWTH, LONGEST_DELAY)

    def status(self, wanted: str, timeout: float) -> None:
        """Wait until the app's running status is wanted (C(Running), C(Stopped))."""
        deadline = self._clock() + timeout
        delay = FIRST_DELAY
        while True:
            found = self._arm.get(self._app, CONTAINER_APPS)
            seen = str(((found or {}).get("properties") or {}).get("runningStatus") or "unknown")
            if seen == wanted:
                return
            self._pause(deadline, delay, f"The app is not {wanted} after {timeout:g} s, last seen {seen}", False)
            delay = min(delay * GROWTH, LONGEST_DELAY)

    def _replicas(self, revision: str) -> list[dict[str, Any]]:
        try:
            return self._arm.list(f"{revision_id(self._app, revision)}/replicas", CONTAINER_APPS)
        except NotFound:
            return []

    def _raise_failure(
        self,
        revision: str,
        look: Look,
        replicas: list[dict[str, Any]],
        operation: Background | None,
        *,
        assigning: bool,
    ) -> None:
        why = look.text if look.state is State.FAILED else trouble(replicas)
        if why:
            if assigning:
                raise NoCapacity(f"Revision {revision} cannot run: {why}.", hint=self._advice)
            raise RolloutFailed(f"Revision {revision} cannot run: {why}.")
        if operation is not None:
            operation.raise_failure()

    def _pause(self, deadline: float, delay: float, text: str, assigning: bool) -> None:
        left = deadline - self._clock()
        if left <= 0:
            if assigning:
                raise NoCapacity(f"{text}.", hint=self._advice)
            raise WaitTimeout(f"{text}.")
        self._sleep(min(delay, left))
