# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a deployment to the bodies of the ECS and CloudWatch Logs APIs. Pure: no call, no clock, no SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..compare import drop_empty, merge
from ..deployment.environment import ollama_environment
from ..deployment.model import Deployment, Secret
from ..deployment.seeding import SEED, seed_arguments, seed_environment, seed_secrets, seeds, server_secrets
from ..release import DEPLOYMENT, SHARED
from ..resource import Wanted
from ..unknown import Ref
from .options import EcsPlatform, Efs, LoadBalancer
from .strategy import HOOK_STAGE, hook_minutes, is_blue_green, update_strategy

Ecs = Deployment[EcsPlatform]

CONTAINER = "ollama"
VOLUME = "models"
OLLAMA = "/bin/ollama"
TMP = "/tmp"  # noqa: S108 - the path inside the container
OPEN_FILES = 65536
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
        "containerDefinitions": [_container(deployment, region), *_seed(deployment, region)],
    }
    if deployment.storage.mode != "baked" and platform.efs is not None:
        body["volumes"] = [_efs_volume(platform.efs)]
    if platform.ephemeral_storage_gib is not None:
        body["ephemeralStorage"] = {"sizeInGiB": platform.ephemeral_storage_gib}
    return {key: value for key, value in body.items() if value is not None}


def _container(deployment: Ecs, region: str) -> dict[str, Any]:
    body = {
        "name": CONTAINER,
        "image": deployment.image,
        "essential": True,
        **_hardened(deployment),
        "environment": _plain(ollama_environment(deployment)),
        "secrets": _secrets(server_secrets(deployment)),
        "portMappings": [{"containerPort": deployment.network.port, "protocol": "tcp"}],
        "mountPoints": _mounts(deployment, read_only=seeds(deployment)),
        "resourceRequirements": _gpu(deployment),
        "ulimits": [{"name": "nofile", "softLimit": OPEN_FILES, "hardLimit": OPEN_FILES}],
        "stopTimeout": deployment.platform.stop_timeout,
        "healthCheck": health_check(deployment),
        "logConfiguration": _log(deployment, region),
        "dependsOn": [{"containerName": SEED, "condition": "SUCCESS"}] if seeds(deployment) else [],
    }
    return dict(drop_empty(body))


def _seed(deployment: Ecs, region: str) -> list[dict[str, Any]]:
    """The container that fills the volume and ends. Without startTimeout, of which Fargate has 120 seconds at most."""
    seed = deployment.storage.seed
    if seed is None or not seeds(deployment):
        return []
    body = {
        "name": SEED,
        "image": seed.image,
        "essential": False,
        "entryPoint": list(seed.command),
        "command": seed_arguments(deployment),
        **_hardened(deployment),
        "environment": _plain(seed_environment()),
        "secrets": _secrets(seed_secrets(deployment)),
        "mountPoints": _mounts(deployment, read_only=False),
        "logConfiguration": _log(deployment, region),
    }
    return [dict(drop_empty(body))]


def _hardened(deployment: Ecs) -> dict[str, Any]:
    """What all our containers may do, the same for each."""
    platform, storage = deployment.platform, deployment.storage
    return {
        "user": f"{storage.uid}:{storage.gid}",
        "readonlyRootFilesystem": platform.read_only_root,
        "dockerSecurityOptions": ["no-new-privileges"] if platform.no_new_privileges else [],
        "linuxParameters": {
            "capabilities": {"drop": ["ALL"]} if platform.drop_capabilities else {},
            "initProcessEnabled": True,
            # Ollama writes its key pair and the CUDA cache below HOME, which lies in /tmp.
            "tmpfs": [{"containerPath": TMP, "size": platform.tmp_mib, "mountOptions": ["rw", "nosuid", "nodev"]}],
        },
    }


def _plain(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(environment.items())]


def _secrets(secrets: Iterable[Secret]) -> list[dict[str, str | None]]:
    return [{"name": secret.name, "valueFrom": secret.reference} for secret in secrets]


def _mounts(deployment: Ecs, *, read_only: bool) -> list[dict[str, Any]]:
    if deployment.storage.mode == "baked":
        return []
    return [{"sourceVolume": VOLUME, "containerPath": deployment.storage.path, "readOnly": read_only}]


def _log(deployment: Ecs, region: str) -> dict[str, Any]:
    return {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": Names.of(deployment).log_group,
            "awslogs-region": region,
            "awslogs-stream-prefix": deployment.name,
        },
    }


def health_check(deployment: Ecs) -> dict[str, Any]:
    """The container health check: no shell, no curl. See docs/decisions/ecs-health-check.

    With baked models the main model must be there; on a volume it may arrive after the start: the server must answer.
    """
    check = deployment.platform.health_check
    baked = deployment.storage.mode == "baked"
    # Without models nothing is deployed: a stop, a rollback or a removal names none.
    named = baked and deployment.models
    asked = ["CMD", OLLAMA, "show", deployment.main_model.name] if named else ["CMD", OLLAMA, "ps"]
    return {
        "command": list(check.command) or asked,
        "interval": check.interval,
        "timeout": check.timeout,
        "retries": check.retries,
        "startPeriod": check.start_period,
    }


def _gpu(deployment: Ecs) -> list[dict[str, Any]]:
    gpu = deployment.resources.gpu
    if gpu is None:
        return []
    if gpu.sharing is None:
        return [{"type": "GPU", "value": str(gpu.count)}]
    share = {"memory": gpu.sharing.memory_mib, "maxComputePercent": gpu.sharing.max_compute_percent}
    return [{"type": "GPU", "sharingStrategy": {"nvidiaMps": drop_empty(share)}}]


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


def _load_balancer(deployment: Ecs, item: LoadBalancer) -> dict[str, Any]:
    body: dict[str, Any] = {
        "targetGroupArn": item.target_group_arn,
        "containerName": CONTAINER,
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
