# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, ending and rolling back deployments: what all strategies share."""

from __future__ import annotations

import copy
import time
from typing import Any

from tests.sandbox.aws.ecs import launch
from tests.sandbox.aws.ecs.model import Deployment, Service, ServiceDeployment, ServiceRevision, Task, now
from tests.sandbox.aws.ecs.placement import PlacementError
from tests.sandbox.aws.ecs.world import Region, deployment_id, record_id, revision_id

# The parts of a service that belong to a revision; a change of one starts a deployment.
REVISION_KEYS = (
    "networkConfiguration",
    "loadBalancers",
    "serviceRegistries",
    "platformVersion",
    "platformFamily",
    "volumeConfigurations",
    "serviceConnectConfiguration",
    "vpcLatticeConfigurations",
)


def _revision(region: Region, service: Service) -> ServiceRevision:
    config = {
        key: copy.deepcopy(service.settings[key])
        for key in (*REVISION_KEYS, "launchType", "capacityProviderStrategy")
        if key in service.settings
    }
    path = f"{service.cluster.name}/{service.name}/{revision_id()}"
    revision = ServiceRevision(arn=region.arn("service-revision", path), definition=service.definition, config=config)
    region.revisions[revision.arn] = revision
    service.revisions.append(revision)
    return revision


def start(region: Region, service: Service) -> Deployment:
    """Start to deploy the service as it is configured now."""
    for record in service.records:
        if record.ongoing:
            record.move("STOPPED", "The service deployment was stopped because a new service deployment started.")
            record.stopped_at = now()
    active = [each.revision for each in service.deployments if each.live()]
    record = ServiceDeployment(
        arn=region.arn("service-deployment", f"{service.cluster.name}/{service.name}/{record_id()}"),
        service=service,
        target=_revision(region, service),
        sources=active or ([service.good] if service.good is not None else []),
        configuration=copy.deepcopy(service.settings["deploymentConfiguration"]),
    )
    service.records.insert(0, record)
    region.deployments[record.arn] = record
    return _promote(service, record, record.target)


def _promote(service: Service, record: ServiceDeployment, revision: ServiceRevision) -> Deployment:
    """Make a deployment of a revision the PRIMARY one: the one that still has its tasks, else a new one."""
    for each in service.deployments:
        each.status = "ACTIVE"
    found = next((each for each in service.deployments if each.revision is revision), None)
    if found is None:
        found = Deployment(id=deployment_id(), service=service, revision=revision, record=record)
    else:
        service.deployments.remove(found)
    found.status, found.record = "PRIMARY", record
    found.failed_tasks = found.streak = 0
    found.next_start = 0.0
    found.settle("IN_PROGRESS", f"ECS deployment {found.id} in progress.")
    service.deployments.insert(0, found)
    service.steady = False
    return found


def roll_back(region: Region, service: Service, reason: str) -> bool:
    """Return to the last revision that completed; False where there is none, or this is a rollback already."""
    failed = service.primary
    if failed is None or failed.record.rollback is not None or service.good in (None, failed.revision):
        return False
    record, good = failed.record, service.good
    assert good is not None
    record.rollback = {"reason": reason, "startedAt": now(), "serviceRevisionArn": good.arn}
    record.move("ROLLBACK_IN_PROGRESS", reason)
    primary = _promote(service, record, good)
    failed.settle("FAILED", f"{reason.rstrip('.')}: rolling back to deploymentId {primary.id}.")
    service.definition = good.definition
    for key in REVISION_KEYS:
        if key in good.config:
            service.settings[key] = copy.deepcopy(good.config[key])
    service.event(f"rolling back to deployment {primary.id}.")
    return True


def fail(region: Region, service: Service, reason: str, roll: bool) -> None:
    """End the primary deployment as FAILED, and roll back where that was asked for and is possible."""
    primary = service.primary
    if primary is None:
        return
    record = primary.record
    primary.settle("FAILED", reason)
    service.event(f"(deployment {primary.id}) deployment failed: {reason.split(': ')[-1]}")
    if roll and roll_back(region, service, reason):
        return
    record.move("ROLLBACK_FAILED" if roll else "STOPPED", reason)
    record.stopped_at = now()


def complete(service: Service, primary: Deployment) -> None:
    """End the primary deployment as COMPLETED."""
    record = primary.record
    primary.settle("COMPLETED", f"ECS deployment {primary.id} completed.")
    service.good = primary.revision
    record.move("ROLLBACK_SUCCESSFUL" if record.rollback else "SUCCESSFUL")
    record.finished_at = now()
    service.event(f"(deployment {primary.id}) deployment completed.")


def add_tasks(region: Region, deployment: Deployment, count: int) -> int:
    """Start up to ``count`` tasks of a deployment; returns how many could be placed."""
    service, timing = deployment.service, region.world.timing
    moment = time.monotonic()
    if count <= 0 or moment < max(service.next_placement, deployment.next_start):
        return 0
    placed: list[Task] = []
    try:
        for _ in range(count):
            # Not a comprehension: the tasks placed before the error must be kept.
            placed.append(launch.for_deployment(region, deployment))  # noqa: PERF401
    except PlacementError as error:
        service.next_placement = moment + timing.placement_retry
        service.event(str(error), timing.event_repeat)
    if placed:
        names = " ".join(f"(task {task.id})" for task in placed)
        service.event(f"has started {len(placed)} tasks: {names}.")
        service.steady = False
    return len(placed)


def stop_tasks(service: Service, tasks: list[Task], reason: str) -> None:
    """Stop tasks on behalf of the scheduler."""
    if not tasks:
        return
    for task in tasks:
        task.stop("ServiceSchedulerInitiated", reason)
    names = " ".join(f"(task {task.id})" for task in tasks)
    service.event(f"has stopped {len(tasks)} running tasks: {names}.")


def scaling_reason(deployment: Deployment) -> str:
    """Return the stopped reason of a task that the scheduler does not need any more."""
    return f"Scaling activity initiated by (deployment {deployment.id})"


def surplus(deployment: Deployment, wanted: int) -> list[Task]:
    """Return the tasks beyond the wanted number: unhealthy ones first, then waiting ones, then the newest."""
    tasks = deployment.live()

    def worth(task: Task) -> tuple[int, float]:
        rank = 0 if task.health == "UNHEALTHY" else 2 if task.healthy else 1
        return rank, -task.moments["created"]

    ordered = sorted(tasks, key=worth)
    return ordered[: max(0, len(tasks) - wanted)]


def prune(service: Service) -> None:
    """Forget old deployments whose tasks have all stopped, unless the rollout that replaces them still goes on."""
    primary = service.primary
    waiting = primary is not None and primary.rollout_state == "IN_PROGRESS"
    for each in list(service.deployments):
        each.tasks = [task for task in each.tasks if task.last_status != "STOPPED"]
        stays = waiting and each.rollout_state == "COMPLETED"
        if each.status == "ACTIVE" and not each.tasks and not stays:
            each.status = "INACTIVE"
            service.deployments.remove(each)


def task_counts(tasks: list[Task]) -> dict[str, Any]:
    """Return running and pending counts as ECS counts them."""
    wanted = [task.last_status for task in tasks if task.desired_status == "RUNNING"]
    return {"runningCount": wanted.count("RUNNING"), "pendingCount": len(wanted) - wanted.count("RUNNING")}
