# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of an Azure Files storage, and their typed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STORAGE_OPTIONS: dict[str, dict[str, Any]] = {
    "resource_group": {"type": "str", "required": True},
    "location": {"type": "str"},
    "account_name": {"type": "str", "required": True},
    "share_name": {"type": "str", "default": "models"},
    "protocol": {"type": "str", "choices": ["SMB", "NFS"], "default": "SMB"},
    "quota_gib": {"type": "int", "default": 100},
    "sku": {"type": "str"},
    "access_tier": {"type": "str", "choices": ["TransactionOptimized", "Hot", "Cool", "Premium"]},
    "root_squash": {"type": "str", "choices": ["NoRootSquash", "RootSquash", "AllSquash"]},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "public_network_access": {"type": "bool", "default": True},
    "retention_days": {"type": "int", "default": 7},
    "tags": {"type": "dict", "default": {}},
    "delete_data": {"type": "bool", "default": False},
    "return_key": {"type": "bool", "default": False, "no_log": False},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureFilesStorage:
    """A storage account with one share. quota_gib: its size. retention_days: how long a deleted share is kept."""

    resource_group: str
    account_name: str
    location: str = ""
    share_name: str = "models"
    protocol: str = "SMB"
    quota_gib: int = 100
    sku: str | None = None
    access_tier: str | None = None
    root_squash: str | None = None
    subnet_ids: tuple[str, ...] = ()
    public_network_access: bool = True
    retention_days: int = 7
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def effective_sku(self) -> str:
        """The given SKU, else the cheapest that has the protocol."""
        return self.sku or ("Premium_LRS" if self.protocol == "NFS" else "Standard_LRS")

    @property
    def premium(self) -> bool:
        return self.effective_sku.startswith("Premium")
