# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of ECS. All problems at once, before any call. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..deployment import hardening
from ..deployment.model import Deployment
from ..deployment.validate import show
from ..unknown import is_unknown
from .capabilities import (
    CAPABILITIES,
    EFS_ACCESS_POINT,
    EFS_FILE_SYSTEM,
    FARGATE_EPHEMERAL_GIB,
    FARGATE_PROVIDERS,
    FARGATE_SIZES,
    FARGATE_STOP_TIMEOUT,
    LOG_RETENTION_DAYS,
)
from .hardening import posture
from .options import EcsPlatform
from .strategy import is_blue_green

Ecs = Deployment[EcsPlatform]

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
LOG_GROUP = re.compile(r"[A-Za-z0-9_/.#-]{1,512}")
SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
SECURITY_GROUP = re.compile(r"sg-[0-9a-f]{8,17}")
ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}|[\w+=,.@-]{1,64}")
SECRET = re.compile(r"arn:aws[\w-]*:(secretsmanager|ssm):[a-z0-9-]+:\d{12}:\S+")
BUNDLE_KEYS = ("cluster", "log_group", "task_definition", "service")
HOOK_STAGES = (
    *("RECONCILE_SERVICE", "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"),
    *("PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"),
)


def problems(deployment: Ecs) -> list[str]:
    """Every broken rule of ECS: option, value, rule."""
    found: list[str] = []
    for rule in (_names, _network, _capacity, _fargate, _storage, _roles, _health_check, _rollout, _placement, _rest):
        found += rule(deployment)
    found += hardening.problems(deployment, CAPABILITIES, posture(deployment))
    return found


def _between(option: str, value: int | None, low: int, high: int) -> Iterator[str]:
    if value is not None and not low <= value <= high:
        yield f"{option} {value} must be between {low} and {high}"


def _names(d: Ecs) -> Iterator[str]:
    platform = d.platform
    for option in ("cluster", "service", "family"):
        value = getattr(platform, option)
        if value is not None and not NAME.fullmatch(value):
            yield f"platform.{option} {show(value)} must be 1 to 255 letters, digits, hyphens and underscores"
    if platform.log_group is not None and not LOG_GROUP.fullmatch(platform.log_group):
        yield f"platform.log_group {show(platform.log_group)} must be 1 to 512 letters, digits and _ / . # -"


def _network(d: Ecs) -> Iterator[str]:
    platform = d.platform
    if not platform.subnets:
        yield "platform.subnets must name at least one subnet: tasks get an address of their own (awsvpc)"
    if len(platform.subnets) > 16:
        yield f"platform.subnets has {len(platform.subnets)} entries, at most 16 are allowed"
    if len(platform.security_groups) > 5:
        yield f"platform.security_groups has {len(platform.security_groups)} entries, at most 5 are allowed"
    for subnet in platform.subnets:
        if not is_unknown(subnet) and not SUBNET.fullmatch(subnet):
            yield f"platform.subnets {show(subnet)} must be a subnet id such as subnet-0123456789abcdef0"
    for group in platform.security_groups:
        if not is_unknown(group) and not SECURITY_GROUP.fullmatch(group):
            yield f"platform.security_groups {show(group)} must be a security group id such as sg-0123456789abcdef0"
    if d.network.exposure == "public" and not (platform.load_balancers or platform.assign_public_ip):
        yield "network.exposure public needs platform.load_balancers (or platform.assign_public_ip) on ecs"
    if platform.assign_public_ip and platform.compatibility == "EC2":
        yield "platform.assign_public_ip is not available with compatibility EC2: use a load balancer"


def _capacity(d: Ecs) -> Iterator[str]:
    platform = d.platform
    names = [item.capacity_provider for item in platform.capacity_provider_strategy]
    option = "platform.capacity_provider_strategy"
    if platform.compatibility == "MANAGED_INSTANCES" and not names:
        yield f"{option} is needed with compatibility MANAGED_INSTANCES: name your managed instances provider"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{option} names {show(name)} twice"
    fargate = [name for name in names if name in FARGATE_PROVIDERS]
    if fargate and len(fargate) != len(names):
        yield f"{option} must not mix {' and '.join(fargate)} with other providers"
    if fargate and platform.compatibility != "FARGATE":
        yield f"{option} {fargate[0]} needs platform.compatibility FARGATE, not {platform.compatibility}"
    if names and not fargate and platform.compatibility == "FARGATE":
        yield f"{option} {show(names[0])} is no Fargate provider: set platform.compatibility to match"
    for item in platform.capacity_provider_strategy:
        yield from _between(f"{option}.weight", item.weight, 0, 1000)
        yield from _between(f"{option}.base", item.base, 0, 100000)
    if sum(item.base > 0 for item in platform.capacity_provider_strategy) > 1:
        yield f"{option}.base may be above 0 for one provider only"
    if names and all(item.weight == 0 for item in platform.capacity_provider_strategy):
        yield f"{option}.weight must be above 0 for at least one provider"


