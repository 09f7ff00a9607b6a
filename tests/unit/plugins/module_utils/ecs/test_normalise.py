# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a difference and what does not. The blind spots are those measured on other tools (docs/decisions)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import diff, merge
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs import normalise, translate
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import resolve
from tests.helpers.ecs import (
    ACCOUNT,
    BALANCED,
    DEPLOYMENTS,
    FARGATE,
    GPU,
    REGION,
    SEEDED,
    SHARED_GPU,
    VOLUME,
    describe,
)

Body = dict[str, Any]
ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


def bodies(base: Body) -> tuple[Body, Body]:
    """The wanted task definition and service of a deployment."""
    wanted = {item.key: item.body for item in translate.bundle(describe(base), REGION)}
    service = resolve(wanted["service"], lambda ref: f"{ARN}:task-definition/chat:7")
    return dict(wanted["task_definition"]), service


def filled_definition(body: Body) -> Body:
    """A task definition as ECS answers it: defaults filled in, names become ARNs, lists in another order."""
    found = copy.deepcopy(body)
    for role in ("taskRoleArn", "executionRoleArn"):
        if role in found:
            found[role] = f"arn:aws:iam::{ACCOUNT}:role/{found[role]}"
    for container in found["containerDefinitions"]:
        container["environment"].reverse()
        container |= {
            "cpu": 0,
            "volumesFrom": [],
            "systemControls": [],
            "mountPoints": container.get("mountPoints", []),
            "portMappings": container.get("portMappings", []),
        }
        for port in container["portMappings"]:
            port |= {"hostPort": port["containerPort"], "protocol": "tcp"}
    for volume in found.setdefault("volumes", []):
        volume["efsVolumeConfiguration"]["rootDirectory"] = "/"
    return found | {
        "taskDefinitionArn": f"{ARN}:task-definition/chat:7",
        "revision": 7,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
        "placementConstraints": [],
        "compatibilities": ["EC2", "MANAGED_INSTANCES"],
        "registeredBy": "somebody",
    }


def filled_service(body: Body) -> Body:
    """A service as ECS answers it."""
    found = copy.deepcopy(body)
    found["clusterArn"] = found["cluster"] = f"{ARN}:cluster/{found['cluster']}"
    found["networkConfiguration"]["awsvpcConfiguration"]["subnets"].reverse()
    configuration = found["deploymentConfiguration"]
    configuration.setdefault("bakeTimeInMinutes", 0)
    configuration["deploymentCircuitBreaker"]["resetOnHealthyTask"] = True
    return found | {
        "status": "ACTIVE",
        "runningCount": 1,
        "healthCheckGracePeriodSeconds": found.get("healthCheckGracePeriodSeconds", 0),
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "platformFamily": "Linux",
        "events": [],
    }


def service_changes(found: Body, wanted: Body) -> list[str]:
    managed = [*wanted, "networkConfiguration.securityGroups"]
    return [c.path for c in diff(normalise.service(found, managed), normalise.service(wanted, managed))]


def definition_changes(found: Body, wanted: Body) -> list[str]:
    return [c.path for c in diff(normalise.definition(found), normalise.definition(wanted))]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_what_ecs_fills_in_is_no_change(name: str) -> None:
    definition, service = bodies(DEPLOYMENTS[name])
    assert definition_changes(filled_definition(definition), definition) == []
    assert service_changes(filled_service(service), service) == []


