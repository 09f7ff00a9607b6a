# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of an Azure Files storage. All problems at once: option, value, rule. Pure.

Limits: Microsoft's pages storage-files-scale-targets and storage-account-overview, checked 2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..deployment.validate import show
from ..unknown import is_unknown
from .options import AzureFilesStorage

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_SHARE = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)
_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE | re.ASCII,
)
STANDARD_SKUS = ("Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_GZRS", "Standard_RAGRS", "Standard_RAGZRS")
PREMIUM_SKUS = ("Premium_LRS", "Premium_ZRS")
LARGEST_GIB = 102400
LEAST_PREMIUM_GIB = 100


def problems(storage: AzureFilesStorage) -> list[str]:
    """Every broken rule of a storage that is to exist."""
    return [*name_problems(storage), *_kind(storage), *_network(storage)]


def name_problems(storage: AzureFilesStorage) -> list[str]:
    """The rules that also matter to a storage that is to go."""
    found = []
    if not _ACCOUNT.fullmatch(storage.account_name):
        found.append(f"account_name {show(storage.account_name)} must be 3 to 24 lower-case letters and digits")
    if not _SHARE.fullmatch(storage.share_name) or "--" in storage.share_name:
        rule = "must be 3 to 63 lower-case letters, digits and single hyphens"
        found.append(f"share_name {show(storage.share_name)} {rule}")
    return found


def _kind(s: AzureFilesStorage) -> Iterator[str]:
    if not s.location:
        yield "location is required with state present"
    if s.effective_sku not in (*STANDARD_SKUS, *PREMIUM_SKUS):
        yield f"sku {show(s.effective_sku)} must be one of {', '.join((*STANDARD_SKUS, *PREMIUM_SKUS))}"
    if s.protocol == "NFS" and not s.premium:
        yield f"sku {show(s.effective_sku)}: protocol NFS needs one of {', '.join(PREMIUM_SKUS)}"
    if s.access_tier is not None and (s.access_tier == "Premium") != s.premium:
        yield f"access_tier {s.access_tier} does not go with sku {s.effective_sku}"
    if s.root_squash is not None and s.protocol != "NFS":
        yield f"root_squash {s.root_squash} is for protocol NFS"
    least = LEAST_PREMIUM_GIB if s.premium else 1
    if not least <= s.quota_gib <= LARGEST_GIB:
        yield f"quota_gib {s.quota_gib} must be between {least} and {LARGEST_GIB}"
    if not 0 <= s.retention_days <= 365:
        yield f"retention_days {s.retention_days} must be between 0 and 365"


def _network(s: AzureFilesStorage) -> Iterator[str]:
    for subnet in s.subnet_ids:
        if not is_unknown(subnet) and not _SUBNET.fullmatch(subnet):
            yield f"subnet_ids {show(subnet)} must be the resource id of a subnet"
    if s.protocol == "NFS" and s.public_network_access and not s.subnet_ids:
        yield "protocol NFS has no password: give subnet_ids, or public_network_access: false with a private endpoint"
    if s.subnet_ids and not s.public_network_access:
        yield "subnet_ids needs public_network_access: true (a service endpoint uses the public address)"
