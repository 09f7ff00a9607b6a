# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cloud's API said of a replica, less what may hold a secret. Pure.

Only the fields named here pass, so a field that an API adds later stays out until someone has looked at it. Left out on
purpose: environments, secrets and their references, registry and volume credentials, commands, overrides, health check
commands, labels, log options, URLs that carry a token, and texts of events and errors, which may quote any of these.
Names are the API's own in snake_case, tags are a mapping, times are ISO 8601 in UTC.

ECS: Task and TaskDefinition of the API reference, 2014-11-13. Azure: container groups of API version
2025-09-01, container apps of 2026-07-01.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ..release import SECRETS
from ..shape import snake

# (name in the API, name in the answer, shape of what is inside or None for a plain value)
Shape: TypeAlias = "tuple[tuple[str, str, Shape | None], ...]"
SCALARS = (str, int, float, bool)


def _shape(*names: str, **nested: Shape) -> Shape:
    """The shape of an object: names of plain values, and of objects or lists of objects with their own shape."""
    plain: dict[str, Shape | None] = dict.fromkeys(names)
    return tuple((name, snake(name), inner) for name, inner in (plain | nested).items())


_VOLUME_MOUNT = _shape("sourceVolume", "containerPath", "readOnly")
_TASK = _shape(
    *("availabilityZone", "capacityProviderName", "clusterArn", "connectivity", "connectivityAt"),
    *("containerInstanceArn", "cpu", "createdAt", "desiredStatus", "enableExecuteCommand", "executionStoppedAt"),
    *("group", "healthStatus", "lastStatus", "launchType", "memory", "platformFamily", "platformVersion"),
    *("pullStartedAt", "pullStoppedAt", "startedAt", "startedBy", "stopCode", "stoppedAt", "stoppingAt"),
    *("taskArn", "taskDefinitionArn", "version"),
    attachments=_shape("id", "type", "status", details=_shape("name", "value")),
    attributes=_shape("name", "value", "targetType", "targetId"),
    containers=_shape(
        *("containerArn", "cpu", "exitCode", "gpuIds", "healthStatus", "image", "imageDigest", "lastStatus"),
        *("memory", "memoryReservation", "name", "runtimeId", "taskArn"),
        managedAgents=_shape("name", "lastStatus", "lastStartedAt"),
        networkBindings=_shape(
            "bindIP", "containerPort", "containerPortRange", "hostPort", "hostPortRange", "protocol"
        ),
        networkInterfaces=_shape("attachmentId", "privateIpv4Address", "ipv6Address"),
    ),
    ephemeralStorage=_shape("sizeInGiB"),
    fargateEphemeralStorage=_shape("sizeInGiB"),
)
_DEFINITION = _shape(
    *("compatibilities", "cpu", "executionRoleArn", "family", "ipcMode", "memory", "networkMode", "pidMode"),
    *("registeredAt", "requiresCompatibilities", "revision", "status", "taskDefinitionArn", "taskRoleArn"),
    containerDefinitions=_shape(
        *("cpu", "essential", "image", "memory", "memoryReservation", "name", "privileged", "readonlyRootFilesystem"),
        *("startTimeout", "stopTimeout", "user", "versionConsistency"),
        dependsOn=_shape("containerName", "condition"),
        healthCheck=_shape("interval", "timeout", "retries", "startPeriod"),
        logConfiguration=_shape("logDriver"),
        mountPoints=_VOLUME_MOUNT,
        portMappings=_shape("appProtocol", "containerPort", "containerPortRange", "hostPort", "name", "protocol"),
        resourceRequirements=_shape("type", "value"),
    ),
    ephemeralStorage=_shape("sizeInGiB"),
    placementConstraints=_shape("type", "expression"),
    runtimePlatform=_shape("cpuArchitecture", "operatingSystemFamily"),
    volumes=_shape(
        "name",
        efsVolumeConfiguration=_shape(
            *("fileSystemId", "rootDirectory", "transitEncryption", "transitEncryptionPort"),
            authorizationConfig=_shape("accessPointId", "iam"),
        ),
        host=_shape("sourcePath"),
    ),
)

