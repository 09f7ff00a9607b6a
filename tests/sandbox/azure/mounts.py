# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an Azure Files share can be mounted: the account exists, the share is in it, the key is right."""

from __future__ import annotations

from tests.sandbox.azure.arm import ResourceId, same_text
from tests.sandbox.azure.world import Resource, World


def find_account(world: World, name: str) -> Resource | None:
    """Return a storage account by its name, which is unique in all of Azure."""
    for account in world.find("Microsoft.Storage/storageAccounts"):
        if same_text(account.id.name, name):
            return account
    return None


def share_id(account: ResourceId, share: str) -> ResourceId:
    """Return the id of a file share."""
    return account.child("fileServices", "default", "shares", share)


def mount_problem(
    world: World, account_name: str, share_name: str, key: str | None, protocol: str = "SMB"
) -> str | None:
    """Say why a share cannot be mounted, or None where it can. ``key`` None means that another credential is used."""
    account = find_account(world, account_name)
    if account is None:
        return f"cannot resolve storage account '{account_name}'"
    share = world.get(share_id(account.id, share_name))
    if share is None:
        return f"the share '{share_name}' of storage account '{account_name}' does not exist (error 2)"
    if share.body["properties"].get("enabledProtocols", "SMB") != protocol:
        return f"the share '{share_name}' does not speak {protocol}"
    if key is None:
        return None
    if not account.body["properties"].get("allowSharedKeyAccess", True):
        return f"storage account '{account_name}' does not allow access by key (error 13)"
    if key not in account.body["keys"]:
        return f"the key of storage account '{account_name}' is wrong: permission denied (error 13)"
    return None
