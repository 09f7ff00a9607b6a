# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the fine-grained ECS modules: the API's own shape in snake_case."""

from __future__ import annotations

from typing import Any

Spec = dict[str, dict[str, Any]]

STR: dict[str, Any] = {"type": "str"}
INT: dict[str, Any] = {"type": "int"}
BOOL: dict[str, Any] = {"type": "bool"}
DICT: dict[str, Any] = {"type": "dict"}
STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}
REQUIRED: dict[str, Any] = {"type": "str", "required": True}


def _one(options: Spec) -> dict[str, Any]:
    return {"type": "dict", "options": options}


def _many(options: Spec) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": options}


def _choice(*choices: str) -> dict[str, Any]:
    return {"type": "str", "choices": list(choices)}


NAME_VALUE: Spec = {"name": REQUIRED, "value": REQUIRED}
# The values are references; Ansible would take the word secret in the option's name for a value to hide.
SECRET: Spec = {"name": REQUIRED, "value_from": REQUIRED}
PLACEMENT_CONSTRAINT: Spec = {"type": REQUIRED, "expression": STR}

CONTAINER: Spec = {
    "name": REQUIRED,
    "image": REQUIRED,
    "essential": BOOL,
    "cpu": INT,
    "memory": INT,
    "memory_reservation": INT,
    "entry_point": STRINGS,
    "command": STRINGS,
    "environment": _many(NAME_VALUE),
    "environment_files": _many({"type": REQUIRED, "value": REQUIRED}),
    "secrets": {**_many(SECRET), "no_log": False},
    "port_mappings": _many(
        {
            "container_port": INT,
            "host_port": INT,
            "protocol": _choice("tcp", "udp"),
            "name": STR,
            "app_protocol": _choice("http", "http2", "grpc"),
        }
    ),
    "mount_points": _many({"source_volume": REQUIRED, "container_path": REQUIRED, "read_only": BOOL}),
    "resource_requirements": _many(
        {
            "type": {**_choice("GPU", "InferenceAccelerator", "NeuronDevice"), "required": True},
            "value": STR,
            "sharing_strategy": _one({"nvidia_mps": _one({"memory": INT, "max_compute_percent": INT})}),
        }
    ),
    "health_check": _one(
        {
            "command": {**STRINGS, "required": True},
            "interval": INT,
            "timeout": INT,
            "retries": INT,
            "start_period": INT,
        }
    ),
    "log_configuration": _one(
        {
            "log_driver": REQUIRED,
            "options": DICT,
            "secret_options": {**_many(SECRET), "no_log": False},
        }
    ),
    "linux_parameters": _one(
        {
            "capabilities": _one({"add": STRINGS, "drop": STRINGS}),
            "init_process_enabled": BOOL,
            "shared_memory_size": INT,
            "tmpfs": _many(
                {
                    "container_path": REQUIRED,
                    "size": {"type": "int", "required": True},
                    "mount_options": STRINGS,
                }
            ),
        }
    ),
    "ulimits": _many(
        {
            "name": REQUIRED,
            "soft_limit": {"type": "int", "required": True},
            "hard_limit": {"type": "int", "required": True},
        }
    ),
    "depends_on": _many(
        {
            "container_name": REQUIRED,
            "condition": {**_choice("START", "COMPLETE", "SUCCESS", "HEALTHY"), "required": True},
        }
    ),
    "user": STR,
    "working_directory": STR,
    "readonly_root_filesystem": BOOL,
    "privileged": BOOL,
    "stop_timeout": INT,
    "start_timeout": INT,
    "docker_labels": DICT,
    "repository_credentials": _one({"credentials_parameter": REQUIRED}),
    "restart_policy": _one(
        {
            "enabled": {"type": "bool", "required": True},
            "ignored_exit_codes": {"type": "list", "elements": "int"},
            "restart_attempt_period": INT,
        }
    ),
}

