# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container group by itself, in the API's own shape in snake_case: options and body. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..deployment.validate import show
from ..shape import to_api
from . import capabilities as facts

Spec = dict[str, dict[str, Any]]
Body = dict[str, Any]

PORT: Spec = {"port": {"type": "int", "required": True}, "protocol": {"type": "str", "default": "TCP"}}
VARIABLE: Spec = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
    "secure_value": {"type": "str", "no_log": True},
    "secure_value_reference": {"type": "str", "no_log": False},
}
GPU: Spec = {"count": {"type": "int", "required": True}, "sku": {"type": "str", "required": True}}
REQUESTS: Spec = {
    "cpu": {"type": "float", "required": True},
    "memory_in_gb": {"type": "float", "required": True},
    "gpu": {"type": "dict", "options": GPU},
}
LIMITS: Spec = {"cpu": {"type": "float"}, "memory_in_gb": {"type": "float"}, "gpu": {"type": "dict", "options": GPU}}
RESOURCES: Spec = {
    "requests": {"type": "dict", "required": True, "options": REQUESTS},
    "limits": {"type": "dict", "options": LIMITS},
}
MOUNT: Spec = {
    "name": {"type": "str", "required": True},
    "mount_path": {"type": "str", "required": True},
    "read_only": {"type": "bool", "default": False},
}
HEADER: Spec = {"name": {"type": "str"}, "value": {"type": "str"}}
HTTP_GET: Spec = {
    "path": {"type": "str"},
    "port": {"type": "int", "required": True},
    "scheme": {"type": "str", "choices": ["http", "https"]},
    "http_headers": {"type": "list", "elements": "dict", "options": HEADER},
}
PROBE: Spec = {
    "exec": {"type": "dict", "options": {"command": {"type": "list", "elements": "str"}}},
    "http_get": {"type": "dict", "options": HTTP_GET},
    "initial_delay_seconds": {"type": "int"},
    "period_seconds": {"type": "int"},
    "failure_threshold": {"type": "int"},
    "success_threshold": {"type": "int"},
    "timeout_seconds": {"type": "int"},
}
INIT_CONTAINER: Spec = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str"},
    "environment_variables": {"type": "list", "elements": "dict", "options": VARIABLE},
    "volume_mounts": {"type": "list", "elements": "dict", "options": MOUNT},
}
CONTAINER: Spec = {
    **INIT_CONTAINER,
    "ports": {"type": "list", "elements": "dict", "options": PORT},
    "resources": {"type": "dict", "required": True, "options": RESOURCES},
    "liveness_probe": {"type": "dict", "options": PROBE},
    "readiness_probe": {"type": "dict", "options": PROBE},
}
REGISTRY: Spec = {
    "server": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "identity": {"type": "str"},
}
AZURE_FILE: Spec = {
    "share_name": {"type": "str", "required": True},
    "storage_account_name": {"type": "str", "required": True},
    "storage_account_key": {"type": "str", "no_log": True},
    "storage_account_key_reference": {"type": "str", "no_log": False},
    "read_only": {"type": "bool", "default": False},
}
VOLUME: Spec = {
    "name": {"type": "str", "required": True},
    "azure_file": {"type": "dict", "options": AZURE_FILE},
    "empty_dir": {"type": "bool"},
    "secret": {"type": "dict", "no_log": True},
}
ADDRESS: Spec = {
    "type": {"type": "str", "choices": ["Public", "Private"], "required": True},
    "ports": {"type": "list", "elements": "dict", "options": PORT, "required": True},
    "dns_name_label": {"type": "str"},
}
IDENTITY: Spec = {
    "type": {
        "type": "str",
        "choices": ["SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None"],
        "required": True,
    },
    "user_assigned_identities": {"type": "list", "elements": "str"},
}
SECRET_REFERENCE: Spec = {
    "name": {"type": "str", "required": True},
    "identity": {"type": "str", "required": True},
    "secret_reference_uri": {"type": "str", "required": True, "no_log": False},
}
DNS: Spec = {
    "name_servers": {"type": "list", "elements": "str", "required": True},
    "search_domains": {"type": "str"},
    "options": {"type": "str"},
}
WORKSPACE: Spec = {
    "workspace_id": {"type": "str", "required": True},
    "workspace_key": {"type": "str", "required": True, "no_log": True},
    "log_type": {"type": "str", "choices": ["ContainerInsights", "ContainerInstanceLogs"]},
}
PROPERTIES: Spec = {
    "os_type": {"type": "str", "choices": ["Linux", "Windows"], "default": "Linux"},
    "sku": {"type": "str", "choices": ["Standard", "Dedicated", "Confidential"], "default": "Standard"},
    "priority": {"type": "str", "choices": ["Regular", "Spot"], "default": "Regular"},
    "restart_policy": {"type": "str", "choices": ["Always", "OnFailure", "Never"], "default": "Always"},
    "containers": {"type": "list", "elements": "dict", "options": CONTAINER},
    "init_containers": {"type": "list", "elements": "dict", "options": INIT_CONTAINER},
    "image_registry_credentials": {"type": "list", "elements": "dict", "options": REGISTRY},
    "volumes": {"type": "list", "elements": "dict", "options": VOLUME},
    "secret_references": {"type": "list", "elements": "dict", "options": SECRET_REFERENCE, "no_log": False},
    "ip_address": {"type": "dict", "options": ADDRESS},
    "subnet_ids": {"type": "list", "elements": "str"},
    "dns_config": {"type": "dict", "options": DNS},
    "diagnostics": {"type": "dict", "options": {"log_analytics": {"type": "dict", "options": WORKSPACE}}},
}
GROUP_OPTIONS: Spec = {
    "name": {"type": "str", "required": True},
    "resource_group": {"type": "str", "required": True},
    "location": {"type": "str"},
    "zones": {"type": "list", "elements": "str"},
    "identity": {"type": "dict", "options": IDENTITY},
    **PROPERTIES,
    "tags": {"type": "dict", "default": {}},
    "accept_retired_gpu": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 1800},
}


