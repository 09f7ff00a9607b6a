# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes from moto, with what was added: EFS, autoscaling, logs, network, roles; and actions that do not exist."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.faults import FaultRule

from .conftest import Aws

POSIX = {"Uid": 1000, "Gid": 1000}
ROOT = {"Path": "/models", "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"}}

INSTANCE_REQUIREMENTS = {
    "ArchitectureTypes": ["x86_64"],
    "VirtualizationTypes": ["hvm"],
    "InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}},
}


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert 400 <= caught.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    return str(caught.value.response["Error"]["Code"])


def file_system(aws: Aws, **changes: Any) -> str:
    """Create a file system with token ``one`` and wait until it is available."""
    efs = aws.client("efs")
    body = efs.create_file_system(CreationToken="one", Encrypted=True, **changes)
    assert body["LifeCycleState"] == "creating"
    while body["LifeCycleState"] != "available":
        time.sleep(0.05)
        (body,) = efs.describe_file_systems(FileSystemId=body["FileSystemId"])["FileSystems"]
    return str(body["FileSystemId"])


def test_a_file_system_becomes_available_and_can_be_changed(aws: Aws) -> None:
    efs = aws.client("efs")
    found = file_system(aws, ThroughputMode="elastic", Tags=[{"Key": "Name", "Value": "models"}])
    body = efs.describe_file_systems(CreationToken="one")["FileSystems"][0]
    assert (body["FileSystemId"], body["ThroughputMode"], body["Name"]) == (found, "elastic", "models")
    assert body["KmsKeyId"].startswith("arn:aws:kms:")
    assert efs.update_file_system(FileSystemId=found, ThroughputMode="bursting")["ThroughputMode"] == "bursting"
    assert code(efs.update_file_system, FileSystemId=found, ThroughputMode="provisioned") == "BadRequest"
    assert code(efs.update_file_system, FileSystemId="fs-0", ThroughputMode="bursting") == "FileSystemNotFound"
    efs.put_backup_policy(FileSystemId=found, BackupPolicy={"Status": "ENABLED"})
    assert efs.describe_backup_policy(FileSystemId=found)["BackupPolicy"]["Status"] == "ENABLED"


