# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""aci_container_group and aci_container_group_info against the sandbox."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.contract.adapters import arm
from tests.helpers.in_process import run_in_process
from tests.sandbox.launcher import Sandbox

REGION = "swedencentral"
CANARY = "canary-proxy-password"
SENT = ("PUT", "PATCH", "POST", "DELETE")


@pytest.fixture
def base(clouds: Sandbox) -> dict[str, Any]:
    seeds = clouds.seeds["azure"]
    return {
        "name": "proxy",
        "resource_group": seeds["resource_groups"][REGION],
        "location": REGION,
        "containers": [
            {
                "name": "proxy",
                "image": "registry.example.com/proxy:1.0",
                "ports": [{"port": 8080}],
                "environment_variables": [
                    {"name": "UPSTREAM", "value": "http://10.60.0.4:11434"},
                    {"name": "PROXY_PASSWORD", "secure_value": CANARY},
                ],
                "resources": {"requests": {"cpu": 1, "memory_in_gb": 1.5}},
                "volume_mounts": [{"name": "scratch", "mount_path": "/scratch"}],
                "readiness_probe": {"http_get": {"path": "/healthz", "port": 8080}},
            }
        ],
        "volumes": [{"name": "scratch", "empty_dir": True}],
        "ip_address": {"type": "Private", "ports": [{"port": 8080}]},
        "subnet_ids": [seeds["subnet_ids"][REGION]],
    }


def run(base: dict[str, Any], *, check: bool = False, fails: bool = False, **changes: Any) -> dict[str, Any]:
    result = run_in_process("aci_container_group", {**base, **changes}, check=check, fails=fails)
    assert CANARY not in json.dumps(result)
    return result


def path_of(clouds: Sandbox, base: dict[str, Any]) -> str:
    seeds = clouds.seeds["azure"]
    scope = f"/subscriptions/{seeds['subscription_id']}/resourceGroups/{base['resource_group']}"
    return f"{scope}/providers/Microsoft.ContainerInstance/containerGroups/{base['name']}?api-version=2025-09-01"


def sent(clouds: Sandbox) -> list[str]:
    return [entry["method"] for entry in clouds.client.requests() if entry["method"] in SENT]


def container(args: dict[str, Any], **changes: Any) -> dict[str, Any]:
    changed = copy.deepcopy(args)
    changed["containers"][0].update(changes)
    return changed


def test_a_group_is_created_once(clouds: Sandbox, base: dict[str, Any]) -> None:
    planned = run(base, check=True)
    assert planned["container_group"]["id"] == "(known after apply)"
    made = run(base)

    assert made["plan"] == planned["plan"]
    assert made["container_group"]["properties"]["provisioningState"] == "Succeeded"
    clouds.client.clear_requests()
    assert not run(base)["changed"]
    assert sent(clouds) == []


def test_a_new_image_restarts_the_group_in_place(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    clouds.client.clear_requests()

    changed = run(container(base, image="registry.example.com/proxy:1.1"))

    assert [change["action"] for change in changed["plan"]["changes"]] == ["update"]
    assert "containers.proxy.image" in changed["diff"]["prepared"]
    assert sent(clouds) == ["PUT"]


def test_tags_alone_restart_nothing_and_tags_of_others_stay(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    arm(
        clouds,
        "PATCH",
        path_of(clouds, base),
        {"tags": {**arm(clouds, "GET", path_of(clouds, base))["tags"], "a": "b"}},
    )
    clouds.client.clear_requests()

    tagged = run(base, tags={"team": "ml"})

    assert sent(clouds) == ["PATCH"]
    assert tagged["container_group"]["tags"]["a"] == "b"
    assert tagged["container_group"]["tags"]["team"] == "ml"


def test_a_changed_secret_is_a_change_and_an_unchanged_one_is_not(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    other = copy.deepcopy(base)
    other["containers"][0]["environment_variables"][1]["secure_value"] = CANARY + "-2"
    clouds.client.clear_requests()

    changed = run(other)

    assert changed["changed"]
    assert sent(clouds) == ["PUT"]
    assert not run(other)["changed"]
    assert "(secret, changed)" in changed["diff"]["prepared"]


def test_an_immutable_change_is_refused_without_recreate(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    bigger = container(base, resources={"requests": {"cpu": 2, "memory_in_gb": 1.5}})

    refused = run(bigger, fails=True)
    assert "resources.proxy.requests.cpu cannot be changed in place" in refused["msg"]

    assert run(bigger, recreate=True)["plan"]["changes"][0]["action"] == "replace"
    assert not run(bigger)["changed"]


def test_a_group_of_a_deployment_is_refused_unless_named(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    tags = arm(clouds, "GET", path_of(clouds, base))["tags"]
    arm(clouds, "PATCH", path_of(clouds, base), {"tags": {**tags, "polycloud-deployment": "chat"}})

    assert "belongs to deployment chat" in run(base, fails=True, state="absent")["msg"]
    assert not run(base, deployment="chat")["changed"]


def test_absent_deletes_and_then_changes_nothing(base: dict[str, Any]) -> None:
    run(base)

    only = {key: base[key] for key in ("name", "resource_group")}
    assert run(only, state="absent", check=True)["changed"]
    assert run(only, state="absent")["container_group"] is None
    assert not run(only, state="absent")["changed"]


def test_all_problems_come_at_once_before_any_call(clouds: Sandbox, base: dict[str, Any]) -> None:
    broken = container(base, resources={"requests": {"cpu": 1, "memory_in_gb": 1, "gpu": {"count": 1, "sku": "V100"}}})
    broken["containers"][0]["environment_variables"][0]["secure_value"] = CANARY
    broken["volumes"] = [{"name": "scratch"}]
    broken["location"] = None
    clouds.client.clear_requests()

    failed = run(broken, fails=True)

    assert len(failed["problems"]) == 4
    assert "retired on 14 July 2025" in failed["msg"]
    assert clouds.client.requests() == []


def test_info_tells_whether_a_group_runs_even_without_an_address(clouds: Sandbox, base: dict[str, Any]) -> None:
    run(base)
    run({**base, "name": "bare", "ip_address": None, "subnet_ids": None})
    group = {"resource_group": base["resource_group"]}

    (one,) = run_in_process("aci_container_group_info", {**group, "name": "bare"})["container_groups"]
    every = run_in_process("aci_container_group_info", {})["container_groups"]

    assert (one["state"], one["address"], one["provisioning_state"]) == ("Running", "", "Succeeded")
    assert {found["name"]: bool(found["address"]) for found in every} == {"proxy": True, "bare": False}
    assert CANARY not in json.dumps(every)
    assert run_in_process("aci_container_group_info", {**group, "name": "none"})["container_groups"] == []
    assert run_in_process("aci_container_group_info", {**group, "deployment": "chat"})["container_groups"] == []
