# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Storage/storageAccounts: PUT, GET, PATCH, DELETE, list, keys, name check."""

from __future__ import annotations

import base64
import copy
import re
import secrets

from tests.sandbox.azure.arm import (
    ArmRequest,
    ArmResponse,
    Json,
    ResourceId,
    check_tags,
    merge_patch,
    now_text,
    without_nulls,
)
from tests.sandbox.azure.errors import bad_request, conflict
from tests.sandbox.azure.mounts import find_account
from tests.sandbox.azure.operations import location_header
from tests.sandbox.azure.router import GROUP, SUBSCRIPTION, Route
from tests.sandbox.azure.service import Service, tracked
from tests.sandbox.azure.world import Resource

NAMESPACE = "Microsoft.Storage"
TYPE = f"{NAMESPACE}/storageAccounts"
NAME = re.compile(r"[a-z0-9]{3,24}")
TAG_NAME_LIMIT = 128
KINDS = {
    "StorageV2": ("Standard_LRS", "Standard_GRS", "Standard_RAGRS", "Standard_ZRS", "Standard_GZRS", "Standard_RAGZRS"),
    "FileStorage": ("Premium_LRS", "Premium_ZRS", "PremiumV2_LRS", "PremiumV2_ZRS", "StandardV2_LRS", "StandardV2_ZRS"),
    "Storage": ("Standard_LRS", "Standard_GRS", "Standard_RAGRS"),
    "BlockBlobStorage": ("Premium_LRS", "Premium_ZRS"),
}
DEFAULTS = {"supportsHttpsTrafficOnly": True, "minimumTlsVersion": "TLS1_0", "allowBlobPublicAccess": False}


