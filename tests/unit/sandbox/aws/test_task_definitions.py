# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Task definitions: defaults of AWS, numbers, revisions, paging, and what registration refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import REGION, Aws

SECRET = [{"name": "TOKEN", "valueFrom": "/x"}]
MPS = {"sharingStrategy": {"nvidiaMps": {"memory": 8192, "maxComputePercent": 30}}}


def described(aws: Aws, name: str = "ollama") -> dict[str, Any]:
    return dict(aws.ecs.describe_task_definition(taskDefinition=name)["taskDefinition"])


def refusal(aws: Aws, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        aws.register(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_the_defaults_of_aws_are_filled_in(aws: Aws) -> None:
    aws.register(
        health={"command": ["CMD", "ollama", "ps"]},
        volumes=[{"name": "models", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"}}],
    )
    found = described(aws)
    (container,) = found["containerDefinitions"]
    assert container["healthCheck"] == {
        "command": ["CMD", "ollama", "ps"],
        "interval": 30,
        "timeout": 5,
        "retries": 3,
    }
    assert container["portMappings"] == [{"containerPort": 11434, "hostPort": 11434, "protocol": "tcp"}]
    assert (container["cpu"], container["essential"]) == (0, True)
    assert container["mountPoints"] == container["volumesFrom"] == container["systemControls"] == []
    assert found["volumes"][0]["efsVolumeConfiguration"]["rootDirectory"] == "/"
    assert found["placementConstraints"] == []
    assert found["status"] == "ACTIVE"
    assert (found["family"], found["revision"]) == ("ollama", 1)
    assert found["taskDefinitionArn"] == f"arn:aws:ecs:{REGION}:123456789012:task-definition/ollama:1"
    assert found["requiresAttributes"]
    assert found["registeredAt"]
    assert "tags" not in found


def test_bridge_is_the_default_network_and_its_host_port_is_dynamic(aws: Aws) -> None:
    container = {"name": "a", "image": "b", "memory": 128, "portMappings": [{"containerPort": 80}]}
    aws.ecs.register_task_definition(family="ollama", containerDefinitions=[container])
    found = described(aws)
    assert found["networkMode"] == "bridge"
    assert found["containerDefinitions"][0]["portMappings"][0]["hostPort"] == 0


@pytest.mark.parametrize(
    ("cpu", "memory", "kept"),
    [("1024", "2048", ("1024", "2048")), ("1 vCPU", "2GB", ("1024", "2048")), (".5 vcpu", "1 gb", None)],
)
def test_task_sizes_are_kept_as_strings_of_units(aws: Aws, cpu: str, memory: str, kept: tuple[str, str] | None) -> None:
    if kept is None:
        assert refusal(aws, cpu=cpu, memory=memory)[0] == "ClientException"
        return
    aws.register(cpu=cpu, memory=memory)
    assert (described(aws)["cpu"], described(aws)["memory"]) == kept


def test_tags_come_with_the_include_only(aws: Aws) -> None:
    aws.register(tags=[{"key": "team", "value": "ml"}])
    assert "tags" not in aws.ecs.describe_task_definition(taskDefinition="ollama")
    answer = aws.ecs.describe_task_definition(taskDefinition="ollama", include=["TAGS"])
    assert answer["tags"] == [{"key": "team", "value": "ml"}]


def test_a_bare_family_is_its_newest_active_revision(aws: Aws) -> None:
    for number in range(3):
        aws.register(f"1.{number}")
    aws.ecs.deregister_task_definition(taskDefinition="ollama:3")
    assert described(aws)["revision"] == 2
    inactive = described(aws, "ollama:3")
    assert inactive["status"] == "INACTIVE"
    assert inactive["deregisteredAt"] >= inactive["registeredAt"]
    aws.register("1.4")
    assert described(aws)["revision"] == 4


def test_revision_numbers_are_never_used_twice(aws: Aws) -> None:
    aws.register()
    aws.ecs.deregister_task_definition(taskDefinition="ollama:1")
    answer = aws.ecs.delete_task_definitions(taskDefinitions=["ollama:1"])
    assert answer["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS"
    assert aws.register().endswith(":2")
    assert aws.ecs.delete_task_definitions(taskDefinitions=["ollama:2"])["failures"][0]["reason"].startswith(
        "The specified task definition is still in ACTIVE status"
    )


def test_definitions_are_listed_by_family_status_and_order_100_a_page(aws: Aws) -> None:
    for _ in range(102):
        aws.register()
    aws.register(family="ollama-other")
    first = aws.ecs.list_task_definitions(familyPrefix="ollama")
    assert len(first["taskDefinitionArns"]) == 100
    assert first["taskDefinitionArns"][0].endswith(":1")
    rest = aws.ecs.list_task_definitions(familyPrefix="ollama", nextToken=first["nextToken"])
    assert [arn.rsplit(":", 1)[1] for arn in rest["taskDefinitionArns"]] == ["101", "102"]
    newest = aws.ecs.list_task_definitions(familyPrefix="ollama", sort="DESC", maxResults=1)["taskDefinitionArns"]
    assert newest[0].endswith(":102")
    aws.ecs.deregister_task_definition(taskDefinition="ollama:7")
    inactive = aws.ecs.list_task_definitions(familyPrefix="ollama", status="INACTIVE")["taskDefinitionArns"]
    assert [arn.rsplit("/", 1)[1] for arn in inactive] == ["ollama:7"]
    assert aws.ecs.list_task_definition_families(familyPrefix="oll")["families"] == ["ollama", "ollama-other"]


def test_a_gpu_definition_fits_ec2_and_managed_instances_but_not_fargate(aws: Aws) -> None:
    aws.register()
    assert described(aws)["compatibilities"] == ["EC2", "FARGATE", "MANAGED_INSTANCES"]
    aws.register(gpu={"value": "1"}, requiresCompatibilities=["EC2", "MANAGED_INSTANCES"])
    assert described(aws)["compatibilities"] == ["EC2", "MANAGED_INSTANCES"]
    assert described(aws)["containerDefinitions"][0]["resourceRequirements"] == [{"type": "GPU", "value": "1"}]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"gpu": {"value": "1"}, "requiresCompatibilities": ["FARGATE"]}, "do not support GPU"),
        ({"gpu": MPS | {"value": "1"}}, "either value or sharingStrategy"),
        ({"gpu": {"value": "some"}}, "is not valid"),
        ({"requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "1024"}, "No Fargate configuration"),
        ({"requiresCompatibilities": ["FARGATE"], "networkMode": "bridge"}, "network mode 'awsvpc'"),
        ({"container": {"secrets": SECRET}, "executionRoleArn": ""}, "'executionRoleArn'"),
        ({"container": {"portMappings": [{"containerPort": 80, "hostPort": 81}]}}, "must match"),
        ({"container": {"memory": 4096}}, "greater than for the task"),
        ({"container": {"essential": False}}, "essential"),
        ({"container": {"mountPoints": [{"sourceVolume": "x", "containerPath": "/x"}]}}, "Unknown volume 'x'"),
        ({"container": {"dependsOn": [{"containerName": "x", "condition": "START"}]}}, "unknown container 'x'"),
        ({"health": {"command": ["ollama", "ps"]}}, "must start with CMD"),
        ({"health": {"command": ["CMD", "x"], "interval": 4}}, "interval must be between 5 and 300"),
        ({"health": {"command": ["CMD", "x"], "startPeriod": 301}}, "startPeriod must be between 0 and 300"),
        ({"family": "bad family"}, "Family contains invalid characters"),
    ],
)
def test_what_aws_refuses_at_registration_is_refused(aws: Aws, arguments: dict[str, Any], text: str) -> None:
    code, message = refusal(aws, **arguments)
    assert code == "ClientException"
    assert text in message
    assert aws.ecs.list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"authorizationConfig": {"accessPointId": "fsap-1"}}, "transit encryption must be enabled"),
        ({"authorizationConfig": {"iam": "ENABLED"}}, "transit encryption must be enabled"),
        ({"transitEncryptionPort": 2999}, "transit encryption port"),
        (
            {
                "authorizationConfig": {"accessPointId": "fsap-1"},
                "transitEncryption": "ENABLED",
                "rootDirectory": "/models",
            },
            "Root directory must be omitted or '/'",
        ),
        ({"fileSystemId": "volume"}, "is not valid"),
    ],
)
def test_efs_volumes_follow_the_rules_of_aws(aws: Aws, changes: dict[str, Any], text: str) -> None:
    volume = {"name": "models", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0"} | changes}
    code, message = refusal(aws, volumes=[volume])
    assert code == "ClientException"
    assert text in message


def test_a_shared_gpu_is_kept_as_it_was_given(aws: Aws) -> None:
    aws.register(gpu=MPS)
    assert described(aws)["containerDefinitions"][0]["resourceRequirements"] == [{"type": "GPU", **MPS}]


def test_unknown_definitions_cannot_be_described(aws: Aws) -> None:
    for name in ("nope", "nope:1", "nope:x"):
        with pytest.raises(ClientError) as caught:
            described(aws, name)
        assert caught.value.response["Error"]["Code"] == "ClientException"
