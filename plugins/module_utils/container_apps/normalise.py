# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring bodies of the Container Apps API into the one form that is compared. Pure and idempotent.

Both sides go through it: defaults that Azure fills in, order, case of ids and regions, C(4) or C(4.0), C(16Gi) or
C(16.0Gi), read-only fields and secret values (which Azure never returns) make no difference.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..compare import drop_empty
from .capabilities import CONSUMPTION, MOST_INACTIVE_REVISIONS
from .naming import location_key

Body = dict[str, Any]

# What Azure fills in where nothing was sent. Sources: docstrings of azure-mgmt-appcontainers 5.1.0; answers quoted in
# microsoft/azure-container-apps issues. A value equal to its default is dropped on both sides.
_PROBE = {"initialDelaySeconds": 0, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}
_PROBE_DEFAULTS = {**_PROBE, "successThreshold": 1, "terminationGracePeriodSeconds": 0}
_INGRESS_DEFAULTS = {
    "external": False,
    "allowInsecure": False,
    "exposedPort": 0,
    "transport": "auto",
    "clientCertificateMode": "ignore",
}
_SCALE_DEFAULTS = {"minReplicas": 0, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30}
_GRACE = 30
# What a container (an init container too) gets where it asks for nothing.
_CPU, _MEMORY_GIB = 0.5, 1.0
# The fields of API version 2026-07-01 that a caller may set. What else an answer holds is Azure's own (C(imageType),
# C(ephemeralStorage), fields of newer versions) and says nothing about drift. Source: azure-mgmt-appcontainers 5.1.0.
_CONFIGURATION = ("activeRevisionsMode", "maxInactiveRevisions", "dapr", "runtime", "service", "identitySettings")
_TEMPLATE = ("terminationGracePeriodSeconds", "serviceBinds")
_CONTAINER = ("name", "image", "command", "args")
_INGRESS = (
    *("external", "targetPort", "exposedPort", "transport", "customDomains", "allowInsecure", "stickySessions"),
    *("clientCertificateMode", "corsPolicy", "additionalPortMappings"),
)
_SCALE = ("minReplicas", "maxReplicas", "cooldownPeriod", "pollingInterval", "allowScalingRuleOverride")
_VOLUME = ("name", "storageType", "storageName", "secrets", "mountOptions")
_SHARE = ("accountName", "accountKey", "accountKeyVaultProperties", "accessMode", "shareName", "server")
LATEST = "latest revision"


def app(body: Mapping[str, Any]) -> Body:
    """A container app: the configuration and one template, whichever revision it is of."""
    properties = body.get("properties") or {}
    normal: Body = {
        "location": location_key(body.get("location")),
        "identity": identity(body.get("identity")),
        "properties": {
            "environmentId": resource_id(properties.get("environmentId") or properties.get("managedEnvironmentId")),
            "workloadProfileName": properties.get("workloadProfileName") or CONSUMPTION,
            "configuration": configuration(properties.get("configuration") or {}),
            "template": template(properties.get("template") or {}),
            # Set by us on a found body whose revision is not active; never wanted.
            "deactivated": properties.get("deactivated") or None,
        },
    }
    return _object(drop_empty(normal))


def configuration(body: Mapping[str, Any]) -> Body:
    """The part of an app that all its revisions share."""
    normal = _pick(body, _CONFIGURATION)
    normal["activeRevisionsMode"] = body.get("activeRevisionsMode") or "Single"
    _drop_defaults(normal, {"maxInactiveRevisions": MOST_INACTIVE_REVISIONS})
    normal["ingress"] = _ingress(body.get("ingress") or {})
    normal["secrets"] = _by(body.get("secrets"), "name", _secret)
    normal["registries"] = _by(body.get("registries"), "server", _registry)
    return _object(drop_empty(normal))