_RESOURCE = ("id", "name", "type", "location", "zones")
_ACI_SIZE = _shape("cpu", "memoryInGB", gpu=_shape("count", "sku"))
_ACI_STATE = _shape("state", "startTime", "finishTime", "exitCode")
_PORT = _shape("port", "protocol")
_GROUP = _shape(
    *_RESOURCE,
    identity=_shape("type"),
    properties=_shape(
        *("osType", "priority", "provisioningState", "restartPolicy", "sku"),
        containers=_shape(
            "name",
            properties=_shape(
                "image",
                instanceView=_shape("restartCount", currentState=_ACI_STATE, previousState=_ACI_STATE),
                ports=_PORT,
                resources=_shape(requests=_ACI_SIZE, limits=_ACI_SIZE),
                volumeMounts=_shape("name", "mountPath", "readOnly"),
            ),
        ),
        instanceView=_shape("state"),
        ipAddress=_shape("dnsNameLabel", "fqdn", "ip", "type", ports=_PORT),
        subnetIds=_shape("id", "name"),
        volumes=_shape("name", azureFile=_shape("shareName", "storageAccountName", "readOnly")),
    ),
)
_APP = _shape(
    *_RESOURCE,
    identity=_shape("type"),
    properties=_shape(
        *("environmentId", "latestReadyRevisionName", "latestRevisionName", "managedEnvironmentId"),
        *("outboundIpAddresses", "provisioningState", "runningStatus", "workloadProfileName"),
        configuration=_shape(
            *("activeRevisionsMode", "maxInactiveRevisions"),
            ingress=_shape(
                *("allowInsecure", "external", "fqdn", "targetPort", "transport"),
                traffic=_shape("label", "latestRevision", "revisionName", "weight"),
            ),
        ),
    ),
)
_REVISION = _shape(
    *("id", "name"),
    properties=_shape(
        *("active", "createdTime", "fqdn", "healthState", "lastActiveTime", "provisioningState", "replicas"),
        *("runningState", "trafficWeight"),
        template=_shape(
            containers=_shape(
                *("name", "image"),
                resources=_shape("cpu", "ephemeralStorage", "gpu", "memory"),
                volumeMounts=_shape("mountPath", "subPath", "volumeName"),
            ),
            scale=_shape("cooldownPeriod", "maxReplicas", "minReplicas", "pollingInterval"),
            volumes=_shape("name", "storageName", "storageType"),
        ),
    ),
)
_APP_REPLICA = _shape(
    *("id", "name"),
    properties=_shape(
        *("createdTime", "runningState"),
        containers=_shape("containerId", "name", "ready", "restartCount", "runningState", "started"),
    ),
)


def task_details(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task of DescribeTasks."""
    return _picked(task, _TASK) | {"tags": _tags({tag["key"]: tag.get("value", "") for tag in task.get("tags") or []})}


def definition_details(definition: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """The task definition of DescribeTaskDefinition, with its tags."""
    return _picked(definition, _DEFINITION) | {"tags": _tags(tags)}


def group_details(group: Mapping[str, Any]) -> dict[str, Any]:
    """A container group."""
    return _picked(group, _GROUP) | {"tags": _tags(group.get("tags") or {})}


def app_details(app: Mapping[str, Any]) -> dict[str, Any]:
    """A container app, without its template: a revision's own says what runs."""
    return _picked(app, _APP) | {"tags": _tags(app.get("tags") or {})}


def revision_details(revision: Mapping[str, Any]) -> dict[str, Any]:
    """A revision of a container app."""
    return _picked(revision, _REVISION)


def app_replica_details(replica: Mapping[str, Any]) -> dict[str, Any]:
    """A replica of a revision."""
    return _picked(replica, _APP_REPLICA)


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    """All but our digest of the secrets' values, which helps nobody who reads an inventory but one who guesses."""
    return {name: value for name, value in tags.items() if name != SECRETS}


def _picked(value: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    return dict(_pairs(value, shape))


def _pairs(value: Mapping[str, Any], shape: Shape) -> Iterator[tuple[str, Any]]:
    """What of an object is in the shape. An object or list of objects where a plain value belongs is left out."""
    for api, ours, inner in shape:
        found = value.get(api)
        if found is None:
            continue
        if isinstance(found, datetime):
            yield ours, utc_text(found)
        elif inner is None and (isinstance(found, SCALARS) or _all_plain(found)):
            yield ours, found
        elif inner is not None and isinstance(found, Mapping):
            yield ours, _picked(found, inner)
        elif inner is not None and isinstance(found, list):
            yield ours, [_picked(item, inner) for item in found if isinstance(item, Mapping)]


def _all_plain(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(item, SCALARS) for item in found)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC: botocore gives times in the zone of the machine that reads."""
    return moment.astimezone(UTC).isoformat()
