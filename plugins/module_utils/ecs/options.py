# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The C(platform) block of an ECS deployment: its argument spec and the dataclass it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Spec = dict[str, dict[str, Any]]

CAPACITY_PROVIDER: Spec = {
    "capacity_provider": {"type": "str", "required": True},
    "weight": {"type": "int", "default": 1},
    "base": {"type": "int", "default": 0},
}
EFS: Spec = {
    "file_system_id": {"type": "str", "required": True},
    "access_point_id": {"type": "str"},
    "root_directory": {"type": "str"},
    "iam": {"type": "bool", "default": True},
}
LOAD_BALANCER: Spec = {
    "target_group_arn": {"type": "str", "required": True},
    "alternate_target_group_arn": {"type": "str"},
    "production_listener_rule_arn": {"type": "str"},
    "test_listener_rule_arn": {"type": "str"},
    "role_arn": {"type": "str"},
}
SERVICE_REGISTRY: Spec = {
    "registry_arn": {"type": "str", "required": True},
    "port": {"type": "int"},
}
HEALTH_CHECK: Spec = {
    "command": {"type": "list", "elements": "str"},
    "interval": {"type": "int", "default": 15},
    "timeout": {"type": "int", "default": 10},
    "retries": {"type": "int", "default": 4},
    "start_period": {"type": "int", "default": 300},
}
CIRCUIT_BREAKER: Spec = {
    "enable": {"type": "bool", "default": True},
    "rollback": {"type": "bool", "default": True},
    "threshold_type": {"type": "str", "choices": ["COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"]},
    "threshold_value": {"type": "int"},
}
LIFECYCLE_HOOK: Spec = {
    "hook_target_arn": {"type": "str", "required": True},
    "role_arn": {"type": "str", "required": True},
    "lifecycle_stages": {"type": "list", "elements": "str", "required": True},
}
PLACEMENT_CONSTRAINT: Spec = {
    "type": {"type": "str", "choices": ["distinctInstance", "memberOf"], "required": True},
    "expression": {"type": "str"},
}
PLACEMENT_STRATEGY: Spec = {
    "type": {"type": "str", "choices": ["random", "spread", "binpack"], "required": True},
    "field": {"type": "str"},
}


def _items(options: Spec) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": options, "default": []}


PLATFORM_OPTIONS: Spec = {
    "cluster": {"type": "str", "required": True},
    "container_insights": {"type": "str", "choices": ["disabled", "enabled", "enhanced"]},
    "service": {"type": "str"},
    "family": {"type": "str"},
    "log_group": {"type": "str"},
    "compatibility": {"type": "str", "choices": ["EC2", "MANAGED_INSTANCES", "FARGATE"], "default": "EC2"},
    "capacity_provider_strategy": _items(CAPACITY_PROVIDER),
    "subnets": {"type": "list", "elements": "str", "default": []},
    "security_groups": {"type": "list", "elements": "str", "default": []},
    "assign_public_ip": {"type": "bool", "default": False},
    "execution_role": {"type": "str"},
    "task_role": {"type": "str"},
    "efs": {"type": "dict", "options": EFS},
    "load_balancers": _items(LOAD_BALANCER),
    "service_registries": _items(SERVICE_REGISTRY),
    "health_check": {"type": "dict", "options": HEALTH_CHECK, "apply_defaults": True},
    "health_check_grace_period": {"type": "int"},
    "circuit_breaker": {"type": "dict", "options": CIRCUIT_BREAKER, "apply_defaults": True},
    "deployment_alarms": {"type": "list", "elements": "str", "default": []},
    "lifecycle_hooks": _items(LIFECYCLE_HOOK),
    "bake_time": {"type": "int", "default": 0},
    "minimum_healthy_percent": {"type": "int"},
    "maximum_percent": {"type": "int"},
    "placement_constraints": _items(PLACEMENT_CONSTRAINT),
    "placement_strategy": _items(PLACEMENT_STRATEGY),
    "availability_zone_rebalancing": {"type": "bool", "default": False},
    "enable_execute_command": {"type": "bool", "default": False},
    "platform_version": {"type": "str"},
    "cpu_architecture": {"type": "str", "choices": ["X86_64", "ARM64"], "default": "X86_64"},
    "ephemeral_storage_gib": {"type": "int"},
    "stop_timeout": {"type": "int", "default": 30},
    "read_only_root": {"type": "bool", "default": True},
    "drop_capabilities": {"type": "bool", "default": True},
    "no_new_privileges": {"type": "bool", "default": False},
    "tmp_mib": {"type": "int", "default": 1024},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityProvider:
    """One entry of a capacity provider strategy."""

    capacity_provider: str
    weight: int = 1
    base: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Efs:
    """The EFS file system that holds the models. Transit encryption is always on."""

    file_system_id: str
    access_point_id: str | None = None
    root_directory: str | None = None
    iam: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """A target group of an existing load balancer; with an alternate one, blue/green can shift its traffic."""

    target_group_arn: str
    alternate_target_group_arn: str | None = None
    production_listener_rule_arn: str | None = None
    test_listener_rule_arn: str | None = None
    role_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRegistry:
    """A Cloud Map service in which the tasks' addresses are kept."""

    registry_arn: str
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """The container health check. Times in seconds. No command means the one that docs/decisions explains."""

    command: tuple[str, ...] = ()
    interval: int = 15
    timeout: int = 10
    retries: int = 4
    start_period: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """ECS's own detection of a release whose tasks do not come up."""

    enable: bool = True
    rollback: bool = True
    threshold_type: str | None = None
    threshold_value: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleHook:
    """A Lambda function that ECS calls at stages of a deployment, beside our own pause."""

    hook_target_arn: str
    role_arn: str
    lifecycle_stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A placement constraint (type, expression) or strategy (type, field)."""

    type: str
    expression: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsPlatform:
    """Everything that only ECS knows. Names not given are derived from the deployment's name."""

    cluster: str
    container_insights: str | None = None
    service: str | None = None
    family: str | None = None
    log_group: str | None = None
    compatibility: str = "EC2"
    capacity_provider_strategy: tuple[CapacityProvider, ...] = ()
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    assign_public_ip: bool = False
    execution_role: str | None = None
    task_role: str | None = None
    efs: Efs | None = None
    load_balancers: tuple[LoadBalancer, ...] = ()
    service_registries: tuple[ServiceRegistry, ...] = ()
    health_check: HealthCheck = HealthCheck()
    health_check_grace_period: int | None = None
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    deployment_alarms: tuple[str, ...] = ()
    lifecycle_hooks: tuple[LifecycleHook, ...] = ()
    bake_time: int = 0
    minimum_healthy_percent: int | None = None
    maximum_percent: int | None = None
    placement_constraints: tuple[Placement, ...] = ()
    placement_strategy: tuple[Placement, ...] = ()
    availability_zone_rebalancing: bool = False
    enable_execute_command: bool = False
    platform_version: str | None = None
    cpu_architecture: str = "X86_64"
    ephemeral_storage_gib: int | None = None
    stop_timeout: int = 30
    read_only_root: bool = True
    drop_capabilities: bool = True
    no_new_privileges: bool = False
    tmp_mib: int = 1024
