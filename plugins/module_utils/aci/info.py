# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container groups as a person asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clients.azure import AzureClient
from ..clients.azure_versions import CONTAINER_INSTANCE
from ..release import DEPLOYMENT, RELEASE
from . import readiness
from .resources import PROVIDER


def read_groups(
    client: AzureClient, name: str | None = None, resource_group: str | None = None, deployment: str | None = None
) -> list[dict[str, Any]]:
    """Read one group, or list those of a resource group or of the subscription."""
    scope = client.group_id(resource_group) if resource_group else f"/subscriptions/{client.subscription_id}"
    collection = f"{scope}/{PROVIDER}/containerGroups"
    if name:
        found = client.get(f"{collection}/{name}", CONTAINER_INSTANCE)
        groups = [] if found is None else [found]
    else:
        groups = client.list(collection, CONTAINER_INSTANCE)
    described = [describe(group) for group in groups]
    return [group for group in described if deployment in (None, group["deployment"])]


def describe(group: Mapping[str, Any]) -> dict[str, Any]:
    """One group, see the module aci_container_group_info."""
    tags = dict(group.get("tags") or {})
    parts = str(group["id"]).split("/")
    return {
        "id": group["id"],
        "name": group["name"],
        "resource_group": parts[4] if len(parts) > 4 else "",
        "location": group.get("location"),
        "provisioning_state": readiness.provisioning_state(group),
        "state": readiness.group_state(group),
        "address": readiness.address(group),
        "deployment": tags.get(DEPLOYMENT, ""),
        "release": tags.get(RELEASE, ""),
        "tags": tags,
        "container_group": dict(group),
    }
