# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.App/managedEnvironments with their workload profiles and storages."""

from __future__ import annotations

import copy
import hashlib
import re

from tests.sandbox.azure.arm import (
    LOCATIONS,
    ArmRequest,
    ArmResponse,
    Json,
    ResourceId,
    merge_patch,
    now_text,
    page,
    same_text,
)
from tests.sandbox.azure.errors import bad_request, conflict, not_found
from tests.sandbox.azure.gpus import PROFILE_TYPES, profile_types
from tests.sandbox.azure.operations import Operation, location_header, status_header
from tests.sandbox.azure.router import GROUP, SUBSCRIPTION, Route
from tests.sandbox.azure.service import Service, tracked, without_keys
from tests.sandbox.azure.world import Resource

NAMESPACE = "Microsoft.App"
TYPE = f"{NAMESPACE}/managedEnvironments"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,58}[a-zA-Z0-9])")
STORAGE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
SECRET_KEYS = ("sharedKey", "accountKey", "daprAIConnectionString", "daprAIInstrumentationKey", "connectionString")


class ManagedEnvironments(Service):
    """The environments of one Azure."""

    namespace = NAMESPACE

    def routes(self) -> list[Route]:
        """Return the routes."""
        environments = f"{GROUP}/providers/{TYPE}"
        environment = environments + "/{name}"
        storage = environment + "/storages/{storage}"
        return [
            Route("GET", f"{SUBSCRIPTION}/providers/{TYPE}", self.list_all),
            Route("GET", environments, self.list_all),
            Route("GET", environment, self.get),
            Route("PUT", environment, self.put),
            Route("PATCH", environment, self.patch),
            Route("DELETE", environment, self.delete),
            Route("GET", environment + "/workloadProfileStates", self.list_profile_states),
            Route("GET", environment + "/storages", self.list_storages),
            Route("GET", storage, self.get_storage),
            Route("PUT", storage, self.put_storage),
            Route("DELETE", storage, self.delete_storage),
        ]

    def _id(self, request: ArmRequest) -> ResourceId:
        return request.resource_id(NAMESPACE, "managedEnvironments", request.params["name"])

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List environments."""
        return self.list(request, TYPE, show)

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one environment."""
        return ArmResponse(200, show(self.need(self._id(request))))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create or replace an environment."""
        identifier = self._id(request)
        old = self.world.get(identifier)
        body = self.body(request, "ManagedEnvironment")
        resource = self._store(identifier, body, old)
        operation = self._begin(resource)
        return ArmResponse(200 if old else 201, show(resource), status_header(request, operation))

    def patch(self, request: ArmRequest) -> ArmResponse:
        """Change parts of an environment."""
        old = self.need(self._id(request))
        change = self.body(request, "ManagedEnvironment", partial=True)
        kept = {key: value for key, value in old.body.items() if key != "state"}
        resource = self._store(old.id, merge_patch(copy.deepcopy(kept), change), old)
        operation = self._begin(resource)
        return ArmResponse(202, show(resource), location_header(request, operation))

    def _store(self, identifier: ResourceId, body: Json, old: Resource | None) -> Resource:
        if not NAME.fullmatch(identifier.name) or "--" in identifier.name:
            raise bad_request(
                "ManagedEnvironmentInvalidName",
                f"Invalid ManagedEnvironment name '{identifier.name}'. A name must consist of alphanumeric characters "
                "or '-' and have 2 to 60 characters.",
            )
        _check_settled(old)
        body["location"] = self.check_tracked(body, old)
        body["identity"] = self.check_identity(body.get("identity"))
        properties = body.setdefault("properties", {})
        _check_profiles(properties, body["location"])
        self._check_network(properties, old)
        logs = properties.setdefault("appLogsConfiguration", {"destination": None})
        analytics = logs.get("logAnalyticsConfiguration") or {}
        if same_text(logs.get("destination"), "log-analytics") and not analytics.get("customerId"):
            raise bad_request("InvalidAppLogsConfiguration", "The destination log-analytics needs a customerId.")
        if old is not None:
            old.body, old.changed_at = body, now_text()
            return old
        resource = Resource(identifier, body)
        self.world.put(resource)
        return resource

    def _check_network(self, properties: Json, old: Resource | None) -> None:
        network = properties.get("vnetConfiguration") or {}
        subnet = network.get("infrastructureSubnetId")
        if subnet:
            self.refer(subnet, SUBNET, "properties.vnetConfiguration.infrastructureSubnetId")
        elif network.get("internal"):
            raise bad_request("VnetConfigurationInvalid", "An internal environment needs an infrastructureSubnetId.")
        if old is None:
            return
        for key in ("infrastructureSubnetId", "internal"):
            before = (old.body["properties"].get("vnetConfiguration") or {}).get(key) or None
            if not same_text(before, network.get(key) or None):
                raise bad_request("VnetConfigurationImmutable", f"'{key}' of an environment cannot be changed.")
        if bool(old.body["properties"].get("workloadProfiles")) != bool(properties.get("workloadProfiles")):
            raise bad_request(
                "WorkloadProfilesCannotChange", "An environment cannot gain or lose workload profiles as a whole."
            )

    def _begin(self, resource: Resource) -> Operation:
        resource.body["state"] = "Waiting"
        location = resource.body["location"]
        operation = self.operations.begin(NAMESPACE, location, lambda: ArmResponse(200, show(self.need(resource.id))))

        def finish() -> None:
            resource.body["state"] = "Succeeded"
            operation.succeed()

        self.world.after(self.world.timing.operation, finish)
        return operation

    def delete(self, request: ArmRequest) -> ArmResponse:
        """Delete an empty environment."""
        found = self.world.get(self._id(request))
        if found is None:
            return ArmResponse(204)
        apps = [
            app.id.name for app in self.world.find(f"{NAMESPACE}/containerApps") if environment_of(app) == found.id.key
        ]
        if apps:
            raise conflict(
                "ManagedEnvironmentHasContainerApps",
                f"The environment '{found.id.name}' still has container apps: {', '.join(apps)}. Delete them first.",
            )
        _check_settled(found)
        found.body["state"] = "ScheduledForDelete"
        operation = self.operations.begin(NAMESPACE, found.body["location"])

        def finish() -> None:
            self.world.remove(found.id)
            operation.succeed()

        self.world.after(self.world.timing.operation, finish)
        return ArmResponse(202, None, location_header(request, operation))

    def list_profile_states(self, request: ArmRequest) -> ArmResponse:
        """List how many nodes each profile has; profiles that scale by themselves have none to count."""
        found = self.need(self._id(request))
        profiles = found.body["properties"].get("workloadProfiles") or []
        states = []
        for profile in profiles:
            counts = {"minimumCount": profile.get("minimumCount", 0), "maximumCount": profile.get("maximumCount", 0)}
            states.append(
                _child(found.id.child("workloadProfileStates", profile["name"]), {**counts, "currentCount": 0})
            )
        return page(request, states)

    # Storages

    def _storage_id(self, request: ArmRequest) -> ResourceId:
        return self.need(self._id(request)).id.child("storages", request.params["storage"])

    def list_storages(self, request: ArmRequest) -> ArmResponse:
        """List an environment's storages."""
        environment = self.need(self._id(request))
        found = self.world.find(f"{TYPE}/storages", f"{environment.id.key}/")
        return ArmResponse(200, {"value": [show_storage(storage) for storage in found]})

    def get_storage(self, request: ArmRequest) -> ArmResponse:
        """Return one storage, without its key."""
        return ArmResponse(200, show_storage(self.need(self._storage_id(request))))

    def put_storage(self, request: ArmRequest) -> ArmResponse:
        """Create or replace a storage; whether the share can be mounted shows when a replica starts."""
        identifier = self._storage_id(request)
        body = self.body(request, "ManagedEnvironmentStorage")
        if not STORAGE_NAME.fullmatch(identifier.name):
            raise bad_request("ManagedEnvironmentStorageInvalidName", f"Invalid storage name '{identifier.name}'.")
        environment = self.need(self._id(request))
        _check_storage(body.get("properties") or {}, environment)
        old = self.world.get(identifier)
        resource = old or Resource(identifier, {})
        resource.body = body
        self.world.put(resource)
        return ArmResponse(200, show_storage(resource))

    def delete_storage(self, request: ArmRequest) -> ArmResponse:
        """Delete a storage that no app uses."""
        identifier = self._storage_id(request)
        if self.world.get(identifier) is None:
            return ArmResponse(204)
        environment = self.need(self._id(request))
        for app in self.world.find(f"{NAMESPACE}/containerApps"):
            volumes = app.body["properties"]["template"].get("volumes") or []
            if environment_of(app) == environment.id.key and any(
                volume.get("storageName") == identifier.name for volume in volumes
            ):
                raise conflict(
                    "ManagedEnvironmentStorageInUse",
                    f"The storage '{identifier.name}' is used by container app '{app.id.name}'.",
                )
        self.world.remove(identifier)
        return ArmResponse(200)


