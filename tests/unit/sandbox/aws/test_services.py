# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services start tasks that are real processes, keep them running, scale, and go away."""

from __future__ import annotations

import http.client
import os
import signal
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import REGION, Aws, address_of

STOP_FIRST = {"maximumPercent": 100, "minimumHealthyPercent": 0}


def error(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def version(address: str) -> int:
    connection = http.client.HTTPConnection(address, 11434, timeout=2)
    try:
        connection.request("GET", "/api/version")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_service_starts_tasks_that_answer_at_their_reported_address(aws: Aws) -> None:
    started = time.monotonic()
    aws.create(aws.register(), count=2)
    service = aws.steady()
    assert time.monotonic() - started < 5
    tasks = aws.tasks(serviceName="chat")
    addresses = {address_of(task) for task in tasks}
    assert len(addresses) == 2
    assert all(address.startswith("127.64.") and version(address) == 200 for address in addresses)
    assert service["runningCount"] == 2
    assert service["pendingCount"] == 0


def test_a_task_is_described_as_the_cloud_does(aws: Aws) -> None:
    definition = aws.register("1.0@sha256:" + "a" * 64, gpu={"value": "1"})
    aws.create(definition, tags=[{"key": "team", "value": "ml"}], propagateTags="SERVICE", enableExecuteCommand=True)
    service = aws.steady()
    (task,) = aws.tasks()
    (container,) = task["containers"]
    assert (task["lastStatus"], task["desiredStatus"], task["healthStatus"]) == ("RUNNING", "RUNNING", "HEALTHY")
    assert task["group"] == "service:chat"
    assert task["startedBy"] == service["deployments"][0]["id"]
    assert (task["launchType"], task["capacityProviderName"]) == ("EC2", "gpu")
    assert task["taskDefinitionArn"] == definition
    assert task["availabilityZone"] in (f"{REGION}a", f"{REGION}b")
    assert task["tags"] == [{"key": "team", "value": "ml"}]
    assert task["enableExecuteCommand"] is True
    assert task["createdAt"] <= task["startedAt"]
    assert (task["cpu"], task["memory"]) == ("1024", "2048")
    assert container["networkInterfaces"][0]["privateIpv4Address"] == address_of(task)
    assert container["gpuIds"][0].startswith("GPU-")
    assert container["imageDigest"] == "sha256:" + "a" * 64


def test_tasks_pass_through_the_states_of_the_cloud(aws: Aws) -> None:
    seen: list[str] = []
    aws.create(aws.register())
    while not seen or seen[-1] != "RUNNING":
        (task,) = aws.tasks() or [{"lastStatus": "none"}]
        if task["lastStatus"] not in seen:
            seen.append(task["lastStatus"])
    expected = ["none", "PROVISIONING", "PENDING", "RUNNING"]
    assert seen == [status for status in expected if status in seen]
    assert task["healthStatus"] in ("UNKNOWN", "HEALTHY")


def test_the_waiter_of_boto3_is_satisfied(aws: Aws) -> None:
    aws.create(aws.register())
    waiter = aws.ecs.get_waiter("services_stable")
    waiter.wait(cluster="main", services=["chat"], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    assert aws.service()["runningCount"] == 1


def test_a_service_returns_every_field_it_was_given_and_the_defaults_of_aws(aws: Aws) -> None:
    definition = aws.register()
    given = {
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "maximumPercent": 150,
            "minimumHealthyPercent": 50,
        },
        "enableExecuteCommand": True,
        "enableECSManagedTags": True,
        "healthCheckGracePeriodSeconds": 30,
        "propagateTags": "TASK_DEFINITION",
        "tags": [{"key": "team", "value": "ml"}],
    }
    aws.create("ollama", **given)
    service = aws.service()
    assert service["serviceArn"] == f"arn:aws:ecs:{REGION}:123456789012:service/main/chat"
    assert service["clusterArn"] == f"arn:aws:ecs:{REGION}:123456789012:cluster/main"
    assert service["taskDefinition"] == definition
    assert {key: service[key] for key in given if key != "deploymentConfiguration"} == {
        key: value for key, value in given.items() if key != "deploymentConfiguration"
    }
    assert service["deploymentConfiguration"] == {
        **given["deploymentConfiguration"],  # type: ignore[dict-item]
        "alarms": {"alarmNames": [], "rollback": False, "enable": False},
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    }
    assert service["capacityProviderStrategy"] == [{"capacityProvider": "gpu", "weight": 1, "base": 0}]
    assert service["networkConfiguration"]["awsvpcConfiguration"] == {
        **aws.network["awsvpcConfiguration"],
        "assignPublicIp": "DISABLED",
    }
    assert service["availabilityZoneRebalancing"] == "ENABLED"
    assert service["schedulingStrategy"] == "REPLICA"
    assert "launchType" not in service


def test_what_belongs_to_a_deployment_is_answered_there_and_not_with_the_service(aws: Aws) -> None:
    # Terraform always sends the list, empty or not.
    created = aws.ecs.create_service(
        cluster="main",
        serviceName="lattice",
        taskDefinition=aws.register(),
        desiredCount=0,
        networkConfiguration=aws.network,
        vpcLatticeConfigurations=[],
    )["service"]
    assert "vpcLatticeConfigurations" not in created
    assert created["deployments"][0]["vpcLatticeConfigurations"] == []


def test_tags_of_a_service_need_the_include(aws: Aws) -> None:
    aws.create(aws.register(), count=0, tags=[{"key": "team", "value": "ml"}])
    plain = aws.ecs.describe_services(cluster="main", services=["chat"])["services"][0]
    assert "tags" not in plain
    assert aws.service()["tags"] == [{"key": "team", "value": "ml"}]


def test_a_killed_process_is_replaced_and_its_task_says_why(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    (old,) = aws.tasks()
    (workload,) = [each for each in aws.runtime.workloads() if each.spec.address == address_of(old)]
    os.kill(workload.pid, signal.SIGKILL)
    aws.until(lambda service: [task["taskArn"] for task in aws.tasks()] not in ([], [old["taskArn"]]))
    aws.steady()
    (stopped,) = aws.tasks(desiredStatus="STOPPED")
    assert stopped["taskArn"] == old["taskArn"]
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["stoppedReason"] == "Essential container in task exited"
    assert stopped["containers"][0]["exitCode"] == 137


def test_desired_count_scales_without_a_new_deployment(aws: Aws) -> None:
    aws.create(aws.register())
    first = aws.steady()["deployments"][0]["id"]
    for count in (3, 1, 0, 2):
        aws.update(desiredCount=count)
        service = aws.steady()
        assert service["deployments"][0]["id"] == first
        assert len(aws.tasks()) == count
    assert len(aws.deployments()) == 1


def test_a_stopped_task_is_replaced(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    (old,) = aws.tasks()
    aws.ecs.stop_task(cluster="main", task=old["taskArn"], reason="test")
    aws.until(lambda service: [task["taskArn"] for task in aws.tasks()] not in ([], [old["taskArn"]]))
    (stopped,) = aws.tasks(desiredStatus="STOPPED")
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "test")


def test_a_service_with_tasks_is_deleted_by_force_only_and_drains(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    with pytest.raises(ClientError) as caught:
        aws.ecs.delete_service(cluster="main", service="chat")
    assert error(caught) == ("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
    assert aws.ecs.delete_service(cluster="main", service="chat", force=True)["service"]["status"] == "DRAINING"
    aws.until(lambda service: service["status"] == "INACTIVE")
    assert aws.ecs.list_services(cluster="main")["serviceArns"] == []
    assert aws.tasks() == []
    assert aws.runtime.workloads() == []
    with pytest.raises(ClientError) as caught:
        aws.update(desiredCount=1)
    assert error(caught)[0] == "ServiceNotActiveException"
    aws.create("ollama", count=0)
    assert aws.service()["status"] == "ACTIVE"


def test_the_cluster_of_a_service_cannot_be_deleted(aws: Aws) -> None:
    aws.create(aws.register(), count=0)
    with pytest.raises(ClientError) as caught:
        aws.ecs.delete_cluster(cluster="main")
    assert error(caught)[0] == "ClusterContainsServicesException"


def test_unknown_services_are_missing_and_unknown_clusters_an_error(aws: Aws) -> None:
    answer = aws.ecs.describe_services(cluster="main", services=["nope"])
    assert answer["services"] == []
    assert answer["failures"] == [{"arn": f"arn:aws:ecs:{REGION}:123456789012:service/main/nope", "reason": "MISSING"}]
    for call in (aws.ecs.describe_services, aws.ecs.list_tasks, aws.ecs.list_services):
        arguments = {"services": ["nope"]} if call == aws.ecs.describe_services else {}
        with pytest.raises(ClientError) as caught:
            call(cluster="elsewhere", **arguments)
        assert error(caught)[0] == "ClusterNotFoundException"
    with pytest.raises(ClientError) as caught:
        aws.update(desiredCount=1)
    assert error(caught)[0] == "ServiceNotFoundException"


def test_services_are_listed_ten_a_page_and_described_ten_at_a_time(aws: Aws) -> None:
    aws.register()
    for number in range(12):
        aws.create("ollama", count=0, serviceName=f"s{number}")
    first = aws.ecs.list_services(cluster="main")
    assert len(first["serviceArns"]) == 10
    second = aws.ecs.list_services(cluster="main", nextToken=first["nextToken"])
    assert len(second["serviceArns"]) == 2
    assert "nextToken" not in second
    assert len(aws.ecs.list_services(cluster="main", maxResults=100)["serviceArns"]) == 12
    with pytest.raises(ClientError) as caught:
        aws.ecs.describe_services(cluster="main", services=first["serviceArns"] + second["serviceArns"])
    assert error(caught)[0] == "InvalidParameterException"


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"taskDefinition": "nope"}, "ClientException", "TaskDefinition not found"),
        ({"networkConfiguration": None}, "InvalidParameterException", "Network Configuration must be provided"),
        ({"launchType": "FARGATE"}, "InvalidParameterException", "both a launch type and capacity provider"),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]},
            "InvalidParameterException",
            "not associated with the cluster",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}},
            "InvalidParameterException",
            "InvalidSubnetID.NotFound",
        ),
        (
            {"deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 100}},
            "InvalidParameterException",
            "cannot be 100 as this will block deployments",
        ),
        (
            {"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": STOP_FIRST},
            "InvalidParameterException",
            "Availability Zone rebalancing",
        ),
        ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "InvalidParameterException", "bakeTimeInMinutes"),
        ({"tags": [{"key": "aws:x", "value": "1"}]}, "InvalidParameterException", "reserved prefix"),
        ({"tags": [{"key": "a", "value": "[]"}]}, "InvalidParameterException", "invalid characters"),
    ],
)  # fmt: skip
def test_what_aws_refuses_at_creation_is_refused(aws: Aws, changes: dict[str, Any], code: str, text: str) -> None:
    aws.register()
    wanted = {"taskDefinition": "ollama", "networkConfiguration": aws.network} | changes
    arguments = {key: value for key, value in wanted.items() if value is not None}
    strategy = arguments.pop("capacityProviderStrategy", [{"capacityProvider": "gpu", "weight": 1}])
    with pytest.raises(ClientError) as caught:
        aws.ecs.create_service(
            cluster="main", serviceName="chat", desiredCount=1, capacityProviderStrategy=strategy, **arguments
        )
    assert error(caught)[0] == code
    assert text in error(caught)[1]


