# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task definition actions, and the defaults that AWS fills in."""

from __future__ import annotations

import copy
from typing import Any

from tests.sandbox.aws.ecs import definition_rules, errors, tags
from tests.sandbox.aws.ecs.model import TaskDefinition, now
from tests.sandbox.aws.ecs.world import ACCOUNT, Region, page

CONTAINER_DEFAULTS: dict[str, Any] = {
    "cpu": 0,
    "portMappings": [],
    "essential": True,
    "environment": [],
    "mountPoints": [],
    "volumesFrom": [],
    "systemControls": [],
}
HEALTH_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}


def _container(given: dict[str, Any], network_mode: str) -> dict[str, Any]:
    """Return a container definition with the defaults of AWS."""
    container = copy.deepcopy(CONTAINER_DEFAULTS) | copy.deepcopy(given)
    for mapping in container["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if "containerPort" in mapping:
            mapping.setdefault("hostPort", mapping["containerPort"] if network_mode in ("awsvpc", "host") else 0)
    if "healthCheck" in container:
        container["healthCheck"] = HEALTH_DEFAULTS | container["healthCheck"]
    return container


def _volume(given: dict[str, Any]) -> dict[str, Any]:
    volume = copy.deepcopy(given)
    if "efsVolumeConfiguration" in volume:
        volume["efsVolumeConfiguration"].setdefault("rootDirectory", "/")
    elif not set(volume) - {"name"}:
        volume["host"] = {}
    return volume


def _compatibilities(body: dict[str, Any]) -> list[str]:
    """Return the infrastructures that could run the definition, as AWS works them out."""
    gpu = any(definition_rules.gpu_requirements(body["containerDefinitions"]))
    sized = body.get("cpu") is not None and body.get("memory") is not None
    found = ["EC2"]
    fits = sized and int(body["memory"]) in definition_rules.fargate_sizes().get(int(body["cpu"]), [])
    if fits and body["networkMode"] == "awsvpc" and not gpu:
        found.append("FARGATE")
    if sized and body["networkMode"] in ("awsvpc", "host"):
        found.append("MANAGED_INSTANCES")
    return found


def _required_attributes(body: dict[str, Any]) -> list[dict[str, str]]:
    """Return some of the agent capabilities that AWS lists; callers must not take them for their own wish."""
    names = ["com.amazonaws.ecs.capability.docker-remote-api.1.18"]
    if body["networkMode"] == "awsvpc":
        names.append("ecs.capability.task-eni")
    if any("efsVolumeConfiguration" in volume for volume in body["volumes"]):
        names.append("ecs.capability.efs")
    if any("healthCheck" in container for container in body["containerDefinitions"]):
        names.append("ecs.capability.container-health-check")
    return [{"name": name} for name in names]


def _body(region: Region, request: dict[str, Any], revision: int) -> dict[str, Any]:
    family = request["family"]
    mode = request.get("networkMode", "bridge")
    body = {key: copy.deepcopy(value) for key, value in request.items() if key != "tags"}
    body |= {
        "taskDefinitionArn": region.arn("task-definition", f"{family}:{revision}"),
        "revision": revision,
        "status": "ACTIVE",
        "networkMode": mode,
        "containerDefinitions": [_container(each, mode) for each in request["containerDefinitions"]],
        "volumes": [_volume(each) for each in request.get("volumes", [])],
        "placementConstraints": request.get("placementConstraints", []),
        "registeredAt": now(),
        "registeredBy": f"arn:aws:iam::{ACCOUNT}:root",
    }
    for key, unit in (("cpu", "vcpu"), ("memory", "gb")):
        if key in request:
            body[key] = str(definition_rules.size(request[key], unit))
    body["compatibilities"] = _compatibilities(body)
    body["requiresAttributes"] = _required_attributes(body)
    return body


def register_task_definition(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Add a revision to a family."""
    definition_rules.check(request)
    given_tags = tags.checked(request.get("tags"))
    family = request["family"]
    revision = region.last_revision.get(family, 0) + 1
    region.last_revision[family] = revision
    definition = TaskDefinition(body=_body(region, request, revision), tags=given_tags)
    region.families.setdefault(family, {})[revision] = definition
    answer: dict[str, Any] = {"taskDefinition": definition.body}
    return answer | ({"tags": given_tags} if given_tags else {})


def describe_task_definition(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return one definition, with tags when asked for."""
    definition = region.definition(request["taskDefinition"])
    answer: dict[str, Any] = {"taskDefinition": definition.body}
    if "TAGS" in request.get("include", []):
        answer["tags"] = definition.tags
    return answer


def deregister_task_definition(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Make a revision INACTIVE; it stays readable."""
    if ":" not in request["taskDefinition"].split("/")[-1]:
        raise errors.ClientException("Revision is missing.")
    definition = region.definition(request["taskDefinition"])
    if definition.body["status"] == "ACTIVE":
        definition.body |= {"status": "INACTIVE", "deregisteredAt": now()}
    return {"taskDefinition": definition.body}


def list_task_definitions(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List ARNs by family and revision; ``familyPrefix`` is the whole family's name."""
    prefix, status = request.get("familyPrefix"), request.get("status", "ACTIVE")
    arns = [
        revisions[number].arn
        for family, revisions in sorted(region.families.items())
        for number in sorted(revisions)
        if prefix in (None, family) and revisions[number].body["status"] == status
    ]
    if request.get("sort") == "DESC":
        arns.reverse()
    shown, token = page(arns, request, 100, 100)
    return {"taskDefinitionArns": shown, "nextToken": token}


def list_task_definition_families(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List family names by prefix and status (ACTIVE, INACTIVE or ALL)."""
    status = request.get("status", "ALL")
    names = []
    for family, revisions in sorted(region.families.items()):
        active = any(each.body["status"] == "ACTIVE" for each in revisions.values())
        wanted = status == "ALL" or active == (status == "ACTIVE")
        if wanted and family.startswith(request.get("familyPrefix", "")):
            names.append(family)
    shown, token = page(names, request, 100, 100)
    return {"families": shown, "nextToken": token}


def delete_task_definitions(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Delete up to ten INACTIVE revisions."""
    names = request["taskDefinitions"]
    if not 1 <= len(names) <= 10:
        raise errors.InvalidParameterException("Specify between 1 and 10 task definitions.")
    deleted, failures = [], []
    for name in names:
        try:
            definition = region.definition(name)
        except errors.ClientException:
            failures.append({"arn": name, "reason": "The specified task definition does not exist."})
            continue
        if definition.body["status"] == "ACTIVE":
            reason = "The specified task definition is still in ACTIVE status."
            failures.append({"arn": definition.arn, "reason": f"{reason} Please deregister the target and try again."})
            continue
        definition.body |= {"status": "DELETE_IN_PROGRESS", "deleteRequestedAt": now()}
        in_use = any(task.definition is definition and task.last_status != "STOPPED" for task in region.tasks.values())
        in_use |= any(each.definition is definition and each.status == "ACTIVE" for each in region.services)
        # The cloud keeps it in DELETE_IN_PROGRESS until nothing refers to it any more.
        if not in_use:
            del region.families[definition.body["family"]][definition.body["revision"]]
        deleted.append(definition.body)
    return {"taskDefinitions": deleted, "failures": failures}
