# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Capacity: GPUs that exist or not, sharing, quota, capacity providers, launch types."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws

GPU = {"value": "1"}


def managed(aws: Aws) -> None:
    """Add a managed instances provider to the cluster."""
    network = {"subnets": aws.seed["subnet_ids"], "securityGroups": [aws.seed["security_group_id"]]}
    template = {
        "ec2InstanceProfileArn": "arn:aws:iam::123456789012:instance-profile/ecsInstanceRole",
        "networkConfiguration": network,
        "instanceRequirements": {
            "vCpuCount": {"min": 4},
            "memoryMiB": {"min": 16384},
            "acceleratorTypes": ["gpu"],
            "acceleratorCount": {"min": 1},
        },
    }
    role = "arn:aws:iam::123456789012:role/ecsInfrastructureRole"
    provider = {"infrastructureRoleArn": role, "instanceLaunchTemplate": template}
    aws.ecs.create_capacity_provider(name="mi", cluster="main", managedInstancesProvider=provider)
    aws.ecs.put_cluster_capacity_providers(
        cluster="main", capacityProviders=["gpu", "mi", "FARGATE"], defaultCapacityProviderStrategy=[]
    )


def test_a_task_without_a_free_gpu_stays_unplaced_and_the_service_says_so(aws: Aws) -> None:
    aws.switch.gpu_capacity = 1
    aws.create(aws.register(gpu=GPU), count=2)
    aws.until(lambda service: service["runningCount"] == 1)
    aws.until(
        lambda service: any(
            event["message"].startswith(
                "(service chat) was unable to place a task because no container instance met all of its requirements."
            )
            for event in service["events"]
        )
    )
    assert len(aws.tasks()) == 1
    assert aws.service()["deployments"][0]["failedTasks"] == 0
    aws.switch.gpu_capacity = 2
    aws.steady()
    ids = [gpu for task in aws.tasks() for gpu in task["containers"][0]["gpuIds"]]
    assert len(set(ids)) == 2


def test_a_surge_without_a_spare_gpu_waits_for_ever_with_the_old_task_running(aws: Aws) -> None:
    aws.switch.gpu_capacity = 1
    aws.create(aws.register(gpu=GPU))
    aws.steady()
    aws.update(taskDefinition=aws.register("1.1", gpu=GPU))
    aws.until(lambda service: "unable to place a task" in service["events"][0]["message"])
    assert [task["taskDefinitionArn"].rsplit(":", 1)[1] for task in aws.tasks()] == ["1"]


def test_stop_first_needs_no_spare_gpu(aws: Aws) -> None:
    aws.switch.gpu_capacity = 1
    stop_first = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    aws.create(aws.register(gpu=GPU), deploymentConfiguration=stop_first)
    aws.steady()
    new = aws.register("1.1", gpu=GPU)
    aws.update(taskDefinition=new)
    aws.steady(new)
    assert aws.service()["availabilityZoneRebalancing"] == "DISABLED"


def test_tasks_that_share_by_mps_use_one_gpu(aws: Aws) -> None:
    aws.switch.gpu_capacity = 1
    aws.create(aws.register(gpu={"sharingStrategy": {"nvidiaMps": {"memory": 8192}}}), count=3)
    aws.steady()
    containers = [task["containers"][0] for task in aws.tasks()]
    assert len({gpu for container in containers for gpu in container["gpuIds"]}) == 1
    assert containers[0]["gpuSharingStrategy"] == {"nvidiaMps": {"memory": 8192}}
    aws.update(desiredCount=4)
    aws.until(lambda service: "unable to place a task" in service["events"][0]["message"])