def template(body: Mapping[str, Any]) -> Body:
    """The template of a revision, without its suffix: two revisions with equal templates are the same release."""
    normal = _pick(body, _TEMPLATE)
    _drop_defaults(normal, {"terminationGracePeriodSeconds": _GRACE})
    normal["containers"] = [_container(item) for item in body.get("containers") or ()]
    normal["initContainers"] = [_container(item) for item in body.get("initContainers") or ()]
    normal["volumes"] = _by(body.get("volumes"), "name", _volume)
    normal["scale"] = _scale(body.get("scale") or {})
    return _object(drop_empty(normal))


def environment(body: Mapping[str, Any]) -> Body:
    """A managed environment: only what we manage of it."""
    properties = body.get("properties") or {}
    network = properties.get("vnetConfiguration") or {}
    logs = properties.get("appLogsConfiguration") or {}
    workspace = logs.get("logAnalyticsConfiguration") or {}
    normal = {
        "location": location_key(body.get("location")),
        "properties": {
            "zoneRedundant": bool(properties.get("zoneRedundant")),
            "workloadProfiles": _by(properties.get("workloadProfiles"), "name", _profile),
            "vnetConfiguration": {
                "infrastructureSubnetId": resource_id(network.get("infrastructureSubnetId")),
                "internal": bool(network.get("internal")),
            },
            "appLogsConfiguration": {
                "destination": logs.get("destination"),
                "logAnalyticsConfiguration": {"customerId": workspace.get("customerId")},
            },
        },
    }
    return _object(drop_empty(normal))


def environment_storage(body: Mapping[str, Any]) -> Body:
    """A share of an environment. accountKey stays only where it marks a change (see EnvironmentStorageKind)."""
    properties = body.get("properties") or {}
    normal = {key: _pick(properties[key], _SHARE) for key in ("azureFile", "nfsAzureFile") if properties.get(key)}
    for share in normal.values():
        share.setdefault("accessMode", "ReadOnly")
    return _object(drop_empty({"properties": normal}))


def identity(body: Mapping[str, Any] | None) -> Body:
    """A managed identity: its kinds in order and the ids of the user-assigned ones."""
    kinds = {kind.strip().lower() for kind in str((body or {}).get("type") or "None").split(",")} - {"none"}
    named = sorted(filter(None, (resource_id(item) for item in (body or {}).get("userAssignedIdentities") or ())))
    return _object(drop_empty({"type": ",".join(sorted(kinds)) or None, "userAssignedIdentities": named}))


def traffic(entries: Iterable[Mapping[str, Any]] | None) -> list[Body]:
    """Weights by revision name, C(latest revision) for a weight that follows the newest; zero weights say nothing."""
    weights: dict[str, int] = {}
    for entry in entries or ():
        name = LATEST if entry.get("latestRevision") else str(entry.get("revisionName") or entry.get("name") or "")
        weight = int(entry.get("weight") or 0)
        if weight:
            weights[name] = weights.get(name, 0) + weight
    return [{"name": name, "weight": weights[name]} for name in sorted(weights)]


def resource_id(value: Any) -> str | None:
    """Resource ids are compared without case; what is no id (C(system), an unknown value) is left alone."""
    text = str(value) if value else None
    return text.lower().rstrip("/") if text and text.startswith("/") else text


def memory_gib(value: Any) -> Any:
    """C(16Gi), C(16.0Gi) and C(16384Mi) in GiB; other spellings, and numbers, are left alone."""
    text = str(value or "")
    for unit, factor in (("Gi", 1.0), ("Mi", 1 / 1024)):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.replace(".", "", 1).isdigit():
            return float(number) * factor
    return value


def _ingress(body: Mapping[str, Any]) -> Body:
    normal = _pick(body, _INGRESS)
    for key in ("transport", "clientCertificateMode"):
        if normal.get(key):
            normal[key] = str(normal[key]).lower()
    if (normal.get("stickySessions") or {}).get("affinity") in (None, "none"):
        normal.pop("stickySessions", None)
    _drop_defaults(normal, _INGRESS_DEFAULTS)
    normal["traffic"] = traffic(body.get("traffic"))
    normal["ipSecurityRestrictions"] = _by(body.get("ipSecurityRestrictions"), "name", _restriction)
    return normal