TASK_DEFINITION_OPTIONS: Spec = {
    "family": REQUIRED,
    "task_role_arn": STR,
    "execution_role_arn": STR,
    "network_mode": _choice("bridge", "host", "awsvpc", "none"),
    "cpu": STR,
    "memory": STR,
    "requires_compatibilities": {
        "type": "list",
        "elements": "str",
        "choices": ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"],
    },
    "runtime_platform": _one({"cpu_architecture": _choice("X86_64", "ARM64"), "operating_system_family": STR}),
    "ephemeral_storage": _one({"size_in_gib": {"type": "int", "required": True}}),
    "placement_constraints": _many(PLACEMENT_CONSTRAINT),
    "pid_mode": _choice("host", "task"),
    "ipc_mode": _choice("host", "task", "none"),
    "container_definitions": _many(CONTAINER),
    "volumes": _many(
        {
            "name": REQUIRED,
            "host": _one({"source_path": STR}),
            "configured_at_launch": BOOL,
            "efs_volume_configuration": _one(
                {
                    "file_system_id": REQUIRED,
                    "root_directory": STR,
                    "transit_encryption": _choice("ENABLED", "DISABLED"),
                    "transit_encryption_port": INT,
                    "authorization_config": _one({"access_point_id": STR, "iam": _choice("ENABLED", "DISABLED")}),
                }
            ),
        }
    ),
}

SERVICE_OPTIONS: Spec = {
    "task_definition": STR,
    "desired_count": INT,
    "launch_type": _choice("EC2", "FARGATE", "EXTERNAL"),
    "capacity_provider_strategy": _many({"capacity_provider": REQUIRED, "weight": INT, "base": INT}),
    "platform_version": STR,
    "deployment_configuration": _one(
        {
            "strategy": _choice("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"),
            "minimum_healthy_percent": INT,
            "maximum_percent": INT,
            "bake_time_in_minutes": INT,
            "deployment_circuit_breaker": _one(
                {
                    "enable": {"type": "bool", "required": True},
                    "rollback": {"type": "bool", "required": True},
                    "reset_on_healthy_task": BOOL,
                    "threshold_configuration": _one(
                        {
                            "type": {**_choice("COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"), "required": True},
                            "value": {"type": "int", "required": True},
                        }
                    ),
                }
            ),
            "alarms": _one(
                {
                    "alarm_names": {**STRINGS, "required": True},
                    "enable": {"type": "bool", "required": True},
                    "rollback": {"type": "bool", "required": True},
                }
            ),
            "lifecycle_hooks": _many(
                {
                    "target_type": _choice("AWS_LAMBDA", "PAUSE"),
                    "hook_target_arn": STR,
                    "role_arn": STR,
                    "lifecycle_stages": {**STRINGS, "required": True},
                    "timeout_configuration": _one(
                        {"timeout_in_minutes": INT, "action": _choice("ROLLBACK", "CONTINUE")}
                    ),
                }
            ),
        }
    ),
    "network_configuration": _one(
        {
            "awsvpc_configuration": _one(
                {
                    "subnets": {**STRINGS, "required": True},
                    "security_groups": STRINGS,
                    "assign_public_ip": _choice("ENABLED", "DISABLED"),
                }
            )
        }
    ),
    "load_balancers": _many(
        {
            "target_group_arn": STR,
            "load_balancer_name": STR,
            "container_name": STR,
            "container_port": INT,
            "advanced_configuration": _one(
                {
                    "alternate_target_group_arn": STR,
                    "production_listener_rule": STR,
                    "test_listener_rule": STR,
                    "role_arn": STR,
                }
            ),
        }
    ),
    "service_registries": _many({"registry_arn": STR, "port": INT, "container_name": STR, "container_port": INT}),
    "placement_constraints": _many(PLACEMENT_CONSTRAINT),
    "placement_strategy": _many({"type": REQUIRED, "field": STR}),
    "availability_zone_rebalancing": _choice("ENABLED", "DISABLED"),
    "health_check_grace_period_seconds": INT,
    "enable_execute_command": BOOL,
    "enable_ecs_managed_tags": BOOL,
    "propagate_tags": _choice("TASK_DEFINITION", "SERVICE", "NONE"),
}
