# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The C(platform) block of a deployment on Azure Container Instances: argument spec and typed form, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, dict[str, Any]]

IDENTITY: Spec = {
    "system_assigned": {"type": "bool", "default": False},
    "user_assigned": {"type": "list", "elements": "str", "default": []},
}
REGISTRIES: Spec = {
    "server": {"type": "str", "required": True},
    "identity": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
AZURE_FILES: Spec = {
    "account_name": {"type": "str", "required": True},
    "share_name": {"type": "str", "required": True},
    "resource_group": {"type": "str"},
    "account_key": {"type": "str", "no_log": True},
    "account_key_reference": {"type": "str", "no_log": False},
    "read_only": {"type": "bool", "default": False},
}
INIT_CONTAINERS: Spec = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "mount_models": {"type": "bool", "default": False},
}
SIDECARS: Spec = {
    **INIT_CONTAINERS,
    "cpu": {"type": "float", "default": 0.5},
    "memory_gib": {"type": "float", "default": 0.5},
    "ports": {"type": "list", "elements": "int", "default": []},
}
LOG_ANALYTICS: Spec = {
    "workspace_id": {"type": "str", "required": True},
    "workspace_key": {"type": "str", "required": True, "no_log": True},
    "log_type": {
        "type": "str",
        "choices": ["ContainerInsights", "ContainerInstanceLogs"],
        "default": "ContainerInsights",
    },
}

PLATFORM_OPTIONS: Spec = {
    "resource_group": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "subnet_id": {"type": "str"},
    "dns_servers": {"type": "list", "elements": "str", "default": []},
    "dns_name_label": {"type": "str"},
    "restart_policy": {"type": "str", "choices": ["Always", "OnFailure", "Never"], "default": "Always"},
    "priority": {"type": "str", "choices": ["Regular", "Spot"], "default": "Regular"},
    "zones": {"type": "list", "elements": "str", "default": []},
    "identity": {"type": "dict", "options": IDENTITY, "apply_defaults": True},
    "key_vault_identity": {"type": "str", "no_log": False},
    "registries": {"type": "list", "elements": "dict", "options": REGISTRIES, "default": []},
    "azure_files": {"type": "dict", "options": AZURE_FILES},
    "init_containers": {"type": "list", "elements": "dict", "options": INIT_CONTAINERS, "default": []},
    "sidecars": {"type": "list", "elements": "dict", "options": SIDECARS, "default": []},
    "log_analytics": {"type": "dict", "options": LOG_ANALYTICS},
    "accept_retired_gpu": {"type": "bool", "default": False},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Managed identities of the group. user_assigned: resource ids."""

    system_assigned: bool = False
    user_assigned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """How images of one registry are pulled: by a user-assigned identity (its resource id), or by user and password."""

    server: str
    identity: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureFiles:
    """The share that holds the models.

    account_key_reference: address of a Key Vault secret, instead of the key. Without either the key is read from Azure,
    from the account in C(resource_group) (that of the container group where it is not given).
    """

    account_name: str
    share_name: str
    resource_group: str | None = None
    account_key: str | None = field(default=None, repr=False)
    account_key_reference: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InitContainer:
    """A container that runs to its end before Ollama starts. mount_models: it sees the models at storage.path."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mount_models: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A container beside Ollama, reaching it at C(localhost). ports: TCP ports it listens on."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mount_models: bool = False
    cpu: float = 0.5
    memory_gib: float = 0.5
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnalytics:
    """The workspace that gets the containers' logs. workspace_id: its customer id."""

    workspace_id: str
    workspace_key: str = field(repr=False)
    log_type: str = "ContainerInsights"


@dataclass(frozen=True, slots=True, kw_only=True)
class AciPlatform:
    """Where and how a container group runs."""

    resource_group: str
    location: str
    subnet_id: str | None = None
    dns_servers: tuple[str, ...] = ()
    dns_name_label: str | None = None
    restart_policy: str = "Always"
    priority: str = "Regular"
    zones: tuple[str, ...] = ()
    identity: Identity = Identity()
    key_vault_identity: str | None = None
    registries: tuple[Registry, ...] = ()
    azure_files: AzureFiles | None = None
    init_containers: tuple[InitContainer, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()
    log_analytics: LogAnalytics | None = None
    accept_retired_gpu: bool = False
