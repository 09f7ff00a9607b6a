# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RegisterTaskDefinition refuses. The rules are AWS's documented ones; the texts follow its style."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.sandbox.aws.ecs.errors import ClientException

NAME = re.compile(r"[a-zA-Z0-9_-]{1,255}")
HEALTH_RANGES = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}
GIB = 1024


def fargate_sizes() -> dict[int, list[int]]:
    """Return the memory sizes (MiB) that Fargate offers for each CPU size (units)."""
    return {
        256: [512, 1024, 2048],
        512: [gib * GIB for gib in range(1, 5)],
        1024: [gib * GIB for gib in range(2, 9)],
        2048: [gib * GIB for gib in range(4, 17)],
        4096: [gib * GIB for gib in range(8, 31)],
        8192: [gib * GIB for gib in range(16, 61, 4)],
        16384: [gib * GIB for gib in range(32, 121, 8)],
    }


def size(value: str | None, unit: str) -> int | None:
    """Return task CPU (``1 vCPU`` is 1024 units) or memory (``2 GB`` is 2048 MiB) as a number."""
    if value is None:
        return None
    match = re.fullmatch(rf"\s*(\d+(?:\.\d+)?)\s*({unit})?\s*", value, re.IGNORECASE)
    if match is None:
        raise ClientException(f"Invalid '{'cpu' if unit == 'vcpu' else 'memory'}' setting for task.")
    return int(float(match[1]) * (1024 if match[2] else 1))


