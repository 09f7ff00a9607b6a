# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dated facts about Azure: API versions and the clouds. Checked 2026-11-22.

Sources: Azure/azure-rest-api-specs (folders under specification/*/resource-manager/*/stable); the endpoint lists of
Microsoft's packages azure-mgmt-core (tools.get_arm_endpoints, held equal by a test) and azure-cli (cloud.py).
"""

from __future__ import annotations

from dataclasses import dataclass

CONTAINER_INSTANCE = "2025-09-01"
CONTAINER_APPS = "2026-07-01"
STORAGE = "2025-06-01"
SUBSCRIPTIONS = "2022-12-01"


@dataclass(frozen=True, slots=True)
class Cloud:
    """One Azure. authority: gives tokens. audience: what a token is for. storage_suffix: end of storage host names."""

    name: str
    resource_manager: str
    authority: str
    audience: str
    storage_suffix: str


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            "AzureCloud",
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "https://management.azure.com",
            "core.windows.net",
        ),
        Cloud(
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "https://management.core.usgovcloudapi.net",
            "core.usgovcloudapi.net",
        ),
        Cloud(
            "AzureChinaCloud",
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn",
            "core.chinacloudapi.cn",
        ),
    )
}
