# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""aci_deployment against the sandbox: what the contract suite of all platforms does not ask."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.platform import ContainerGroupPlatform
from tests.contract.adapters import ACI_GROUP, BETTER, CANARY, GOOD, aci_args, arm, bad, group_path
from tests.helpers.in_process import run_in_process
from tests.sandbox.launcher import Sandbox

PROFILE = ("swedencentral", "Microsoft.ContainerInstance/containerGroupProfiles/chat", "2025-09-01")
SENT = ("PUT", "PATCH", "POST", "DELETE")


@pytest.fixture
def base(clouds: Sandbox) -> dict[str, Any]:
    return aci_args(clouds)


def run(base: dict[str, Any], *, check: bool = False, fails: bool = False, **changes: Any) -> dict[str, Any]:
    result = run_in_process("aci_deployment", {**base, **changes}, check=check, fails=fails)
    assert CANARY not in json.dumps(result)
    return result


def sent(clouds: Sandbox) -> list[str]:
    return [entry["operation"] for entry in clouds.client.requests() if entry["method"] in SENT]


def tags(clouds: Sandbox) -> dict[str, str]:
    found: dict[str, str] = arm(clouds, "GET", group_path(clouds, *ACI_GROUP))["tags"]
    return found


def test_a_release_is_a_revision_of_the_profile_named_by_a_tag_of_the_group(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)
    run(base, image=BETTER)

    profile = arm(clouds, "GET", group_path(clouds, *PROFILE))
    assert profile["properties"]["registeredRevisions"] == [1, 2]
    assert (tags(clouds)["polycloud-release"], tags(clouds)["polycloud-previous-good"]) == ("2", "1")


def test_no_secret_is_ever_in_a_profile(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)

    def bodies(operation: str) -> str:
        return json.dumps([e["request_body"] for e in clouds.client.requests() if e["operation"] == operation])

    assert CANARY in bodies("PUT containerGroups")
    assert "polycloud:secret" in bodies("PUT containerGroupProfiles")
    assert CANARY not in bodies("PUT containerGroupProfiles")


