# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring ECS bodies, wanted or found, into the one form that is compared. Pure and idempotent.

What AWS fills in (protocol, hostPort, health check times, rootDirectory, cpu 0, empty lists) is filled in on both
sides; lists whose order means nothing are sorted; ARN and name, number and text, become one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..compare import drop_empty
from ..unknown import is_unknown

Body = Mapping[str, Any]

# The members of RegisterTaskDefinition; an answer holds more (status, revision, requiresAttributes …).
DEFINITION_KEYS = (
    *("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "volumes", "cpu", "memory"),
    *("placementConstraints", "requiresCompatibilities", "pidMode", "ipcMode", "proxyConfiguration"),
    *("inferenceAccelerators", "ephemeralStorage", "runtimePlatform", "enableFaultInjection"),
    "trustedExecutionConfiguration",
)
OWN_ADDRESS = ("awsvpc", "host")
HEALTH_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0}
PLATFORM_DEFAULTS = {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}
# Values that mean the same as their absence.
QUIET = (
    *("readonlyRootFilesystem", "privileged", "interactive", "pseudoTerminal", "disableNetworking"),
    *("enableFaultInjection", "initProcessEnabled", "readOnly"),
)
NUMBERS = (
    *("memory", "memoryReservation", "cpu", "stopTimeout", "startTimeout", "containerPort", "hostPort", "interval"),
    *("timeout", "retries", "startPeriod", "softLimit", "hardLimit", "size", "sizeInGiB", "sharedMemorySize"),
    *("maxComputePercent", "transitEncryptionPort", "maxSwap", "swappiness"),
)


def definition(body: Body) -> dict[str, Any]:
    """A task definition in the form that is compared."""
    kept: dict[str, Any] = {key: _numbers(body[key]) for key in DEFINITION_KEYS if key in body}
    mode = kept.setdefault("networkMode", "bridge")
    kept["cpu"] = task_size(body.get("cpu"), "vcpu")
    kept["memory"] = task_size(body.get("memory"), "gb")
    for role in ("taskRoleArn", "executionRoleArn"):
        kept[role] = last_part(kept.get(role))
    kept["requiresCompatibilities"] = sorted(kept.get("requiresCompatibilities") or ())
    kept["runtimePlatform"] = {**PLATFORM_DEFAULTS, **(kept.get("runtimePlatform") or {})}
    kept["volumes"] = [_volume(item) for item in kept.get("volumes") or ()]
    kept["placementConstraints"] = by(kept.get("placementConstraints"), "type", "expression")
    kept["containerDefinitions"] = [_container(item, mode) for item in kept.get("containerDefinitions") or ()]
    quiet: dict[str, Any] = _quiet(drop_empty(kept))
    return quiet


def task_size(value: Any, unit: str) -> str | None:
    """Task CPU (C(4 vCPU) is 4096 units) or memory (C(16 GB) is 16384 MiB) as the text of a whole number."""
    if value is None:
        return None
    match = re.fullmatch(rf"\s*(\d+(?:\.\d+)?)\s*({unit})?\s*", str(value), re.IGNORECASE)
    if match is None:
        return str(value)
    return str(round(float(match[1]) * (1024 if match[2] else 1)))


def last_part(arn: Any) -> Any:
    """The name in an ARN (C(arn:…:role/path/name), C(arn:…:cluster/name)); a name stays as it is."""
    return arn.rsplit("/", 1)[-1] if isinstance(arn, str) else arn


def by(items: Any, *keys: str) -> list[Any]:
    """A list whose order means nothing, sorted by the given members."""
    return sorted(items or (), key=lambda item: tuple(str(item.get(key, "")) for key in keys))


def _numbers(value: Any, key: str = "") -> Any:
    """Numbers that templates made text become numbers again, in the members that are numbers."""
    if isinstance(value, Mapping):
        return {name: _numbers(item, name) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbers(item) for item in value]
    if key in NUMBERS and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


def _quiet(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _quiet(item) for key, item in value.items() if not (key in QUIET and item is False)}
    if isinstance(value, list):
        return [_quiet(item) for item in value]
    return value


def _container(container: Body, mode: str) -> dict[str, Any]:
    body = dict(container)
    body["essential"] = body.get("essential", True)
    body["cpu"] = body.get("cpu") or 0
    ports = [_port(item, mode) for item in body.get("portMappings") or ()]
    body["portMappings"] = by(ports, "containerPort", "protocol")
    for key, order in (("environment", "name"), ("secrets", "name"), ("mountPoints", "containerPath")):
        body[key] = by(body.get(key), order)
    body["resourceRequirements"] = [_requirement(item) for item in by(body.get("resourceRequirements"), "type")]
    body["dependsOn"] = by(body.get("dependsOn"), "containerName")
    body["ulimits"] = by(body.get("ulimits"), "name")
    if body.get("versionConsistency") == "enabled":
        del body["versionConsistency"]
    if body.get("healthCheck"):
        body["healthCheck"] = {**HEALTH_DEFAULTS, **body["healthCheck"]}
    if body.get("linuxParameters"):
        body["linuxParameters"] = _linux(body["linuxParameters"])
    if body.get("logConfiguration"):
        log = dict(body["logConfiguration"])
        body["logConfiguration"] = {**log, "options": {k: str(v) for k, v in (log.get("options") or {}).items()}}
    return body


def _port(mapping: Body, mode: str) -> dict[str, Any]:
    body = {"protocol": "tcp", **mapping}
    port = body.get("containerPort")
    if mode in OWN_ADDRESS:
        body["hostPort"] = port
    elif not body.get("hostPort"):
        body.pop("hostPort", None)
    return body


