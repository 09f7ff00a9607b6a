# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task actions."""

from __future__ import annotations

import copy
from typing import Any

from tests.sandbox.aws.ecs import errors, launch, network, service_rules, tags
from tests.sandbox.aws.ecs.model import Task
from tests.sandbox.aws.ecs.placement import PlacementError
from tests.sandbox.aws.ecs.world import Region, page

STATUS_OF_CONTAINER = {"PROVISIONING": "PENDING", "STOPPING": "RUNNING", "DEPROVISIONING": "STOPPED"}


def view(task: Task, with_tags: bool) -> dict[str, Any]:
    """Return a task in the API's shape."""
    definition = task.definition.body
    body: dict[str, Any] = {
        "attachments": [_attachment(task)] if task.definition.awsvpc else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": task.zone,
        "clusterArn": task.cluster.arn,
        "connectivity": "CONNECTED" if task.started_at else None,
        "connectivityAt": task.pull_started_at if task.started_at else None,
        "containers": [_container(task, each) for each in task.definition.containers],
        "cpu": definition.get("cpu") or str(sum(each["cpu"] for each in task.definition.containers)),
        "memory": definition.get("memory") or str(_memory(task)),
        "createdAt": task.created_at,
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.enable_execute_command,
        "executionStoppedAt": task.execution_stopped_at,
        "group": task.group,
        "healthStatus": task.health,
        "inferenceAccelerators": [],
        "lastStatus": task.last_status,
        "launchType": task.launch_type,
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": []} | task.overrides,
        "pullStartedAt": task.pull_started_at,
        "pullStoppedAt": task.pull_stopped_at,
        "startedAt": task.started_at,
        "startedBy": task.started_by or None,
        "stopCode": task.stop_code,
        "stoppedAt": task.stopped_at,
        "stoppedReason": task.stopped_reason,
        "stoppingAt": task.stopping_at,
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition.arn,
        "version": task.version,
        "tags": task.tags if with_tags else [],
    }
    return body | _capacity(task)


def _capacity(task: Task) -> dict[str, Any]:
    """Return the fields that only some capacities have."""
    body: dict[str, Any] = {}
    if task.capacity_provider is not None:
        body["capacityProviderName"] = task.capacity_provider
    if task.launch_type == "FARGATE":
        body |= {"platformVersion": "1.4.0", "platformFamily": "Linux"}
        body["ephemeralStorage"] = task.definition.body.get("ephemeralStorage", {"sizeInGiB": 20})
    return body


def _memory(task: Task) -> int:
    return sum(each.get("memory", each.get("memoryReservation", 0)) for each in task.definition.containers)


def _attachment(task: Task) -> dict[str, Any]:
    """Return the network interface; its address is known once the task has one."""
    details = [{"name": "subnetId", "value": task.subnet or ""}]
    if task.address is not None:
        details += [
            {"name": "networkInterfaceId", "value": f"eni-{task.id[:17]}"},
            {"name": "macAddress", "value": "02:" + ":".join(task.id[index : index + 2] for index in range(0, 10, 2))},
            {"name": "privateDnsName", "value": f"ip-{task.address.replace('.', '-')}.ec2.internal"},
            {"name": "privateIPv4Address", "value": task.address},
        ]
    status = "PRECREATED" if task.address is None else "DELETED" if task.last_status == "STOPPED" else "ATTACHED"
    return {"id": _interface(task), "type": "ElasticNetworkInterface", "status": status, "details": details}


def _interface(task: Task) -> str:
    return f"{task.id[:8]}-{task.id[8:12]}-{task.id[12:16]}-{task.id[16:20]}-{task.id[20:]}"


