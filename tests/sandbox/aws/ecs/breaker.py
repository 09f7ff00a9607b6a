# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting failed tasks, the deployment circuit breaker, and alarms that end a deployment."""

from __future__ import annotations

import math
import time
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from tests.sandbox.aws.ecs import rollout
from tests.sandbox.aws.ecs.model import Deployment, Service, Task
from tests.sandbox.aws.ecs.placement import TROUBLE
from tests.sandbox.aws.ecs.runner import UNHEALTHY
from tests.sandbox.aws.ecs.world import ACCOUNT, Region

LEAST, MOST = 3, 200
FAILURES = ("TaskFailedToStart", "EssentialContainerExited")
REASON = "ECS deployment circuit breaker: tasks failed to start."
ALARM_REASON = "ECS deployment alarms: alarm detected."


def settings(service: Service) -> dict[str, Any]:
    """Return the circuit breaker's part of the service's configuration."""
    breaker = service.settings["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    defaults: dict[str, Any] = {"enable": False, "rollback": False, "resetOnHealthyTask": True}
    return defaults | dict(breaker)


def threshold(service: Service) -> int:
    """Return the failures that trip the breaker: half of the desired count, from 3 to 200, unless configured."""
    configured = settings(service).get("thresholdConfiguration", {"type": "BOUNDED_PERCENT", "value": 50})
    if configured["type"] == "COUNT":
        return int(configured["value"])
    share: int = math.ceil(configured["value"] * service.desired_count / 100)
    return max(1, share) if configured["type"] == "UNBOUNDED_PERCENT" else min(MOST, max(LEAST, share))


def stop_unhealthy(region: Region, service: Service, deployment: Deployment, room: int) -> None:
    """Stop tasks that fail their health check: at once in a rollout, else when a replacement finds no room.

    In the service's grace period after the start of a task its health is ignored.
    """
    grace = service.settings.get("healthCheckGracePeriodSeconds", 0) * region.world.timing.second
    for task in deployment.live():
        if task.health != "UNHEALTHY" or time.monotonic() - task.moments["running"] < grace:
            continue
        if deployment.rollout_state == "IN_PROGRESS" or room <= 0:
            task.stop("ServiceSchedulerInitiated", UNHEALTHY)
            service.event(f"(task {task.id}) failed container health checks.")


def count(region: Region, deployment: Deployment) -> None:
    """Look at the tasks of a deployment since the last look: healthy ones reset the count, failed ones add to it."""
    for task in deployment.tasks:
        if task.healthy and not task.counted_healthy:
            task.counted_healthy = True
            deployment.streak = 0
            if settings(deployment.service)["resetOnHealthyTask"]:
                deployment.failed_tasks = deployment.record.failure_count = 0
        if _failed(task) and "counted" not in task.moments:
            task.moments["counted"] = time.monotonic()
            _add_failure(region, deployment)


def _failed(task: Task) -> bool:
    return task.stop_code in FAILURES or (task.stopped_reason or "").startswith(UNHEALTHY)


def _add_failure(region: Region, deployment: Deployment) -> None:
    timing, service = region.world.timing, deployment.service
    deployment.streak += 1
    pause = min(timing.backoff_longest, timing.backoff_first * 2 ** (deployment.streak - 1))
    deployment.next_start = time.monotonic() + pause
    service.steady = False
    if deployment.rollout_state == "IN_PROGRESS":
        deployment.failed_tasks += 1
        deployment.record.failure_count += 1
    if deployment.streak == LEAST:
        service.event(f"is unable to consistently start tasks successfully. {TROUBLE}")


def judge(region: Region, service: Service) -> bool:
    """End the primary deployment where breaker or alarms say so; returns whether that happened."""
    primary = service.primary
    if primary is None or primary.rollout_state != "IN_PROGRESS":
        return False
    chosen = settings(service)
    if chosen["enable"] and primary.failed_tasks >= threshold(service):
        primary.record.breaker_triggered = True
        rollout.fail(region, service, REASON, chosen["rollback"])
        return True
    alarms = service.settings["deploymentConfiguration"].get("alarms", {})
    # Alarms guard a release, not the way back.
    if alarms.get("enable") and primary.record.rollback is None and triggered_alarms(region, service):
        rollout.fail(region, service, ALARM_REASON, alarms["rollback"])
        return True
    return False


def triggered_alarms(region: Region, service: Service) -> list[str]:
    """Return the names of the deployment alarms that are in state ALARM."""
    names = service.settings["deploymentConfiguration"].get("alarms", {}).get("alarmNames", [])
    known = cloudwatch_backends[ACCOUNT][region.name].alarms
    return [name for name in names if name in known and known[name].state_value == "ALARM"]
