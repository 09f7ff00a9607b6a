# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where tasks go: capacity providers, GPUs that exist or do not, and sharing by MPS."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.aws.ecs import capacity_providers
from tests.sandbox.aws.ecs.definition_rules import gpu_requirements
from tests.sandbox.aws.ecs.model import Cluster, TaskDefinition
from tests.sandbox.aws.ecs.world import Region

# The memory of one GPU, for sharing: an A10G or L4.
GPU_MEMORY_MIB = 24576
TROUBLE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


@dataclass(eq=False)
class Gpu:
    """A physical GPU that tasks use; ``shared`` counts the MiB that each sharing task asked for."""

    id: str = field(default_factory=lambda: f"GPU-{uuid.uuid4()}")
    exclusive: str | None = None
    shared: dict[str, int] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Say whether any task holds it."""
        return self.exclusive is not None or bool(self.shared)


class PlacementError(Exception):
    """A task cannot be placed; the text is the service event without its beginning."""


@dataclass(frozen=True)
class Place:
    """Where a task goes. ``provider`` is None for a launch type of its own."""

    launch_type: str
    provider: str | None


def choose(region: Region, cluster: Cluster, config: dict[str, Any], spread: dict[str | None, int]) -> Place:
    """Choose launch type and capacity provider; ``spread`` counts the live tasks on each provider so far."""
    strategy = config.get("capacityProviderStrategy") or []
    if not strategy:
        launch_type = config.get("launchType", "EC2")
        if launch_type == "EC2" and not _hosts(region, cluster):
            raise PlacementError(
                "was unable to place a task because no container instance met all of its requirements. "
                f"Reason: No Container Instances were found in your cluster. {TROUBLE}"
            )
        return Place(launch_type, None)
    item = next((each for each in strategy if spread.get(each["capacityProvider"], 0) < each.get("base", 0)), None)
    if item is None:
        item = min(
            strategy, key=lambda each: spread.get(each["capacityProvider"], 0) / (each.get("weight", 0) or 0.001)
        )
    name = item["capacityProvider"].split("/")[-1]
    provider = capacity_providers.find(region, name) or {}
    kinds = {"EC2_AUTOSCALING": "EC2", "MANAGED_INSTANCES": "MANAGED_INSTANCES"}
    return Place(kinds.get(provider.get("type", ""), "FARGATE"), name)


def _hosts(region: Region, cluster: Cluster) -> bool:
    """Say whether the cluster has instances: here, those that an Auto Scaling group provider of its brings."""
    found = (capacity_providers.find(region, name) for name in cluster.capacity_providers)
    return any(provider is not None and provider["type"] == "EC2_AUTOSCALING" for provider in found)


def take_gpus(region: Region, definition: TaskDefinition, task_id: str, place: Place) -> list[Gpu]:
    """Reserve the GPUs of a task; raises PlacementError where none is free or the quota is used up."""
    requirements = list(gpu_requirements(definition.containers))
    shares = [each["sharingStrategy"]["nvidiaMps"]["memory"] for each in requirements if "sharingStrategy" in each]
    count = sum(_whole(each.get("value")) for each in requirements if "sharingStrategy" not in each)
    if shares:
        return [_share(region, task_id, sum(shares), place)]
    _check_room(region, count, place)
    taken = [Gpu(exclusive=task_id) for _ in range(count)]
    region.gpus.extend(taken)
    return taken


def _whole(value: str | None) -> int:
    """Return the physical GPUs behind a requirement's value; a fraction of one, and ALL, are one here."""
    return int(value) if value is not None and value.isdigit() else 1


def _share(region: Region, task_id: str, memory: int, place: Place) -> Gpu:
    for gpu in region.gpus:
        if gpu.exclusive is None and sum(gpu.shared.values()) + memory <= GPU_MEMORY_MIB:
            gpu.shared[task_id] = memory
            return gpu
    _check_room(region, 1, place)
    gpu = Gpu(shared={task_id: memory})
    region.gpus.append(gpu)
    return gpu


def _check_room(region: Region, wanted: int, place: Place) -> None:
    if not wanted:
        return
    switch, used = region.world.switch, len(region.gpus)
    if place.launch_type == "MANAGED_INSTANCES":
        if switch.over_quota(used, wanted):
            raise PlacementError(
                "was unable to place a task. Reason: VcpuLimitExceeded: You have requested more vCPU capacity than "
                f"your current vCPU limit of {switch.quota} allows for the instance bucket. {TROUBLE}"
            )
        if switch.gpu_stockout(used, wanted):
            raise PlacementError(
                "was unable to place a task. Reason: InsufficientInstanceCapacity: We currently do not have sufficient "
                f"capacity in the Availability Zone you requested. {TROUBLE}"
            )
    elif switch.gpu_stockout(used, wanted) or switch.over_quota(used, wanted):
        raise PlacementError(
            "was unable to place a task because no container instance met all of its requirements. "
            f'The closest matching container-instance encountered error "RESOURCE:GPU". {TROUBLE}'
        )


def release_gpus(region: Region, task_id: str) -> None:
    """Give back what a task held."""
    for gpu in region.gpus:
        gpu.shared.pop(task_id, None)
        if gpu.exclusive == task_id:
            gpu.exclusive = None
    region.gpus = [gpu for gpu in region.gpus if gpu.used]