def _container(task: Task, definition: dict[str, Any]) -> dict[str, Any]:
    serving = definition["name"] in {each["name"] for each in task.definition.essential()}
    body: dict[str, Any] = {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{definition['name']}",
        "taskArn": task.arn,
        "name": definition["name"],
        "image": definition["image"],
        "imageDigest": definition["image"].split("@")[1] if "@" in definition["image"] else None,
        "runtimeId": f"{task.id}-{sum(definition['name'].encode()):010d}" if task.started_at else None,
        "lastStatus": STATUS_OF_CONTAINER.get(task.last_status, task.last_status),
        "networkBindings": [],
        "networkInterfaces": [],
        "healthStatus": task.health if "healthCheck" in definition else "UNKNOWN",
        "cpu": str(definition["cpu"]),
    }
    for key in ("memory", "memoryReservation"):
        if key in definition:
            body[key] = str(definition[key])
    if task.last_status in ("DEPROVISIONING", "STOPPED"):
        body |= {"exitCode": task.exit_code, "reason": task.container_reason}
    if task.address is not None and task.definition.awsvpc:
        body["networkInterfaces"] = [{"attachmentId": _interface(task), "privateIpv4Address": task.address}]
    elif task.address is not None and serving:
        body["networkBindings"] = [
            {
                "bindIP": task.address,
                "containerPort": port["containerPort"],
                "hostPort": port["containerPort"],
                "protocol": port["protocol"],
            }
            for port in definition["portMappings"]
            if "containerPort" in port
        ]
    for requirement in definition.get("resourceRequirements", []):
        if requirement["type"] == "GPU" and task.gpus:
            body["gpuIds"] = [gpu.id for gpu in task.gpus]
            body["gpuSharingStrategy"] = requirement.get("sharingStrategy")
    return body


def list_tasks(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List task ARNs, 100 a page; only tasks whose desired status is RUNNING unless asked otherwise."""
    cluster = region.cluster(request.get("cluster"))
    wanted = request.get("desiredStatus", "RUNNING")
    group = None
    if "serviceName" in request:
        group = f"service:{region.service(cluster, request['serviceName']).name}"
    arns = [
        task.arn
        for task in region.tasks.values()
        if task.cluster is cluster
        and task.desired_status == wanted
        and group in (None, task.group)
        and request.get("family") in (None, task.definition.body["family"])
        and request.get("startedBy") in (None, task.started_by)
        and request.get("launchType") in (None, task.launch_type)
        and "containerInstance" not in request
    ]
    shown, token = page(arns, request, 100, 100)
    return {"taskArns": shown, "nextToken": token}


def describe_tasks(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return up to 100 tasks; unknown ones are failures with reason MISSING."""
    cluster = region.cluster(request.get("cluster"))
    names = request["tasks"]
    if not names:
        raise errors.InvalidParameterException("Tasks cannot be empty.")
    if len(names) > 100:
        raise errors.InvalidParameterException("Tasks cannot have more than 100 elements.")
    found, failures = [], []
    for name in dict.fromkeys(names):
        task = region.task(cluster, name)
        if task is None:
            arn = name if name.startswith("arn:") else region.arn("task", f"{cluster.name}/{name}")
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(view(task, "TAGS" in request.get("include", [])))
    return {"tasks": found, "failures": failures}


def run_task(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Start up to ten tasks without a service."""
    cluster = region.cluster(request.get("cluster"))
    try:
        definition = region.definition(request["taskDefinition"])
    except errors.ClientException:
        raise errors.ClientException("TaskDefinition not found.") from None
    if definition.body["status"] != "ACTIVE":
        raise errors.ClientException("TaskDefinition is inactive")
    config = copy.deepcopy(request)
    service_rules.fill_capacity(cluster, config)
    service_rules.check_capacity(region, cluster, definition, config)
    service_rules.check_network(region, definition, config)
    if "networkConfiguration" in config:
        config["networkConfiguration"] = network.filled(config["networkConfiguration"])
    given_tags = tags.checked(request.get("tags"))
    started: list[Task] = []
    failures = []
    if not 1 <= request.get("count", 1) <= 10:
        raise errors.InvalidParameterException("Count should be between 1 and 10.")
    for _ in range(request.get("count", 1)):
        try:
            task = launch.create(
                region,
                cluster,
                definition,
                config,
                started,
                group=request.get("group", f"family:{definition.body['family']}"),
                started_by=request.get("startedBy", ""),
                tags=given_tags,
                overrides=request.get("overrides", {}),
                enable_execute_command=request.get("enableExecuteCommand", False),
            )
            started.append(task)
        except PlacementError as error:
            failures.append({"reason": "RESOURCE:GPU", "detail": str(error)})
    return {"tasks": [view(task, True) for task in started], "failures": failures}


def stop_task(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Stop one task; a service replaces it."""
    task = region.task(region.cluster(request.get("cluster")), request["task"])
    if task is None:
        raise errors.InvalidParameterException("The referenced task was not found.")
    task.stop("UserInitiated", request.get("reason", "Task stopped by user"))
    return {"task": view(task, True)}