def _fargate(d: Ecs) -> Iterator[str]:
    platform = d.platform
    if platform.compatibility != "FARGATE":
        if platform.ephemeral_storage_gib is not None:
            yield "platform.ephemeral_storage_gib is for compatibility FARGATE only: size the host's disk instead"
        if platform.platform_version is not None:
            yield "platform.platform_version is for compatibility FARGATE only"
        return
    if d.wants_gpu:
        yield (
            "resources.gpu is not available with platform.compatibility FARGATE (containers-roadmap 88): "
            "use MANAGED_INSTANCES or EC2"
        )
    cpu, memory = round(d.resources.cpu * 1024), round(d.resources.memory_gib * 1024)
    if cpu not in FARGATE_SIZES:
        sizes = ", ".join(f"{units / 1024:g}" for units in FARGATE_SIZES)
        yield f"resources.cpu {d.resources.cpu:g} is no Fargate size: it must be one of {sizes}"
    elif memory not in FARGATE_SIZES[cpu]:
        sizes = ", ".join(f"{mib / 1024:g}" for mib in FARGATE_SIZES[cpu])
        yield f"resources.memory_gib {d.resources.memory_gib:g} is not offered with cpu {d.resources.cpu:g}: {sizes}"
    yield from _between("platform.ephemeral_storage_gib", platform.ephemeral_storage_gib, *FARGATE_EPHEMERAL_GIB)
    if platform.placement_constraints or platform.placement_strategy:
        yield "platform.placement_constraints and placement_strategy are not available with compatibility FARGATE"
    if platform.execution_role is None:
        yield "platform.execution_role is needed with compatibility FARGATE: it pulls the image and writes the logs"


def _storage(d: Ecs) -> Iterator[str]:
    efs = d.platform.efs
    if d.storage.mode == "baked":
        if efs is not None:
            yield "platform.efs is given but storage.mode is baked: a mount would hide the models in the image"
        return
    if efs is None:
        yield f"platform.efs is needed with storage.mode {d.storage.mode}"
        return
    system = efs.file_system_id
    if not is_unknown(system) and not re.fullmatch(EFS_FILE_SYSTEM, system):
        yield f"platform.efs.file_system_id {show(system)} must be a file system id such as fs-0123456789abcdef0"
    point = efs.access_point_id
    if point is not None and not is_unknown(point) and not re.fullmatch(EFS_ACCESS_POINT, point):
        yield f"platform.efs.access_point_id {show(point)} must be an access point id such as fsap-0123456789abcdef0"
    if point is not None and efs.root_directory not in (None, "/"):
        yield "platform.efs.root_directory must be left out with an access point, which has its own"
    if point is None and efs.root_directory in (None, "/"):
        yield "platform.efs needs access_point_id or root_directory: only root can write the file system's root"
    if efs.iam and d.platform.task_role is None:
        yield "platform.task_role is needed with platform.efs.iam: it is who mounts the file system"


def _roles(d: Ecs) -> Iterator[str]:
    for option in ("execution_role", "task_role"):
        value = getattr(d.platform, option)
        if value is not None and not is_unknown(value) and not ROLE.fullmatch(value):
            yield f"platform.{option} {show(value)} must be the name or the ARN of an IAM role"
    if d.secrets and d.platform.execution_role is None:
        yield "platform.execution_role is needed with secrets: it is who reads them"
    if d.platform.enable_execute_command and d.platform.task_role is None:
        yield "platform.task_role is needed with platform.enable_execute_command"
    for index, secret in enumerate(d.secrets):
        if secret.reference is not None and not SECRET.fullmatch(secret.reference):
            yield f"secrets[{index}].reference must be the ARN of a Secrets Manager secret or an SSM parameter"


