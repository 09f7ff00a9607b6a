# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage accounts and shares, and what happens where a share cannot be mounted."""

from __future__ import annotations

from typing import Any

import pytest

ACCOUNTS = "Microsoft.Storage/storageAccounts"
GROUP = "rg-ollama-westus3"
BODY = {"location": "westus3", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
PREMIUM = {
    "location": "westus3",
    "sku": {"name": "Premium_LRS"},
    "kind": "FileStorage",
    "properties": {"supportsHttpsTrafficOnly": False},
}


def test_an_account_is_made_by_a_location_operation(azure: Any) -> None:
    created = azure.storage.storage_accounts.begin_create(GROUP, "polycloudmodels", BODY).result()
    assert created.properties.provisioning_state == "Succeeded"
    assert created.properties.enable_https_traffic_only is True
    again = azure.call("PUT", azure.path(ACCOUNTS, "polycloudmodels"), {**BODY, "tags": {"a": "b"}})
    assert (again.status, again.body["tags"]) == (200, {"a": "b"})


def test_names_are_unique_in_all_of_azure(azure: Any) -> None:
    azure.account("polycloudmodels")
    check = azure.storage.storage_accounts.check_name_availability(
        {"name": "polycloudmodels", "type": "Microsoft.Storage/storageAccounts"}
    )
    assert (check.name_available, check.reason) == (False, "AlreadyExists")
    elsewhere = azure.path(ACCOUNTS, "polycloudmodels", region="swedencentral")
    refused = azure.call("PUT", elsewhere, {**BODY, "location": "swedencentral"})
    assert (refused.status, refused.code) == (409, "StorageAccountAlreadyTaken")
    assert azure.call("PUT", azure.path(ACCOUNTS, "Poly-Cloud"), BODY).code == "AccountNameInvalid"


def test_kind_and_tier_are_fixed_and_tags_are_patched(azure: Any) -> None:
    azure.account()
    path = azure.path(ACCOUNTS, "polycloudmodels")
    assert azure.call("PATCH", path, {"kind": "FileStorage"}).code == "AccountPropertyCannotBeUpdated"
    changed = azure.call("PATCH", path, {"tags": {"a": "b"}, "properties": {"minimumTlsVersion": "TLS1_2"}})
    assert (changed.body["tags"], changed.body["properties"]["minimumTlsVersion"]) == ({"a": "b"}, "TLS1_2")
    assert azure.call("PATCH", path, {"tags": {"n" * 129: "x"}}).code == "InvalidTagNameCharacters"


def test_keys_are_listed_by_an_action_and_never_shown(azure: Any) -> None:
    key = azure.account()
    path = azure.path(ACCOUNTS, "polycloudmodels")
    assert key not in str(azure.call("GET", path).body)
    renewed = azure.call("POST", path + "/regenerateKey", {"keyName": "key1"}).body["keys"]
    assert renewed[0]["value"] != key


def test_a_share_has_protocol_quota_and_tier(azure: Any) -> None:
    azure.account()
    share = azure.storage.file_shares.get(GROUP, "polycloudmodels", "models")
    assert (share.file_share_properties.enabled_protocols, share.file_share_properties.share_quota) == ("SMB", 100)
    path = azure.path(ACCOUNTS, "polycloudmodels", "fileServices", "default", "shares", "models")
    assert azure.call("PUT", path, {"properties": {"shareQuota": 200}}).status == 200
    assert azure.call("PATCH", path, {"properties": {"accessTier": "Hot"}}).body["properties"]["shareQuota"] == 200
    assert azure.call("PUT", path, {"properties": {"enabledProtocols": "NFS"}}).code == "ShareProtocolCannotChange"
    assert [found.name for found in azure.storage.file_shares.list(GROUP, "polycloudmodels")] == ["models"]
    assert azure.call("DELETE", path).status == 200
    assert azure.call("GET", path).status == 404


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"enabledProtocols": "NFS"}, "NfsShareNotSupported"),
        ({"rootSquash": "AllSquash"}, "RootSquashNotSupported"),
        ({"shareQuota": 0}, "InvalidShareQuota"),
        ({"accessTier": "Premium"}, "InvalidAccessTier"),
    ],
)
def test_what_a_standard_account_cannot_hold_is_refused(azure: Any, properties: Any, code: str) -> None:
    azure.account()
    path = azure.path(ACCOUNTS, "polycloudmodels", "fileServices", "default", "shares", "other")
    assert azure.call("PUT", path, {"properties": properties}).code == code


def test_a_premium_account_holds_nfs_shares(azure: Any) -> None:
    azure.account("polycloudnfs", **PREMIUM)
    share = azure.storage.file_shares.get(GROUP, "polycloudnfs", "models").file_share_properties
    assert (share.enabled_protocols, share.root_squash, share.access_tier) == ("NFS", "NoRootSquash", "Premium")


def with_share(body: Any, key: str, account: str = "polycloudmodels", share: str = "models") -> Any:
    volume = {"shareName": share, "storageAccountName": account, "storageAccountKey": key}
    body["properties"]["volumes"] = [{"name": "models", "azureFile": volume}]
    return body


def test_a_group_mounts_a_share_by_its_key(azure: Any, group_body: Any) -> None:
    path = azure.path("Microsoft.ContainerInstance/containerGroups", "chat")
    ended = azure.follow(azure.call("PUT", path, with_share(group_body, azure.account())))
    assert ended.body["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"key": "wrong"}, "permission denied"), ({"account": "none"}, "cannot resolve"), ({"share": "none"}, "error 2")],
)
def test_a_group_whose_share_cannot_be_mounted_fails(azure: Any, group_body: Any, wrong: Any, says: str) -> None:
    key = azure.account()
    path = azure.path("Microsoft.ContainerInstance/containerGroups", "chat")
    ended = azure.follow(azure.call("PUT", path, with_share(group_body, **{"key": key, **wrong}))).body
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "AzureFileVolumeMountFailed")
    assert says in ended["error"]["message"]
    found = azure.call("GET", path).body["properties"]
    assert found["provisioningState"] == "Failed"
    assert found["instanceView"]["events"][0]["name"] == "FailedMount"
    assert azure.runtime.workloads() == []
