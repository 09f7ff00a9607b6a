# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling strategy: replace tasks between minimumHealthyPercent and maximumPercent."""

from __future__ import annotations

import math
import time

from tests.sandbox.aws.ecs import breaker, hooks, rollout
from tests.sandbox.aws.ecs.model import Deployment, Service, now
from tests.sandbox.aws.ecs.world import Region

HOOK_ROLLBACK = "Service deployment rolled back by a lifecycle hook."


def limits(service: Service) -> tuple[int, int]:
    """Return the fewest healthy and the most running tasks that a rollout may have."""
    configuration, wanted = service.settings["deploymentConfiguration"], service.desired_count
    low = math.ceil(wanted * configuration["minimumHealthyPercent"] / 100)
    high = math.floor(wanted * configuration["maximumPercent"] / 100)
    return low, high


def advance(region: Region, service: Service) -> None:
    """Move a service one step towards its primary deployment."""
    primary = service.primary
    if primary is None:
        return
    if primary.rollout_state == "IN_PROGRESS" and not _begun(region, service, primary):
        # The release waits; what runs must go on running.
        for old in service.deployments[1:2]:
            rollout.add_tasks(region, old, service.desired_count - len(service.live()))
        return
    if primary.rollout_state != "FAILED":
        _scale(region, service, primary)
        _replace(service, primary)
    if primary.rollout_state == "IN_PROGRESS":
        _finish(region, service, primary)


def _begun(region: Region, service: Service, primary: Deployment) -> bool:
    """Pass the stage before any task starts; a rollback has no hooks."""
    record = primary.record
    if record.started_at is None:
        record.started_at = now()
        record.move("IN_PROGRESS")
        record.stage = "PRE_SCALE_UP"
    if record.rollback is None and record.stage == "PRE_SCALE_UP":
        if not passed(region, service, primary, "PRE_SCALE_UP"):
            return False
        record.stage = "SCALE_UP"
    return True


def passed(region: Region, service: Service, primary: Deployment, stage: str) -> bool:
    """Say whether the hooks of a stage let the deployment go on; a hook that says no starts the rollback."""
    outcome = hooks.outcome(primary.record, stage, region.world.timing)
    if outcome == "rollback":
        rollout.fail(region, service, HOOK_ROLLBACK, roll=True)
        if primary.record.rollback is None:
            # Nothing to return to: the revision that was turned down must not stay.
            rollout.stop_tasks(service, primary.live(), rollout.scaling_reason(primary))
    return outcome == "go"


def _scale(region: Region, service: Service, primary: Deployment) -> None:
    """Start what is missing in the primary deployment, and stop what is too much."""
    wanted, (_, high) = service.desired_count, limits(service)
    room = max(high, wanted) - len(service.live())
    if len(service.deployments) > 1:
        room = high - len(service.live())
    breaker.stop_unhealthy(region, service, primary, room)
    useful = [task for task in primary.live() if task.health != "UNHEALTHY"]
    missing = wanted - len(useful)
    placed = rollout.add_tasks(region, primary, min(missing, high - len(service.live()) if high else 0))
    if missing > 0 and not placed and _stuck(service, primary):
        service.event(
            "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
            "Update the minimumHealthyPercent or maximumPercent value and try again.",
            region.world.timing.event_repeat,
        )
    rollout.stop_tasks(service, rollout.surplus(primary, wanted), rollout.scaling_reason(primary))


def _stuck(service: Service, primary: Deployment) -> bool:
    low, high = limits(service)
    old = [task for task in service.live() if task.deployment is not primary]
    return bool(old) and len(service.live()) >= high and len(old) - 1 < low and not primary.live()


def _replace(service: Service, primary: Deployment) -> None:
    """Stop tasks of older deployments as far as enough healthy tasks remain."""
    low, _ = limits(service)
    healthy = sum(len(each.healthy()) for each in service.deployments)
    stopped = []
    for deployment in service.deployments:
        if deployment is primary:
            continue
        for task in deployment.live():
            if not task.healthy:
                stopped.append(task)
            elif healthy - 1 >= low:
                healthy -= 1
                stopped.append(task)
    rollout.stop_tasks(service, stopped, rollout.scaling_reason(primary))


def _finish(region: Region, service: Service, primary: Deployment) -> None:
    """Complete the deployment once its tasks are healthy and all older ones are gone."""
    others = [task for task in service.tasks() if task.deployment is not primary]
    if others or len(primary.live()) != service.desired_count or len(primary.healthy()) < service.desired_count:
        return
    record = primary.record
    if record.rollback is None:
        if record.stage == "SCALE_UP":
            record.stage = "POST_SCALE_UP"
        if record.stage == "POST_SCALE_UP":
            if not passed(region, service, primary, "POST_SCALE_UP"):
                return
            record.stage = "BAKE_TIME"
        if not baked(region, service, primary):
            return
    record.stage = "CLEAN_UP"
    rollout.complete(service, primary)


def baked(region: Region, service: Service, primary: Deployment) -> bool:
    """Wait for the bake time; returns whether it is over."""
    record = primary.record
    if record.bake_until is None:
        minutes = service.settings["deploymentConfiguration"].get("bakeTimeInMinutes", 0)
        record.bake_until = time.monotonic() + minutes * region.world.timing.bake_minute
    return time.monotonic() >= record.bake_until