@st.composite
def descriptions(draw: st.DrawFn) -> Body:
    """Deployments of every compatibility, storage and strategy, with what users vary."""
    base = draw(st.sampled_from([GPU, VOLUME, SEEDED, FARGATE, SHARED_GPU, BALANCED]))
    words = st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=12)
    changes: Body = {
        "runtime": {
            "num_parallel": draw(st.integers(1, 16)),
            "flash_attention": draw(st.none() | st.booleans()),
            "environment": draw(st.dictionaries(st.sampled_from(["ZONE", "A1", "B_2"]), words)),
        },
        "update": {"strategy": draw(st.sampled_from(["surge", "stop_first"]))},
        "storage": {"uid": draw(st.integers(1, 65535)), "path": draw(st.sampled_from(["/models", "/data/models"]))},
        "platform": {
            "bake_time": draw(st.integers(0, 60)),
            "deployment_alarms": draw(st.lists(st.sampled_from(["b", "a", "c"]), unique=True)),
            "security_groups": draw(st.lists(st.sampled_from([f"sg-{i}{'0' * 16}" for i in "ab"]), unique=True)),
            "circuit_breaker": {"enable": draw(st.booleans())},
            "stop_timeout": draw(st.integers(2, 120)),
            "read_only_root": draw(st.booleans()),
            "drop_capabilities": draw(st.booleans()),
        },
    }
    return merge(base, changes)


@given(descriptions())
def test_a_found_deployment_with_the_clouds_defaults_gives_an_empty_plan(description: Body) -> None:
    definition, service = bodies(description)
    assert problems(describe(description)) == []
    assert definition_changes(filled_definition(definition), definition) == []
    assert service_changes(filled_service(service), service) == []


@given(descriptions())
def test_normalising_twice_changes_nothing(description: Body) -> None:
    definition, service = bodies(description)
    once = normalise.definition(definition)
    assert normalise.definition(once) == once
    managed = list(service)
    again = normalise.service(normalise.service(service, managed), managed)
    assert again == normalise.service(service, managed)


def edited(body: Body, path: str, value: Any) -> Body:
    """A copy of the body with one value set; numbers in the path are list indexes."""
    copied: Body = json.loads(json.dumps(body))
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = copied
    for part in parents:
        place = place[part]
    place[last] = value
    return copied


CONTAINER = "containerDefinitions/0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{CONTAINER}/image", "registry.example.com/other@sha256:" + "c" * 64),
        (f"{CONTAINER}/environment/1/value", "8192"),
        (f"{CONTAINER}/environment/1/name", "OTHER"),
        (f"{CONTAINER}/secrets/0/valueFrom", "arn:aws:secretsmanager:us-east-1:123456789012:secret:other-AbCdEf"),
        (f"{CONTAINER}/healthCheck/command/2", "list"),
        (f"{CONTAINER}/healthCheck/interval", 16),
        (f"{CONTAINER}/resourceRequirements/0/value", "2"),
        (f"{CONTAINER}/user", "0:0"),
        (f"{CONTAINER}/readonlyRootFilesystem", False),
        (f"{CONTAINER}/stopTimeout", 31),
        (f"{CONTAINER}/logConfiguration/options/awslogs-group", "/ecs/other"),
        (f"{CONTAINER}/mountPoints/0/readOnly", True),
        (f"{CONTAINER}/linuxParameters/capabilities/drop", []),
        ("cpu", "2048"),
        ("memory", "8192"),
        ("executionRoleArn", "other-role"),
        ("taskRoleArn", "other-role"),
        ("networkMode", "host"),
        ("requiresCompatibilities", ["FARGATE"]),
        ("runtimePlatform/cpuArchitecture", "ARM64"),
        ("volumes/0/efsVolumeConfiguration/authorizationConfig/accessPointId", "fsap-1123456789abcdef0"),
        ("volumes/0/efsVolumeConfiguration/transitEncryption", "DISABLED"),
    ],
)
def test_a_changed_value_of_a_task_definition_is_seen(path: str, value: Any) -> None:
    definition, _ = bodies(VOLUME)
    assert len(definition_changes(filled_definition(definition), edited(definition, path, value))) >= 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("networkConfiguration/awsvpcConfiguration/securityGroups", ["sg-1123456789abcdef0"]),
        ("networkConfiguration/awsvpcConfiguration/subnets", ["subnet-0123456789abcdef0"]),
        ("networkConfiguration/awsvpcConfiguration/assignPublicIp", "ENABLED"),
        ("deploymentConfiguration/maximumPercent", 150),
        ("deploymentConfiguration/strategy", "ROLLING"),
        ("deploymentConfiguration/deploymentCircuitBreaker/rollback", False),
        ("deploymentConfiguration/lifecycleHooks", []),
        ("capacityProviderStrategy/0/weight", 2),
        ("taskDefinition", f"{ARN}:task-definition/chat:8"),
        ("availabilityZoneRebalancing", "ENABLED"),
        ("enableExecuteCommand", True),
        ("propagateTags", "NONE"),
        ("loadBalancers", []),
        ("healthCheckGracePeriodSeconds", 60),
        ("desiredCount", 5),
    ],
)
def test_a_changed_value_of_a_service_is_seen(path: str, value: Any) -> None:
    _, service = bodies(BALANCED)
    assert len(service_changes(filled_service(service), edited(service, path, value))) >= 1


