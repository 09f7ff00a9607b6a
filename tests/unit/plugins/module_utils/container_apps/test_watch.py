# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a revision is ready, when it never will be, and how a wait ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.watch import (
    Background,
    State,
    Watch,
    judge,
    trouble,
    unassigned,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import (
    ApiError,
    NoCapacity,
    RolloutFailed,
    WaitTimeout,
)

Body = dict[str, Any]


def revision(provisioning: str, running: str, health: str = "Healthy", **more: Any) -> Body:
    states = {"provisioningState": provisioning, "runningState": running, "healthState": health, "active": True}
    return {"properties": {**states, "replicas": 1, "template": {"scale": {"minReplicas": 1}}, **more}}


def replica(details: str = "", *, restarts: int = 0, ready: bool = False, of_replica: str = "") -> Body:
    container = {"name": "ollama", "ready": ready, "restartCount": restarts, "runningStateDetails": details}
    return {"properties": {"runningStateDetails": of_replica, "containers": [container]}}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (revision("Provisioned", "Running"), State.READY),
        (revision("Provisioned", "RunningAtMaxScale"), State.READY),
        (revision("Provisioned", "ScaledToZero", "None", replicas=0, template={"scale": {}}), State.READY),
        (revision("Provisioned", "ScaledToZero", "None", replicas=0), State.WAITING),
        (revision("Provisioned", "Running", "Unhealthy"), State.WAITING),
        (revision("Provisioned", "Running", active=False), State.WAITING),
        (revision("Provisioned", "Degraded"), State.WAITING),
        (revision("Provisioning", "Processing", "None"), State.WAITING),
        (revision("Failed", "Failed", "Unhealthy"), State.FAILED),
        (revision("Provisioned", "ActivationFailed"), State.FAILED),
        ({}, State.WAITING),
    ],
)
def test_the_states_of_a_revision_say_how_it_stands(body: Body, state: State) -> None:
    assert judge(body).state is state


def test_a_failure_tells_the_error_of_the_platform() -> None:
    look = judge(revision("Failed", "Failed", provisioningError="MANIFEST_UNKNOWN"))
    assert "MANIFEST_UNKNOWN" in look.text


@pytest.mark.parametrize(
    ("item", "fatal"),
    [
        (replica("ImagePullBackOff: not found"), True),
        (replica("CrashLoopBackOff"), True),
        (replica("exit code 1", restarts=3), True),
        (replica("exit code 1", restarts=2), False),
        (replica("exit code 1", restarts=9, ready=True), False),
        (replica("ContainerCreating"), False),
    ],
)
def test_a_container_that_cannot_start_is_trouble(item: Body, fatal: bool) -> None:
    assert bool(trouble([item])) is fatal


def test_a_replica_without_a_place_is_unassigned() -> None:
    assert unassigned([replica(of_replica="AssigningReplica: no GPU")])
    assert not unassigned([replica(of_replica="")])


class Cloud:
    """Answers each read of a revision with the next of a list, the last one for ever."""

    def __init__(self, *revisions: Body | None, replicas: list[Body] | None = None) -> None:
        self._next: Iterator[Body | None] = iter(revisions)
        self._last = revisions[-1]
        self._replicas = replicas or []

    def get(self, resource_id: str, api_version: str) -> Body | None:
        return next(self._next, self._last)

    def list(self, collection_id: str, api_version: str) -> list[Body]:
        return self._replicas


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watch(cloud: Any, events: list[str] | None = None) -> tuple[Watch, Clock]:
    clock = Clock()
    heard = [] if events is None else events
    emit = lambda source, text: heard.append(text)  # noqa: E731
    return Watch(cloud, emit, "/app", advice="Ask for quota.", clock=clock, sleep=clock.sleep), clock


def test_a_wait_ends_when_the_revision_is_ready_and_tells_each_state_once() -> None:
    events: list[str] = []
    waiting = revision("Provisioning", "Processing", "None")
    cloud = Cloud(None, waiting, waiting, revision("Provisioned", "Running"))
    watch(cloud, events)[0].ready("chat--r1", 60)
    assert [text.partition(": ")[2] for text in events] == [
        "not there yet",
        "Provisioning, Processing, health None",
        "ready (Provisioned, Running, health Healthy)",
    ]


def test_a_crashing_container_ends_the_wait_at_once() -> None:
    cloud = Cloud(revision("Provisioning", "Processing"), replicas=[replica("CrashLoopBackOff")])
    watcher, clock = watch(cloud)
    with pytest.raises(RolloutFailed, match="container ollama: CrashLoopBackOff"):
        watcher.ready("chat--r1", 600)
    assert clock.now == 0


def test_a_gpu_that_never_comes_ends_with_the_quota_to_ask_for() -> None:
    cloud = Cloud(revision("Provisioning", "Processing"), replicas=[replica(of_replica="AssigningReplica")])
    watcher, clock = watch(cloud)
    with pytest.raises(NoCapacity, match=r"not ready after 30 s.*waits for a place to run.*Ask for quota"):
        watcher.ready("chat--r1", 30)
    assert clock.now == pytest.approx(30)


def test_a_slow_start_without_a_stuck_replica_gives_no_advice_about_quota() -> None:
    watcher, _clock = watch(Cloud(revision("Provisioning", "Processing"), replicas=[replica("ContainerCreating")]))
    with pytest.raises(WaitTimeout) as caught:
        watcher.ready("chat--r1", 5)
    assert caught.value.hint == ""


class Write:
    def __init__(self, error: ApiError | None = None) -> None:
        self._error = error

    def wait(self) -> Body:
        if self._error:
            raise self._error
        return {}


def test_the_error_of_the_operation_ends_the_wait_where_no_revision_was_made() -> None:
    operation = Background(
        Write(ApiError("PUT containerApps/chat", 200, "ContainerAppOperationError", "no such image"))
    )
    with pytest.raises(RolloutFailed, match="no such image"):
        watch(Cloud(None))[0].ready("chat--r1", 60, operation)


def test_a_deactivated_revision_is_quiet_when_its_last_replica_has_gone() -> None:
    watcher, clock = watch(Cloud(*(revision("Provisioned", "Running", active=False, replicas=n) for n in (2, 1, 0))))
    watcher.quiet("chat--r1", 60)
    assert clock.now > 0


def status(value: str) -> Mapping[str, Any]:
    return {"properties": {"runningStatus": value}}


def test_a_stop_is_waited_for_until_the_app_says_so() -> None:
    watcher, _clock = watch(Cloud(dict(status("Progressing")), dict(status("Stopped"))))
    watcher.status("Stopped", 60)
    with pytest.raises(WaitTimeout, match="last seen Running"):
        watch(Cloud(dict(status("Running"))))[0].status("Stopped", 1)