def environment_of(app: Resource) -> str:
    """Return the key of the environment that an app is in."""
    return str(app.body["properties"]["environmentId"]).lower()


def _check_settled(resource: Resource | None) -> None:
    if resource is not None and resource.body.get("state", "Succeeded") != "Succeeded":
        raise conflict(
            "ManagedEnvironmentOperationInProgress",
            f"Cannot modify the environment '{resource.id.name}' because there is an ongoing operation.",
        )


def _check_profiles(properties: Json, location: str) -> None:
    profiles = properties.get("workloadProfiles")
    if not profiles:
        return
    known = profile_types(location)
    names = [profile["name"].lower() for profile in profiles]
    for profile in profiles:
        kind = profile["workloadProfileType"]
        if kind not in known or names.count(profile["name"].lower()) > 1:
            raise bad_request(
                "InvalidWorkloadProfile",
                f"Workload profile '{profile['name']}' of type '{kind}' is not available in the location '{location}' "
                f"or is named twice. Available types: {', '.join(known)}.",
            )
        _check_counts(profile, kind)
    if "consumption" not in names:
        profiles.insert(0, {"name": "Consumption", "workloadProfileType": "Consumption"})


def _check_counts(profile: Json, kind: str) -> None:
    if PROFILE_TYPES[kind].consumption:
        for key in ("minimumCount", "maximumCount"):
            if profile.get(key) is not None:
                label = key[0].upper() + key[1:]
                raise bad_request(
                    "WorkloadProfilePropertyNotSupported",
                    f"Workload Profile property '{label}' is not supported for {kind.replace('-', '_').upper()}",
                )
    elif not 0 <= profile.get("minimumCount", -1) <= profile.get("maximumCount", -1):
        raise bad_request(
            "WorkloadProfileInvalidCounts",
            f"Workload profile '{profile['name']}' needs minimumCount and maximumCount, min not above max.",
        )