def test_the_older_tagging_actions_work_too(aws: Aws) -> None:
    efs = aws.client("efs")
    found = file_system(aws)
    efs.create_tags(FileSystemId=found, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    efs.delete_tags(FileSystemId=found, TagKeys=["a"])
    assert efs.describe_tags(FileSystemId=found)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_the_creation_token_makes_a_file_system_unique(aws: Aws) -> None:
    found = file_system(aws)
    with pytest.raises(ClientError) as caught:
        aws.client("efs").create_file_system(CreationToken="one")
    assert caught.value.response["Error"]["Code"] == "FileSystemAlreadyExists"
    assert caught.value.response["FileSystemId"] == found


def test_a_file_system_that_is_still_creating_takes_no_mount_target(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sandbox.aws.efs.CREATING", 60)
    efs = aws.client("efs")
    early = efs.create_file_system(CreationToken="early")["FileSystemId"]
    arguments = {"FileSystemId": early, "SubnetId": aws.seed["subnet_ids"][0]}
    assert code(efs.create_mount_target, **arguments) == "IncorrectFileSystemLifeCycleState"


def test_one_mount_target_per_zone_and_none_left_at_deletion(aws: Aws) -> None:
    efs = aws.client("efs")
    arguments = {"SubnetId": aws.seed["subnet_ids"][0], "SecurityGroups": [aws.seed["security_group_id"]]}
    found = file_system(aws)
    target = efs.create_mount_target(FileSystemId=found, **arguments)
    assert target["LifeCycleState"] == "creating"
    assert code(efs.create_mount_target, FileSystemId=found, **arguments) == "MountTargetConflict"
    assert code(efs.create_mount_target, FileSystemId=found, SubnetId="subnet-0123456789abcdef0") == "SubnetNotFound"
    assert code(efs.delete_file_system, FileSystemId=found) == "FileSystemInUse"
    efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    efs.delete_file_system(FileSystemId=found)
    assert code(efs.describe_file_systems, FileSystemId=found) == "FileSystemNotFound"


def test_access_points_are_checked_tagged_and_idempotent(aws: Aws) -> None:
    efs = aws.client("efs")
    found = file_system(aws)
    arguments = {"FileSystemId": found, "PosixUser": POSIX, "RootDirectory": ROOT}
    created = efs.create_access_point(ClientToken="a", Tags=[{"Key": "Name", "Value": "x"}], **arguments)
    assert created["LifeCycleState"] == "creating"
    with pytest.raises(ClientError) as caught:
        efs.create_access_point(ClientToken="a", **arguments)
    assert caught.value.response["Error"]["Code"] == "AccessPointAlreadyExists"
    assert caught.value.response["AccessPointId"] == created["AccessPointId"]
    points = efs.describe_access_points(FileSystemId=found)["AccessPoints"]
    assert [(point["PosixUser"], point["RootDirectory"]) for point in points] == [(POSIX, ROOT)]
    efs.tag_resource(ResourceId=created["AccessPointId"], Tags=[{"Key": "team", "Value": "ml"}])
    tags = efs.list_tags_for_resource(ResourceId=created["AccessPointId"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"Name": "x", "team": "ml"}
    for changes in ({"Path": "relative"}, {"CreationInfo": {"OwnerUid": 1, "OwnerGid": 1, "Permissions": "rwx"}}):
        bad = {"FileSystemId": found, "RootDirectory": ROOT | changes}
        assert code(efs.create_access_point, ClientToken="b", **bad) == "BadRequest"
    assert code(efs.create_access_point, ClientToken="b", FileSystemId="fs-0") == "FileSystemNotFound"
    efs.delete_access_point(AccessPointId=created["AccessPointId"])
    assert code(efs.delete_access_point, AccessPointId=created["AccessPointId"]) == "AccessPointNotFound"


def test_a_scalable_target_needs_a_service_and_keeps_its_tags(aws: Aws) -> None:
    scaling = aws.client("application-autoscaling")
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/main/chat",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    with pytest.raises(ClientError) as caught:
        scaling.register_scalable_target(MinCapacity=1, MaxCapacity=4, **target)
    assert "ECS service doesn't exist" in caught.value.response["Error"]["Message"]
    aws.create(aws.register(), count=0)
    arn = scaling.register_scalable_target(MinCapacity=1, MaxCapacity=4, Tags={"team": "ml"}, **target)[
        "ScalableTargetARN"
    ]
    (found,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (found["MinCapacity"], found["MaxCapacity"], found["ResourceId"]) == (1, 4, "service/main/chat")
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "ml"}
    scaling.tag_resource(ResourceARN=arn, Tags={"more": "yes"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"more": "yes"}
    scaling.put_scheduled_action(
        Schedule="cron(0 20 * * ? *)", Timezone="Europe/Paris", ScheduledActionName="night",
        ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0}, **target,
    )  # fmt: skip
    assert (
        scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"][0]["Timezone"] == "Europe/Paris"
    )
    assert code(scaling.register_scalable_target, MinCapacity=5, MaxCapacity=4, **target) == "ValidationException"
    scaling.deregister_scalable_target(**target)


def test_logs_roles_secrets_network_and_identity_are_there(aws: Aws) -> None:
    aws.client("logs").create_log_group(logGroupName="/ecs/chat", tags={"team": "ml"})
    assert aws.client("logs").describe_log_groups()["logGroups"][0]["logGroupName"] == "/ecs/chat"
    assert aws.client("sts").get_caller_identity()["Account"] == aws.seed["account_id"]
    role = aws.client("iam").get_role(RoleName="ollama-execution")["Role"]
    assert role["Arn"] == aws.seed["execution_role_arn"]
    value = aws.client("secretsmanager").get_secret_value(SecretId=aws.seed["secret_arn"])
    assert value["SecretString"] == "sandbox-token"
    subnets = aws.client("ec2").describe_subnets(SubnetIds=aws.seed["subnet_ids"])["Subnets"]
    assert {subnet["VpcId"] for subnet in subnets} == {aws.seed["vpc_id"]}
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2
    groups = aws.client("ec2").describe_security_groups(GroupIds=[aws.seed["security_group_id"]])
    assert groups["SecurityGroups"][0]["VpcId"] == aws.seed["vpc_id"]


def test_seeds_are_the_same_kind_of_thing_in_both_regions_and_no_cluster_is_among_them(aws: Aws) -> None:
    assert set(aws.seeds) == {"us-east-1", "eu-west-1"}
    assert set(aws.seeds["us-east-1"]) == set(aws.seeds["eu-west-1"])
    assert aws.client("ecs", "eu-west-1").list_clusters()["clusterArns"] == []


@pytest.mark.parametrize(
    ("service", "action", "arguments"),
    [
        ("ecs", "execute_command", {"cluster": "main", "task": "x", "interactive": True, "command": "ls"}),
        ("efs", "create_replication_configuration", {"SourceFileSystemId": "fs-1", "Destinations": []}),
        ("ec2", "get_instance_types_from_instance_requirements", INSTANCE_REQUIREMENTS),
        ("autoscaling", "start_instance_refresh", {"AutoScalingGroupName": "ollama-gpu"}),
        ("cloudwatch", "put_composite_alarm", {"AlarmName": "x", "AlarmRule": "y"}),
    ],
)
def test_an_action_that_is_not_emulated_is_refused_clearly(
    aws: Aws, service: str, action: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service), action)(**arguments)
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    assert "is not emulated" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("service", "action", "throttled", "expired"),
    [
        ("ecs", "list_clusters", "ThrottlingException", "ExpiredTokenException"),
        ("logs", "describe_log_groups", "ThrottlingException", "ExpiredTokenException"),
        ("efs", "describe_file_systems", "ThrottlingException", "ExpiredTokenException"),
        ("iam", "list_roles", "Throttling", "ExpiredToken"),
        ("ec2", "describe_vpcs", "RequestLimitExceeded", "RequestExpired"),
    ],
)
def test_every_service_words_a_fault_in_its_own_form(
    aws: Aws, service: str, action: str, throttled: str, expired: str
) -> None:
    call = getattr(aws.client(service), action)
    aws.switch.arm(FaultRule(operation=f"^{service} ", kind="throttle", cloud="aws"))
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == throttled
    aws.switch.set_credentials_expired(True, "aws")
    assert code(call) == expired
    aws.switch.reset()
    call()


def test_calls_are_logged_by_service_action_and_region(aws: Aws) -> None:
    aws.ecs.list_clusters()
    aws.client("efs", "eu-west-1").describe_mount_targets(FileSystemId=file_system_in(aws, "eu-west-1"))
    aws.client("cloudwatch").describe_alarms()
    aws.client("iam").list_roles()
    aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    seen = [(record.service, record.operation, record.region) for record in aws.log.records()]
    for expected in (
        ("ecs", "ListClusters", "us-east-1"),
        ("efs", "CreateFileSystem", "eu-west-1"),
        ("efs", "DescribeMountTargets", "eu-west-1"),
        ("cloudwatch", "DescribeAlarms", "us-east-1"),
        ("iam", "ListRoles", "us-east-1"),
        ("application-autoscaling", "DescribeScalableTargets", "us-east-1"),
    ):
        assert expected in seen


def file_system_in(aws: Aws, region: str) -> str:
    return str(aws.client("efs", region).create_file_system(CreationToken="x")["FileSystemId"])


def test_many_threads_can_call_at_once(aws: Aws) -> None:
    aws.create(aws.register(), count=2)
    problems: list[Exception] = []

    def worker(number: int) -> None:
        try:
            for _ in range(5):
                aws.service()
                aws.tasks()
                aws.client("ec2").describe_subnets()
                aws.client("logs").create_log_group(logGroupName=f"/{number}/{time.monotonic()}")
        except Exception as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(6)]
    for client in ("ec2", "logs"):
        aws.client(client)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_wrong_type_in_the_body_is_a_serialization_error(aws: Aws) -> None:
    import json
    import urllib.error
    import urllib.request

    request = urllib.request.Request(
        aws.ecs.meta.endpoint_url,
        json.dumps({"cluster": "main", "services": "chat"}).encode(),
        {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeServices"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(request)
    with caught.value as answer:
        assert answer.code == 400
        assert json.load(answer)["__type"] == "SerializationException"
