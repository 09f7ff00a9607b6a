# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Azure Files storage as a bundle for the shared runner, and the result that other modules take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clients.azure import AzureClient
from ..errors import Refused
from ..release import SHARED
from ..resource import Found, Kind, Wanted
from ..resource_module import Bundle
from ..unknown import KNOWN_AFTER_APPLY
from . import translate
from .options import AzureFilesStorage
from .resources import AccountKind, FileServiceKind, ShareKind, read_key

FIXED = ("location", "kind")


class Storage:
    """The bundle keys are C(account), C(file_service) and C(share)."""

    def __init__(self, storage: AzureFilesStorage, client: AzureClient, *, return_key: bool = False) -> None:
        group, account = storage.resource_group, storage.account_name
        compared = tuple(translate.share(storage)["properties"])
        self._storage = storage
        self._client = client
        self._return_key = return_key
        self._account = AccountKind(client, group)
        self._kinds: dict[str, Kind] = {
            "account": self._account,
            "file_service": FileServiceKind(client, group, account),
            "share": ShareKind(client, group, account, compared),
        }

    def present(self) -> Bundle:
        """The bundle that exists. Reads the account, to say whose it is and to refuse what cannot be done."""
        existing = self._account.read(self._storage.account_name)
        account = translate.account(self._storage)
        if existing is not None:
            self._refuse_fixed(existing, account)
        ours = {SHARED: "true"} if existing is None or SHARED in existing.tags else {}
        names = {
            "account": self._storage.account_name,
            "file_service": f"{self._storage.account_name}/default",
            "share": self._storage.share_name,
        }
        bodies = {
            "account": account,
            "file_service": translate.file_service(self._storage),
            "share": translate.share(self._storage),
        }
        tags = {"account": {**self._storage.tags, **ours}}
        wanted = [Wanted(key=key, name=names[key], body=bodies[key], tags=tags.get(key, {})) for key in names]
        return Bundle(wanted, self._kinds, self._result)

    def absent(self, *, delete_data: bool) -> Bundle:
        """What is deleted: nothing without delete_data, else the share, and our account with its last share."""
        if not delete_data:
            return Bundle([], {}, lambda found: {"kept": True})
        wanted = [Wanted(key="share", name=self._storage.share_name, body={})]
        account = self._account.read(self._storage.account_name)
        if account is not None and SHARED in account.tags:
            others = [name for name in self._account.shares(account) if name != self._storage.share_name]
            if not others:
                wanted.insert(0, Wanted(key="account", name=self._storage.account_name, body={}))
        return Bundle(wanted, self._kinds, lambda found: {"kept": False})

    def _refuse_fixed(self, existing: Found, wanted: Mapping[str, Any]) -> None:
        found, flat = self._account.normalise(existing.body), self._account.normalise(wanted)
        changed = [key for key in FIXED if found.get(key) != flat.get(key)]
        if str(found.get("sku"))[:7] != str(flat.get("sku"))[:7]:
            changed.append("sku")
        if changed:
            raise Refused(
                f"Storage account {self._storage.account_name}: {', '.join(changed)} cannot be changed.",
                hint="Name another account_name; recreating this one would delete the models.",
            )

    def _result(self, found: Mapping[str, Found | None]) -> dict[str, Any]:
        storage, account = self._storage, found.get("account")
        block: dict[str, Any] = {key: getattr(storage, key) for key in ("account_name", "share_name", "resource_group")}
        if self._return_key and storage.protocol == "SMB":
            known = account is not None and account.id != KNOWN_AFTER_APPLY
            group = storage.resource_group
            block["account_key"] = read_key(self._client, group, storage.account_name) if known else KNOWN_AFTER_APPLY
        suffix = self._client.settings.cloud.storage_suffix
        return {
            "azure_files": block,
            "account_id": account.id if account else None,
            "server": f"{storage.account_name}.file.{suffix}",
            "nfs_path": f"/{storage.account_name}/{storage.share_name}" if storage.protocol == "NFS" else None,
        }
