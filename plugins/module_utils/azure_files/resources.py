# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage account, file service and share: the calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..clients.azure import AzureClient
from ..clients.azure_versions import STORAGE
from ..compare import FieldChange
from ..errors import NotFound
from ..resource import Found, Kind, Wanted
from ..unknown import KNOWN_AFTER_APPLY
from . import translate


def account_id(client: AzureClient, resource_group: str, name: str) -> str:
    return f"{client.group_id(resource_group)}/providers/Microsoft.Storage/storageAccounts/{name}"


def read_key(client: AzureClient, resource_group: str, account: str) -> str:
    """The first key of an account; C((known after apply)) where the account does not exist yet."""
    try:
        answer = client.post(account_id(client, resource_group, account), "listKeys", STORAGE)
    except NotFound:
        return KNOWN_AFTER_APPLY
    return str(answer["keys"][0]["value"])


class AccountKind(Kind):
    """A storage account. Its kind, tier and region are fixed, and recreating it would lose the data: see storage.py."""

    title = "azure storage account"

    def __init__(self, client: AzureClient, resource_group: str) -> None:
        self._client = client
        self._resource_group = resource_group

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return translate.flat_account(body) if "properties" in body else dict(body)

    def read(self, name: str) -> Found | None:
        raw = self._client.get(account_id(self._client, self._resource_group, name), STORAGE)
        return None if raw is None else _found(raw, ("location", "kind", "sku", "properties"))

    def create(self, wanted: Wanted) -> Found:
        identifier = account_id(self._client, self._resource_group, wanted.name)
        self._client.put(identifier, STORAGE, {**wanted.body, "tags": dict(wanted.tags)})
        # The operation's last answer may come before the account can hold shares.
        raw = self._client.wait_provisioned(identifier, STORAGE)
        if raw is None:
            raise NotFound(f"Storage account {wanted.name} is gone right after it was created.")
        return _found(raw, ("location", "kind", "sku", "properties"))

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        tags = {**found.tags, **wanted.tags}
        body = {"sku": wanted.body["sku"], "properties": wanted.body["properties"], "tags": tags}
        return _found(self._client.patch(found.id, STORAGE, body), ("location", "kind", "sku", "properties"))

    def delete(self, found: Found) -> None:
        self._client.delete(found.id, STORAGE)

    def shares(self, found: Found) -> list[str]:
        """Names of all shares of the account."""
        return [str(item["name"]) for item in self._client.list(f"{found.id}/fileServices/default/shares", STORAGE)]


class _ChildKind(Kind):
    """A child of the account, owned by being in it."""

    taggable = False

    def __init__(self, client: AzureClient, resource_group: str, account: str) -> None:
        self._client = client
        self._account = account_id(client, resource_group, account)

    def _id(self, name: str) -> str:
        raise NotImplementedError

    def read(self, name: str) -> Found | None:
        raw = self._client.get(self._id(name), STORAGE)
        return None if raw is None else _found(raw, ("properties",))

    def create(self, wanted: Wanted) -> Found:
        return _found(self._client.put(self._id(wanted.name), STORAGE, wanted.body), ("properties",))

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        return self.create(wanted)


class FileServiceKind(_ChildKind):
    """The settings of an account's file service, which exists with the account."""

    title = "azure file service"

    def _id(self, name: str) -> str:
        return f"{self._account}/fileServices/default"

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return translate.flat_file_service(body) if "properties" in body else dict(body)

    def delete(self, found: Found) -> None:
        """Nothing to do: it goes with the account."""


class ShareKind(_ChildKind):
    """A file share. compared: which properties the description sets."""

    title = "azure file share"
    immutable = ("enabledProtocols",)

    def __init__(self, client: AzureClient, resource_group: str, account: str, compared: tuple[str, ...]) -> None:
        super().__init__(client, resource_group, account)
        self._compared = compared

    def _id(self, name: str) -> str:
        return f"{self._account}/fileServices/default/shares/{name}"

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return translate.flat_share(body, self._compared) if "properties" in body else dict(body)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        return _found(self._client.patch(self._id(wanted.name), STORAGE, wanted.body), ("properties",))

    def delete(self, found: Found) -> None:
        self._client.delete(found.id, STORAGE)


def _found(raw: Mapping[str, Any], keys: tuple[str, ...]) -> Found:
    body = {key: raw[key] for key in keys if raw.get(key) is not None}
    return Found(id=str(raw["id"]), body=body, tags=dict(raw.get("tags") or {}), raw=raw)
