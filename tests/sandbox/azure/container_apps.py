# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.App/containerApps: PUT, GET, PATCH, DELETE, list, listSecrets, start, stop."""

from __future__ import annotations

import copy

from tests.sandbox.azure import container_app_rules as rules
from tests.sandbox.azure.arm import (
    ArmRequest,
    ArmResponse,
    Json,
    ResourceId,
    merge_patch,
    now_text,
    same_text,
    without_nulls,
)
from tests.sandbox.azure.container_app_bodies import fill, same_template, show_app
from tests.sandbox.azure.container_app_machine import ContainerAppMachine
from tests.sandbox.azure.errors import ArmError, bad_request, conflict
from tests.sandbox.azure.ingress import Gateway
from tests.sandbox.azure.managed_environments import TYPE as ENVIRONMENT
from tests.sandbox.azure.managed_environments import need_environment
from tests.sandbox.azure.operations import Operation, Operations, location_header, status_header
from tests.sandbox.azure.router import GROUP, SUBSCRIPTION, Route
from tests.sandbox.azure.service import Service
from tests.sandbox.azure.world import Resource, World

NAMESPACE = "Microsoft.App"
TYPE = f"{NAMESPACE}/containerApps"


class ContainerApps(Service):
    """The container apps of one Azure."""

    namespace = NAMESPACE

    def __init__(self, world: World, operations: Operations, gateway: Gateway) -> None:
        super().__init__(world, operations)
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Return the routes."""
        apps = f"{GROUP}/providers/{TYPE}"
        app = apps + "/{name}"
        return [
            Route("GET", f"{SUBSCRIPTION}/providers/{TYPE}", self.list_all),
            Route("GET", apps, self.list_all),
            Route("GET", app, self.get),
            Route("PUT", app, self.put),
            Route("PATCH", app, self.patch),
            Route("DELETE", app, self.delete),
            Route("POST", app + "/listSecrets", self.list_secrets),
            Route("POST", app + "/start", self.start),
            Route("POST", app + "/stop", self.stop),
        ]

    def find(self, request: ArmRequest) -> tuple[Resource, ContainerAppMachine]:
        """Return the app of a call."""
        found = self.need(self._id(request))
        return found, found.machine

    def _id(self, request: ArmRequest) -> ResourceId:
        return request.resource_id(NAMESPACE, "containerApps", request.params["name"])

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List apps."""
        return self.list(request, TYPE, show_app)

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one app."""
        return ArmResponse(200, show_app(self.find(request)[0]))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create an app or replace its body."""
        identifier = self._id(request)
        old = self.world.get(identifier)
        resource, operation = self._apply(identifier, self.body(request, "ContainerApp"), old)
        return ArmResponse(200 if old else 201, show_app(resource), status_header(request, operation))

    def patch(self, request: ArmRequest) -> ArmResponse:
        """Change parts of an app: objects merge, arrays replace, null removes."""
        old, _machine = self.find(request)
        change = self.body(request, "ContainerApp", partial=True)
        wanted = without_nulls(merge_patch(copy.deepcopy(old.body), change))
        resource, operation = self._apply(old.id, wanted, old)
        return ArmResponse(202, show_app(resource), location_header(request, operation))

    def _apply(self, identifier: ResourceId, body: Json, old: Resource | None) -> tuple[Resource, Operation]:
        """Check a body and set what it wants in motion."""
        if old is not None:
            check_idle(old)
        body["location"] = self.check_tracked(body, old)
        body["identity"] = self.check_identity(body.get("identity"))
        properties = body.setdefault("properties", {})
        environment = self._environment(properties, body, old)
        fill(properties, bool(environment.body["properties"].get("workloadProfiles")))
        machine: ContainerAppMachine | None = old.machine if old else None
        active = [name for name, revision in machine.revisions.items() if revision.active] if machine else []
        rules.check(identifier.name, properties, environment, body["identity"], active)
        storages = self.world.find(f"{ENVIRONMENT}/storages", f"{environment.id.key}/")
        rules.check_storages(properties["template"], [storage.id.name for storage in storages])
        operation = self.operations.begin(
            NAMESPACE, body["location"], lambda: ArmResponse(200, show_app(self.need(identifier)))
        )
        resource = old or Resource(identifier, body)
        if machine is None:
            machine = ContainerAppMachine(self.world, self._gateway, resource, environment)
        self._check_quota(machine, body)
        before, resource.body, resource.machine, resource.changed_at = resource.body, body, machine, now_text()
        self.world.put(resource)
        self._move(machine, before if old else None, operation)
        return resource, operation

    def _move(self, machine: ContainerAppMachine, before: Json | None, operation: Operation) -> None:
        properties = machine.resource.body["properties"]
        template = properties["template"]
        secret_entries = properties["configuration"]["secrets"] or []
        # A reference into Key Vault cannot be followed here; the secret's value then names the reference.
        machine.secrets.clear()
        machine.secrets.update({entry["name"]: entry.get("value") or entry["keyVaultUrl"] for entry in secret_entries})
        if machine.latest is None:
            machine.deploy(template, operation)
        elif same_template(machine.latest.template, template):
            template["revisionSuffix"] = machine.latest.template["revisionSuffix"]
            machine.configure()
            machine.settle_later(operation)
        elif f"{machine.resource.id.name}--{template['revisionSuffix']}" in machine.revisions:
            suffix = template["revisionSuffix"]
            if before is not None:
                properties["template"] = before["properties"]["template"]
            machine.refuse(
                operation,
                "The following field(s) are either invalid or missing. Field 'template.revisionsuffix' is invalid with "
                f"details: 'Invalid value: \"{suffix}\": revision with suffix {suffix} already exists';.",
            )
        else:
            machine.deploy(template, operation)

    def _environment(self, properties: Json, body: Json, old: Resource | None) -> Resource:
        named = properties.get("environmentId") or properties.get("managedEnvironmentId")
        if not named:
            raise bad_request("ManagedEnvironmentIdRequired", "properties.environmentId is required.")
        if old is not None and not same_text(named, old.body["properties"]["environmentId"]):
            raise bad_request("ManagedEnvironmentCannotChange", "The environment of a container app cannot be changed.")
        environment = need_environment(self, named) if old is None else self.refer(named, ENVIRONMENT, "environmentId")
        if environment.body["location"] != body["location"]:
            raise bad_request(
                "ContainerAppLocationMismatch",
                f"The location '{body['location']}' is not that of the environment, '{environment.body['location']}'.",
            )
        return environment

    def _check_quota(self, machine: ContainerAppMachine, body: Json) -> None:
        before, machine.resource.body = machine.resource.body, body
        needs_gpu = machine.has_gpu()
        machine.resource.body = before
        if needs_gpu and self.world.switch.over_quota(0, 1):
            raise bad_request(
                "QuotaExceeded",
                f"The quota of GPUs in the location '{body['location']}' is {self.world.switch.quota}: no replica of "
                f"container app '{machine.resource.id.name}' can run. Please request more quota.",
            )

    def delete(self, request: ArmRequest) -> ArmResponse:
        """Delete an app, also while another operation is under way."""
        found = self.world.get(self._id(request))
        if found is None:
            return ArmResponse(204)
        operation = self.operations.begin(NAMESPACE, found.body["location"])
        found.machine.delete(operation)
        return ArmResponse(202, None, location_header(request, operation))

    def list_secrets(self, request: ArmRequest) -> ArmResponse:
        """Return the secrets with their values."""
        found, machine = self.find(request)
        entries = found.body["properties"]["configuration"]["secrets"] or []
        return ArmResponse(200, {"value": [{**entry, "value": machine.secrets[entry["name"]]} for entry in entries]})

    def start(self, request: ArmRequest) -> ArmResponse:
        """Start a stopped app."""
        return self._switch(request, stopped=False)

    def stop(self, request: ArmRequest) -> ArmResponse:
        """Stop an app: no replica runs, the revisions stay."""
        return self._switch(request, stopped=True)

    def _switch(self, request: ArmRequest, stopped: bool) -> ArmResponse:
        found, machine = self.find(request)
        check_idle(found)
        operation = self.operations.begin(
            NAMESPACE, found.body["location"], lambda: ArmResponse(200, show_app(self.need(found.id)))
        )
        if stopped:
            machine.stop_app(operation)
        elif machine.stopped:
            machine.start_app(operation)
        else:
            machine.settle_later(operation)
        return ArmResponse(202, show_app(found), location_header(request, operation))


def check_idle(app: Resource) -> None:
    """Refuse a change while another is under way."""
    machine: ContainerAppMachine = app.machine
    if machine.busy or machine.deleting:
        raise conflict(
            "ContainerAppOperationInProgress",
            f"Cannot modify a container app '{app.id.name}' because there is an ongoing provisioning operation. Please "
            "wait until it has ended and retry.",
        )


def revision_error(message: str) -> ArmError:
    """Return the 400 for an action on a revision that cannot be carried out."""
    return bad_request("RevisionOperationError", message)
