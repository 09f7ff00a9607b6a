# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.Storage file services and shares: SMB and NFS, quota, tier, root squash."""

from __future__ import annotations

import copy
import re

from tests.sandbox.azure.arm import ArmRequest, ArmResponse, Json, canonical, merge_patch, page, without_nulls
from tests.sandbox.azure.errors import bad_request, conflict, not_found
from tests.sandbox.azure.mounts import share_id
from tests.sandbox.azure.router import GROUP, Route
from tests.sandbox.azure.service import Service
from tests.sandbox.azure.storage_accounts import NAMESPACE, TYPE
from tests.sandbox.azure.world import Resource

SHARE = f"{TYPE}/fileServices/shares"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])")
MAX_GIB = 102400
PREMIUM_MIN_GIB = 100
TIERS = ("TransactionOptimized", "Hot", "Cool", "Premium")
SQUASHES = ("NoRootSquash", "RootSquash", "AllSquash")


class FileShares(Service):
    """The file shares of one Azure."""

    namespace = NAMESPACE

    def routes(self) -> list[Route]:
        """Return the routes."""
        service = f"{GROUP}/providers/{TYPE}/{{name}}/fileServices/default"
        share = service + "/shares/{share}"
        return [
            Route("GET", service, self.get_service),
            Route("PUT", service, self.put_service),
            Route("GET", service + "/shares", self.list_all),
            Route("GET", share, self.get),
            Route("PUT", share, self.put),
            Route("PATCH", share, self.patch),
            Route("DELETE", share, self.delete),
        ]

    def _account(self, request: ArmRequest) -> Resource:
        return self.need(request.resource_id(NAMESPACE, "storageAccounts", request.params["name"]))

    def get_service(self, request: ArmRequest) -> ArmResponse:
        """Return the settings of an account's file service."""
        account = self._account(request)
        return ArmResponse(200, self._show_service(account))

    def put_service(self, request: ArmRequest) -> ArmResponse:
        """Set them."""
        account = self._account(request)
        account.body["fileService"] = self.body(request, "FileServiceProperties").get("properties", {})
        return ArmResponse(200, self._show_service(account))

    def _show_service(self, account: Resource) -> Json:
        identifier = account.id.child("fileServices", "default")
        properties = {
            "shareDeleteRetentionPolicy": {"enabled": True, "days": 7},
            "cors": {"corsRules": []},
            **account.body.get("fileService", {}),
        }
        return {"id": str(identifier), "name": "default", "type": identifier.type, "properties": properties}

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List the shares of an account."""
        account = self._account(request)
        return page(request, [show(share) for share in self.world.find(SHARE, f"{account.id.key}/")])

    def _share(self, request: ArmRequest) -> Resource:
        account = self._account(request)
        found = self.world.get(share_id(account.id, request.params["share"]))
        if found is None:
            raise not_found(SHARE, request.params["share"], account.id.group)
        return found

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one share."""
        return ArmResponse(200, show(self._share(request)))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create a share; the one that exists is kept, with the properties that are given."""
        account = self._account(request)
        if account.body["state"] != "Succeeded":
            raise conflict("StorageAccountIsNotProvisioned", f"The account '{account.id.name}' is not ready yet.")
        identifier = share_id(account.id, request.params["share"])
        if not NAME.fullmatch(identifier.name) or "--" in identifier.name:
            raise bad_request("InvalidResourceName", f"The share name '{identifier.name}' is not valid.")
        properties = self.body(request, "FileShare").get("properties", {})
        old = self.world.get(identifier)
        if old is not None:
            properties = {**old.body["properties"], **properties}
        _check(properties, account, old)
        resource = old or Resource(identifier, {})
        resource.body = {"properties": properties}
        self.world.put(resource)
        return ArmResponse(200 if old else 201, show(resource))

    def patch(self, request: ArmRequest) -> ArmResponse:
        """Change parts of a share."""
        found, account = self._share(request), self._account(request)
        change = self.body(request, "FileShare", partial=True)
        properties = without_nulls(merge_patch(copy.deepcopy(found.body["properties"]), change.get("properties", {})))
        _check(properties, account, found)
        found.body = {"properties": properties}
        return ArmResponse(200, show(found))

    def delete(self, request: ArmRequest) -> ArmResponse:
        """Delete a share."""
        identifier = share_id(self._account(request).id, request.params["share"])
        if self.world.get(identifier) is None:
            return ArmResponse(204)
        self.world.remove(identifier)
        return ArmResponse(200)


def _check(properties: Json, account: Resource, old: Resource | None) -> None:
    premium = account.body["kind"] == "FileStorage"
    protocol = canonical(
        properties.setdefault("enabledProtocols", "SMB"), ("SMB", "NFS"), "properties.enabledProtocols"
    )
    properties["enabledProtocols"] = protocol
    if old is not None and old.body["properties"]["enabledProtocols"] != protocol:
        raise bad_request("ShareProtocolCannotChange", "The protocol of a share is fixed.")
    if protocol == "NFS" and (not premium or account.body["properties"].get("supportsHttpsTrafficOnly", True)):
        raise bad_request(
            "NfsShareNotSupported",
            f"NFS shares need a Premium FileStorage account with supportsHttpsTrafficOnly off, not '{account.id.name}'",
        )
    if properties.get("rootSquash") is not None:
        if protocol != "NFS":
            raise bad_request("RootSquashNotSupported", "rootSquash is for NFS shares.")
        properties["rootSquash"] = canonical(properties["rootSquash"], SQUASHES, "properties.rootSquash")
    elif protocol == "NFS":
        properties["rootSquash"] = "NoRootSquash"
    quota = properties.setdefault("shareQuota", PREMIUM_MIN_GIB if premium else 5120)
    if not (PREMIUM_MIN_GIB if premium else 1) <= quota <= MAX_GIB:
        raise bad_request("InvalidShareQuota", f"shareQuota {quota} is out of range for this account (GiB).")
    default = "Premium" if premium else "TransactionOptimized"
    tier = canonical(properties.setdefault("accessTier", default), TIERS, "properties.accessTier")
    if premium != (tier == "Premium"):
        raise bad_request("InvalidAccessTier", f"The access tier '{tier}' is not for this kind of account.")
    properties["accessTier"] = tier


def show(resource: Resource) -> Json:
    """Return a share as Azure gives it back."""
    shown: Json = {"id": str(resource.id), "name": resource.id.name, "type": resource.id.type}
    state = {"leaseStatus": "unlocked", "leaseState": "available", "lastModifiedTime": resource.changed_at}
    return {**shown, "etag": '"0x8DC0"', "properties": {**copy.deepcopy(resource.body["properties"]), **state}}
