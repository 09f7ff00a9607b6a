# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and ids of the Azure resources of a deployment. Pure."""

from __future__ import annotations

import re
from typing import Any

from ..deployment.model import Deployment
from .capabilities import CONSUMPTION, GPU_PROFILE, PROFILES
from .options import ContainerAppsPlatform

Described = Deployment[ContainerAppsPlatform]

PROVIDER = "providers/Microsoft.App"
CONTAINER = "ollama"
MODELS_VOLUME = "models"
SEED_VOLUME = "models-seed"


def environment_group(deployment: Described) -> str:
    """The resource group of the managed environment."""
    platform = deployment.platform
    return platform.environment.resource_group or platform.resource_group


def storage_name(deployment: Described) -> str:
    """Name under which the environment knows the share."""
    storage = deployment.platform.storage
    return (storage.name if storage else None) or f"{deployment.name}-models"


def seed_storage_name(deployment: Described) -> str:
    """Name under which the environment knows the share for the container that seeds it."""
    return f"{deployment.name}-seed"


def profile_type(deployment: Described) -> str:
    """The workload profile type that the deployment asks for, C(Consumption) without a GPU."""
    gpu = deployment.resources.gpu
    return (gpu.type or "") if gpu else CONSUMPTION


def profile_name(deployment: Described) -> str:
    """The workload profile by its name in the environment."""
    if deployment.platform.workload_profile:
        return deployment.platform.workload_profile
    return GPU_PROFILE if deployment.wants_gpu else CONSUMPTION


def is_consumption(workload_profile_type: str) -> bool:
    """True for the types that are billed by use and take no node counts. New ones are known by their prefix."""
    known = PROFILES.get(workload_profile_type)
    return known.consumption if known else workload_profile_type.lower().startswith(CONSUMPTION.lower())


def secret_name(variable: str) -> str:
    """A secret of the app for an environment variable: C(HF_TOKEN) is C(hf-token)."""
    return variable.lower().replace("_", "-")


def registry_secret(server: str) -> str:
    """The secret that holds a registry's password."""
    return f"registry-{re.sub(r'[^a-z0-9]+', '-', server.lower()).strip('-')}"


def revision_name(app: str, suffix: str) -> str:
    """The name of a revision: C(<app>--<suffix>)."""
    return f"{app}--{suffix}"


def app_id(group_id: str, name: str) -> str:
    """The id of a container app. group_id: the id of its resource group."""
    return f"{group_id}/{PROVIDER}/containerApps/{name}"


def revision_id(app: str, revision: str) -> str:
    """The id of a revision. app: the id of its app."""
    return f"{app}/revisions/{revision}"


def environment_id(group_id: str, name: str) -> str:
    """The id of a managed environment."""
    return f"{group_id}/{PROVIDER}/managedEnvironments/{name}"


def secret_values(deployment: Described) -> dict[str, str]:
    """All values that the app itself keeps as secrets, by the secret's name."""
    values = {secret_name(secret.name): secret.value for secret in deployment.secrets if secret.value is not None}
    for registry in deployment.platform.registries:
        if registry.password is not None:
            values[registry_secret(registry.server)] = registry.password
    return values


def needs_account_key(deployment: Described) -> bool:
    """True if the share is mounted with a key that the description does not hold: it is read from the account."""
    storage = deployment.platform.storage
    if storage is None or storage.type == "nfs" or deployment.storage.mode == "baked":
        return False
    return storage.account_key is None and storage.account_key_reference is None


def location_key(location: Any) -> str:
    """A region as Azure compares it: C(West US 3) is C(westus3)."""
    return str(location or "").replace(" ", "").lower()