def _restriction(body: Mapping[str, Any]) -> Body:
    normal = dict(body)
    with contextlib.suppress(ValueError):
        normal["ipAddressRange"] = str(ipaddress.ip_network(str(body.get("ipAddressRange")), strict=False))
    return normal


def _secret(body: Mapping[str, Any]) -> Body:
    """A secret without its value."""
    return {"keyVaultUrl": body.get("keyVaultUrl"), "identity": resource_id(body.get("identity"))}


def _registry(body: Mapping[str, Any]) -> Body:
    return {**body, "identity": resource_id(body.get("identity"))}


def _container(body: Mapping[str, Any]) -> Body:
    normal = _pick(body, _CONTAINER)
    resources = body.get("resources") or {}
    normal["env"] = [_variable(item) for item in sorted(body.get("env") or (), key=lambda item: str(item.get("name")))]
    normal["resources"] = {
        "cpu": float(resources.get("cpu") or _CPU),
        "memory": memory_gib(resources.get("memory") or _MEMORY_GIB),
    }
    normal["probes"] = _by(body.get("probes"), "type", _probe)
    normal["volumeMounts"] = _by(body.get("volumeMounts"), "mountPath", dict)
    return normal


def _variable(body: Mapping[str, Any]) -> Body:
    if body.get("secretRef"):
        return {"name": body.get("name"), "secretRef": body["secretRef"]}
    value = body.get("value")
    return {"name": body.get("name"), "value": "" if value is None else str(value)}


def _probe(body: Mapping[str, Any]) -> Body:
    normal = {key: value for key, value in body.items() if key != "httpGet"}
    _drop_defaults(normal, _PROBE_DEFAULTS)
    http = dict(body.get("httpGet") or {})
    if http:
        http["scheme"] = str(http.get("scheme") or "HTTP").upper()
        normal["httpGet"] = http
    return normal


def _volume(body: Mapping[str, Any]) -> Body:
    normal = _pick(body, _VOLUME)
    normal.setdefault("storageType", "EmptyDir")
    return normal


def _scale(body: Mapping[str, Any]) -> Body:
    normal = _pick(body, _SCALE)
    _drop_defaults(normal, _SCALE_DEFAULTS)
    normal["rules"] = _by(body.get("rules"), "name", _rule)
    return normal


def _rule(body: Mapping[str, Any]) -> Body:
    """A scale rule; its metadata are texts, whatever type was written."""
    normal: Body = {}
    for key, value in body.items():
        rule = dict(value) if isinstance(value, Mapping) else value
        if isinstance(rule, dict) and isinstance(rule.get("metadata"), Mapping):
            rule["metadata"] = {name: str(text) for name, text in rule["metadata"].items()}
        normal[key] = rule
    return normal


def _profile(body: Mapping[str, Any]) -> Body:
    return {key: body.get(key) for key in ("workloadProfileType", "minimumCount", "maximumCount")}


def _pick(body: Mapping[str, Any], names: Iterable[str]) -> Body:
    return {name: body[name] for name in names if name in body}


def _drop_defaults(body: Body, defaults: Mapping[str, Any]) -> None:
    for key, default in defaults.items():
        if key in body and (body[key] is None or body[key] == default):
            del body[key]


def _by(items: Any, key: str, each: Callable[[Mapping[str, Any]], Body]) -> list[Body]:
    """A list in the order of the field that names its items, which becomes C(name): so the position says nothing."""
    named = {str(item.get(key) or item.get("name")): each(item) for item in items or ()}
    for entry in named.values():
        entry.pop(key, None)
    return [{**named[name], "name": name} for name in sorted(named)]


def _object(value: Any) -> Body:
    return dict(value)
