# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet inventory as ansible-inventory shows it, against both emulated clouds with running replicas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.adapters import ADAPTERS, CANARY
from tests.helpers.modules import module_environment, run_module
from tests.sandbox.launcher import Sandbox

CONFIG: dict[str, Any] = {
    "plugin": "polycloud.ollama.fleet",
    "aws": [{"regions": ["us-east-1", "eu-west-1"]}],
    "azure": [{"name": "sandbox"}],
}


class Fleet:
    """One inventory file and the runs of ansible-inventory on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *options: str, rc: int = 0, **config: Any) -> subprocess.CompletedProcess[str]:
        path = self.folder / "fleet.yml"
        path.write_text(json.dumps({**CONFIG, **config}))
        command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(path), *options]
        env = module_environment(
            {"ANSIBLE_HOME": str(self.folder / "home"), "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
        )
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=60)
        assert done.returncode == rc, done.stderr
        return done

    def list(self, **config: Any) -> dict[str, Any]:
        return parse(self.run("--list", **config).stdout)


def parse(text: str) -> dict[str, Any]:
    """Return a listing as data. ansible-core 2.19 wraps texts from outside in an object of one key; 2.21 does not."""

    def unwrap(item: dict[str, Any]) -> Any:
        return item.get("__ansible_unsafe", item) if len(item) == 1 else item

    listed: dict[str, Any] = json.loads(text, object_hook=unwrap)
    return listed


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture
def deployed(clouds: Sandbox) -> Sandbox:
    for adapter in ADAPTERS:
        result = run_module(adapter.module, adapter.args(clouds))
        assert not result.get("failed"), result.get("msg")
    clouds.client.clear_requests()
    return clouds


def test_every_running_replica_is_a_host_with_its_address_and_groups(deployed: Sandbox, fleet: Fleet) -> None:
    listed = fleet.list()
    hosts = listed["_meta"]["hostvars"]

    assert {item["fleet_platform"] for item in hosts.values()} == {"ecs", "aci", "container_apps"}
    running = {workload["address"] for workload in deployed.client.workloads()}
    direct = [item for item in hosts.values() if item["fleet_platform"] != "container_apps"]
    assert {item["ansible_host"] for item in direct} <= running
    assert {item["fleet_health"] for item in hosts.values()} == {"healthy"}
    assert all(item["fleet_models"] == ["gemma3:1b"] and item["fleet_release"] for item in hosts.values())
    assert all(item["ansible_connection"] == "local" for item in hosts.values())
    assert set(listed["deployment_chat"]["hosts"]) == set(listed["ollama_fleet"]["hosts"]) == set(hosts)
    assert listed["region_us_east_1"]["hosts"] == listed["platform_ecs"]["hosts"] == listed["cloud_aws"]["hosts"]
    assert len(listed["gpu_no"]["hosts"]) == 2
    assert set(listed["model_gemma3_1b"]["hosts"]) == set(hosts)
    assert "health_healthy" in listed


def test_constructed_groups_filters_and_compose_work(deployed: Sandbox, fleet: Fleet) -> None:
    listed = fleet.list(
        groups={"azure_only": "fleet_cloud == 'azure'"},
        keyed_groups=[{"key": "fleet_platform", "prefix": "by"}],
        compose={"fleet_url": "'http://' ~ ansible_host ~ ':8080'"},
    )

    assert len(listed["azure_only"]["hosts"]) == 2
    assert "by_ecs" in listed
    assert all(item["fleet_url"].endswith(":8080") for item in listed["_meta"]["hostvars"].values())
    assert "_meta" in fleet.list(deployments=["other"])
    assert fleet.list(deployments=["other"])["_meta"]["hostvars"] == {}


def test_one_cloud_down_is_a_warning_and_the_rest_or_an_error_when_asked(deployed: Sandbox, fleet: Fleet) -> None:
    deployed.client.set_down("azure")

    partial = fleet.run("--list")
    assert "azure sandbox could not be read, its hosts are missing" in " ".join(partial.stderr.split())
    assert {item["fleet_cloud"] for item in parse(partial.stdout)["_meta"]["hostvars"].values()} == {"aws"}
    failed = fleet.run("--list", rc=1, fail_on_partial=True)
    assert "could not be read" in failed.stderr


def test_a_whole_answer_is_cached_and_a_partial_one_never(deployed: Sandbox, fleet: Fleet) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(fleet.folder / "cache")}
    deployed.client.set_down("azure")
    fleet.run("--list", **cache)
    deployed.client.set_down("azure", down=False)

    whole = fleet.list(**cache)
    assert len(whole["_meta"]["hostvars"]) == 3
    deployed.client.clear_requests()
    assert fleet.list(**cache) == whole
    assert deployed.client.requests() == []


def test_details_feed_groups_and_hold_no_secret(deployed: Sandbox, fleet: Fleet) -> None:
    zone = "fleet_details.task.availability_zone | default('elsewhere')"
    done = fleet.run(
        "--list",
        details=True,
        compose={"size": "fleet_details.task.cpu | default('unknown')"},
        keyed_groups=[{"key": "fleet_details.task.launch_type", "prefix": "launch"}, {"key": zone, "prefix": "zone"}],
    )
    listed = parse(done.stdout)
    hosts = listed["_meta"]["hostvars"]

    kinds = {item["fleet_platform"]: set(item["fleet_details"]) for item in hosts.values()}
    assert kinds == {
        "ecs": {"task", "task_definition"},
        "aci": {"container_group"},
        "container_apps": {"container_app", "revision", "replica"},
    }
    [task] = [item for item in hosts.values() if item["fleet_platform"] == "ecs"]
    assert task["size"] == task["fleet_details"]["task"]["cpu"] != "unknown"
    assert len(listed[f"launch_{task['fleet_details']['task']['launch_type']}"]["hosts"]) == 1
    assert len(listed["zone_elsewhere"]["hosts"]) == 2
    assert CANARY not in done.stdout + done.stderr
    assert deployed.seeds["aws"]["us-east-1"]["secret_arn"] not in done.stdout
    assert "OLLAMA_MODELS" not in done.stdout, "no environment variable, not even its name"


def test_a_cache_without_details_is_not_asked_for_them(deployed: Sandbox, fleet: Fleet) -> None:
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(fleet.folder / "cache")}
    fleet.list(**cache)

    detailed = fleet.list(details=True, **cache)
    assert all("fleet_details" in item for item in detailed["_meta"]["hostvars"].values())
    deployed.client.clear_requests()
    assert fleet.list(details=True, **cache) == detailed
    assert deployed.client.requests() == []


def test_an_extra_variable_wins_over_ours_where_it_is_asked_to(deployed: Sandbox, fleet: Fleet) -> None:
    keyed = [{"key": "fleet_cloud", "prefix": "by"}]
    extra = ("--list", "-e", "fleet_cloud=mine")

    assert "by_aws" in parse(fleet.run(*extra, keyed_groups=keyed).stdout)
    assert "by_mine" in parse(fleet.run(*extra, keyed_groups=keyed, use_extra_vars=True).stdout)


def test_a_wrong_configuration_fails_before_any_call(clouds: Sandbox, fleet: Fleet) -> None:
    failed = fleet.run("--list", rc=1, aws=[{"region": "us-east-1"}])

    assert "aws[0]" in failed.stderr
    assert clouds.client.requests() == []


def test_a_keyed_group_of_a_bare_variable_equals_that_of_an_expression(deployed: Sandbox, fleet: Fleet) -> None:
    bare, computed = {"key": "fleet_region", "prefix": "bare"}, {"key": "fleet_region ~ ''", "prefix": "computed"}
    listed = fleet.list(keyed_groups=[bare, computed])
    groups = {name: sorted(group["hosts"]) for name, group in listed.items() if name.startswith(("bare_", "computed_"))}

    by_name = {name.removeprefix("bare_"): hosts for name, hosts in groups.items() if name.startswith("bare_")}
    assert by_name == {
        name.removeprefix("computed_"): hosts for name, hosts in groups.items() if name.startswith("computed_")
    }
    assert sum(map(len, by_name.values())) == len(listed["_meta"]["hostvars"]) > 0