def test_gpus_are_counted_in_each_region_on_its_own(aws: Aws) -> None:
    aws.switch.gpu_capacity = 1
    aws.create(aws.register(gpu=GPU))
    aws.steady()
    seed, ecs = aws.seeds["eu-west-1"], aws.client("ecs", "eu-west-1")
    ecs.create_cluster(clusterName="main", capacityProviders=["gpu"])
    container = {
        "name": "ollama", "image": "x", "memory": 128, "resourceRequirements": [{"type": "GPU", "value": "1"}],
    }  # fmt: skip
    ecs.register_task_definition(family="ollama", networkMode="awsvpc", containerDefinitions=[container])
    answer = ecs.run_task(
        cluster="main", taskDefinition="ollama", capacityProviderStrategy=[{"capacityProvider": "gpu", "weight": 1}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": seed["subnet_ids"]}},
    )  # fmt: skip
    assert answer["failures"] == []
    assert answer["tasks"][0]["availabilityZone"].startswith("eu-west-1")


def test_managed_instances_run_gpus_and_fail_at_quota_0(aws: Aws) -> None:
    managed(aws)
    strategy = [{"capacityProvider": "mi", "weight": 1}]
    aws.switch.quota = 0
    aws.create(aws.register(gpu=GPU), capacityProviderStrategy=strategy)
    aws.until(lambda service: service["events"] and "VcpuLimitExceeded" in service["events"][0]["message"])
    assert aws.tasks() == []
    aws.switch.quota = None
    aws.steady()
    (task,) = aws.tasks()
    assert (task["launchType"], task["capacityProviderName"]) == ("MANAGED_INSTANCES", "mi")


def test_fargate_runs_without_gpu_and_has_a_platform_version(aws: Aws) -> None:
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    service = aws.create(aws.register(requiresCompatibilities=["FARGATE"]), capacityProviderStrategy=strategy)
    assert service["platformVersion"] == "LATEST"
    aws.steady()
    (task,) = aws.tasks()
    assert (task["launchType"], task["platformVersion"]) == ("FARGATE", "1.4.0")
    with pytest.raises(ClientError) as caught:
        aws.create(aws.register(gpu=GPU), serviceName="other", capacityProviderStrategy=strategy)
    assert "does not support launch_type FARGATE" in caught.value.response["Error"]["Message"]


def test_the_clusters_default_strategy_is_used_where_nothing_else_is_given(aws: Aws) -> None:
    default = [{"capacityProvider": "gpu", "weight": 1, "base": 0}]
    aws.ecs.put_cluster_capacity_providers(
        cluster="main", capacityProviders=["gpu"], defaultCapacityProviderStrategy=default
    )
    service = aws.ecs.create_service(
        cluster="main", serviceName="chat", taskDefinition=aws.register(), desiredCount=1,
        networkConfiguration=aws.network,
    )["service"]  # fmt: skip
    assert service["capacityProviderStrategy"] == default


def test_the_ec2_launch_type_needs_instances_in_the_cluster(aws: Aws) -> None:
    aws.ecs.create_cluster(clusterName="bare")
    definition = aws.register()
    arguments: dict[str, Any] = {
        "serviceName": "chat", "taskDefinition": definition, "desiredCount": 1, "launchType": "EC2",
        "networkConfiguration": aws.network,
    }  # fmt: skip
    aws.ecs.create_service(cluster="bare", **arguments)
    events: list[dict[str, Any]] = []
    while not events:
        events = aws.ecs.describe_services(cluster="bare", services=["chat"])["services"][0]["events"]
    assert "No Container Instances were found in your cluster" in events[0]["message"]
    aws.ecs.create_service(cluster="main", **arguments)
    aws.steady()


def test_providers_are_described_by_name_and_all_together(aws: Aws) -> None:
    managed(aws)
    every = aws.ecs.describe_capacity_providers()["capacityProviders"]
    assert [provider["name"] for provider in every] == ["FARGATE", "FARGATE_SPOT", "gpu", "mi"]
    answer = aws.ecs.describe_capacity_providers(capacityProviders=["gpu", "nope"])
    assert answer["failures"][0]["reason"] == "MISSING"
    (provider,) = answer["capacityProviders"]
    assert provider["autoScalingGroupProvider"]["managedScaling"]["targetCapacity"] == 100
    assert provider["autoScalingGroupProvider"]["autoScalingGroupArn"] == aws.seed["autoscaling_group_arn"]
    groups = aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert [group["AutoScalingGroupARN"] for group in groups] == [aws.seed["autoscaling_group_arn"]]


def test_a_provider_in_use_is_not_deleted(aws: Aws) -> None:
    with pytest.raises(ClientError) as caught:
        aws.ecs.delete_capacity_provider(capacityProvider="gpu")
    assert caught.value.response["Error"]["Code"] == "ResourceInUseException"
    with pytest.raises(ClientError) as caught:
        aws.ecs.delete_capacity_provider(capacityProvider="nope")
    assert caught.value.response["Error"]["Code"] == "ClientException"
    aws.ecs.put_cluster_capacity_providers(cluster="main", capacityProviders=[], defaultCapacityProviderStrategy=[])
    assert aws.ecs.delete_capacity_provider(capacityProvider="gpu")["capacityProvider"]["status"] == "INACTIVE"