def _check_storage(properties: Json, environment: Resource) -> None:
    kinds = [kind for kind in ("azureFile", "nfsAzureFile") if properties.get(kind)]
    if len(kinds) != 1:
        raise bad_request("InvalidStorage", "A storage needs one of azureFile and nfsAzureFile.")
    share = properties[kinds[0]]
    wanted = (
        ("accountName", "shareName", "accessMode") if kinds[0] == "azureFile" else ("server", "shareName", "accessMode")
    )
    missing = [key for key in wanted if not share.get(key)]
    if kinds[0] == "azureFile" and not (share.get("accountKey") or share.get("accountKeyVaultProperties")):
        missing.append("accountKey")
    if missing:
        raise bad_request("InvalidStorage", f"{kinds[0]} needs {', '.join(missing)}.")
    if share["accessMode"] not in ("ReadOnly", "ReadWrite"):
        raise bad_request("InvalidStorage", f"accessMode '{share['accessMode']}' must be ReadOnly or ReadWrite.")
    network = environment.body["properties"].get("vnetConfiguration") or {}
    if kinds[0] == "nfsAzureFile" and not network.get("infrastructureSubnetId"):
        raise bad_request("NfsStorageNeedsVnet", "NFS storage needs an environment in a virtual network of yours.")


def show(resource: Resource) -> Json:
    """Return an environment as Azure gives it back."""
    shown = tracked(resource, LOCATIONS[resource.body["location"]])
    properties = without_keys(copy.deepcopy(resource.body["properties"]), SECRET_KEYS)
    mark = hashlib.sha256(resource.id.key.encode()).hexdigest()[:8]
    network = properties.get("vnetConfiguration")
    properties.update(
        provisioningState=resource.body.get("state", "Succeeded"),
        # A name that no resolver knows: the fqdn of an app is an address in the sandbox.
        defaultDomain=f"{resource.id.name.lower()}-{mark}.{resource.body['location']}.azurecontainerapps.invalid",
        staticIp="127.66.0.1",
        vnetConfiguration=network,
        zoneRedundant=properties.get("zoneRedundant", False),
        kedaConfiguration={"version": "2.17.2"},
        daprConfiguration=properties.get("daprConfiguration") or {"version": "1.13.6-msft.1"},
        infrastructureResourceGroup=properties.get("infrastructureResourceGroup"),
        peerAuthentication=properties.get("peerAuthentication") or {"mtls": {"enabled": False}},
        publicNetworkAccess=properties.get("publicNetworkAccess", "Enabled"),
    )
    if resource.body.get("identity"):
        shown["identity"] = resource.body["identity"]
    return {**shown, "systemData": resource.system_data(), "properties": properties}


def _child(identifier: ResourceId, properties: Json) -> Json:
    return {"id": str(identifier), "name": identifier.name, "type": identifier.type, "properties": properties}


def show_storage(resource: Resource) -> Json:
    """Return a storage as Azure gives it back."""
    return _child(resource.id, without_keys(resource.body["properties"], SECRET_KEYS))


def need_environment(service: Service, text: object) -> Resource:
    """Return the environment that a new app names, or raise what Azure says to that."""
    found = service.refer(text, TYPE, "properties.environmentId")
    if found.body.get("state", "Succeeded") not in ("Succeeded", "Waiting"):
        raise not_found(TYPE, found.id.name, found.id.group)
    if found.body.get("state") == "Waiting":
        raise conflict(
            "ManagedEnvironmentNotReadyForAppCreation",
            f"The environment '{found.id.name}' is not ready for app creation. The current provisioning state is: "
            "Waiting.",
        )
    return found
