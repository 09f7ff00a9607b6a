# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container app, and an environment with its storages, by themselves: options in the API's own shape, bodies. Pure.

A description is complete: what it does not name gets Azure's default, as a PUT does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..shape import to_api
from .translate import HIDDEN

Spec = dict[str, dict[str, Any]]
Body = dict[str, Any]


def _texts() -> dict[str, Any]:
    return {"type": "list", "elements": "str"}


def _items(options: Spec) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": options}


VARIABLE: Spec = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str"},
    "secret_ref": {"type": "str", "no_log": False},
}
HTTP_GET: Spec = {
    "path": {"type": "str"},
    "port": {"type": "int", "required": True},
    "scheme": {"type": "str", "choices": ["HTTP", "HTTPS"]},
    "host": {"type": "str"},
}
PROBE: Spec = {
    "type": {"type": "str", "choices": ["Liveness", "Readiness", "Startup"], "required": True},
    "http_get": {"type": "dict", "options": HTTP_GET},
    "tcp_socket": {"type": "dict", "options": {"port": {"type": "int", "required": True}, "host": {"type": "str"}}},
    **{
        name: {"type": "int"}
        for name in (
            *("initial_delay_seconds", "period_seconds", "timeout_seconds"),
            *("failure_threshold", "success_threshold"),
        )
    },
}
MOUNT: Spec = {
    "volume_name": {"type": "str", "required": True},
    "mount_path": {"type": "str", "required": True},
    "sub_path": {"type": "str"},
}
INIT_CONTAINER: Spec = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "command": _texts(),
    "args": _texts(),
    "env": _items(VARIABLE),
    "resources": {"type": "dict", "options": {"cpu": {"type": "float"}, "memory": {"type": "str"}}},
    "volume_mounts": _items(MOUNT),
}
CONTAINER: Spec = {**INIT_CONTAINER, "probes": _items(PROBE)}
RULE: Spec = {
    "name": {"type": "str", "required": True},
    "http": {"type": "dict", "options": {"metadata": {"type": "dict"}}},
    "tcp": {"type": "dict", "options": {"metadata": {"type": "dict"}}},
    "custom": {
        "type": "dict",
        "options": {
            "type": {"type": "str", "required": True},
            "metadata": {"type": "dict"},
            "identity": {"type": "str"},
        },
    },
}
TEMPLATE: Spec = {
    "revision_suffix": {"type": "str"},
    "termination_grace_period_seconds": {"type": "int"},
    "containers": {**_items(CONTAINER), "required": True},
    "init_containers": _items(INIT_CONTAINER),
    "scale": {
        "type": "dict",
        "options": {
            "min_replicas": {"type": "int"},
            "max_replicas": {"type": "int"},
            "cooldown_period": {"type": "int"},
            "polling_interval": {"type": "int"},
            "rules": _items(RULE),
        },
    },
    "volumes": _items(
        {
            "name": {"type": "str", "required": True},
            "storage_type": {"type": "str", "choices": ["AzureFile", "EmptyDir", "NfsAzureFile", "Secret"]},
            "storage_name": {"type": "str"},
            "mount_options": {"type": "str"},
        }
    ),
}
INGRESS: Spec = {
    "external": {"type": "bool", "default": False},
    "target_port": {"type": "int", "required": True},
    "transport": {"type": "str", "choices": ["auto", "http", "http2", "tcp"]},
    "exposed_port": {"type": "int"},
    "allow_insecure": {"type": "bool", "default": False},
    "client_certificate_mode": {"type": "str", "choices": ["accept", "ignore", "require"]},
    "ip_security_restrictions": _items(
        {
            "name": {"type": "str", "required": True},
            "ip_address_range": {"type": "str", "required": True},
            "action": {"type": "str", "choices": ["Allow", "Deny"], "required": True},
            "description": {"type": "str"},
        }
    ),
    "traffic": _items(
        {
            "revision_name": {"type": "str"},
            "latest_revision": {"type": "bool"},
            "weight": {"type": "int", "required": True},
            "label": {"type": "str"},
        }
    ),
}
CONFIGURATION: Spec = {
    "active_revisions_mode": {"type": "str", "choices": ["Single", "Multiple"], "default": "Single"},
    "max_inactive_revisions": {"type": "int"},
    "ingress": {"type": "dict", "options": INGRESS},
    "secrets": {
        **_items(
            {
                "name": {"type": "str", "required": True},
                "value": {"type": "str", "no_log": True},
                "key_vault_url": {"type": "str", "no_log": False},
                "identity": {"type": "str"},
            }
        ),
        "no_log": False,
    },
    "registries": _items(
        {
            "server": {"type": "str", "required": True},
            "identity": {"type": "str"},
            "username": {"type": "str"},
            "password_secret_ref": {"type": "str", "no_log": False},
        }
    ),
}
COMMON: Spec = {
    "name": {"type": "str", "required": True},
    "resource_group": {"type": "str", "required": True},
    "location": {"type": "str"},
    "tags": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 1800},
}
IDENTITY: Spec = {
    "system_assigned": {"type": "bool", "default": False},
    "user_assigned": {"type": "list", "elements": "str", "default": []},
}
APP_OPTIONS: Spec = {
    **COMMON,
    "environment_id": {"type": "str"},
    "workload_profile_name": {"type": "str"},
    "identity": {"type": "dict", "options": IDENTITY},
    "configuration": {"type": "dict", "options": CONFIGURATION},
    "template": {"type": "dict", "options": TEMPLATE},
}
SHARE: Spec = {
    "share_name": {"type": "str", "required": True},
    "access_mode": {"type": "str", "choices": ["ReadOnly", "ReadWrite"], "default": "ReadWrite"},
}
STORAGE: Spec = {
    "name": {"type": "str", "required": True},
    "azure_file": {
        "type": "dict",
        "options": {
            **SHARE,
            "account_name": {"type": "str", "required": True},
            "account_key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "nfs_azure_file": {"type": "dict", "options": {**SHARE, "server": {"type": "str", "required": True}}},
}
LOGS: Spec = {
    "destination": {"type": "str", "choices": ["azure-monitor", "log-analytics", "none"], "required": True},
    "log_analytics_configuration": {
        "type": "dict",
        "options": {
            "customer_id": {"type": "str", "required": True},
            "shared_key": {"type": "str", "required": True, "no_log": True},
        },
    },
}
ENVIRONMENT_OPTIONS: Spec = {
    **COMMON,
    "zone_redundant": {"type": "bool", "default": False},
    "vnet_configuration": {
        "type": "dict",
        "options": {
            "infrastructure_subnet_id": {"type": "str", "required": True},
            "internal": {"type": "bool", "default": False},
        },
    },
    "workload_profiles": _items(
        {
            "name": {"type": "str", "required": True},
            "workload_profile_type": {"type": "str", "required": True},
            "minimum_count": {"type": "int"},
            "maximum_count": {"type": "int"},
        }
    ),
    "app_logs_configuration": {"type": "dict", "options": LOGS},
    "storages": {**_items({**STORAGE}), "default": []},
}


def container_app(params: Mapping[str, Any]) -> tuple[Body, dict[str, str]]:
    """The body of an app, its secret values HIDDEN, and these values by the secret's name."""
    names = ("environment_id", "workload_profile_name", "configuration", "template")
    properties = to_api(params, {name: APP_OPTIONS[name] for name in names})
    ingress = (properties.get("configuration") or {}).get("ingress")
    if ingress is not None:
        ingress.setdefault("traffic", [{"latestRevision": True, "weight": 100}])
    values: dict[str, str] = {}
    for secret in (properties.get("configuration") or {}).get("secrets") or ():
        if "value" in secret:
            values[secret["name"]] = secret["value"]
            secret["value"] = HIDDEN
    body = {"location": params.get("location"), "identity": _identity(params.get("identity")), "properties": properties}
    return body, values


def environment(params: Mapping[str, Any], existing: Mapping[str, Any] | None = None) -> tuple[Body, dict[str, str]]:
    """The body of an environment and its secret values. existing: as it is; profiles that are not named stay."""
    names = ("zone_redundant", "vnet_configuration", "workload_profiles", "app_logs_configuration")
    properties = to_api(params, {name: ENVIRONMENT_OPTIONS[name] for name in names})
    found = (existing or {}).get("properties") or {}
    profiles = {str(item["name"]): item for item in found.get("workloadProfiles") or ()}
    profiles |= {item["name"]: item for item in properties.get("workloadProfiles") or ()}
    profiles.setdefault("Consumption", {"name": "Consumption", "workloadProfileType": "Consumption"})
    properties["workloadProfiles"] = [profiles[name] for name in sorted(profiles)]
    if "appLogsConfiguration" not in properties and found.get("appLogsConfiguration"):
        properties["appLogsConfiguration"] = found["appLogsConfiguration"]
    workspace = (properties.get("appLogsConfiguration") or {}).get("logAnalyticsConfiguration") or {}
    values = {"sharedKey": workspace["sharedKey"]} if workspace.get("sharedKey") else {}
    if values:
        workspace["sharedKey"] = HIDDEN
    return {"location": params.get("location"), "properties": properties}, values


def storages(params: Mapping[str, Any]) -> dict[str, tuple[Body, str | None]]:
    """The bodies of an environment's storages by name, each with its account key."""
    made: dict[str, tuple[Body, str | None]] = {}
    for item in params.get("storages") or ():
        properties = to_api(item, {name: STORAGE[name] for name in ("azure_file", "nfs_azure_file")})
        key = (properties.get("azureFile") or {}).get("accountKey")
        if key:
            properties["azureFile"]["accountKey"] = HIDDEN
        made[item["name"]] = ({"properties": properties}, key)
    return made


def app_problems(params: Mapping[str, Any]) -> list[str]:
    """Every broken rule of an app that is to be present."""
    found = [
        f"{name} is required for state present"
        for name in ("location", "environment_id", "template")
        if not params.get(name)
    ]
    configuration = params.get("configuration") or {}
    found += [
        f"configuration.secrets {secret['name']} needs either value or key_vault_url"
        for secret in configuration.get("secrets") or ()
        if (secret.get("value") is None) == (secret.get("key_vault_url") is None)
    ]
    traffic = (configuration.get("ingress") or {}).get("traffic")
    if traffic and sum(entry["weight"] for entry in traffic) != 100:
        found.append("configuration.ingress.traffic weights must add up to 100")
    if any(bool(entry.get("revision_name")) == bool(entry.get("latest_revision")) for entry in traffic or ()):
        found.append("configuration.ingress.traffic needs either revision_name or latest_revision")
    return found


def environment_problems(params: Mapping[str, Any], consumption: Iterable[str]) -> list[str]:
    """Every broken rule of an environment that is to be present. consumption: profile types without node counts."""
    found = [] if params.get("location") else ["location is required for state present"]
    billed_by_use = set(consumption)
    for profile in params.get("workload_profiles") or ():
        kind, counts = profile["workload_profile_type"], (profile.get("minimum_count"), profile.get("maximum_count"))
        if kind in billed_by_use and counts != (None, None):
            found.append(f"workload_profiles {profile['name']}: {kind} is a consumption profile and takes no counts")
        if kind not in billed_by_use and not kind.startswith("Consumption") and None in counts:
            found.append(f"workload_profiles {profile['name']}: {kind} needs minimum_count and maximum_count")
    for storage in params.get("storages") or ():
        if bool(storage.get("azure_file")) == bool(storage.get("nfs_azure_file")):
            found.append(f"storages {storage['name']} needs either azure_file or nfs_azure_file")
        if storage.get("nfs_azure_file") and not params.get("vnet_configuration"):
            found.append(f"storages {storage['name']}: nfs_azure_file needs vnet_configuration")
    return found


def _identity(given: Mapping[str, Any] | None) -> Body:
    named = list((given or {}).get("user_assigned") or ())
    kinds = ["SystemAssigned"] * bool((given or {}).get("system_assigned")) + ["UserAssigned"] * bool(named)
    body: Body = {"type": ",".join(kinds) or "None"}
    if named:
        body["userAssignedIdentities"] = {name: {} for name in named}
    return body
