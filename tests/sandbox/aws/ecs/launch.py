# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating tasks."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tests.sandbox.aws.ecs import network, placement
from tests.sandbox.aws.ecs.model import Cluster, Deployment, Tags, Task, TaskDefinition
from tests.sandbox.aws.ecs.tags import merged
from tests.sandbox.aws.ecs.world import Region, task_id


def create(
    region: Region,
    cluster: Cluster,
    definition: TaskDefinition,
    config: dict[str, Any],
    siblings: list[Task],
    **fields: Any,
) -> Task:
    """Place a task and remember it; ``config`` has launch type, strategy and network. Raises PlacementError."""
    identity = task_id()
    place = placement.choose(region, cluster, config, Counter(task.capacity_provider for task in siblings))
    gpus = placement.take_gpus(region, definition, identity, place)
    task = Task(
        id=identity,
        arn=region.arn("task", f"{cluster.name}/{identity}"),
        cluster=cluster,
        definition=definition,
        config=config,
        launch_type=place.launch_type,
        capacity_provider=place.provider,
        gpus=gpus,
        **fields,
    )
    task.moments["created"] = time.monotonic()
    if definition.awsvpc:
        subnets = config["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
        used = Counter(sibling.subnet for sibling in siblings)
        task.subnet = min(subnets, key=lambda subnet: used[subnet])
        task.zone = network.zone(region.name, task.subnet)
    else:
        task.zone = f"{region.name}a"
    region.tasks[identity] = task
    return task


def for_deployment(region: Region, deployment: Deployment) -> Task:
    """Start one more task of a service's deployment; raises PlacementError."""
    service = deployment.service
    # Capacity providers can change without a new deployment; the rest belongs to the revision.
    config = deployment.revision.config | {
        key: service.settings[key] for key in ("capacityProviderStrategy", "launchType") if key in service.settings
    }
    task = create(
        region,
        service.cluster,
        deployment.revision.definition,
        config,
        service.live(),
        group=f"service:{service.name}",
        started_by=deployment.id,
        tags=_propagated(deployment),
        deployment=deployment,
        enable_execute_command=service.settings["enableExecuteCommand"],
    )
    deployment.tasks.append(task)
    return task


def _propagated(deployment: Deployment) -> Tags:
    service = deployment.service
    source = {"SERVICE": service.tags, "TASK_DEFINITION": deployment.revision.definition.tags}
    tags = list(source.get(service.settings["propagateTags"], []))
    if service.settings["enableECSManagedTags"]:
        managed = {"aws:ecs:clusterName": service.cluster.name, "aws:ecs:serviceName": service.name}
        tags = merged(tags, [{"key": key, "value": value} for key, value in managed.items()])
    return tags
