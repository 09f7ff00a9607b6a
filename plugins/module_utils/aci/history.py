# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases as container group profile revisions: what a profile keeps of a group, and a group made from it. Pure.

A profile knows less than a group: no identity, zone, subnet (so no private address), DNS servers and Key Vault
references; those are taken from the group as it is. A profile of ours holds no secret: a plain mark says where one
belongs. It names its configuration in a variable, because revisions keep their bodies, and nobody says that they keep
their tags.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..deployment.environment import MODELS_VARIABLE, parse_models
from ..deployment.model import Model
from ..deployment.sidecar import NAME as SIDECAR
from ..deployment.sidecar import sidecar_image_among
from .secrets import fill_secrets
from .translate import CONTAINER

Body = dict[str, Any]

# ContainerGroupProfileProperties of API 2025-09-01.
KEPT = (
    "sku",
    "encryptionProperties",
    "containers",
    "initContainers",
    "extensions",
    "imageRegistryCredentials",
    "restartPolicy",
    "ipAddress",
    "osType",
    "volumes",
    "diagnostics",
    "priority",
    "confidentialComputeProperties",
)
SECRET = "polycloud:secret"  # noqa: S105 - a mark, not a secret
CONFIG_VARIABLE = "POLYCLOUD_CONFIG"
REFERENCE = "polycloud:reference:"
# Where Azure takes base64 or a password and gives nothing back: "not recorded".
NOT_RECORDED = "bm90IHJlY29yZGVk"


def to_profile(group: Mapping[str, Any], config_hash: str) -> Body:
    """The profile body that records a (marked) group body under the name of its configuration."""
    properties = {key: value for key, value in group["properties"].items() if key in KEPT}
    profile: Body = {"location": group["location"], "properties": copy.deepcopy(properties)}
    if (properties.get("ipAddress") or {}).get("type") == "Private":
        # An address in a subnet, of which a profile knows nothing.
        del profile["properties"]["ipAddress"]
    for variable in _variables(profile):
        _record_variable(variable)
    _drop_keys(profile["properties"])
    for container in profile["properties"]["containers"]:
        if container["name"] == CONTAINER:
            variables = container["properties"].setdefault("environmentVariables", [])
            variables.append({"name": CONFIG_VARIABLE, "value": config_hash})
    return profile


def _record_variable(variable: Body) -> None:
    reference = variable.pop("secureValueReference", None)
    if reference is not None:
        variable["value"] = REFERENCE + reference
    elif variable.get("value") is None:
        variable.pop("secureValue", None)
        variable["value"] = SECRET


def _drop_keys(properties: Body) -> None:
    """Put a harmless text where the API wants a key or a password."""
    for volume in properties.get("volumes") or ():
        share = volume.get("azureFile") or {}
        if share and share.get("storageAccountKeyReference") is None:
            share["storageAccountKey"] = NOT_RECORDED
        if volume.get("secret"):
            volume["secret"] = dict.fromkeys(volume["secret"], NOT_RECORDED)
    for registry in properties.get("imageRegistryCredentials") or ():
        if registry.get("password") is not None:
            registry["password"] = NOT_RECORDED
    workspace = (properties.get("diagnostics") or {}).get("logAnalytics")
    if workspace:
        workspace["workspaceKey"] = NOT_RECORDED


def to_group(
    profile: Mapping[str, Any], current: Mapping[str, Any], secrets: Mapping[str, str]
) -> tuple[Body, list[str]]:
    """The group body that a profile revision records, and the names of the secrets that are missing for it.

    current: the group as it is, for what profiles do not keep.
    """
    restored = {key: profile["properties"][key] for key in KEPT if profile["properties"].get(key)}
    body: Body = {"location": current["location"], "properties": copy.deepcopy(restored)}
    for key in ("identity", "zones"):
        if current.get(key):
            body[key] = current[key]
    if body["properties"].get("ipAddress") is None:
        _restore_address(body, (current.get("properties") or {}).get("ipAddress"))
    for key in ("subnetIds", "dnsConfig", "secretReferences"):
        if (current.get("properties") or {}).get(key):
            body["properties"][key] = current["properties"][key]
    body = writable(body)
    for container in _containers(body):
        settings = container["properties"]
        kept = [item for item in settings.get("environmentVariables") or () if item["name"] != CONFIG_VARIABLE]
        settings["environmentVariables"] = kept
    for variable in _variables(body):
        _restore_variable(variable)
    filled, missing = fill_secrets(body, secrets)
    return filled, [*missing, *_missing_references(filled)]