def _requirement(requirement: Body) -> dict[str, Any]:
    body = dict(requirement)
    if "value" in body:
        body["value"] = str(body["value"])
    return body


def _linux(parameters: Body) -> dict[str, Any]:
    body = dict(parameters)
    if body.get("capabilities"):
        body["capabilities"] = {key: sorted(value or ()) for key, value in body["capabilities"].items()}
    mounts = by(body.get("tmpfs"), "containerPath")
    body["tmpfs"] = [{**item, "mountOptions": sorted(item.get("mountOptions") or ())} for item in mounts]
    return body


def _volume(volume: Body) -> dict[str, Any]:
    body = dict(volume)
    efs = body.get("efsVolumeConfiguration")
    if efs:
        authorization = {"iam": "DISABLED", **(efs.get("authorizationConfig") or {})}
        body["efsVolumeConfiguration"] = {
            "rootDirectory": "/",
            "transitEncryption": "DISABLED",
            **efs,
            "authorizationConfig": authorization,
        }
    return body


# ---- service

BREAKER_DEFAULTS = {"enable": False, "rollback": False, "resetOnHealthyTask": True}
THRESHOLD_DEFAULTS = {"type": "BOUNDED_PERCENT", "value": 50}
ALARM_DEFAULTS: dict[str, Any] = {"alarmNames": [], "enable": False, "rollback": False}
HOOK_TIMEOUT_DEFAULTS = {"timeoutInMinutes": 1440, "action": "ROLLBACK"}
SERVICE_DEFAULTS: dict[str, Any] = {
    "healthCheckGracePeriodSeconds": 0,
    "enableExecuteCommand": False,
    "enableECSManagedTags": False,
    "propagateTags": "NONE",
    "availabilityZoneRebalancing": "DISABLED",
    "schedulingStrategy": "REPLICA",
}


def service(body: Body, managed: Sequence[str]) -> dict[str, Any]:
    """A service in the form that is compared: the managed members only.

    C(networkConfiguration.securityGroups) in managed says that the security groups are compared too: where none is
    given, AWS takes the network's own.
    """
    kept: dict[str, Any] = {**SERVICE_DEFAULTS, **drop_none(body)}
    kept["cluster"] = last_part(kept.get("cluster", kept.get("clusterArn")))
    kept["taskDefinition"] = revision_of(kept.get("taskDefinition"))
    kept["capacityProviderStrategy"] = [
        {"weight": 0, "base": 0, **item} for item in by(kept.get("capacityProviderStrategy"), "capacityProvider")
    ]
    if kept["capacityProviderStrategy"]:
        kept.pop("launchType", None)
    kept["deploymentConfiguration"] = _deployment_configuration(kept.get("deploymentConfiguration") or {})
    kept["networkConfiguration"] = _network(kept.get("networkConfiguration") or {}, managed)
    kept["loadBalancers"] = by(kept.get("loadBalancers"), "targetGroupArn", "containerName")
    kept["serviceRegistries"] = by(kept.get("serviceRegistries"), "registryArn")
    kept["placementConstraints"] = by(kept.get("placementConstraints"), "type", "expression")
    return dict(drop_empty({key: kept.get(key) for key in managed if "." not in key}))


def drop_none(body: Body) -> dict[str, Any]:
    """The members that have a value."""
    return {key: value for key, value in body.items() if value is not None}


def revision_of(definition_arn: Any) -> Any:
    """C(family:revision) of a task definition's ARN; a value that is known after apply stays as it is."""
    if not isinstance(definition_arn, str) or is_unknown(definition_arn):
        return definition_arn
    return definition_arn.rsplit("/", 1)[-1]


def _network(configuration: Body, managed: Sequence[str]) -> dict[str, Any]:
    vpc = configuration.get("awsvpcConfiguration")
    if not vpc:
        return {}
    body = {"subnets": sorted(vpc.get("subnets") or ()), "assignPublicIp": vpc.get("assignPublicIp", "DISABLED")}
    if "networkConfiguration.securityGroups" in managed:
        body["securityGroups"] = sorted(vpc.get("securityGroups") or ())
    return {"awsvpcConfiguration": body}


def _deployment_configuration(configuration: Body) -> dict[str, Any]:
    body = {
        "strategy": "ROLLING",
        "minimumHealthyPercent": 100,
        "maximumPercent": 200,
        "bakeTimeInMinutes": 0,
        **drop_none(configuration),
    }
    breaker = {**BREAKER_DEFAULTS, **drop_none(body.get("deploymentCircuitBreaker") or {})}
    if breaker["enable"]:
        breaker["thresholdConfiguration"] = breaker.get("thresholdConfiguration") or dict(THRESHOLD_DEFAULTS)
    else:
        breaker = {"enable": False, "rollback": False}
    alarms = {**ALARM_DEFAULTS, **drop_none(body.get("alarms") or {})}
    hooks = [_hook(hook) for hook in body.get("lifecycleHooks") or ()]
    return {
        **body,
        "deploymentCircuitBreaker": breaker,
        "alarms": {**alarms, "alarmNames": sorted(alarms["alarmNames"])},
        "lifecycleHooks": by(hooks, "targetType", "hookTargetArn", "lifecycleStages"),
    }


def _hook(hook: Body) -> dict[str, Any]:
    body = {"targetType": "AWS_LAMBDA", **drop_none(hook)}
    body["lifecycleStages"] = sorted(body.get("lifecycleStages") or ())
    if body["targetType"] == "PAUSE":
        body["timeoutConfiguration"] = {**HOOK_TIMEOUT_DEFAULTS, **(body.get("timeoutConfiguration") or {})}
    return body
