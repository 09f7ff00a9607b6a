# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulated ECS remembers. Field names follow the API; dictionaries are in the API's own shape."""

from __future__ import annotations

import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.aws.ecs.placement import Gpu
    from tests.sandbox.runtime import Workload

EVENTS_KEPT = 100
Tags = list[dict[str, str]]


def now() -> datetime:
    """Return the time of day, with zone."""
    return datetime.now(UTC)


@dataclass
class Cluster:
    """A cluster; ``status`` is ACTIVE or INACTIVE."""

    name: str
    arn: str
    settings: list[dict[str, str]]
    configuration: dict[str, Any] | None
    capacity_providers: list[str]
    default_strategy: list[dict[str, Any]]
    service_connect_defaults: dict[str, str] | None
    tags: Tags
    status: str = "ACTIVE"


@dataclass
class TaskDefinition:
    """A revision of a family; ``body`` is what DescribeTaskDefinition returns."""

    body: dict[str, Any]
    tags: Tags

    @property
    def arn(self) -> str:
        """Return the ARN with family and revision."""
        return str(self.body["taskDefinitionArn"])

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Return the container definitions."""
        return list(self.body["containerDefinitions"])

    @property
    def awsvpc(self) -> bool:
        """Say whether every task has a network interface of its own."""
        return bool(self.body["networkMode"] == "awsvpc")

    def essential(self) -> list[dict[str, Any]]:
        """Return the containers whose end ends the task."""
        return [container for container in self.containers if container["essential"]]

    def checked(self) -> list[dict[str, Any]]:
        """Return the essential containers that have a health check."""
        return [container for container in self.essential() if "healthCheck" in container]


@dataclass
class ServiceRevision:
    """A workload configuration that was, or is being, deployed; ``config`` has the API's shape."""

    arn: str
    definition: TaskDefinition
    config: dict[str, Any]
    created_at: datetime = field(default_factory=now)


@dataclass
class Hook:
    """A lifecycle hook that was reached in a service deployment."""

    id: str
    stage: str
    timeout_action: str
    expires_at: datetime
    status: str = "AWAITING_ACTION"


@dataclass
class ServiceDeployment:
    """The history record of one release of a service, its rollback included."""

    arn: str
    service: Service
    target: ServiceRevision
    sources: list[ServiceRevision]
    configuration: dict[str, Any]
    status: str = "PENDING"
    status_reason: str | None = None
    stage: str | None = None
    hooks: list[Hook] = field(default_factory=list)
    failure_count: int = 0
    breaker_triggered: bool = False
    rollback: dict[str, Any] | None = None
    created_at: datetime = field(default_factory=now)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    stopped_at: datetime | None = None
    updated_at: datetime = field(default_factory=now)
    # Monotonic time until which the bake lasts.
    bake_until: float | None = None

    @property
    def ongoing(self) -> bool:
        """Say whether the deployment has not ended yet."""
        return self.finished_at is None and self.stopped_at is None

    def move(self, status: str, reason: str | None = None) -> None:
        """Enter a status."""
        self.status = status
        self.status_reason = reason or self.status_reason
        self.updated_at = now()


@dataclass(eq=False)
class Deployment:
    """An element of a service's ``deployments``: the tasks of one revision."""

    id: str
    service: Service
    revision: ServiceRevision
    record: ServiceDeployment
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    tasks: list[Task] = field(default_factory=list)
    # Failures since the last healthy task, for the pause before the next start.
    streak: int = 0
    next_start: float = 0.0

    def live(self) -> list[Task]:
        """Return the tasks that shall run."""
        return [task for task in self.tasks if task.desired_status == "RUNNING"]

    def healthy(self) -> list[Task]:
        """Return the tasks that count towards the minimum healthy percent."""
        return [task for task in self.live() if task.healthy]

    def settle(self, state: str, reason: str) -> None:
        """Enter a rollout state."""
        self.rollout_state = state
        self.reason = reason
        self.updated_at = now()


@dataclass(eq=False)
class Service:
    """A service; ``settings`` holds the fields that a caller set or AWS filled in."""

    name: str
    arn: str
    cluster: Cluster
    settings: dict[str, Any]
    desired_count: int
    definition: TaskDefinition
    tags: Tags
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    records: list[ServiceDeployment] = field(default_factory=list)
    revisions: list[ServiceRevision] = field(default_factory=list)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    created_at: datetime = field(default_factory=now)
    client_token: str | None = None
    # The last revision whose deployment completed: what a rollback returns to.
    good: ServiceRevision | None = None
    steady: bool = False
    next_placement: float = 0.0
    repeated: dict[str, float] = field(default_factory=dict)

    @property
    def primary(self) -> Deployment | None:
        """Return the most recent deployment."""
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)

    def tasks(self) -> list[Task]:
        """Return the tasks of all deployments that have not stopped."""
        return [task for each in self.deployments for task in each.tasks if task.last_status != "STOPPED"]

    def live(self) -> list[Task]:
        """Return the tasks of all deployments that shall run."""
        return [task for each in self.deployments for task in each.live()]

    def event(self, message: str, repeat_after: float | None = None) -> None:
        """Add an event, newest first; with ``repeat_after`` the same text waits that many seconds."""
        moment = time.monotonic()
        if repeat_after is not None and moment - self.repeated.get(message, -1e9) < repeat_after:
            return
        self.repeated[message] = moment
        text = f"(service {self.name}) {message}"
        self.events.appendleft({"id": str(uuid.uuid4()), "createdAt": now(), "message": text})


@dataclass(eq=False)
class Task:
    """A task; ``workload`` is its Ollama, ``sidecar`` what stands in front.

    Times in ``moments`` are monotonic, the others are times of day.
    """

    id: str
    arn: str
    cluster: Cluster
    definition: TaskDefinition
    config: dict[str, Any]
    group: str
    started_by: str
    tags: Tags
    launch_type: str
    capacity_provider: str | None
    deployment: Deployment | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    enable_execute_command: bool = False
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    health: str = "UNKNOWN"
    address: str | None = None
    subnet: str | None = None
    zone: str | None = None
    gpus: list[Gpu] = field(default_factory=list)
    workload: Workload | None = None
    sidecar: Workload | None = None
    start_error: Exception | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    container_reason: str | None = None
    exit_code: int | None = None
    created_at: datetime = field(default_factory=now)
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    execution_stopped_at: datetime | None = None
    stopped_at: datetime | None = None
    version: int = 1
    # Set once the task was counted as healthy, so that it is counted once.
    counted_healthy: bool = False
    settled: bool = False
    job_running: bool = False
    moments: dict[str, float] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Say whether the scheduler counts the task as healthy: by its health check, else after a time of running."""
        if self.last_status != "RUNNING" or self.desired_status != "RUNNING":
            return False
        return self.health == "HEALTHY" if self.definition.checked() else self.settled

    @property
    def processes(self) -> list[Workload]:
        """Return what runs, in the order in which it stops: the sidecar depends on Ollama's container."""
        return [workload for workload in (self.sidecar, self.workload) if workload is not None]

    def enter(self, status: str) -> None:
        """Enter a status."""
        self.last_status = status
        self.version += 1

    def stop(self, code: str, reason: str) -> None:
        """Ask the task to end; the first reason stays."""
        if self.desired_status == "STOPPED":
            return
        self.desired_status = "STOPPED"
        self.stop_code = code
        self.stopped_reason = reason
        self.stopping_at = now()
        self.version += 1
