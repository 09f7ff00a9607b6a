# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a deployment to the bodies of the ECS and CloudWatch Logs APIs. Pure: no call, no clock, no SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..compare import drop_empty, merge
from ..deployment import sidecar
from ..deployment.model import Deployment
from ..release import DEPLOYMENT, SHARED
from ..resource import Wanted
from ..unknown import Ref
from .containers import CONTAINER, VOLUME, containers
from .options import EcsPlatform, Efs, LoadBalancer
from .strategy import HOOK_STAGE, hook_minutes, is_blue_green, update_strategy

Ecs = Deployment[EcsPlatform]

CLUSTER, LOG_GROUP, TASK_DEFINITION, SERVICE = "cluster", "log_group", "task_definition", "service"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a deployment's resources."""

    cluster: str
    service: str
    family: str
    log_group: str

    @classmethod
    def of(cls, deployment: Ecs) -> Names:
        platform = deployment.platform
        return cls(
            cluster=platform.cluster,
            service=platform.service or deployment.name,
            family=platform.family or deployment.name,
            log_group=platform.log_group or f"/ecs/{deployment.name}",
        )


def bundle(deployment: Ecs, region: str) -> list[Wanted]:
    """The resources of a deployment in the order in which they are made. Overrides are merged in."""
    names = Names.of(deployment)
    tags = {**deployment.tags, DEPLOYMENT: deployment.name}

    def wanted(key: str, name: str, body: Mapping[str, Any], **more: Any) -> Wanted:
        merged = merge(body, deployment.overrides.get(key) or {})
        return Wanted(**{"key": key, "name": name, "body": merged, "tags": tags, **more})

    shared = {"tags": {**deployment.tags, SHARED: "true"}, "shared": True}
    return [
        wanted(CLUSTER, names.cluster, cluster(deployment), **shared),
        wanted(LOG_GROUP, names.log_group, log_group(deployment)),
        wanted(TASK_DEFINITION, names.family, task_definition(deployment, region)),
        wanted(SERVICE, names.service, service(deployment)),
    ]


def cluster(deployment: Ecs) -> dict[str, Any]:
    """CreateCluster. Only what the deployment needs: the providers it uses, the setting it names."""
    platform = deployment.platform
    insights = platform.container_insights
    body = {
        "clusterName": platform.cluster,
        "settings": [{"name": "containerInsights", "value": insights}] if insights else None,
        "capacityProviders": sorted(item.capacity_provider for item in platform.capacity_provider_strategy),
    }
    return {key: value for key, value in body.items() if value}


def log_group(deployment: Ecs) -> dict[str, Any]:
    """CreateLogGroup and PutRetentionPolicy."""
    return {"logGroupName": Names.of(deployment).log_group, "retentionInDays": deployment.logging.retention_days}


def task_definition(deployment: Ecs, region: str) -> dict[str, Any]:
    """RegisterTaskDefinition. Task sizes are set on the task, in CPU units and MiB."""
    platform = deployment.platform
    body: dict[str, Any] = {
        "family": Names.of(deployment).family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": [platform.compatibility],
        "runtimePlatform": {"cpuArchitecture": platform.cpu_architecture, "operatingSystemFamily": "LINUX"},
        "cpu": str(round(deployment.resources.cpu * 1024)),
        "memory": str(round(deployment.resources.memory_gib * 1024)),
        "executionRoleArn": platform.execution_role,
        "taskRoleArn": platform.task_role,
        "containerDefinitions": containers(deployment, region, Names.of(deployment).log_group),
    }
    if deployment.storage.mode != "baked" and platform.efs is not None:
        body["volumes"] = [_efs_volume(platform.efs)]
    if platform.ephemeral_storage_gib is not None:
        body["ephemeralStorage"] = {"sizeInGiB": platform.ephemeral_storage_gib}
    return {key: value for key, value in body.items() if value is not None}


def _efs_volume(efs: Efs) -> dict[str, Any]:
    authorization = {"accessPointId": efs.access_point_id, "iam": "ENABLED" if efs.iam else "DISABLED"}
    body = {
        "fileSystemId": efs.file_system_id,
        "rootDirectory": efs.root_directory if efs.access_point_id is None else None,
        "transitEncryption": "ENABLED",
        "authorizationConfig": authorization,
    }
    return {"name": VOLUME, "efsVolumeConfiguration": drop_empty(body)}


