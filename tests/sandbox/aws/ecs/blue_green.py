# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blue/green strategy for a service without load balancer: both revisions run until the bake time is over.

Without a load balancer no traffic is shifted; the stages are passed all the same, and their hooks are obeyed.
"""

from __future__ import annotations

from tests.sandbox.aws.ecs import breaker, rollout
from tests.sandbox.aws.ecs.model import Deployment, Service, now
from tests.sandbox.aws.ecs.rolling import baked, passed
from tests.sandbox.aws.ecs.world import Region

STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
)


def advance(region: Region, service: Service) -> None:
    """Move a service one step on."""
    green = service.primary
    if green is None:
        return
    blue = _blue(service, green)
    if green.rollout_state == "FAILED":
        if blue is not None:
            _maintain(region, service, blue)
        return
    if green.rollout_state == "COMPLETED" or green.record.rollback is not None:
        _drain(service, [each for each in service.deployments if each is not green], green)
        _maintain(region, service, green)
        if green.rollout_state == "IN_PROGRESS" and _up(service, green) and not _others(service, green):
            rollout.complete(service, green)
        return
    if blue is not None and green.record.stage != "CLEAN_UP":
        _maintain(region, service, blue)
    if green.record.started_at is None:
        green.record.started_at = now()
        green.record.move("IN_PROGRESS")
        third = [each for each in service.deployments if each not in (green, blue)]
        green.record.stage = "RECONCILE_SERVICE" if third else "PRE_SCALE_UP"
    while _pass_stage(region, service, green, blue):
        green.record.stage = STAGES[STAGES.index(green.record.stage or "") + 1]
        green.record.updated_at = now()


def _blue(service: Service, green: Deployment) -> Deployment | None:
    """Return the deployment in production: the last good revision, else the newest of the others."""
    others = [each for each in service.deployments if each is not green]
    good = [each for each in others if each.revision is service.good]
    return next(iter(good or others), None)


def _pass_stage(region: Region, service: Service, green: Deployment, blue: Deployment | None) -> bool:
    """Do the work of the current stage; returns whether it is over and another one follows."""
    stage = green.record.stage or ""
    if STAGES.index(stage) >= STAGES.index("SCALE_UP"):
        _maintain(region, service, green)
    if stage == "RECONCILE_SERVICE":
        third = [each for each in service.deployments if each not in (green, blue)]
        _drain(service, third, green)
        if any(task.last_status != "STOPPED" for each in third for task in each.tasks):
            return False
    if stage == "SCALE_UP":
        return _up(service, green)
    if stage == "BAKE_TIME":
        return baked(region, service, green)
    if stage == "CLEAN_UP":
        _drain(service, [each for each in service.deployments if each is not green], green)
        if _up(service, green) and not _others(service, green):
            rollout.complete(service, green)
        return False
    return passed(region, service, green, stage)


def _up(service: Service, deployment: Deployment) -> bool:
    wanted = service.desired_count
    return len(deployment.live()) == wanted and len(deployment.healthy()) == wanted


def _others(service: Service, green: Deployment) -> bool:
    return any(task.deployment is not green for task in service.tasks())


def _maintain(region: Region, service: Service, deployment: Deployment) -> None:
    """Keep a deployment at the desired count."""
    breaker.stop_unhealthy(region, service, deployment, 1)
    useful = [task for task in deployment.live() if task.health != "UNHEALTHY"]
    rollout.add_tasks(region, deployment, service.desired_count - len(useful))
    extra = rollout.surplus(deployment, service.desired_count)
    rollout.stop_tasks(service, extra, rollout.scaling_reason(deployment))


def _drain(service: Service, deployments: list[Deployment], green: Deployment) -> None:
    tasks = [task for each in deployments for task in each.live()]
    rollout.stop_tasks(service, tasks, rollout.scaling_reason(green))
