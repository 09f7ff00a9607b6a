# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure_files_storage against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.adapters import arm
from tests.helpers.in_process import run_in_process
from tests.sandbox.launcher import Sandbox

REGION = "swedencentral"


@pytest.fixture
def base(clouds: Sandbox) -> dict[str, Any]:
    group = clouds.seeds["azure"]["resource_groups"][REGION]
    return {"resource_group": group, "location": REGION, "account_name": "ollamamodels01", "share_name": "models"}


def run(base: dict[str, Any], *, check: bool = False, fails: bool = False, **changes: Any) -> dict[str, Any]:
    return run_in_process("azure_files_storage", {**base, **changes}, check=check, fails=fails)


def account(clouds: Sandbox, base: dict[str, Any]) -> Any:
    seeds = clouds.seeds["azure"]
    scope = f"/subscriptions/{seeds['subscription_id']}/resourceGroups/{base['resource_group']}"
    name = base["account_name"]
    return arm(clouds, "GET", f"{scope}/providers/Microsoft.Storage/storageAccounts/{name}?api-version=2025-06-01")


def test_it_is_made_once_with_safe_settings(clouds: Sandbox, base: dict[str, Any]) -> None:
    made = run(base)
    found = account(clouds, base)

    assert made["changed"]
    assert made["azure_files"] == {
        "account_name": "ollamamodels01",
        "share_name": "models",
        "resource_group": base["resource_group"],
    }
    assert made["server"] == "ollamamodels01.file.core.windows.net"
    assert found["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert found["properties"]["allowBlobPublicAccess"] is False
    assert found["tags"] == {"polycloud-managed": "true"}
    again = run(base)
    assert not again["changed"]
    assert {change["action"] for change in again["plan"]["changes"]} == {"keep"}


def test_check_mode_on_nothing_plans_what_apply_does_and_says_what_it_cannot_know(base: dict[str, Any]) -> None:
    planned = run(base, check=True, return_key=True)

    assert planned["account_id"] == "(known after apply)"
    assert planned["azure_files"]["account_key"] == "(known after apply)"
    assert run(base)["plan"] == planned["plan"]


def test_the_key_is_returned_only_where_it_is_asked_for(base: dict[str, Any]) -> None:
    assert "account_key" not in run(base)["azure_files"]
    assert len(run(base, return_key=True)["azure_files"]["account_key"]) == 88


@pytest.mark.parametrize(
    "change",
    [
        {"quota_gib": 200},
        {"access_tier": "Hot"},
        {"retention_days": 14},
        {"public_network_access": False},
        {"sku": "Standard_ZRS"},
        {"tags": {"team": "ml"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_setting_is_one_update(base: dict[str, Any], change: dict[str, Any]) -> None:
    run(base)

    changed = run(base, **change)

    assert [item["action"] for item in changed["plan"]["changes"]].count("update") == 1
    assert not run(base, **change)["changed"]


def test_a_subnet_closes_the_account_to_all_others(clouds: Sandbox, base: dict[str, Any]) -> None:
    subnet = clouds.seeds["azure"]["subnet_ids"][REGION]
    run(base, subnet_ids=[subnet])

    rules = account(clouds, base)["properties"]["networkAcls"]
    assert rules["defaultAction"] == "Deny"
    assert not run(base, subnet_ids=[subnet.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")])["changed"]


def test_nfs_is_premium_in_a_network_and_without_a_key(clouds: Sandbox, base: dict[str, Any]) -> None:
    nfs = {"protocol": "NFS", "subnet_ids": [clouds.seeds["azure"]["subnet_ids"][REGION]]}
    made = run(base, **nfs)

    assert made["nfs_path"] == "/ollamamodels01/models"
    found = account(clouds, base)
    assert (found["kind"], found["sku"]["name"]) == ("FileStorage", "Premium_LRS")
    assert found["properties"]["allowSharedKeyAccess"] is False
    assert not run(base, **nfs)["changed"]


def test_what_cannot_change_is_refused_because_recreating_would_lose_the_models(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)

    refused = run(base, fails=True, check=True, sku="Premium_LRS")

    assert "kind, sku cannot be changed" in refused["msg"]
    assert "would delete the models" in refused["msg"]


def test_absent_keeps_all_data_unless_told(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)

    kept = run(base, state="absent")
    assert not kept["changed"]
    assert kept["kept"]
    assert account(clouds, base)

    assert run(base, state="absent", delete_data=True)["changed"]
    assert not run(base, state="absent", delete_data=True)["changed"]


def test_an_account_with_other_shares_loses_only_this_one(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    run(base, share_name="others")

    gone = run(base, state="absent", delete_data=True)

    assert [change["key"] for change in gone["plan"]["changes"]] == ["share"]
    assert account(clouds, base)


def test_an_account_of_somebody_else_is_not_marked_as_ours_and_never_deleted(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)
    seeds = clouds.seeds["azure"]
    scope = f"/subscriptions/{seeds['subscription_id']}/resourceGroups/{base['resource_group']}"
    path = f"{scope}/providers/Microsoft.Storage/storageAccounts/ollamamodels01?api-version=2025-06-01"
    arm(clouds, "PATCH", path, {"tags": {"owner": "other"}})

    assert not run(base)["changed"]
    run(base, state="absent", delete_data=True)

    assert account(clouds, base)["tags"] == {"owner": "other"}


def test_all_broken_rules_are_told_at_once_before_any_call(clouds: Sandbox, base: dict[str, Any]) -> None:
    clouds.client.clear_requests()

    failed = run(base, fails=True, account_name="Not-Valid", share_name="a--b", protocol="NFS", quota_gib=5)

    assert len(failed["problems"]) == 4
    assert clouds.client.requests() == []