def test_a_change_of_tags_alone_restarts_nothing(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    before = clouds.client.workloads()
    clouds.client.clear_requests()

    tagged = run(base, tags={"team": "ml"})

    assert tagged["changed"]
    assert not any("outage" in note for note in tagged["plan"]["notes"])
    assert clouds.client.workloads() == before
    assert set(sent(clouds)) == {"PATCH containerGroups"}
    assert not run(base, tags={"team": "ml"})["changed"]


# ---- models on Azure Files


@pytest.fixture
def on_files(base: dict[str, Any]) -> dict[str, Any]:
    place = {key: base["platform"][key] for key in ("resource_group", "location")}
    storage = run_in_process("azure_files_storage", {**place, "account_name": "ollamamodels01"})
    platform = {**base["platform"], "azure_files": storage["azure_files"]}
    return {**base, "storage": {"mode": "volume"}, "platform": platform}


def test_the_key_of_the_share_is_read_from_azure_and_shown_nowhere(clouds: Sandbox, on_files: dict[str, Any]) -> None:
    made = run(on_files)

    assert made["deployment"]["answer"]
    user = next(row for row in made["plan"]["hardening"] if row["measure"] == "user")
    assert user["met"] is False
    assert "must run as root" in user["detail"]
    keys = run_in_process(
        "azure_files_storage",
        {
            "resource_group": on_files["platform"]["resource_group"],
            "location": "swedencentral",
            "account_name": "ollamamodels01",
            "return_key": True,
        },
    )
    assert keys["azure_files"]["account_key"] not in json.dumps(made)
    assert not run(on_files)["changed"]


def test_a_new_key_of_the_share_is_a_new_release(clouds: Sandbox, on_files: dict[str, Any]) -> None:
    run(on_files)
    account = ("swedencentral", "Microsoft.Storage/storageAccounts/ollamamodels01/regenerateKey", "2025-06-01")
    arm(clouds, "POST", group_path(clouds, *account), {"keyName": "key1"})

    assert run(on_files)["changed"]
    assert tags(clouds)["polycloud-release"] == "2"


def test_check_mode_before_the_share_exists_does_not_fail(clouds: Sandbox, base: dict[str, Any]) -> None:
    files = {"account_name": "ollamamodels01", "share_name": "models"}
    later = {**base, "storage": {"mode": "volume"}, "platform": {**base["platform"], "azure_files": files}}

    assert run(later, check=True)["plan"]["summary"] == "2 to create"


# ---- runs that were cut off


def test_a_run_killed_between_profile_and_group_is_taken_up_by_the_next(
    clouds: Sandbox, base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(base)
    from ansible_collections.polycloud.ollama.plugins.module_utils.aci.resources import GroupKind

    def killed(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GroupKind, "update", killed)
        with pytest.raises(KeyboardInterrupt):
            run(base, image=BETTER)
    assert tags(clouds)["polycloud-release"] == "1"

    # Back to what runs: the orphaned revision is no reason to restart anything.
    assert not run(base)["changed"]
    assert run(base, image=BETTER)["deployment"]["last_good"] == tags(clouds)["polycloud-release"]


def test_a_run_killed_while_the_group_starts_is_verified_by_the_next(
    clouds: Sandbox, base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ContainerGroupPlatform, "wait_steady", killed)
        with pytest.raises(KeyboardInterrupt):
            run(base)
    assert "polycloud-last-good" not in tags(clouds)
    clouds.client.clear_requests()

    resumed = run(base)

    assert resumed["deployment"]["last_good"] == "1"
    assert "never proven good" in resumed["plan"]["changes"][1]["reason"]
    assert "PUT containerGroups" not in sent(clouds)


def test_a_bad_release_of_a_killed_run_gives_way_to_the_last_good_one(
    clouds: Sandbox, base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(base)

    def killed(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ContainerGroupPlatform, "wait_steady", killed)
        with pytest.raises(KeyboardInterrupt):
            run(base, image=bad("no-model"))

    failed = run(base, image=bad("no-model"), fails=True)

    # The body of the last good release comes from its profile revision: no run remembers it.
    assert "Rolled back to 1" in failed["msg"]
    assert GOOD in failed["deployment"]["serving"]
    assert not run(base)["changed"]


# ---- rolling back


def test_a_rollback_that_lacks_a_secret_is_refused_before_anything_changes(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)
    run(base, image=BETTER)
    clouds.client.clear_requests()

    refused = run(base, state="rolled_back", secrets=[], fails=True)

    assert "containers.ollama.LICENCE" in refused["msg"]
    assert sent(clouds) == []


def test_a_bad_release_that_was_recreated_gives_way_to_the_old_size(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    bigger = {**copy.deepcopy(base), "resources": {"cpu": 3, "memory_gib": 4}, "image": bad("no-model")}

    failed = run(bigger, recreate=True, fails=True)

    assert failed["rolled_back"]
    group = arm(clouds, "GET", group_path(clouds, *ACI_GROUP))
    assert group["properties"]["containers"][0]["properties"]["resources"]["requests"]["cpu"] == 2
    assert not run(base)["changed"]


def test_without_automatic_rollback_a_bad_release_stays_and_is_not_taken_for_good(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)
    left = {"image": bad("no-model"), "update": {"timeout": 20, "auto_rollback": False}}

    failed = run(base, **left, fails=True)

    assert "left in place" in failed["msg"]
    assert (tags(clouds)["polycloud-release"], tags(clouds)["polycloud-last-good"]) == ("2", "1")
    assert run(base)["deployment"]["serving"].startswith(GOOD)


def test_an_image_that_cannot_be_pulled_is_rolled_back_with_azures_own_words(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)

    failed = run(base, image=bad("missing"), fails=True)

    assert "InaccessibleImage" in failed["msg"]
    assert "Rolled back to 1" in failed["msg"]


# ---- what exists already


def test_a_group_that_somebody_made_is_adopted_when_told_and_put_back_when_the_release_is_bad(
    clouds: Sandbox, base: dict[str, Any]
) -> None:
    run(base)
    theirs = {"team": "ml"}
    arm(clouds, "PATCH", group_path(clouds, *ACI_GROUP), {"tags": theirs})
    arm(clouds, "DELETE", group_path(clouds, *PROFILE))
    assert "not managed by this collection" in run(base, fails=True)["msg"]

    failed = run(base, adopt=True, image=bad("no-model"), fails=True)

    assert "Rolled back to the adopted definition" in failed["msg"]
    assert GOOD in failed["deployment"]["serving"]
    assert run(base, adopt=True, image=BETTER)["deployment"]["answer"]


def test_the_plan_warns_of_what_azure_will_do(base: dict[str, Any]) -> None:
    big = run(base, check=True, resources={"cpu": 8, "memory_gib": 32})

    assert any("more quota" in note for note in big["plan"]["notes"])
