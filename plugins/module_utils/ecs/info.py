# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read services with their deployments, tasks and records: what C(ecs_service_info) answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..clients.aws import Aws, from_tag_list
from ..errors import NotFound
from ..release import Record
from ..resource import gather
from ..shape import from_api
from .normalise import revision_of
from .tasks import Tasks, address

# DescribeServices takes ten names a call.
BATCH = 10
EVENTS_SHOWN = 10
DEPLOYMENT_KEYS = (
    *("id", "status", "taskDefinition", "desiredCount", "pendingCount", "runningCount", "failedTasks"),
    *("rolloutState", "rolloutStateReason", "createdAt", "updatedAt"),
)
SERVICE_KEYS = (
    *("serviceName", "serviceArn", "clusterArn", "status", "desiredCount", "runningCount", "pendingCount"),
    *("launchType", "capacityProviderStrategy", "networkConfiguration", "loadBalancers", "deploymentConfiguration"),
    *("createdAt", "currentServiceDeployment"),
)


def read_services(aws: Aws, cluster: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """The named services, or all of the cluster. A name, or a cluster, that does not exist is left out."""
    aws.warm("ecs")
    wanted = list(names) or _all(aws, cluster)
    calls: dict[str, Callable[[], list[dict[str, Any]]]] = {
        wanted[start]: _describer(aws, cluster, wanted[start : start + BATCH]) for start in range(0, len(wanted), BATCH)
    }
    services = [service for found in gather(calls).values() for service in found]
    readers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        service["serviceName"]: Tasks(aws, cluster, service["serviceName"]).running for service in services
    }
    tasks = gather(readers)
    return [shown(service, tasks[service["serviceName"]]) for service in services]


def _all(aws: Aws, cluster: str) -> list[str]:
    try:
        arns = list(aws.pages("ecs", "list_services", "serviceArns", cluster=cluster, maxResults=100))
    except NotFound:
        return []
    return [arn.rsplit("/", 1)[-1] for arn in arns]


def _describer(aws: Aws, cluster: str, names: Sequence[str]) -> Callable[[], list[dict[str, Any]]]:
    def describe() -> list[dict[str, Any]]:
        try:
            answer = aws.call("ecs", "describe_services", cluster=cluster, services=list(names), include=["TAGS"])
        except NotFound:
            return []
        return [service for service in answer["services"] if service["status"] != "INACTIVE"]

    return describe


def shown(service: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One service for the result. Pure."""
    tags = from_tag_list(service.get("tags"))
    record = asdict(Record.from_tags(tags))
    return {
        **from_api({key: service[key] for key in SERVICE_KEYS if key in service}),
        "name": service["serviceName"],
        "release": revision_of(service["taskDefinition"]),
        "deployments": [
            from_api({key: item[key] for key in DEPLOYMENT_KEYS if key in item}) for item in service["deployments"]
        ],
        "events": [from_api(event)["message"] for event in service.get("events", ())[:EVENTS_SHOWN]],
        "tasks": [task_shown(task) for task in tasks],
        "record": {**record, "rejected": list(record["rejected"])},
        "tags": tags,
    }


def task_shown(task: Mapping[str, Any]) -> dict[str, Any]:
    """One task for the result: address, image, release, health. Pure."""
    containers = list(task.get("containers", ()))
    return {
        "id": str(task["taskArn"]).rsplit("/", 1)[-1],
        "arn": task["taskArn"],
        "address": address(task),
        "image": next((item["image"] for item in containers if item.get("image")), ""),
        "release": revision_of(task.get("taskDefinitionArn", "")),
        "status": task.get("lastStatus", ""),
        "health": task.get("healthStatus", "UNKNOWN"),
        "availability_zone": task.get("availabilityZone", ""),
        "gpu_ids": [gpu for item in containers for gpu in item.get("gpuIds", ())],
        "started_at": from_api(task["startedAt"]) if task.get("startedAt") else None,
    }
