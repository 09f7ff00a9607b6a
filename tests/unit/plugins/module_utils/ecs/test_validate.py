# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong deployments, each refused before any call with option, value and rule."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY
from tests.helpers.ecs import FARGATE, GPU, VOLUME, describe
from tests.helpers.sidecar_options import SIDECAR

Changes = dict[str, Any]

WRONG: dict[str, tuple[Changes, Changes, str]] = {
    "GPU on Fargate": (FARGATE, {"resources": {"gpu": {"count": 1}}}, "resources.gpu is not available with"),
    "no Fargate CPU size": (FARGATE, {"resources": {"cpu": 3.0}}, "resources.cpu 3 is no Fargate size"),
    "memory that Fargate has not": (FARGATE, {"resources": {"memory_gib": 15.0}}, "resources.memory_gib 15 is not"),
    "Fargate disk too large": (FARGATE, {"platform": {"ephemeral_storage_gib": 500}}, "must be between 21 and 200"),
    "Fargate without role": (FARGATE, {"platform": {"execution_role": None}}, "platform.execution_role is needed"),
    "Fargate disk on EC2": (GPU, {"platform": {"ephemeral_storage_gib": 30}}, "for compatibility FARGATE only"),
    "Fargate provider on EC2": (
        GPU,
        {"platform": {"capacity_provider_strategy": [{"capacity_provider": "FARGATE_SPOT"}]}},
        "needs platform.compatibility FARGATE",
    ),
    "EC2 provider on Fargate": (
        FARGATE,
        {"platform": {"capacity_provider_strategy": [{"capacity_provider": "gpu"}]}},
        "'gpu' is no Fargate provider",
    ),
    "managed instances without provider": (
        GPU,
        {"platform": {"compatibility": "MANAGED_INSTANCES", "capacity_provider_strategy": []}},
        "is needed with compatibility MANAGED_INSTANCES",
    ),
    "no subnet": (GPU, {"platform": {"subnets": []}}, "platform.subnets must name at least one"),
    "a subnet's name": (GPU, {"platform": {"subnets": ["private-a"]}}, "platform.subnets 'private-a' must be"),
    "six security groups": (
        GPU,
        {"platform": {"security_groups": [f"sg-{i:08x}" for i in range(6)]}},
        "platform.security_groups has 6 entries",
    ),
    "an injected cluster name": (GPU, {"platform": {"cluster": "a;rm -rf /"}}, "platform.cluster 'a;rm -rf /' must"),
    "a line break in a role": (GPU, {"platform": {"task_role": "a\nb"}}, r"platform.task_role 'a\nb' must be"),
    "volume without EFS": (VOLUME, {"platform": {"efs": None}}, "platform.efs is needed with storage.mode volume"),
    "EFS with a baked image": (VOLUME, {"storage": {"mode": "baked"}}, "a mount would hide the models"),
    "EFS root without access point": (
        VOLUME,
        {"platform": {"efs": {"access_point_id": None}}},
        "platform.efs needs access_point_id or root_directory",
    ),
    "EFS directory beside an access point": (
        VOLUME,
        {"platform": {"efs": {"root_directory": "/x"}}},
        "platform.efs.root_directory must be left out",
    ),
    "EFS IAM without task role": (VOLUME, {"platform": {"task_role": None}}, "needed with platform.efs.iam"),
    "secret without execution role": (VOLUME, {"platform": {"execution_role": None}}, "needed with secrets"),
    "a secret that is no ARN of a vault": (
        VOLUME,
        {"secrets": [{"name": "LICENCE", "reference": "arn:aws:s3:::bucket/key"}]},
        "secrets[0].reference must be the ARN",
    ),
    "public without a way in": (
        GPU,
        {"network": {"exposure": "public", "authentication": "external"}},
        "network.exposure public needs platform.load_balancers",
    ),
    "public address on EC2": (GPU, {"platform": {"assign_public_ip": True}}, "not available with compatibility EC2"),
    "a health check that is no command": (
        GPU,
        {"platform": {"health_check": {"command": ["curl"]}}},
        "must start with CMD or CMD-SHELL, not 'curl'",
    ),
    "a health check every second": (
        GPU,
        {"platform": {"health_check": {"interval": 1}}},
        "health_check.interval 1 must be between 5 and 300",
    ),
    "percentages that stand still": (
        GPU,
        {"platform": {"minimum_healthy_percent": 100, "maximum_percent": 100}},
        "no task could ever be replaced",
    ),
    "half a threshold": (GPU, {"platform": {"circuit_breaker": {"threshold_value": 3}}}, "together"),
    "an unknown stage": (
        GPU,
        {"platform": {"lifecycle_hooks": [{"hook_target_arn": "a", "role_arn": "b", "lifecycle_stages": ["SOON"]}]}},
        "lifecycle_stages 'SOON' is none of",
    ),
    "an alternate target group alone": (
        GPU,
        {"platform": {"load_balancers": [{"target_group_arn": "a", "alternate_target_group_arn": "b"}]}},
        "needs production_listener_rule_arn and role_arn",
    ),
    "a drain that ECS would cut": (
        GPU,
        {"sidecar": {**SIDECAR, "drain_seconds": 101}},
        "sidecar.drain_seconds must be at most 100 on ecs",
    ),
    "memberOf nothing": (GPU, {"platform": {"placement_constraints": [{"type": "memberOf"}]}}, "needs an expression"),
    "13 days of logs": (GPU, {"logging": {"retention_days": 13}}, "logging.retention_days 13 is not offered"),
    "a GPU type": (GPU, {"resources": {"gpu": {"type": "T4"}}}, "decided by the capacity provider's instances"),
    "two GPUs of which a part": (
        GPU,
        {"resources": {"gpu": {"count": 2, "sharing": {"memory_mib": 1024}}}},
        "resources.gpu.count must be 1",
    ),
    "overrides of nothing": (GPU, {"overrides": {"app": {}}}, "overrides.app is no resource of an ecs deployment"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_deployment_is_refused_with_option_value_and_rule(name: str) -> None:
    base, changes, rule = WRONG[name]
    found = problems(describe(base, **changes))
    assert any(rule in problem for problem in found), found


def test_all_problems_are_told_at_once() -> None:
    wrong = describe(platform={"subnets": ["x"], "cluster": "a b", "stop_timeout": 999}, logging={"retention_days": 2})
    assert len(problems(wrong)) == 4


def test_ids_that_are_known_after_apply_are_accepted() -> None:
    unknown = {"file_system_id": KNOWN_AFTER_APPLY, "access_point_id": KNOWN_AFTER_APPLY}
    platform = {"efs": unknown, "subnets": [KNOWN_AFTER_APPLY], "security_groups": [KNOWN_AFTER_APPLY]}
    assert problems(describe(VOLUME, platform=platform)) == []