def gpu_requirements(containers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the GPU requirements of all containers."""
    for container in containers:
        for requirement in container.get("resourceRequirements", []):
            if requirement["type"] == "GPU":
                yield requirement


def check(request: dict[str, Any]) -> None:
    """Raise ClientException for the first rule that a definition breaks."""
    if not NAME.fullmatch(request["family"]):
        raise ClientException(
            "Family contains invalid characters: use up to 255 letters, numbers, hyphens, underscores."
        )
    containers = request["containerDefinitions"]
    if not containers:
        raise ClientException("Container list cannot be empty.")
    names = [container.get("name") for container in containers]
    if len(set(names)) != len(names):
        raise ClientException("Container names must be unique within a task definition.")
    if not any(container.get("essential", True) for container in containers):
        raise ClientException("At least one container must be marked as essential.")
    cpu, memory = size(request.get("cpu"), "vcpu"), size(request.get("memory"), "gb")
    for container in containers:
        _check_container(container, request, memory)
    _check_gpus(request)
    _check_volumes(request)
    if "FARGATE" in request.get("requiresCompatibilities", []):
        _check_fargate(request, cpu, memory)
    if "MANAGED_INSTANCES" in request.get("requiresCompatibilities", []) and (cpu is None or memory is None):
        raise ClientException("Managed instances require that 'cpu' and 'memory' be defined at the task level.")


def _check_container(container: dict[str, Any], request: dict[str, Any], task_memory: int | None) -> None:
    for key in ("name", "image"):
        if not container.get(key):
            raise ClientException(f"Container.{key} should not be null or empty.")
    name = container["name"]
    if not NAME.fullmatch(name):
        raise ClientException(f"Container name '{name}' contains invalid characters.")
    _check_memory(container, task_memory)
    _check_ports(container, request.get("networkMode"))
    _check_health(container)
    if container.get("secrets") and not request.get("executionRoleArn"):
        raise ClientException(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )
    known = {other.get("name") for other in request["containerDefinitions"]} - {name}
    for dependency in container.get("dependsOn", []):
        if dependency["containerName"] not in known:
            raise ClientException(f"Container '{name}' depends on unknown container '{dependency['containerName']}'.")


def _check_memory(container: dict[str, Any], task_memory: int | None) -> None:
    name, hard, soft = container["name"], container.get("memory"), container.get("memoryReservation")
    if task_memory is None and hard is None and soft is None:
        raise ClientException(
            f"Invalid setting for container '{name}'. "
            "At least one of 'memory' or 'memoryReservation' must be specified."
        )
    if hard is not None and hard < 6:
        raise ClientException(f"Invalid setting for container '{name}'. The 'memory' must be at least 6 MiB.")
    if task_memory is not None and max(hard or 0, soft or 0) > task_memory:
        raise ClientException(f"The 'memory' setting for container '{name}' is greater than for the task.")
    if hard is not None and soft is not None and soft > hard:
        raise ClientException(f"Invalid setting for container '{name}'. 'memoryReservation' must be at most 'memory'.")


def _check_ports(container: dict[str, Any], network_mode: str | None) -> None:
    for mapping in container.get("portMappings", []):
        port, host = mapping.get("containerPort"), mapping.get("hostPort")
        if network_mode == "none":
            raise ClientException("Port mappings are not allowed when networkMode is none.")
        if port is None and "containerPortRange" not in mapping:
            raise ClientException(f"Container '{container['name']}': a port mapping needs containerPort.")
        if port is not None and not 0 <= port <= 65535:
            raise ClientException(f"Container '{container['name']}': containerPort must be between 0 and 65535.")
        if network_mode in ("awsvpc", "host") and host not in (None, port):
            raise ClientException(
                f"When networkMode={network_mode}, the host ports and container ports in port mappings must match."
            )


def _check_health(container: dict[str, Any]) -> None:
    check = container.get("healthCheck")
    if check is None:
        return
    command = check["command"]
    if not command or command[0] not in ("CMD", "CMD-SHELL", "NONE"):
        raise ClientException(
            f"Invalid setting for container '{container['name']}'. "
            "The health check command must start with CMD or CMD-SHELL."
        )
    for key, (least, most) in HEALTH_RANGES.items():
        if key in check and not least <= check[key] <= most:
            raise ClientException(
                f"Invalid setting for container '{container['name']}'. "
                f"The health check {key} must be between {least} and {most}."
            )


def _check_gpus(request: dict[str, Any]) -> None:
    requirements = list(gpu_requirements(request["containerDefinitions"]))
    if not requirements:
        return
    wanted = request.get("requiresCompatibilities", [])
    if "FARGATE" in wanted:
        raise ClientException("Tasks using the Fargate launch type do not support GPU resource requirements.")
    shared = [requirement for requirement in requirements if "sharingStrategy" in requirement]
    if any("value" in requirement for requirement in shared):
        raise ClientException("For a GPU resource requirement, specify either value or sharingStrategy, but not both.")
    if shared and len(shared) != len(requirements):
        raise ClientException("The containers in a task that request GPUs must all use the same option.")
    if shared and "EXTERNAL" in wanted:
        raise ClientException("Task definitions that require EXTERNAL compatibility do not support GPU sharing.")
    for requirement in requirements:
        value = requirement.get("value")
        if requirement not in shared and not re.fullmatch(r"ALL|0\.\d+|[1-9]\d*", value or ""):
            raise ClientException(f"The value '{value}' of a GPU resource requirement is not valid.")


def _check_volumes(request: dict[str, Any]) -> None:
    volumes = request.get("volumes", [])
    names = {volume.get("name") for volume in volumes}
    for container in request["containerDefinitions"]:
        for mount in container.get("mountPoints", []):
            if mount.get("sourceVolume") not in names:
                raise ClientException(f"Unknown volume '{mount.get('sourceVolume')}'.")
    for volume in volumes:
        if "efsVolumeConfiguration" in volume:
            _check_efs(volume["efsVolumeConfiguration"])


def _check_efs(efs: dict[str, Any]) -> None:
    authorization = efs.get("authorizationConfig", {})
    encrypted = efs.get("transitEncryption") == "ENABLED"
    if not re.fullmatch(r"fs-[0-9a-f]{8,40}|arn:aws[\w-]*:elasticfilesystem:.*", efs["fileSystemId"]):
        raise ClientException(f"EFS file system id '{efs['fileSystemId']}' is not valid.")
    if authorization.get("accessPointId"):
        if efs.get("rootDirectory", "/") != "/":
            raise ClientException("Root directory must be omitted or '/' when an EFS access point is specified.")
        if not encrypted:
            raise ClientException("EFS transit encryption must be enabled when an EFS access point is specified.")
    if authorization.get("iam") == "ENABLED" and not encrypted:
        raise ClientException("EFS transit encryption must be enabled when EFS IAM authorization is enabled.")
    if "transitEncryptionPort" in efs and not encrypted:
        raise ClientException("EFS transit encryption port can only be set when transit encryption is enabled.")


def _check_fargate(request: dict[str, Any], cpu: int | None, memory: int | None) -> None:
    if request.get("networkMode") != "awsvpc":
        raise ClientException("Fargate only supports network mode 'awsvpc'.")
    for key, value in (("cpu", cpu), ("memory", memory)):
        if value is None:
            raise ClientException(f"Fargate requires that '{key}' be defined at the task level.")
    if memory not in fargate_sizes().get(cpu or 0, []):
        raise ClientException(
            "No Fargate configuration exists for given values: "
            f"{cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )
    uses_awslogs = any(
        container.get("logConfiguration", {}).get("logDriver") == "awslogs"
        for container in request["containerDefinitions"]
    )
    if uses_awslogs and not request.get("executionRoleArn"):
        raise ClientException(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs."
        )
