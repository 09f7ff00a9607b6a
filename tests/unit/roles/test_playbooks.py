# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks and inventories: what every one of them has, and that the example would be taken."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.options import argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.parse import parse
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.validate import problems
from tests.helpers.tree import ROOT, load
from tests.tools.role_specs import UTILS

PLAYBOOKS = ("site", "validate", "stop", "start", "rollback", "teardown")
TYPES = {"ecs": "EcsPlatform", "aci": "AciPlatform", "container_apps": "ContainerAppsPlatform"}


def plays(playbook: str) -> list[dict[str, Any]]:
    """Return the plays of a playbook that are not imported."""
    return [play for play in load(f"playbooks/{playbook}.yml") if "hosts" in play]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_guards_against_an_empty_run_and_always_sums_up(playbook: str) -> None:
    imported = [play["import_playbook"] for play in load(f"playbooks/{playbook}.yml") if "import_playbook" in play]
    assert imported == ["guard.yml", "summary.yml"]
    content = load(f"playbooks/{playbook}.yml")
    assert content[0]["import_playbook"] == "guard.yml"
    assert content[-1]["vars"] == {"ollama_run": playbook}


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_play_runs_on_the_targets_without_facts_and_catches_what_fails(playbook: str) -> None:
    assert plays(playbook)
    for play in plays(playbook):
        assert (play["hosts"], play["gather_facts"], play["ignore_unreachable"]) == ("ollama_targets", False, True)
        assert [set(task) for task in play["tasks"]] == [{"name", "block", "rescue"}]


def inventory(name: str) -> dict[str, Any]:
    """Return the variables of all hosts of an inventory, as Ansible reads them."""
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(ROOT / "inventory" / name), "--list"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout)["_meta"]["hostvars"])


def with_defaults(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the options as Ansible would hand them to a module."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    result = ArgumentSpecValidator(spec).validate(given)
    assert result.error_messages == []
    return dict(result.validated_parameters)


@pytest.mark.parametrize("name", ["example", "sandbox"])
def test_an_inventory_has_four_local_targets_on_two_clouds(name: str) -> None:
    hosts = inventory(name)
    assert len(hosts) == 4
    assert {host["ansible_connection"] for host in hosts.values()} == {"local"}
    assert {host["ollama_platform"] for host in hosts.values()} == {"ecs", "aci", "container_apps"}


def test_the_example_describes_deployments_that_would_be_taken() -> None:
    for host in inventory("example").values():
        platform = host["ollama_platform"]
        options = importlib.import_module(f"{UTILS}.{platform}.options")
        capabilities = importlib.import_module(f"{UTILS}.{platform}.capabilities").CAPABILITIES
        rules = importlib.import_module(f"{UTILS}.{platform}.validate")
        spec = argument_spec(options.PLATFORM_OPTIONS)
        given = {option: host[f"ollama_{option}"] for option in spec if f"ollama_{option}" in host}
        params = with_defaults(spec, {**given, "platform": host[f"ollama_{platform}"]} | {"state": "present"})
        deployment = parse(params, getattr(options, TYPES[platform]))
        assert problems(deployment, capabilities) + list(rules.problems(deployment)) == []


def test_no_inventory_holds_a_secret_in_clear() -> None:
    for path in (ROOT / "inventory").rglob("*.yml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip().endswith(("password", "_key", "secret", "token")):
                assert value.strip().startswith('"{{'), f"{path}: {line}"
