# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the platform block of `container_app_deployment`, and the dataclasses that they are parsed into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnalytics:
    """The workspace that gets the container logs: its customer id and its key."""

    workspace_id: str
    workspace_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The managed environment: created if it is missing, used as it is if it exists and is not ours."""

    name: str
    resource_group: str | None = None
    subnet_id: str | None = None
    internal: bool = False
    zone_redundant: bool = False
    log_analytics: LogAnalytics | None = None
    minimum_nodes: int | None = None
    maximum_nodes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStorage:
    """The file share that holds the models, registered in the environment under C(name).

    The key of an SMB share is given, or referred to, or read from the account in C(resource_group) (that of the app
    where it is not given).
    """

    share_name: str
    type: str = "smb"
    name: str | None = None
    account_name: str | None = None
    resource_group: str | None = None
    account_key: str | None = field(default=None, repr=False)
    account_key_reference: str | None = None
    server: str | None = None
    read_only: bool = False
    mount_options: str | None = None
    sub_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """How images are pulled from one registry: by a managed identity, or with a user and a password."""

    server: str
    identity: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitContainer:
    """A container that runs to its end before the server starts."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    mount_models: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The managed identities of the app: its own, and user-assigned ones by resource id."""

    system_assigned: bool = False
    user_assigned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerAppsPlatform:
    """Where and how a deployment runs on Azure Container Apps."""

    resource_group: str
    location: str
    environment: Environment
    workload_profile: str | None = None
    ingress_scope: str = "environment"
    storage: EnvironmentStorage | None = None
    identity: Identity = Identity()
    registries: tuple[Registry, ...] = ()
    key_vault_identity: str | None = None
    init_containers: tuple[InitContainer, ...] = ()
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    termination_grace_period: int = 60
    polling_interval: int = 30
    drain: int = 5


ENVIRONMENT: Spec = {
    "name": {"type": "str", "required": True},
    "resource_group": {"type": "str"},
    "subnet_id": {"type": "str"},
    "internal": {"type": "bool", "default": False},
    "zone_redundant": {"type": "bool", "default": False},
    "log_analytics": {
        "type": "dict",
        "options": {
            "workspace_id": {"type": "str", "required": True},
            "workspace_key": {"type": "str", "no_log": True},
        },
    },
    "minimum_nodes": {"type": "int"},
    "maximum_nodes": {"type": "int"},
}
STORAGE: Spec = {
    "share_name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["smb", "nfs"], "default": "smb"},
    "name": {"type": "str"},
    "account_name": {"type": "str"},
    "resource_group": {"type": "str"},
    "account_key": {"type": "str", "no_log": True},
    # An address, not a key, whatever its name sounds like.
    "account_key_reference": {"type": "str", "no_log": False},
    "server": {"type": "str"},
    "read_only": {"type": "bool", "default": False},
    "mount_options": {"type": "str"},
    "sub_path": {"type": "str"},
}
REGISTRY: Spec = {
    "server": {"type": "str", "required": True},
    "identity": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
INIT_CONTAINER: Spec = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "default": []},
    "args": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "dict", "default": {}},
    "mount_models": {"type": "bool", "default": False},
}
IDENTITY: Spec = {
    "system_assigned": {"type": "bool", "default": False},
    "user_assigned": {"type": "list", "elements": "str", "default": []},
}
PLATFORM_OPTIONS: Spec = {
    "resource_group": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "environment": {"type": "dict", "required": True, "options": ENVIRONMENT},
    "workload_profile": {"type": "str"},
    "ingress_scope": {"type": "str", "choices": ["environment", "network"], "default": "environment"},
    "storage": {"type": "dict", "options": STORAGE},
    "identity": {"type": "dict", "options": IDENTITY},
    "registries": {"type": "list", "elements": "dict", "options": REGISTRY, "default": []},
    "key_vault_identity": {"type": "str", "no_log": False},
    "init_containers": {"type": "list", "elements": "dict", "options": INIT_CONTAINER, "default": []},
    "command": {"type": "list", "elements": "str", "default": []},
    "args": {"type": "list", "elements": "str", "default": []},
    "termination_grace_period": {"type": "int", "default": 60},
    "polling_interval": {"type": "int", "default": 30},
    "drain": {"type": "int", "default": 5},
}
