# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running tasks of one AWS account and region. ECS has no inventory elsewhere; calls stay at the paging minimum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from datetime import datetime
from typing import Any

from ..clients.aws import Aws, from_tag_list
from ..deployment.environment import MODELS_VARIABLE
from ..release import DEPLOYMENT
from .details import definition_details, task_details, utc_text
from .replica import HEALTHY, STARTING, UNHEALTHY, UNKNOWN, Replica, http_url, model_names

BATCH = 100
DEFAULT_PORT = 11434
HEALTH = {"HEALTHY": HEALTHY, "UNHEALTHY": UNHEALTHY}
RISING = ("PROVISIONING", "PENDING", "ACTIVATING")


def ecs_replicas(aws: Aws, pool: Executor, *, managed_only: bool = True, details: bool = False) -> list[Replica]:
    """All tasks that run Ollama. Batches of 100 and task definitions are described at the same time in the pool.

    managed_only: only tasks whose task definition carries our ownership tag; else all with our models variable.
    details: keep what the API said, less its secrets; the tasks' tags are then asked for in the same calls.
    """
    aws.client("ecs")
    batches: list[Future[list[dict[str, Any]]]] = []
    for cluster in aws.pages("ecs", "list_clusters", "clusterArns", maxResults=BATCH):
        batches += [pool.submit(_describe, aws, cluster, arns, details) for arns in _task_pages(aws, cluster)]
    tasks = [task for batch in batches for task in batch.result()]
    arns = sorted({task["taskDefinitionArn"] for task in tasks})
    definitions = dict(zip(arns, pool.map(lambda arn: _definition(aws, arn, details), arns), strict=True))
    found = (_replica(task, definitions[task["taskDefinitionArn"]]) for task in tasks)
    return [replica for replica in found if replica.deployment or (not managed_only and replica.models)]


def _task_pages(aws: Aws, cluster: str) -> Iterator[list[str]]:
    token: dict[str, str] = {}
    while True:
        answer = aws.call("ecs", "list_tasks", cluster=cluster, maxResults=BATCH, **token)
        if answer["taskArns"]:
            yield answer["taskArns"]
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _describe(aws: Aws, cluster: str, arns: list[str], details: bool) -> list[dict[str, Any]]:
    extra: dict[str, Any] = {"include": ["TAGS"]} if details else {}
    tasks: list[dict[str, Any]] = aws.call("ecs", "describe_tasks", cluster=cluster, tasks=arns, **extra)["tasks"]
    return tasks


def _definition(aws: Aws, arn: str, details: bool) -> dict[str, Any]:
    """What the tasks of one definition have in common."""
    answer = aws.call("ecs", "describe_task_definition", taskDefinition=arn, include=["TAGS"])
    containers = answer["taskDefinition"].get("containerDefinitions", [])
    container = _server(containers)
    environment = {item["name"]: item["value"] for item in container.get("environment", [])}
    tags = from_tag_list(answer.get("tags", []))
    # Behind a sidecar Ollama has no port of its own.
    ports = [item["containerPort"] for each in (container, *containers) for item in each.get("portMappings", [])]
    return {
        "container": container.get("name", ""),
        "deployment": tags.get(DEPLOYMENT, ""),
        "details": definition_details(answer["taskDefinition"], tags) if details else None,
        "image": container.get("image", ""),
        "models": model_names(environment.get(MODELS_VARIABLE, "")),
        "port": ports[0] if ports else DEFAULT_PORT,
        "gpu": any(item.get("type") == "GPU" for item in container.get("resourceRequirements", [])),
    }


def _server(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """The container that is the Ollama server: the one with our variable, else the first."""
    for container in containers:
        if any(item["name"] == MODELS_VARIABLE for item in container.get("environment", [])):
            return container
    return containers[0] if containers else {}


def _replica(task: Mapping[str, Any], definition: Mapping[str, Any]) -> Replica:
    arn = task["taskArn"]
    _arn, _partition, _service, region, account, _rest = arn.split(":", 5)
    started = task.get("startedAt")
    address = _address(task)
    known = definition["details"]
    return Replica(
        id=arn,
        cloud="aws",
        platform="ecs",
        account=account,
        region=region,
        deployment=definition["deployment"],
        release=task["taskDefinitionArn"].rpartition("/")[2],
        image=definition["image"],
        models=definition["models"],
        address=address,
        url=http_url(address, definition["port"]),
        gpu="yes" if definition["gpu"] else "",
        health=_health(task),
        status=task.get("lastStatus", ""),
        unit=arn.rpartition("/")[2],
        started_at=utc_text(started) if isinstance(started, datetime) else str(started or ""),
        details={"task": task_details(task), "task_definition": known} if known else {},
    )


def _health(task: Mapping[str, Any]) -> str:
    if task.get("lastStatus") in RISING:
        return STARTING
    return HEALTH.get(task.get("healthStatus", ""), UNKNOWN)


def _address(task: Mapping[str, Any]) -> str:
    for attachment in task.get("attachments", []):
        for detail in attachment.get("details", []):
            if detail.get("name") == "privateIPv4Address":
                return str(detail.get("value", ""))
    for container in task.get("containers", []):
        for interface in container.get("networkInterfaces", []):
            if interface.get("privateIpv4Address"):
                return str(interface["privateIpv4Address"])
    return ""