def _restore_address(body: Body, current: Mapping[str, Any] | None) -> None:
    """Give the group its private address again, with the ports of the release's sidecar, or else of its Ollama."""
    if current is None or str(current.get("type")).lower() != "private":
        return
    named = {item["name"]: item["properties"] for item in body["properties"].get("containers") or ()}
    ports = named.get(SIDECAR, _ollama(body)).get("ports") or current.get("ports")
    body["properties"]["ipAddress"] = {"type": "Private", "ports": copy.deepcopy(ports)}


def _restore_variable(variable: Body) -> None:
    value = str(variable.get("value") or "")
    if value == SECRET:
        del variable["value"]
    elif value.startswith(REFERENCE):
        variable["secureValueReference"] = value.removeprefix(REFERENCE)
        del variable["value"]


def writable(body: Mapping[str, Any]) -> Body:
    """A found body as it may be sent again: without what Azure adds."""
    sent: Body = copy.deepcopy({key: body[key] for key in ("location", "zones", "identity") if body.get(key)})
    identity = sent.get("identity")
    if identity:
        users: Body = {name: {} for name in identity.get("userAssignedIdentities") or ()}
        sent["identity"] = {"type": identity["type"], **({"userAssignedIdentities": users} if users else {})}
    dropped = ("provisioningState", "instanceView", "isCreatedFromStandbyPool")
    properties = {k: copy.deepcopy(v) for k, v in body["properties"].items() if k not in dropped and v is not None}
    for container in _containers({"properties": properties}):
        container["properties"].pop("instanceView", None)
    for key in ("ip", "fqdn"):
        (properties.get("ipAddress") or {}).pop(key, None)
    return {**sent, "properties": properties}


def image_of(body: Mapping[str, Any]) -> str:
    """The image that Ollama's container runs, empty if the body has no such container."""
    return str(_ollama(body).get("image") or "")


def sidecar_image_of(body: Mapping[str, Any]) -> str:
    """The image that the sidecar's container runs, empty without one."""
    return sidecar_image_among({**item["properties"], "name": item["name"]} for item in _running(body))


def models_of(body: Mapping[str, Any]) -> tuple[Model, ...]:
    """The models that a body serves, as its environment says."""
    return tuple(Model(name=name, digest=digest) for name, digest in parse_models(_value(body, MODELS_VARIABLE)))


def _ollama(body: Mapping[str, Any]) -> Body:
    return next((dict(item["properties"]) for item in _running(body) if item["name"] == CONTAINER), {})


def _running(body: Mapping[str, Any]) -> Sequence[Body]:
    """Without those that run before the others."""
    return (body.get("properties") or {}).get("containers") or ()


def config_of(body: Mapping[str, Any]) -> str:
    """The configuration that a profile names, empty if it names none."""
    return _value(body, CONFIG_VARIABLE)


def _value(body: Mapping[str, Any], variable: str) -> str:
    variables = _ollama(body).get("environmentVariables") or ()
    return next((str(item.get("value") or "") for item in variables if item["name"] == variable), "")


def _containers(body: Mapping[str, Any]) -> Iterator[Body]:
    yield from body["properties"].get("containers") or ()
    yield from body["properties"].get("initContainers") or ()


def _variables(body: Mapping[str, Any]) -> Iterator[Body]:
    for container in _containers(body):
        yield from container["properties"].get("environmentVariables") or ()


def _missing_references(body: Body) -> list[str]:
    known = {item["name"] for item in body["properties"].get("secretReferences") or ()}
    wanted = [item.get("secureValueReference") for item in _variables(body)]
    shares = [volume.get("azureFile") or {} for volume in body["properties"].get("volumes") or ()]
    wanted += [share.get("storageAccountKeyReference") for share in shares]
    return [name for name in wanted if name and name not in known]
