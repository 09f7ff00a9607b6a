# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of a storage account, its file service and a share (API 2025-06-01), and how they compare. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compare import drop_empty
from .options import AzureFilesStorage

Body = dict[str, Any]

ACCOUNT_PROPERTIES = (
    "minimumTlsVersion",
    "allowBlobPublicAccess",
    "supportsHttpsTrafficOnly",
    "allowSharedKeyAccess",
    "publicNetworkAccess",
    "networkAcls",
)
SHARE_PROPERTIES = ("shareQuota", "enabledProtocols", "rootSquash", "accessTier")


def account(storage: AzureFilesStorage) -> Body:
    """The storage account: TLS 1.2, no anonymous blobs, a key only where SMB needs it, only the named subnets."""
    smb = storage.protocol == "SMB"
    properties: Body = {
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
        # Azure has NFS only on accounts that do not insist on TLS; it is encrypted by the client instead.
        "supportsHttpsTrafficOnly": smb,
        "allowSharedKeyAccess": smb,
        "publicNetworkAccess": "Enabled" if storage.public_network_access else "Disabled",
    }
    if storage.subnet_ids:
        rules = [{"id": subnet, "action": "Allow"} for subnet in storage.subnet_ids]
        properties["networkAcls"] = {"bypass": "AzureServices", "defaultAction": "Deny", "virtualNetworkRules": rules}
    return {
        "location": storage.location,
        "kind": "FileStorage" if storage.premium else "StorageV2",
        "sku": {"name": storage.effective_sku},
        "properties": properties,
    }


def file_service(storage: AzureFilesStorage) -> Body:
    """The account's file service: how long deleted shares can be brought back."""
    days = storage.retention_days
    policy: Body = {"enabled": True, "days": days} if days else {"enabled": False}
    return {"properties": {"shareDeleteRetentionPolicy": policy}}


def share(storage: AzureFilesStorage) -> Body:
    """The share."""
    properties: Body = {"shareQuota": storage.quota_gib, "enabledProtocols": storage.protocol}
    if storage.protocol == "NFS":
        properties["rootSquash"] = storage.root_squash or "NoRootSquash"
    if storage.access_tier is not None:
        properties["accessTier"] = storage.access_tier
    return {"properties": properties}


# ---- the forms that are compared


def flat_account(body: Mapping[str, Any]) -> Body:
    """An account: what we set, defaults filled in, region and subnets without regard to case."""
    given = dict(body.get("properties") or {})
    flat: Body = {
        "location": str(body.get("location") or "").replace(" ", "").lower(),
        "kind": body.get("kind"),
        "sku": (body.get("sku") or {}).get("name"),
        "publicNetworkAccess": given.get("publicNetworkAccess") or "Enabled",
        # Azure leaves it out where it was never set, which means allowed.
        "allowSharedKeyAccess": given.get("allowSharedKeyAccess") is not False,
    }
    for key in ("minimumTlsVersion", "allowBlobPublicAccess", "supportsHttpsTrafficOnly"):
        flat[key] = given.get(key)
    flat["networkAcls"] = _rules(given.get("networkAcls") or {})
    return dict(drop_empty(flat))


def _rules(rules: Mapping[str, Any]) -> Body:
    subnets = sorted(str(rule["id"]).lower() for rule in rules.get("virtualNetworkRules") or ())
    if str(rules.get("defaultAction") or "Allow") == "Allow" and not subnets:
        return {}
    return {"defaultAction": rules.get("defaultAction"), "virtualNetworkRules": subnets}


def flat_file_service(body: Mapping[str, Any]) -> Body:
    """A file service: for how many days deleted shares are kept, 0 for not at all."""
    policy = ((body.get("properties") or {}).get("shareDeleteRetentionPolicy")) or {}
    days = int(policy.get("days") or 0) if policy.get("enabled") else 0
    return {"retentionDays": days}


def flat_share(body: Mapping[str, Any], compared: tuple[str, ...]) -> Body:
    """A share. compared: the properties that the description sets; the tier is Azure's choice otherwise."""
    given = body.get("properties") or {}
    return {key: given[key] for key in SHARE_PROPERTIES if key in compared and given.get(key) is not None}