def _health_check(d: Ecs) -> Iterator[str]:
    check = d.platform.health_check
    if check.command and check.command[0] not in ("CMD", "CMD-SHELL"):
        yield f"platform.health_check.command must start with CMD or CMD-SHELL, not {show(check.command[0])}"
    yield from _between("platform.health_check.interval", check.interval, 5, 300)
    yield from _between("platform.health_check.timeout", check.timeout, 2, 60)
    yield from _between("platform.health_check.retries", check.retries, 1, 10)
    yield from _between("platform.health_check.start_period", check.start_period, 0, 300)
    yield from _between("platform.health_check_grace_period", d.platform.health_check_grace_period, 0, 2147483647)


def _rollout(d: Ecs) -> Iterator[str]:
    platform, breaker = d.platform, d.platform.circuit_breaker
    yield from _between("platform.bake_time", platform.bake_time, 0, 1440)
    yield from _between("platform.minimum_healthy_percent", platform.minimum_healthy_percent, 0, 100)
    yield from _between("platform.maximum_percent", platform.maximum_percent, 100, 200)
    if (platform.minimum_healthy_percent, platform.maximum_percent) == (100, 100):
        yield "platform.minimum_healthy_percent and maximum_percent are both 100: no task could ever be replaced"
    if (breaker.threshold_type is None) != (breaker.threshold_value is None):
        yield "platform.circuit_breaker needs threshold_type and threshold_value together"
    yield from _between("platform.circuit_breaker.threshold_value", breaker.threshold_value, 1, 1000)
    for index, hook in enumerate(platform.lifecycle_hooks):
        for stage in hook.lifecycle_stages:
            if stage not in HOOK_STAGES:
                stages = ", ".join(HOOK_STAGES)
                yield f"platform.lifecycle_hooks[{index}].lifecycle_stages {show(stage)} is none of {stages}"
    for index, balancer in enumerate(platform.load_balancers):
        if balancer.alternate_target_group_arn and not (balancer.production_listener_rule_arn and balancer.role_arn):
            yield (
                f"platform.load_balancers[{index}].alternate_target_group_arn needs production_listener_rule_arn "
                "and role_arn: they are how ECS shifts the traffic"
            )
    if is_blue_green(d) and len(platform.load_balancers) > 1:
        yield "platform.load_balancers has several target groups: blue/green (update.strategy surge) takes one"


def _placement(d: Ecs) -> Iterator[str]:
    for index, item in enumerate(d.platform.placement_constraints):
        if item.type == "memberOf" and not item.expression:
            yield f"platform.placement_constraints[{index}] memberOf needs an expression"
    for index, item in enumerate(d.platform.placement_strategy):
        if item.type != "random" and not item.field:
            yield f"platform.placement_strategy[{index}] {item.type} needs a field"
    if d.platform.availability_zone_rebalancing and d.platform.maximum_percent == 100:
        yield "platform.availability_zone_rebalancing needs maximum_percent above 100"


def _rest(d: Ecs) -> Iterator[str]:
    if d.logging.retention_days not in LOG_RETENTION_DAYS:
        days = ", ".join(str(days) for days in LOG_RETENTION_DAYS)
        yield f"logging.retention_days {d.logging.retention_days} is not offered by CloudWatch Logs: {days}"
    gpu = d.resources.gpu
    if gpu is not None and gpu.sharing is not None and gpu.count != 1:
        yield "resources.gpu.count must be 1 with resources.gpu.sharing: a share is a part of one GPU"
    if gpu is not None and gpu.type is not None:
        yield "resources.gpu.type is decided by the capacity provider's instances on ecs: leave it out"
    yield from _between("platform.stop_timeout", d.platform.stop_timeout, 2, FARGATE_STOP_TIMEOUT)
    yield from _between("platform.tmp_mib", d.platform.tmp_mib, 64, 65536)
    if d.platform.no_new_privileges and d.platform.compatibility != "EC2":
        yield "platform.no_new_privileges is for compatibility EC2 only (dockerSecurityOptions)"
    for key in d.overrides:
        if key not in BUNDLE_KEYS:
            yield f"overrides.{key} is no resource of an ecs deployment: {', '.join(BUNDLE_KEYS)}"
