# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules container_app, container_app_environment and container_app_info against the emulated Azure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_versions import CONTAINER_APPS
from tests.helpers.modules import run_module
from tests.sandbox.launcher import Sandbox

PLACE = {"resource_group": "rg-ollama-westus3", "location": "westus3"}
ENVIRONMENT = {
    **PLACE,
    "name": "ml",
    "workload_profiles": [{"name": "gpu", "workload_profile_type": "Consumption-GPU-NC8as-T4"}],
}
CANARY = "canary-2f61-do-not-print"


def app(environment_id: str, image: str = "registry.example.com/ollama:good", **more: Any) -> dict[str, Any]:
    return {
        **PLACE,
        "name": "single",
        "environment_id": environment_id,
        "configuration": {
            "ingress": {"external": True, "target_port": 11434},
            "secrets": [{"name": "token", "value": more.pop("secret", CANARY)}],
        },
        "template": {
            "containers": [
                {
                    "name": "ollama",
                    "image": image,
                    "resources": {"cpu": 2.0, "memory": "4Gi"},
                    "env": [
                        {"name": "OLLAMA_HOST", "value": "0.0.0.0:11434"},
                        {"name": "TOKEN", "secret_ref": "token"},
                    ],
                }
            ],
            "scale": {
                "min_replicas": 1,
                "max_replicas": 2,
                "rules": [{"name": "http", "http": {"metadata": {"concurrentRequests": "4"}}}],
            },
        },
        **more,
    }


@pytest.fixture
def environment(clouds: Sandbox) -> str:
    result = run_module("container_app_environment", ENVIRONMENT)
    assert result.get("failed") is None, result
    return str(result["environment"]["id"])


def test_an_environment_is_created_once_and_keeps_the_profiles_of_others(environment: str) -> None:
    assert run_module("container_app_environment", ENVIRONMENT)["changed"] is False
    other = {"name": "big", "workload_profile_type": "D4", "minimum_count": 0, "maximum_count": 1}
    result = run_module("container_app_environment", {**ENVIRONMENT, "workload_profiles": [other]})
    profiles = result["environment"]["properties"]["workload_profiles"]
    assert {item["name"] for item in profiles} == {"Consumption", "big", "gpu"}


def test_node_counts_of_a_consumption_profile_are_refused_before_any_call(clouds: Sandbox) -> None:
    profile = {**ENVIRONMENT["workload_profiles"][0], "minimum_count": 0}  # type: ignore[dict-item]
    result = run_module("container_app_environment", {**ENVIRONMENT, "workload_profiles": [profile]})
    assert "takes no counts" in result["msg"]
    assert clouds.client.requests() == []


def test_a_network_cannot_be_changed_in_place(environment: str, clouds: Sandbox) -> None:
    subnet = clouds.seeds["azure"]["environment_subnet_ids"]["westus3"]
    network = {"infrastructure_subnet_id": subnet, "internal": True}
    result = run_module("container_app_environment", {**ENVIRONMENT, "vnet_configuration": network})
    assert "cannot be changed in place" in result["msg"]


def test_a_storage_is_written_again_when_its_key_changes(environment: str) -> None:
    def run(key: str) -> dict[str, Any]:
        share = {"account_name": "models", "share_name": "ollama", "account_key": key}
        return run_module(
            "container_app_environment", {**ENVIRONMENT, "storages": [{"name": "s", "azure_file": share}]}
        )

    assert run(CANARY)["storages"] == {"s": f"{environment}/storages/s"}
    assert run(CANARY)["changed"] is False
    changed = run("canary-other-do-not-print")
    assert {item["key"] for item in changed["plan"]["changes"] if item["action"] == "update"} == {
        "environment",
        "storage_s",
    }
    assert "canary-other" not in json.dumps(changed["plan"])


def test_check_mode_foresees_what_is_created(clouds: Sandbox) -> None:
    result = run_module("container_app_environment", ENVIRONMENT, check=True)
    assert (result["changed"], result["environment"]["id"]) == (True, "(known after apply)")
    assert not [call for call in clouds.client.requests() if call["method"] != "GET"]


def test_an_app_is_created_once_and_shows_no_secret(environment: str) -> None:
    created = run_module("container_app", app(environment), diff=True)
    assert created["changed"], created
    assert run_module("container_app", app(environment))["changed"] is False
    shown = json.dumps({key: value for key, value in created.items() if key != "invocation"})
    assert CANARY not in shown


@pytest.mark.parametrize(
    "change",
    [
        {"image": "registry.example.com/ollama:better"},
        {"secret": "another-value"},
        {"tags": {"team": "search"}},
        {"workload_profile_name": "gpu"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_is_seen_and_made_once(environment: str, change: dict[str, Any]) -> None:
    run_module("container_app", app(environment))
    assert run_module("container_app", app(environment, **change))["changed"] is True
    assert run_module("container_app", app(environment, **change))["changed"] is False


def test_an_app_of_a_deployment_is_refused_unless_it_is_named(environment: str, clouds: Sandbox) -> None:
    run_module("container_app", app(environment, tags={"polycloud-deployment": "chat"}))
    refused = run_module("container_app", app(environment, image="registry.example.com/ollama:better"))
    assert "belongs to deployment chat" in refused["msg"]
    assert run_module("container_app", {**app(environment), "deployment": "chat", "state": "absent"})["changed"]


def test_an_environment_goes_only_when_it_is_empty(environment: str) -> None:
    run_module("container_app", app(environment))
    assert (
        "is used by 1 other app" in run_module("container_app_environment", {**ENVIRONMENT, "state": "absent"})["msg"]
    )
    run_module("container_app", {**app(environment), "state": "absent"})
    assert run_module("container_app_environment", {**ENVIRONMENT, "state": "absent"})["changed"]
    assert run_module("container_app_environment", {**ENVIRONMENT, "state": "absent"})["changed"] is False


def test_all_broken_rules_of_an_app_come_at_once(clouds: Sandbox) -> None:
    result = run_module("container_app", {"name": "single", "resource_group": "rg-ollama-westus3"})
    assert len(result["problems"]) == 3
    assert clouds.client.requests() == []


def test_info_tells_revisions_health_and_replicas(environment: str) -> None:
    run_module("container_app", app(environment))
    result = run_module(
        "container_app_info", {"resource_group": "rg-ollama-westus3", "name": "single", "replicas": True}
    )
    [found] = result["container_apps"]
    [revision] = found["revisions"]
    assert (revision["active"], revision["health_state"], revision["traffic_weight"]) == (True, "Healthy", 100)
    assert revision["replica_list"][0]["containers"][0]["ready"] is True
    assert revision["image"] == "registry.example.com/ollama:good"


def test_info_of_an_empty_resource_group_is_an_empty_list(clouds: Sandbox) -> None:
    assert run_module("container_app_info", {"resource_group": "rg-ollama-westus3"})["container_apps"] == []


def test_the_secret_reaches_the_app_though_nobody_sees_it(environment: str, clouds: Sandbox) -> None:
    run_module("container_app", app(environment))
    endpoint = clouds.exports["AZURE_RESOURCE_MANAGER_ENDPOINT"]
    subscription = clouds.seeds["azure"]["subscription_id"]
    client = azure_client({"resource_manager_endpoint": endpoint, "subscription_id": subscription})
    group = client.group_id("rg-ollama-westus3")
    listed = client.post(f"{group}/providers/Microsoft.App/containerApps/single", "listSecrets", CONTAINER_APPS)
    assert listed["value"] == [{"name": "token", "value": CANARY}]