def container_group(params: Mapping[str, Any]) -> Body:
    """The API's body of checked parameters."""
    properties = to_api(params, PROPERTIES)
    for kind in ("containers", "initContainers"):
        for container in properties.get(kind) or ():
            name = container.pop("name")
            settings = dict(container)
            container.clear()
            container.update(name=name, properties=settings)
    for volume in properties.get("volumes") or ():
        if volume.pop("emptyDir", False):
            volume["emptyDir"] = {}
    if properties.get("subnetIds"):
        properties["subnetIds"] = [{"id": subnet} for subnet in properties["subnetIds"]]
    body: Body = {"location": params.get("location"), "properties": properties}
    if params.get("zones"):
        body["zones"] = list(params["zones"])
    identity = params.get("identity")
    if identity and identity["type"] != "None":
        body["identity"] = {"type": identity["type"]}
        if identity.get("user_assigned_identities"):
            body["identity"]["userAssignedIdentities"] = {name: {} for name in identity["user_assigned_identities"]}
    return body


def problems(params: Mapping[str, Any]) -> list[str]:
    """What can be said before any call. The rules of deployments do not hold here: the group is the user's own."""
    return [*_required(params), *_gpu(params), *_variables(params), *_volumes(params)]


def _required(params: Mapping[str, Any]) -> Iterator[str]:
    for option in ("location", "containers"):
        if not params.get(option):
            yield f"{option} is required with state present"


def _gpu(params: Mapping[str, Any]) -> Iterator[str]:
    for container in params.get("containers") or ():
        if container["resources"]["requests"].get("gpu") and not params["accept_retired_gpu"]:
            yield f"containers {show(container['name'])} resources.requests.gpu: {facts.GPU_RETIRED}".replace(
                "platform.accept_retired_gpu", "accept_retired_gpu"
            )


def _variables(params: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("containers", "init_containers"):
        for container in params.get(kind) or ():
            for variable in container.get("environment_variables") or ():
                given = [variable.get(key) for key in ("value", "secure_value", "secure_value_reference")]
                if sum(value is not None for value in given) != 1:
                    yield (
                        f"{kind} {show(container['name'])} environment_variables {show(variable['name'])} needs one of "
                        "value, secure_value, secure_value_reference"
                    )


def _volumes(params: Mapping[str, Any]) -> Iterator[str]:
    for volume in params.get("volumes") or ():
        kinds = [key for key in ("azure_file", "empty_dir", "secret") if volume.get(key)]
        if len(kinds) != 1:
            yield f"volumes {show(volume['name'])} needs one of azure_file, empty_dir, secret"
