# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring wanted and found bodies of container groups into the one flat form that is compared. Pure and idempotent.

Flat: C(properties) are lifted to the top, those of a container too, and what a container asks of the machine stands
under C(resources) by container name, because it is what cannot be changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..compare import drop_empty
from .secrets import MARK

Body = dict[str, Any]

# What a user can set (API 2025-09-01). Everything else in an answer is Azure's own account of the group.
PROPERTIES = (
    "osType",
    "sku",
    "priority",
    "restartPolicy",
    "containers",
    "initContainers",
    "imageRegistryCredentials",
    "volumes",
    "secretReferences",
    "ipAddress",
    "subnetIds",
    "dnsConfig",
    "diagnostics",
    "encryptionProperties",
    "extensions",
    "confidentialComputeProperties",
    "identityAcls",
    "containerGroupProfile",
    "standbyPoolProfile",
)
CONTAINER = (
    "image",
    "command",
    "ports",
    "environmentVariables",
    "volumeMounts",
    "livenessProbe",
    "readinessProbe",
    "securityContext",
    "configMap",
)
DEFAULTS = {"osType": "Linux", "sku": "Standard", "priority": "Regular", "restartPolicy": "Always"}
PROBE_DEFAULTS = {"periodSeconds": 10, "failureThreshold": 3, "successThreshold": 1, "timeoutSeconds": 1}
SPELLINGS = {
    word.lower(): word
    for word in (
        *("Linux", "Windows", "Standard", "Dedicated", "Confidential", "Regular", "Spot", "Always", "OnFailure"),
        *("Never", "Public", "Private", "TCP", "UDP", "ContainerInsights", "ContainerInstanceLogs", "Unsecure"),
    )
}


def container_group(body: Mapping[str, Any]) -> Body:
    """A group in the form that is compared. C(release) is our own field, see resources.py."""
    properties = {key: body[key] for key in PROPERTIES if key in body} | dict(body.get("properties") or {})
    flat: Body = {**DEFAULTS, **_given(properties, PROPERTIES)}
    flat |= {key: _spelled(flat[key]) for key in DEFAULTS}
    flat["location"] = _location(body.get("location"))
    flat["zones"] = sorted(str(zone) for zone in body.get("zones") or ())
    flat["identity"] = _identity(body.get("identity") or {})
    flat["release"] = body.get("release")
    containers = flat.get("containers") or []
    flat["resources"] = dict(body.get("resources") or {}) or {item["name"]: _resources(item) for item in containers}
    for key, step in _STEPS.items():
        if flat.get(key):
            flat[key] = step(flat[key])
    return dict(drop_empty(flat))


def container_group_profile(body: Mapping[str, Any]) -> Body:
    """A profile in the form that is compared: a group without what profiles do not have."""
    flat = container_group(body)
    return {key: value for key, value in flat.items() if key != "release"}


def _given(values: Mapping[str, Any], keys: tuple[str, ...]) -> Body:
    return {key: values[key] for key in keys if values.get(key) is not None}


def _spelled(value: Any) -> Any:
    return SPELLINGS.get(str(value).lower(), value)


def _location(value: Any) -> Any:
    return str(value).replace(" ", "").lower() if value else None


def _identity(identity: Mapping[str, Any]) -> Body:
    kinds = sorted(kind.strip().lower() for kind in str(identity.get("type") or "None").split(","))
    if kinds == ["none"]:
        return {}
    users = sorted(str(name).lower() for name in identity.get("userAssignedIdentities") or ())
    return {"type": ", ".join(kinds), "userAssignedIdentities": users}


# ---- containers


def _containers(containers: list[Body]) -> list[Body]:
    return [_container(item) for item in containers]


def _container(container: Body) -> Body:
    settings = {**container, **dict(container.get("properties") or {})}
    flat = {"name": container["name"], **_given(settings, CONTAINER)}
    for key, step in _CONTAINER_STEPS.items():
        if flat.get(key):
            flat[key] = step(flat[key])
    return flat


def _resources(container: Body) -> Body:
    """What the container asks for, numbers as numbers."""
    described = (container.get("properties") or container).get("resources") or {}
    return {kind: _amounts(described[kind]) for kind in ("requests", "limits") if described.get(kind)}


def _amounts(amounts: Mapping[str, Any]) -> Body:
    flat: Body = {key: float(amounts[key]) for key in ("cpu", "memoryInGB") if amounts.get(key) is not None}
    if amounts.get("gpu"):
        flat["gpu"] = {"count": int(amounts["gpu"]["count"]), "sku": str(amounts["gpu"]["sku"]).upper()}
    return flat


def _variables(variables: list[Body]) -> list[Body]:
    return sorted((_variable(item) for item in variables), key=lambda item: str(item["name"]))


