# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate a deployment into the body of a container group, in the shape of API 2025-09-01. Pure.

The body may hold secret values; C(secrets.take_secrets) parts them from it before anything is planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..deployment.environment import ollama_environment
from ..deployment.model import Deployment, Secret
from ..deployment.seeding import SEED, seed_arguments, seed_environment, seed_secrets, seeds, server_secrets
from ..deployment.sidecar import LIVE, NAME, READY, sidecar_environment, sidecar_secrets
from .capabilities import DEFAULT_GPU_TYPE
from .options import AciPlatform, InitContainer, Registry, Sidecar

Body = dict[str, Any]
Asked = tuple[str, int]  # path and port of a probe
Aci = Deployment[AciPlatform]

CONTAINER = "ollama"
VOLUME = "models"
FILES_KEY_SECRET = "azure-files-key"  # noqa: S105 - the name of a reference
HEALTH = "/api/version"
# The API answers before a model is loaded, so these need no allowance for loading.
READINESS = {"initialDelaySeconds": 2, "periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5}
LIVENESS = {"initialDelaySeconds": 60, "periodSeconds": 30, "failureThreshold": 5, "timeoutSeconds": 10}


def container_group(deployment: Aci) -> Body:
    """The whole body of the group, without tags and name."""
    platform = deployment.platform
    body: Body = {"location": platform.location, "properties": _properties(deployment)}
    if platform.zones:
        body["zones"] = list(platform.zones)
    identity = _identity(platform)
    if identity:
        body["identity"] = identity
    return body


def _properties(deployment: Aci) -> Body:
    platform = deployment.platform
    others = (_sidecar(deployment, item) for item in platform.sidecars)
    properties: Body = {
        "osType": "Linux",
        "sku": "Standard",
        "priority": platform.priority,
        "restartPolicy": platform.restart_policy,
        "containers": [_ollama(deployment), *_front(deployment), *others],
    }
    optional: Body = {
        "initContainers": _init_containers(deployment),
        "imageRegistryCredentials": [_registry(item) for item in platform.registries],
        "volumes": _volumes(deployment),
        "secretReferences": _secret_references(deployment),
        "ipAddress": _address(deployment),
        "subnetIds": [{"id": platform.subnet_id}] if platform.subnet_id else [],
        "dnsConfig": {"nameServers": list(platform.dns_servers)} if platform.dns_servers else {},
        "diagnostics": _diagnostics(platform),
    }
    return {**properties, **{key: value for key, value in optional.items() if value}}


def _identity(platform: AciPlatform) -> Body:
    kinds = []
    if platform.identity.system_assigned:
        kinds.append("SystemAssigned")
    if platform.identity.user_assigned:
        kinds.append("UserAssigned")
    if not kinds:
        return {}
    identity: Body = {"type": ", ".join(kinds)}
    if platform.identity.user_assigned:
        identity["userAssignedIdentities"] = {name: {} for name in platform.identity.user_assigned}
    return identity


# ---- containers


def _ollama(deployment: Aci) -> Body:
    settings: Body = {
        "image": deployment.image,
        "environmentVariables": _variables(ollama_environment(deployment), server_secrets(deployment)),
        "resources": {"requests": _requests(deployment)},
    }
    if deployment.sidecar is None:
        settings |= _reached((HEALTH, deployment.network.port), (HEALTH, deployment.network.port))
    mounts = _mounts(deployment, True)
    if mounts:
        settings["volumeMounts"] = mounts
    return {"name": CONTAINER, "properties": settings}


def _front(deployment: Aci) -> list[Body]:
    """The sidecar that clients reach. The probes are its own: Ollama is on loopback, where none can go."""
    sidecar = deployment.sidecar
    if sidecar is None:
        return []
    settings: Body = {
        "image": sidecar.image,
        "environmentVariables": _variables(sidecar_environment(deployment, sidecar), sidecar_secrets(deployment)),
        "resources": {"requests": {"cpu": sidecar.cpu, "memoryInGB": sidecar.memory_gib}},
        **_reached((LIVE, sidecar.metrics_port), (READY, deployment.network.port)),
    }
    return [{"name": NAME, "properties": settings}]


def _reached(live: Asked, ready: Asked) -> Body:
    """The ports of the container that clients reach, and its probes.

    Behind a sidecar liveness is asked where clients cannot take all connections.
    """
    alive, serves = ({"httpGet": {"path": path, "port": port, "scheme": "http"}} for path, port in (live, ready))
    return {
        "ports": [{"port": port, "protocol": "TCP"} for port in dict.fromkeys((ready[1], live[1]))],
        "readinessProbe": {**serves, **READINESS},
        "livenessProbe": {**alive, **LIVENESS},
    }


def _variables(environment: Mapping[str, str], secrets: Iterable[Secret]) -> list[Body]:
    return [*_plain(environment), *map(_secret, secrets)]


def _requests(deployment: Aci) -> Body:
    wanted = deployment.resources
    requests: Body = {"cpu": wanted.cpu, "memoryInGB": wanted.memory_gib}
    if wanted.gpu is not None:
        requests["gpu"] = {"count": wanted.gpu.count, "sku": wanted.gpu.type or DEFAULT_GPU_TYPE}
    return requests


def _plain(environment: Mapping[str, str]) -> list[Body]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def _secret(secret: Secret) -> Body:
    if secret.reference is not None:
        return {"name": secret.name, "secureValueReference": reference_name(secret.name)}
    return {"name": secret.name, "secureValue": secret.value}


def reference_name(variable: str) -> str:
    """The name under which a group knows a Key Vault secret: lower-case letters, digits and hyphens."""
    return f"secret-{variable.lower().replace('_', '-')}"


def _sidecar(deployment: Aci, sidecar: Sidecar) -> Body:
    settings = _extra(deployment, sidecar)
    settings["resources"] = {"requests": {"cpu": sidecar.cpu, "memoryInGB": sidecar.memory_gib}}
    if sidecar.ports:
        settings["ports"] = [{"port": port, "protocol": "TCP"} for port in sidecar.ports]
    return {"name": sidecar.name, "properties": settings}


def _extra(deployment: Aci, container: InitContainer | Sidecar) -> Body:
    """What init containers and sidecars have in common."""
    settings: Body = {"image": container.image}
    if container.command:
        settings["command"] = list(container.command)
    if container.environment:
        settings["environmentVariables"] = _plain(dict(sorted(container.environment.items())))
    mounts = _mounts(deployment, container.mount_models)
    if mounts:
        settings["volumeMounts"] = mounts
    return settings


def _init_containers(deployment: Aci) -> list[Body]:
    containers = [
        {"name": item.name, "properties": _extra(deployment, item)} for item in deployment.platform.init_containers
    ]
    return [*_seed(deployment), *containers]


def _seed(deployment: Aci) -> list[Body]:
    """The container that fills the share and ends."""
    seed = deployment.storage.seed
    if seed is None or not seeds(deployment):
        return []
    settings: Body = {
        "image": seed.image,
        "command": [*seed.command, *seed_arguments(deployment)],
        "environmentVariables": _variables(seed_environment(), seed_secrets(deployment)),
        "volumeMounts": [{"name": VOLUME, "mountPath": deployment.storage.path, "readOnly": False}],
    }
    return [{"name": SEED, "properties": settings}]


# ---- volumes, network, logs


def _mounts(deployment: Aci, wanted: bool) -> list[Body]:
    files = deployment.platform.azure_files
    if not wanted or files is None or deployment.storage.mode == "baked":
        return []
    read_only = files.read_only or seeds(deployment)
    return [{"name": VOLUME, "mountPath": deployment.storage.path, "readOnly": read_only}]


def _volumes(deployment: Aci) -> list[Body]:
    files = deployment.platform.azure_files
    if files is None or deployment.storage.mode == "baked":
        return []
    share: Body = {
        "shareName": files.share_name,
        "storageAccountName": files.account_name,
        "readOnly": files.read_only,
    }
    if files.account_key_reference is not None:
        share["storageAccountKeyReference"] = FILES_KEY_SECRET
    else:
        share["storageAccountKey"] = files.account_key
    return [{"name": VOLUME, "azureFile": share}]


def _secret_references(deployment: Aci) -> list[Body]:
    identity = deployment.platform.key_vault_identity
    addresses = {reference_name(s.name): s.reference for s in deployment.secrets if s.reference is not None}
    files = deployment.platform.azure_files
    if files is not None and files.account_key_reference is not None and deployment.storage.mode != "baked":
        addresses[FILES_KEY_SECRET] = files.account_key_reference
    return [{"name": name, "identity": identity, "secretReferenceUri": address} for name, address in addresses.items()]


def _registry(registry: Registry) -> Body:
    if registry.identity is not None:
        return {"server": registry.server, "identity": registry.identity}
    return {"server": registry.server, "username": registry.username, "password": registry.password}


def published_ports(deployment: Aci) -> tuple[int, ...]:
    """The ports of the group's address: that of clients, then the sidecar's metrics, inside a network; in public those
    of the platform's sidecars that authenticate."""
    if deployment.network.exposure == "public":
        return tuple(port for sidecar in deployment.platform.sidecars for port in sidecar.ports)
    front = deployment.sidecar
    return (deployment.network.port, *((front.metrics_port,) if front is not None else ()))


def _address(deployment: Aci) -> Body:
    """A group has a public address, a private one in its subnet, or none (Spot)."""
    platform = deployment.platform
    public = deployment.network.exposure == "public"
    if not public and platform.subnet_id is None:
        return {}
    address: Body = {
        "type": "Public" if public else "Private",
        "ports": [{"port": port, "protocol": "TCP"} for port in published_ports(deployment)],
    }
    if public and platform.dns_name_label:
        address["dnsNameLabel"] = platform.dns_name_label
    return address


def _diagnostics(platform: AciPlatform) -> Body:
    logs = platform.log_analytics
    if logs is None:
        return {}
    workspace = {"workspaceId": logs.workspace_id, "workspaceKey": logs.workspace_key, "logType": logs.log_type}
    return {"logAnalytics": workspace}