def service(deployment: Ecs) -> dict[str, Any]:
    """CreateService. Every field that we own is named, empty lists too, so that drift is seen and taken back."""
    platform, names = deployment.platform, Names.of(deployment)
    body: dict[str, Any] = {
        "cluster": names.cluster,
        "serviceName": names.service,
        "taskDefinition": Ref(TASK_DEFINITION),
        # The count to create with; afterwards it is compared only where no autoscaler owns it.
        "desiredCount": max(1, deployment.scaling.min),
        "capacityProviderStrategy": [
            {"capacityProvider": item.capacity_provider, "weight": item.weight, "base": item.base}
            for item in platform.capacity_provider_strategy
        ],
        "networkConfiguration": {"awsvpcConfiguration": _network(platform)},
        "loadBalancers": [_load_balancer(deployment, item) for item in platform.load_balancers],
        "serviceRegistries": [
            drop_empty({"registryArn": item.registry_arn, "port": item.port}) for item in platform.service_registries
        ],
        "deploymentConfiguration": deployment_configuration(deployment),
        "placementConstraints": [
            drop_empty({"type": item.type, "expression": item.expression}) for item in platform.placement_constraints
        ],
        "placementStrategy": [
            drop_empty({"type": item.type, "field": item.field}) for item in platform.placement_strategy
        ],
        "availabilityZoneRebalancing": "ENABLED" if platform.availability_zone_rebalancing else "DISABLED",
        "enableExecuteCommand": platform.enable_execute_command,
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "healthCheckGracePeriodSeconds": platform.health_check_grace_period,
        "platformVersion": platform.platform_version,
    }
    if not platform.capacity_provider_strategy:
        body["launchType"] = platform.compatibility
    return {key: value for key, value in body.items() if value is not None}


def _network(platform: EcsPlatform) -> dict[str, Any]:
    body: dict[str, Any] = {
        "subnets": list(platform.subnets),
        "assignPublicIp": "ENABLED" if platform.assign_public_ip else "DISABLED",
    }
    if platform.security_groups:
        body["securityGroups"] = list(platform.security_groups)
    return body


def serving_container(deployment: Ecs) -> str:
    """The container that clients reach."""
    return CONTAINER if deployment.sidecar is None else sidecar.NAME


def _load_balancer(deployment: Ecs, item: LoadBalancer) -> dict[str, Any]:
    body: dict[str, Any] = {
        "targetGroupArn": item.target_group_arn,
        "containerName": serving_container(deployment),
        "containerPort": deployment.network.port,
    }
    if item.alternate_target_group_arn:
        body["advancedConfiguration"] = drop_empty(
            {
                "alternateTargetGroupArn": item.alternate_target_group_arn,
                "productionListenerRule": item.production_listener_rule_arn,
                "testListenerRule": item.test_listener_rule_arn,
                "roleArn": item.role_arn,
            }
        )
    return body


def deployment_configuration(deployment: Ecs) -> dict[str, Any]:
    """How ECS replaces a release: see docs/decisions/ecs-surge."""
    platform = deployment.platform
    stop_first = update_strategy(deployment) == "stop_first"
    least, most = (0, 100) if stop_first else (100, 200)
    body: dict[str, Any] = {
        "strategy": "BLUE_GREEN" if is_blue_green(deployment) else "ROLLING",
        "minimumHealthyPercent": _given(platform.minimum_healthy_percent, least),
        "maximumPercent": _given(platform.maximum_percent, most),
        "deploymentCircuitBreaker": _breaker(platform),
        "lifecycleHooks": [
            {
                "targetType": "AWS_LAMBDA",
                "hookTargetArn": hook.hook_target_arn,
                "roleArn": hook.role_arn,
                "lifecycleStages": list(hook.lifecycle_stages),
            }
            for hook in platform.lifecycle_hooks
        ],
    }
    alarmed = bool(platform.deployment_alarms)
    body["alarms"] = {"alarmNames": list(platform.deployment_alarms), "enable": alarmed, "rollback": alarmed}
    if is_blue_green(deployment):
        body["bakeTimeInMinutes"] = platform.bake_time
        body["lifecycleHooks"].append(
            {
                "targetType": "PAUSE",
                "lifecycleStages": [HOOK_STAGE],
                "timeoutConfiguration": {"timeoutInMinutes": hook_minutes(deployment), "action": "ROLLBACK"},
            }
        )
    return body


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


def _breaker(platform: EcsPlatform) -> dict[str, Any]:
    breaker = platform.circuit_breaker
    body: dict[str, Any] = {"enable": breaker.enable, "rollback": breaker.enable and breaker.rollback}
    if breaker.enable and breaker.threshold_type is not None:
        body["thresholdConfiguration"] = {"type": breaker.threshold_type, "value": breaker.threshold_value}
    return body