def _variable(variable: Body) -> Body:
    """A variable without a readable value is a secret one: Azure gives back its name only."""
    if variable.get("value") is not None:
        return {"name": variable["name"], "value": str(variable["value"])}
    if variable.get("secureValueReference") is not None:
        return {"name": variable["name"], "secureValueReference": variable["secureValueReference"]}
    return {"name": variable["name"], "secureValue": MARK}


def _ports(ports: list[Body]) -> list[Body]:
    spelled = [{"port": int(item["port"]), "protocol": _spelled(item.get("protocol") or "TCP")} for item in ports]
    return sorted(spelled, key=lambda item: (item["port"], str(item["protocol"])))


def _probe(probe: Body) -> Body:
    flat = {**PROBE_DEFAULTS, **{key: value for key, value in probe.items() if value is not None}}
    http = flat.get("httpGet")
    if http:
        scheme = str(http.get("scheme") or "http").lower()
        flat["httpGet"] = {**http, "port": int(http["port"]), "path": http.get("path") or "/", "scheme": scheme}
    return flat


def _volume_mounts(mounts: list[Body]) -> list[Body]:
    flat = [{**mount, "readOnly": bool(mount.get("readOnly"))} for mount in mounts]
    return sorted(flat, key=lambda mount: str(mount["mountPath"]))


# ---- the rest of a group


def _volumes(volumes: list[Body]) -> list[Body]:
    return [_volume(item) for item in volumes]


def _volume(volume: Body) -> Body:
    flat: Body = {"name": volume["name"]}
    if volume.get("azureFile"):
        share = volume["azureFile"]
        flat["azureFile"] = {
            "shareName": share["shareName"],
            "storageAccountName": share["storageAccountName"],
            "readOnly": bool(share.get("readOnly")),
            "storageAccountKeyReference": share.get("storageAccountKeyReference"),
        }
    # An empty object says which kind of volume it is, and empty values are dropped at the end.
    for kind in ("emptyDir", "secret"):
        if volume.get(kind) is not None:
            flat[kind] = MARK if kind == "secret" else True
    return flat | {kind: volume[kind] for kind in ("secretReference", "gitRepo") if volume.get(kind)}


def _registries(registries: list[Body]) -> list[Body]:
    flat = [
        {
            "name": str(item.get("server") or item.get("name")),
            "username": item.get("username"),
            "passwordReference": item.get("passwordReference"),
            "identity": str(item["identity"]).lower() if item.get("identity") else None,
            "identityUrl": item.get("identityUrl"),
        }
        for item in registries
    ]
    return sorted(flat, key=lambda item: str(item["name"]))


def _address(address: Body) -> Body:
    scope = _spelled(address.get("autoGeneratedDomainNameLabelScope") or "Unsecure")
    return {
        "type": _spelled(address["type"]),
        "ports": _ports(address.get("ports") or []),
        "dnsNameLabel": address.get("dnsNameLabel"),
        "autoGeneratedDomainNameLabelScope": None if scope == "Unsecure" else scope,
    }


def _subnets(subnets: list[Any]) -> list[str]:
    return sorted(str(item["id"] if isinstance(item, Mapping) else item).lower() for item in subnets)


def _diagnostics(diagnostics: Body) -> Body:
    workspace = diagnostics.get("logAnalytics") or {}
    if not workspace:
        return {}
    log_type = _spelled(workspace.get("logType") or "ContainerInsights")
    return {"logAnalytics": {"workspaceId": str(workspace["workspaceId"]).lower(), "logType": log_type}}


def _references(references: list[Body]) -> list[Body]:
    flat = [{**item, "identity": str(item["identity"]).lower()} for item in references]
    return sorted(flat, key=lambda item: str(item["name"]))


_CONTAINER_STEPS: dict[str, Callable[[Any], Any]] = {
    "environmentVariables": _variables,
    "ports": _ports,
    "livenessProbe": _probe,
    "readinessProbe": _probe,
    "volumeMounts": _volume_mounts,
}
_STEPS: dict[str, Callable[[Any], Any]] = {
    "containers": _containers,
    "initContainers": _containers,
    "volumes": _volumes,
    "imageRegistryCredentials": _registries,
    "ipAddress": _address,
    "subnetIds": _subnets,
    "diagnostics": _diagnostics,
    "secretReferences": _references,
}
# What only delete and create can change, in the flat form.
IMMUTABLE = (
    "location",
    "zones",
    "osType",
    "sku",
    "priority",
    "restartPolicy",
    "resources",
    "subnetIds",
    "ipAddress.type",
    "ipAddress.ports",
    "confidentialComputeProperties",
)
