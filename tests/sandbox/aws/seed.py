# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user would be given, in two regions: network, roles, capacity, a secret. A cluster is ours to create."""

from __future__ import annotations

import json
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from tests.sandbox.aws.ecs import capacity_providers
from tests.sandbox.aws.ecs.world import ACCOUNT, World

REGIONS = ("us-east-1", "eu-west-1")
NETWORK = {"us-east-1": "10.20", "eu-west-1": "10.30"}
PROVIDER = "gpu"
SECRET_NAME = "ollama/registry-token"
EXECUTION_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def create(world: World) -> dict[str, Any]:
    """Create everything; returns ids by region, the roles (global) repeated in each."""
    roles = _roles()
    return {region: {"account_id": ACCOUNT, **roles, **_regional(world, region)} for region in REGIONS}


def _roles() -> dict[str, str]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    backend = iam_backends[ACCOUNT]["aws"]
    arns = {}
    for key, name in (("execution_role_arn", "ollama-execution"), ("task_role_arn", "ollama-task")):
        role = backend.create_role(
            role_name=name,
            assume_role_policy_document=json.dumps(trust),
            path="/",
            permissions_boundary=None,
            description="",
            tags=[],
            max_session_duration="3600",
        )
        arns[key] = role.arn
    return arns


def _regional(world: World, region: str) -> dict[str, Any]:
    ec2 = ec2_backends[ACCOUNT][region]
    prefix = NETWORK[region]
    vpc = ec2.create_vpc(f"{prefix}.0.0/16")
    subnets = [
        ec2.create_subnet(vpc.id, f"{prefix}.{index}.0/24", availability_zone=f"{region}{letter}")
        for index, letter in enumerate("ab")
    ]
    group = ec2.create_security_group("ollama", "Ollama tasks", vpc.id)
    template = ec2.create_launch_template(
        "ollama-gpu", "", {"ImageId": "ami-0123456789abcdef0", "InstanceType": "g6.xlarge"}, {}
    )
    scaling_group = _scaling_group(region, template.id, [subnet.id for subnet in subnets])
    return {
        "region": region,
        "vpc_id": vpc.id,
        "subnet_ids": [subnet.id for subnet in subnets],
        "security_group_id": group.id,
        "autoscaling_group_arn": scaling_group,
        "capacity_provider": _provider(world, region, scaling_group),
        "secret_arn": _secret(region),
    }


def _scaling_group(region: str, template_id: str, subnets: list[str]) -> str:
    backend = autoscaling_backends[ACCOUNT][region]
    group = backend.create_auto_scaling_group(
        name="ollama-gpu",
        availability_zones=[],
        desired_capacity=0,
        max_size=8,
        min_size=0,
        instance_id=None,
        launch_config_name="",
        launch_template={"LaunchTemplateId": template_id, "Version": "$Latest"},
        vpc_zone_identifier=",".join(subnets),
        default_cooldown=None,
        health_check_period=None,
        health_check_type=None,
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=[],
        capacity_rebalance=False,
    )
    return str(group.arn)


def _provider(world: World, region: str, scaling_group: str) -> str:
    scaling = {"status": "ENABLED", "targetCapacity": 100}
    group = {"autoScalingGroupArn": scaling_group, "managedScaling": scaling}
    request = {"name": PROVIDER, "autoScalingGroupProvider": group}
    capacity_providers.create_capacity_provider(world.region(region), request)
    return PROVIDER


def _secret(region: str) -> str:
    backend = secretsmanager_backends[ACCOUNT][region]
    backend.create_secret(
        name=SECRET_NAME,
        secret_string="sandbox-token",
        secret_binary=None,
        description=None,
        tags=[],
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )
    return str(backend.describe_secret(SECRET_NAME).arn)
