# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource groups, and the few resources that are given: identities, subnets, workspaces (read only)."""

from __future__ import annotations

import re

from tests.sandbox.azure.arm import (
    LOCATIONS,
    ArmRequest,
    ArmResponse,
    Json,
    check_tags,
    location_name,
    page,
    required_location,
    same_text,
)
from tests.sandbox.azure.errors import bad_request, conflict, group_not_found
from tests.sandbox.azure.operations import Operations
from tests.sandbox.azure.router import GROUP, SUBSCRIPTION, Handler, Route
from tests.sandbox.azure.service import TENANT_ID, Service, tracked
from tests.sandbox.azure.world import Resource, World

NAME = re.compile(r"[\w().-]{0,89}[\w()-]")
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
NETWORKS = "Microsoft.Network/virtualNetworks"
WORKSPACES = "Microsoft.OperationalInsights/workspaces"


class ResourceGroups(Service):
    """The resource groups of one subscription."""

    namespace = "Microsoft.Resources"

    def __init__(self, world: World, operations: Operations) -> None:
        super().__init__(world, operations)
        self.subscription = ""
        self._groups: dict[str, Json] = {}

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("GET", "/subscriptions", self.list_subscriptions),
            Route("GET", SUBSCRIPTION, self.get_subscription),
            Route("GET", f"{SUBSCRIPTION}/resourceGroups", self.list_all),
            Route("GET", GROUP, self.get),
            Route("PUT", GROUP, self.put),
            Route("GET", f"{SUBSCRIPTION}/locations", self.list_locations),
        ]

    def clear(self) -> None:
        """Forget all groups."""
        self._groups.clear()

    def add(self, name: str, location: str, tags: Json | None = None) -> Json:
        """Create or replace a group."""
        self._groups[name.lower()] = {
            "id": f"/subscriptions/{self.subscription}/resourceGroups/{name}",
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "tags": tags or {},
            "properties": {"provisioningState": "Succeeded"},
        }
        return self._groups[name.lower()]

    def find(self, name: str) -> Json:
        """Return a group or raise the 404."""
        if name.lower() not in self._groups:
            raise group_not_found(name)
        return self._groups[name.lower()]

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List the groups."""
        return page(request, list(self._groups.values()))

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one group."""
        return ArmResponse(200, self.find(request.params["group"]))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create a group or replace its tags."""
        name, body = request.params["group"], request.json()
        if not NAME.fullmatch(name):
            raise bad_request("InvalidResourceGroup", f"The resource group name '{name}' is invalid.")
        location = required_location(body)
        check_tags(body.get("tags"))
        old = self._groups.get(name.lower())
        if old and not same_text(old["location"], location):
            raise conflict(
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location}'. The Resource group already exists in location "
                f"'{old['location']}'.",
            )
        return ArmResponse(200 if old else 201, self.add(old["name"] if old else name, location, body.get("tags")))

    def list_subscriptions(self, request: ArmRequest) -> ArmResponse:
        """List the one subscription."""
        return page(request, [self._subscription()])

    def get_subscription(self, request: ArmRequest) -> ArmResponse:
        """Return the subscription."""
        return ArmResponse(200, self._subscription())

    def _subscription(self) -> Json:
        return {
            "id": f"/subscriptions/{self.subscription}",
            "subscriptionId": self.subscription,
            "tenantId": TENANT_ID,
            "displayName": "sandbox",
            "state": "Enabled",
        }

    def list_locations(self, request: ArmRequest) -> ArmResponse:
        """List the regions of the subscription."""
        return page(request, [{"name": name, "displayName": shown} for name, shown in LOCATIONS.items()])

    def location_of(self, name: str) -> str:
        """Return a group's region, or "" where there is none."""
        group = self._groups.get(name.lower())
        return location_name(group["location"]) if group else ""


class GivenResources(Service):
    """What a landing zone would have made; clients may read it."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        routes = []
        for kind in (IDENTITIES, NETWORKS, WORKSPACES):
            routes.append(Route("GET", f"{GROUP}/providers/{kind}", self._lister(kind)))
            routes.append(Route("GET", f"{GROUP}/providers/{kind}/{{name}}", self.get))
        routes.append(
            Route("GET", f"{GROUP}/providers/{NETWORKS}/{{name}}/subnets", self._lister(f"{NETWORKS}/subnets"))
        )
        routes.append(Route("GET", f"{GROUP}/providers/{NETWORKS}/{{name}}/subnets/{{child}}", self.get))
        return routes

    def _lister(self, kind: str) -> Handler:
        return lambda request: self.list(request, kind, show)

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one resource."""
        namespace, _slash, rest = request.path.partition("/providers/")[2].partition("/")
        return ArmResponse(200, show(self.need(request.resource_id(namespace, *rest.strip("/").split("/")))))


def show(resource: Resource) -> Json:
    """Return a given resource."""
    shown = tracked(resource)
    if "/subnets/" in str(resource.id):
        shown = {key: shown[key] for key in ("id", "name", "type")}
    return {**shown, "properties": resource.body["properties"]}
