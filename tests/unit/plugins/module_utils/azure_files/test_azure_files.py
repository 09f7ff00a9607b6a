# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of an Azure Files storage, and the bodies that it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.azure_files import translate
from ansible_collections.polycloud.ollama.plugins.module_utils.azure_files.options import AzureFilesStorage
from ansible_collections.polycloud.ollama.plugins.module_utils.azure_files.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY
from tests.helpers.aci import SUBNET
from tests.sandbox.azure import schema, sdk_models

BASE: dict[str, Any] = {"resource_group": "rg", "location": "westeurope", "account_name": "ollamamodels01"}
NFS: dict[str, Any] = {**BASE, "protocol": "NFS", "subnet_ids": (SUBNET,)}


def storage(**changes: Any) -> AzureFilesStorage:
    return AzureFilesStorage(**{**BASE, **changes})


@pytest.mark.parametrize("sample", [BASE, NFS], ids=["smb", "nfs"])
def test_the_sdk_knows_every_field(sample: dict[str, Any]) -> None:
    wanted = AzureFilesStorage(**sample)
    bodies = {
        "StorageAccountCreateParameters": translate.account(wanted),
        "FileServiceProperties": translate.file_service(wanted),
        "FileShare": translate.share(wanted),
    }
    for model, body in bodies.items():
        assert schema.clean(sdk_models.schema("Microsoft.Storage", model), body) == body


def test_an_smb_account_is_safe_by_default() -> None:
    properties = translate.account(storage())["properties"]

    assert properties == {
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
        "supportsHttpsTrafficOnly": True,
        "allowSharedKeyAccess": True,
        "publicNetworkAccess": "Enabled",
    }


@pytest.mark.parametrize("sample", [BASE, NFS], ids=["smb", "nfs"])
def test_azures_way_of_answering_is_no_change(sample: dict[str, Any]) -> None:
    wanted = translate.account(AzureFilesStorage(**sample))
    found = {
        **wanted,
        "location": "West Europe",
        "sku": {**wanted["sku"], "tier": "Standard"},
        "properties": {
            "networkAcls": {
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
                "bypass": "AzureServices",
            },
            **wanted["properties"],
            "provisioningState": "Succeeded",
            "primaryEndpoints": {"file": "https://x"},
            "encryption": {"keySource": "Microsoft.Storage"},
        },
    }
    if "subnet_ids" in sample:
        rules = [{"id": SUBNET.upper(), "action": "Allow", "state": "Succeeded"}]
        found["properties"]["networkAcls"] = {"defaultAction": "Deny", "virtualNetworkRules": rules}

    assert translate.flat_account(found) == translate.flat_account(wanted)


@pytest.mark.parametrize(
    "change",
    [
        {"minimumTlsVersion": "TLS1_0"},
        {"allowBlobPublicAccess": True},
        {"allowSharedKeyAccess": False},
        {"publicNetworkAccess": "Disabled"},
        {"networkAcls": {"defaultAction": "Deny"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_setting_that_somebody_loosened_is_a_change(change: dict[str, Any]) -> None:
    wanted = translate.account(storage())
    found = {**wanted, "properties": {**wanted["properties"], **change}}

    assert translate.flat_account(found) != translate.flat_account(wanted)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"account_name": "Has-Dash"}, "3 to 24 lower-case letters and digits"),
        ({"share_name": "a--b"}, "single hyphens"),
        ({"location": ""}, "location is required"),
        ({"sku": "Standard_XXL"}, "must be one of Standard_LRS"),
        ({**NFS, "sku": "Standard_LRS"}, "protocol NFS needs one of Premium_LRS"),
        ({**NFS, "subnet_ids": ()}, "NFS has no password"),
        ({"access_tier": "Premium"}, "does not go with sku Standard_LRS"),
        ({"root_squash": "AllSquash"}, "is for protocol NFS"),
        ({"quota_gib": 0}, "between 1 and 102400"),
        ({**NFS, "quota_gib": 50}, "between 100 and 102400"),
        ({"retention_days": 366}, "between 0 and 365"),
        ({"subnet_ids": ("containers",)}, "must be the resource id of a subnet"),
        ({"subnet_ids": (SUBNET,), "public_network_access": False}, "needs public_network_access: true"),
    ],
)
def test_a_broken_rule_is_named(changes: dict[str, Any], rule: str) -> None:
    assert any(rule in problem for problem in problems(storage(**changes)))


def test_good_descriptions_break_no_rule() -> None:
    assert problems(storage()) == []
    assert problems(AzureFilesStorage(**NFS)) == []
    assert problems(storage(subnet_ids=(KNOWN_AFTER_APPLY,))) == []
    assert problems(AzureFilesStorage(**{**NFS, "subnet_ids": (), "public_network_access": False})) == []
