# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulated Azure holds from the start: what a landing zone gives to the people who deploy Ollama."""

from __future__ import annotations

from typing import Any

from tests.sandbox.azure.arm import Json, ResourceId
from tests.sandbox.azure.resource_groups import IDENTITIES, NETWORKS, WORKSPACES, ResourceGroups
from tests.sandbox.azure.service import TENANT_ID
from tests.sandbox.azure.world import Resource, World

SUBSCRIPTION_ID = "22222222-2222-4222-8222-222222222222"
CLIENT_ID = "33333333-3333-4333-8333-333333333333"
CUSTOMER_ID = "44444444-4444-4444-8444-444444444444"
REGIONS = ("westus3", "swedencentral", "usgovvirginia")


def plant(world: World, groups: ResourceGroups) -> dict[str, Any]:
    """Create the seeds and return their ids."""
    groups.subscription = SUBSCRIPTION_ID
    found: dict[str, Any] = {
        "subscription_id": SUBSCRIPTION_ID,
        "tenant_id": TENANT_ID,
        "client_id": CLIENT_ID,
        "resource_groups": {region: f"rg-ollama-{region}" for region in REGIONS},
        "subnet_ids": {},
        "environment_subnet_ids": {},
        "identity_ids": {},
        "workspace_ids": {},
        "workspace_customer_id": CUSTOMER_ID,
    }
    for region, group in found["resource_groups"].items():
        groups.add(group, region)
        network = _id(group, NETWORKS, "vnet-ollama")
        _add(world, network, region, {"addressSpace": {"addressPrefixes": ["10.60.0.0/16"]}})
        found["subnet_ids"][region] = _subnet(
            world, network, "containers", "Microsoft.ContainerInstance/containerGroups", 0
        )
        found["environment_subnet_ids"][region] = _subnet(world, network, "apps", "Microsoft.App/environments", 1)
        identity = _id(group, IDENTITIES, "id-ollama")
        principal = {"principalId": "55555555-5555-4555-8555-555555555555"}
        _add(world, identity, region, {"tenantId": TENANT_ID, "clientId": CLIENT_ID, **principal})
        found["identity_ids"][region] = str(identity)
        workspace = _id(group, WORKSPACES, "log-ollama")
        _add(world, workspace, region, {"customerId": CUSTOMER_ID, "sku": {"name": "PerGB2018"}})
        found["workspace_ids"][region] = str(workspace)
    return found


def _id(group: str, kind: str, name: str) -> ResourceId:
    namespace, _slash, types = kind.partition("/")
    return ResourceId(SUBSCRIPTION_ID, group, namespace, (types, name))


def _subnet(world: World, network: ResourceId, name: str, delegation: str, index: int) -> str:
    subnet = network.child("subnets", name)
    properties = {
        "addressPrefix": f"10.60.{index * 2}.0/23",
        "delegations": [{"name": "delegation", "properties": {"serviceName": delegation}}],
    }
    _add(world, subnet, "", properties)
    return str(subnet)


def _add(world: World, identifier: ResourceId, location: str, properties: Json) -> None:
    body = {"location": location, "properties": {"provisioningState": "Succeeded", **properties}}
    world.put(Resource(identifier, body))
