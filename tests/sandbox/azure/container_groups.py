# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerInstance/containerGroups: PUT, GET, PATCH, DELETE, list, start, stop, restart, logs."""

from __future__ import annotations

import copy

from tests.sandbox.azure import container_group_rules as rules
from tests.sandbox.azure.arm import ArmRequest, ArmResponse, Json, ResourceId, check_tags, now_text, same_text
from tests.sandbox.azure.container_group_machine import ContainerGroupMachine
from tests.sandbox.azure.containers import ContainerRun
from tests.sandbox.azure.errors import ArmError, bad_request, conflict
from tests.sandbox.azure.operations import location_header, status_header
from tests.sandbox.azure.router import GROUP, SUBSCRIPTION, Route
from tests.sandbox.azure.service import Service, tracked, without_keys
from tests.sandbox.azure.world import Resource

NAMESPACE = "Microsoft.ContainerInstance"
TYPE = f"{NAMESPACE}/containerGroups"
SECRET_KEYS = ("secureValue", "storageAccountKey", "workspaceKey", "password", "protectedSettings")
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
LOG_LIMIT = 4 * 1024 * 1024


class ContainerGroups(Service):
    """The container groups of one Azure."""

    namespace = NAMESPACE

    def routes(self) -> list[Route]:
        """Return the routes."""
        groups = f"{GROUP}/providers/{TYPE}"
        group = groups + "/{name}"
        return [
            Route("GET", f"{SUBSCRIPTION}/providers/{TYPE}", self.list_all),
            Route("GET", groups, self.list_all),
            Route("GET", group, self.get),
            Route("PUT", group, self.put),
            Route("PATCH", group, self.patch),
            Route("DELETE", group, self.delete),
            Route("POST", group + "/start", self.start),
            Route("POST", group + "/stop", self.stop),
            Route("POST", group + "/restart", self.restart),
            Route("GET", group + "/containers/{container}/logs", self.logs),
        ]

    def _find(self, request: ArmRequest) -> tuple[Resource, ContainerGroupMachine]:
        found = self.need(request.resource_id(NAMESPACE, "containerGroups", request.params["name"]))
        return found, found.machine

    def _find_settled(self, request: ArmRequest) -> tuple[Resource, ContainerGroupMachine]:
        found, machine = self._find(request)
        if machine.in_transition:
            raise rules.transitioning(found.id.name)
        return found, machine

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List groups, without the instance view, which Azure gives for single groups only."""
        return self.list(request, TYPE, lambda resource: show(resource, with_view=False))

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one group."""
        return ArmResponse(200, show(self._find(request)[0]))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create a group, or replace its body: everything that is not in the new body goes back to its default."""
        identifier = request.resource_id(NAMESPACE, "containerGroups", request.params["name"])
        rules.check_name(identifier.name)
        body = self.body(request, "ContainerGroup")
        old = self.world.get(identifier)
        body["location"] = self.check_tracked(body, old)
        rules.check_and_fill(identifier.name, body["location"], body)
        self._check_references(body)
        self._check_label(identifier, body)
        if old is None:
            self._check_quota(body)
            resource = Resource(identifier, body)
            resource.machine = ContainerGroupMachine(self.world, resource)
            self.world.put(resource)
        else:
            resource = old
            self._replace(resource, body)
        operation = self.operations.begin(
            NAMESPACE, body["location"], lambda: ArmResponse(200, show(self.need(identifier)))
        )
        resource.machine.deploy(operation)
        return ArmResponse(200 if old else 201, show(resource), status_header(request, operation))

    def _replace(self, resource: Resource, body: Json) -> None:
        machine: ContainerGroupMachine = resource.machine
        if machine.in_transition:
            raise rules.transitioning(resource.id.name)
        if not machine.updatable:
            raise conflict(
                "ContainerGroupNotRunning",
                f"The container group '{resource.id.name}' is {machine.state.lower()}; a stopped or terminated "
                "container group cannot be updated. Start it first, or delete it and create a new one.",
            )
        rules.check_update(resource.id.name, resource.body, body)
        resource.body, resource.changed_at = body, now_text()

    def _check_references(self, body: Json) -> None:
        properties = body["properties"]
        body["identity"] = self.check_identity(body.get("identity"))
        for subnet in properties.get("subnetIds") or []:
            found = self.refer(subnet["id"], SUBNET, "properties.subnetIds")
            if "containerinstance" not in str(found.body["properties"].get("delegations")).lower():
                raise bad_request("SubnetDelegationMissing", f"The subnet '{subnet['id']}' is not delegated to {TYPE}.")
        for registry in properties.get("imageRegistryCredentials") or []:
            _check_registry(registry, body["identity"] or {})
        profile = properties.get("containerGroupProfile")
        if profile:
            self.refer(profile.get("id"), f"{NAMESPACE}/containerGroupProfiles", "properties.containerGroupProfile.id")

    def _check_label(self, identifier: ResourceId, body: Json) -> None:
        label = (body["properties"].get("ipAddress") or {}).get("dnsNameLabel")
        for other in self.world.find(TYPE):
            address = other.body["properties"].get("ipAddress") or {}
            same_region = other.body["location"] == body["location"]
            if (
                label
                and same_text(address.get("dnsNameLabel"), label)
                and same_region
                and other.id.key != identifier.key
            ):
                raise conflict("DnsNameLabelNotAvailable", f"The DNS name label '{label}' is taken in this region.")

    def _check_quota(self, body: Json) -> None:
        wanted = sum(request["count"] for request in rules.gpu_requests(body["properties"]))
        if wanted and self.world.switch.over_quota(0, wanted):
            raise conflict(
                "ContainerGroupQuotaReached",
                f"Resource type '{TYPE}' GPU quota exceeded in region '{body['location']}'. Limit: "
                f"'{self.world.switch.quota}', Requested: '{wanted}'.",
            )

    def patch(self, request: ArmRequest) -> ArmResponse:
        """Change the tags, which is all that PATCH can do; they replace the old ones."""
        resource, _machine = self._find(request)
        change = self.body(request, "Resource", partial=True)
        if set(change) - {"tags", "location", "zones"}:
            raise bad_request("InvalidPatch", "Only the tags of a container group can be patched.")
        if "tags" in change:
            check_tags(change["tags"])
            resource.body["tags"] = {name: value for name, value in (change["tags"] or {}).items() if value is not None}
        return ArmResponse(200, show(resource))

    def delete(self, request: ArmRequest) -> ArmResponse:
        """Delete a group; the answer is 202 with a Location to poll, 204 where there is none."""
        identifier = request.resource_id(NAMESPACE, "containerGroups", request.params["name"])
        found = self.world.get(identifier)
        if found is None:
            return ArmResponse(204)
        operation = self.operations.begin(NAMESPACE, found.body["location"])
        found.machine.delete(operation)
        return ArmResponse(202, show(found), location_header(request, operation))

    def start(self, request: ArmRequest) -> ArmResponse:
        """Start a stopped group: a new deployment of the same body."""
        resource, machine = self._find_settled(request)
        if not machine.stopped:
            return ArmResponse(204)
        operation = self.operations.begin(NAMESPACE, resource.body["location"])
        machine.deploy(operation)
        return ArmResponse(202, None, location_header(request, operation))

    def stop(self, request: ArmRequest) -> ArmResponse:
        """Stop a group; it has no effect on one that has ended."""
        _resource, machine = self._find_settled(request)
        if machine.state == "Running" or machine.provisioning_state == "Failed":
            machine.halt()
        return ArmResponse(204)

    def restart(self, request: ArmRequest) -> ArmResponse:
        """Restart all containers of a running group in place."""
        resource, machine = self._find_settled(request)
        if machine.stopped:
            raise conflict(
                "ContainerGroupNotRunning", f"The container group '{resource.id.name}' is stopped and cannot restart."
            )
        machine.deploy(None)
        return ArmResponse(204)

    def logs(self, request: ArmRequest) -> ArmResponse:
        """Return what a container has written; ``tail`` limits the lines."""
        resource, machine = self._find(request)
        run = machine.run_of(request.params["container"])
        if run is None:
            raise ArmError(
                404,
                "ContainerNotFound",
                f"The container '{request.params['container']}' of container group '{resource.id.name}' was not found.",
            )
        lines = run.logs()[-LOG_LIMIT:].splitlines(keepends=True)
        tail = request.query.get("tail", "")
        return ArmResponse(200, {"content": "".join(lines[-int(tail) :] if tail.isdigit() and int(tail) else lines)})


def show(resource: Resource, with_view: bool = True) -> Json:
    """Return a group as Azure gives it back: secrets gone, states and address filled in."""
    machine: ContainerGroupMachine = resource.machine
    shown = tracked(resource)
    if resource.body.get("zones"):
        shown["zones"] = resource.body["zones"]
    if resource.body.get("identity"):
        shown["identity"] = resource.body["identity"]
    properties = without_keys(copy.deepcopy(resource.body["properties"]), SECRET_KEYS)
    properties["provisioningState"] = machine.provisioning_state
    for volume in properties.get("volumes") or []:
        if "secret" in volume:
            volume["secret"] = {}
    _show_address(properties, resource, machine)
    if with_view:
        properties["instanceView"] = {"events": machine.events, "state": machine.state}
        for container in properties["containers"]:
            run = machine.run_of(container["name"])
            if run is not None:
                container["properties"]["instanceView"] = _view(run)
    return {**shown, "properties": properties}


def _check_registry(registry: Json, identity: Json) -> None:
    named, server = registry.get("identity"), registry["server"]
    if named:
        if named.lower() not in {name.lower() for name in identity.get("userAssignedIdentities") or {}}:
            raise bad_request(
                "InvalidImageRegistryCredentialIdentity",
                f"The identity '{named}' of registry '{server}' is not a user-assigned identity of the group.",
            )
    elif not registry.get("username") or not (registry.get("password") or registry.get("passwordReference")):
        raise bad_request("InvalidImageRegistryCredential", f"Registry '{server}' needs a user and a password.")


def _view(run: ContainerRun) -> Json:
    view: Json = {"restartCount": run.restart_count, "currentState": run.state(), "events": run.events}
    if run.previous:
        view["previousState"] = run.previous
    return view


def _show_address(properties: Json, resource: Resource, machine: ContainerGroupMachine) -> None:
    address = properties.get("ipAddress")
    if address is None:
        return
    address.pop("ip", None)
    if machine.ip is not None and machine.state != "Pending":
        address["ip"] = machine.ip
    if address.get("dnsNameLabel"):
        address["fqdn"] = f"{address['dnsNameLabel']}.{resource.body['location']}.azurecontainer.io"