class StorageAccounts(Service):
    """The storage accounts of one Azure."""

    namespace = NAMESPACE

    def routes(self) -> list[Route]:
        """Return the routes."""
        accounts = f"{GROUP}/providers/{TYPE}"
        account = accounts + "/{name}"
        return [
            Route("POST", f"{SUBSCRIPTION}/providers/{NAMESPACE}/checkNameAvailability", self.check_name),
            Route("GET", f"{SUBSCRIPTION}/providers/{TYPE}", self.list_all),
            Route("GET", accounts, self.list_all),
            Route("GET", account, self.get),
            Route("PUT", account, self.put),
            Route("PATCH", account, self.patch),
            Route("DELETE", account, self.delete),
            Route("POST", account + "/listKeys", self.list_keys),
            Route("POST", account + "/regenerateKey", self.regenerate_key),
        ]

    def _id(self, request: ArmRequest) -> ResourceId:
        return request.resource_id(NAMESPACE, "storageAccounts", request.params["name"])

    def check_name(self, request: ArmRequest) -> ArmResponse:
        """Say whether a name is free in all of Azure."""
        name = str(self.body(request, "StorageAccountCheckNameAvailabilityParameters")["name"])
        if not NAME.fullmatch(name):
            return ArmResponse(
                200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": _name_rule(name)}
            )
        if find_account(self.world, name):
            message = f"The storage account named {name} is already taken."
            return ArmResponse(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
        return ArmResponse(200, {"nameAvailable": True})

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List accounts."""
        return self.list(request, TYPE, show)

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one account."""
        return ArmResponse(200, show(self.need(self._id(request))))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create an account (202 with a Location), or change one that exists (200)."""
        identifier = self._id(request)
        old = self.world.get(identifier)
        body = self.body(request, "StorageAccountCreateParameters")
        _check_new(identifier.name, body)
        if old is None and find_account(self.world, identifier.name):
            raise conflict(
                "StorageAccountAlreadyTaken", f"The storage account named {identifier.name} is already taken."
            )
        body["location"] = self.check_tracked(body, old, TAG_NAME_LIMIT)
        body["identity"] = self.check_identity(body.get("identity"))
        body["properties"] = {**DEFAULTS, **body.get("properties", {})}
        if old is not None:
            _check_fixed(old, body)
            old.body, old.changed_at = {**old.body, **body}, now_text()
            return ArmResponse(200, show(old))
        resource = Resource(identifier, {**body, "state": "Creating", "keys": [_new_key(), _new_key()]})
        self.world.put(resource)
        operation = self.operations.begin(
            NAMESPACE, body["location"], lambda: ArmResponse(200, show(self.need(identifier)))
        )

        def finish() -> None:
            resource.body["state"] = "Succeeded"
            operation.succeed()

        self.world.after(self.world.timing.operation, finish)
        return ArmResponse(202, None, location_header(request, operation))

    def patch(self, request: ArmRequest) -> ArmResponse:
        """Change parts of an account."""
        old = self.need(self._id(request))
        change = self.body(request, "StorageAccountUpdateParameters", partial=True)
        wanted = without_nulls(merge_patch(copy.deepcopy(old.body), change))
        if "tags" in change:
            # Tags are one value: PATCH replaces them.
            wanted["tags"] = change["tags"] or {}
        check_tags(wanted.get("tags"), TAG_NAME_LIMIT)
        _check_fixed(old, wanted)
        old.body, old.changed_at = wanted, now_text()
        return ArmResponse(200, show(old))

    def delete(self, request: ArmRequest) -> ArmResponse:
        """Delete an account with its shares."""
        identifier = self._id(request)
        if self.world.get(identifier) is None:
            return ArmResponse(204)
        self.world.remove(identifier)
        return ArmResponse(200)

    def list_keys(self, request: ArmRequest) -> ArmResponse:
        """Return both keys."""
        return ArmResponse(200, _keys(self.need(self._id(request))))

    def regenerate_key(self, request: ArmRequest) -> ArmResponse:
        """Replace one key."""
        found = self.need(self._id(request))
        name = self.body(request, "StorageAccountRegenerateKeyParameters")["keyName"]
        if name not in ("key1", "key2"):
            raise bad_request("InvalidKeyName", f"The key name '{name}' must be key1 or key2.")
        found.body["keys"][("key1", "key2").index(name)] = _new_key()
        return ArmResponse(200, _keys(found))


def _name_rule(name: str) -> str:
    return (
        f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
        "length and use numbers and lower-case letters only."
    )


def _check_new(name: str, body: Json) -> None:
    if not NAME.fullmatch(name):
        raise bad_request("AccountNameInvalid", _name_rule(name))
    sku, kind = body["sku"]["name"], body["kind"]
    if sku not in KINDS.get(kind, ()):
        raise bad_request("InvalidAccountTypeForKind", f"The sku '{sku}' is not one of account kind '{kind}'.")


def _check_fixed(old: Resource, body: Json) -> None:
    if old.body["kind"] != body["kind"]:
        raise bad_request("AccountPropertyCannotBeUpdated", "The property 'kind' of a storage account is fixed.")
    premium = [resource["sku"]["name"].split("_")[0] for resource in (old.body, body)]
    if premium[0] != premium[1]:
        raise bad_request("AccountPropertyCannotBeUpdated", "The performance tier of a storage account is fixed.")


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


def _keys(account: Resource) -> Json:
    keys = zip(("key1", "key2"), account.body["keys"], strict=True)
    return {"keys": [{"keyName": name, "value": value, "permissions": "FULL"} for name, value in keys]}


def show(resource: Resource) -> Json:
    """Return an account as Azure gives it back."""
    shown = tracked(resource)
    sku = resource.body["sku"]["name"]
    name = resource.id.name
    shown.update(sku={"name": sku, "tier": "Premium" if sku.startswith("Premium") else "Standard"})
    shown["kind"] = resource.body["kind"]
    if resource.body.get("identity"):
        shown["identity"] = resource.body["identity"]
    properties = copy.deepcopy(resource.body["properties"])
    properties.setdefault(
        "networkAcls", {"bypass": "AzureServices", "virtualNetworkRules": [], "ipRules": [], "defaultAction": "Allow"}
    )
    properties.update(
        provisioningState=resource.body["state"],
        creationTime=resource.created_at,
        primaryLocation=resource.body["location"],
        statusOfPrimary="available",
        primaryEndpoints={"file": f"https://{name}.file.core.windows.net/"},
    )
    return {**shown, "properties": properties}