def test_creating_a_service_twice_is_refused_unless_the_token_is_the_same(aws: Aws) -> None:
    definition = aws.register()
    first = aws.create(definition, count=0, clientToken="one")
    assert aws.create(definition, count=0, clientToken="one")["serviceArn"] == first["serviceArn"]
    with pytest.raises(ClientError) as caught:
        aws.create(definition, count=0, clientToken="two")
    assert error(caught) == ("InvalidParameterException", "Creation of service was not idempotent.")


def test_the_environment_of_the_task_with_its_secrets_reaches_the_process(aws: Aws) -> None:
    secrets = aws.client("secretsmanager")
    json_secret = secrets.create_secret(Name="pair", SecretString='{"user": "ollama", "password": "canary"}')["ARN"]
    aws.client("ssm").put_parameter(Name="/ollama/plain", Value="from-ssm", Type="SecureString")
    container = {
        "secrets": [
            {"name": "PASSWORD", "valueFrom": f"{json_secret}:password::"},
            {"name": "WHOLE", "valueFrom": aws.seed["secret_arn"]},
            {"name": "PLAIN", "valueFrom": "/ollama/plain"},
        ]
    }
    aws.create(aws.register(container=container))
    aws.steady()
    (workload,) = aws.runtime.workloads()
    environment = workload.spec.environment
    assert environment["PASSWORD"] == "canary"
    assert environment["WHOLE"] == "sandbox-token"
    assert environment["PLAIN"] == "from-ssm"
    assert environment["POLYCLOUD_MODELS"] == "llama3.2:1b"
    assert "canary" not in "".join(record.response_body for record in aws.log.records())