def without(body: Body, path: str) -> Body:
    """A copy of the body without one member."""
    parent, _, last = path.rpartition("/")
    copied: Body = json.loads(json.dumps(body))
    place: Any = copied
    for part in filter(None, parent.split("/")):
        place = place[int(part) if part.isdigit() else part]
    del place[last]
    return copied


SAME: dict[str, Callable[[Body], Body]] = {
    "essential left out": lambda body: without(body, f"{CONTAINER}/essential"),
    "protocol left out": lambda body: without(body, f"{CONTAINER}/portMappings/0/protocol"),
    "environment in another order": lambda body: edited(
        body, f"{CONTAINER}/environment", body["containerDefinitions"][0]["environment"][::-1]
    ),
    "memory with its unit": lambda body: edited(body, "memory", "14 GB"),
    "memory as a number": lambda body: edited(body, "memory", 14336),
    "CPU in vCPUs": lambda body: edited(body, "cpu", "4 vCPU"),
    "a timeout as text, from a template": lambda body: edited(body, f"{CONTAINER}/stopTimeout", "30"),
    "a role's ARN for its name": lambda body: edited(
        body, "executionRoleArn", f"arn:aws:iam::{ACCOUNT}:role/{body['executionRoleArn']}"
    ),
    "an EFS root directory named": lambda body: edited(
        body, "volumes/0/efsVolumeConfiguration", {**body["volumes"][0]["efsVolumeConfiguration"], "rootDirectory": "/"}
    ),
    "GPU count as a number": lambda body: edited(body, f"{CONTAINER}/resourceRequirements/0/value", 1),
    "false where false is the default": lambda body: edited(body, f"{CONTAINER}/privileged", False),
}


@pytest.mark.parametrize("name", SAME)
def test_another_spelling_of_the_same_is_no_change(name: str) -> None:
    definition, _ = bodies(VOLUME)
    assert definition_changes(filled_definition(definition), SAME[name](definition)) == []


def test_health_check_times_left_out_are_those_of_ecs() -> None:
    short: Body = {"family": "f", "containerDefinitions": [{"name": "a", "healthCheck": {"command": ["CMD", "x"]}}]}
    found = {"command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3}
    full: Body = {"family": "f", "containerDefinitions": [{"name": "a", "healthCheck": found}]}
    assert definition_changes(full, short) == []


def test_a_service_names_its_definition_by_arn_or_by_revision() -> None:
    _, service = bodies(GPU)
    assert service_changes(filled_service(service), {**service, "taskDefinition": "chat:7"}) == []


def test_security_groups_that_were_not_given_are_aws_own_affair() -> None:
    _, service = bodies(merge(GPU, {"platform": {"security_groups": []}}))
    found = filled_service(service)
    found["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] = ["sg-default"]
    assert [
        c.path for c in diff(normalise.service(found, list(service)), normalise.service(service, list(service)))
    ] == []