def test_a_secret_that_is_missing_keeps_the_task_from_starting(aws: Aws) -> None:
    missing = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:nope-AbCdEf"
    aws.create(aws.register(container={"secrets": [{"name": "TOKEN", "valueFrom": missing}]}))
    aws.until(lambda service: service["deployments"][0]["failedTasks"] > 0)
    stopped = aws.tasks(desiredStatus="STOPPED")[0]
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith("ResourceInitializationError: unable to pull secrets")


def test_the_container_with_the_port_of_ollama_is_the_one_that_runs(aws: Aws) -> None:
    sidecar = {"name": "aaa", "image": "example.test/sidecar:crash", "memory": 128}
    server = {
        "name": "server",
        "image": "example.test/ollama:1",
        "memory": 128,
        "portMappings": [{"containerPort": 11434}],
    }
    aws.create(aws.register(containerDefinitions=[sidecar, server]))
    aws.steady()
    assert [workload.spec.image for workload in aws.runtime.workloads()] == ["example.test/ollama:1"]


def test_regions_do_not_share_anything(aws: Aws) -> None:
    aws.register()
    other = aws.client("ecs", "eu-west-1")
    assert other.list_clusters()["clusterArns"] == []
    assert other.list_task_definitions()["taskDefinitionArns"] == []
    assert aws.seeds["eu-west-1"]["subnet_ids"] != aws.seed["subnet_ids"]
