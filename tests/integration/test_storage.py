# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `storage`: what it makes flows into the deployment, also as a plan before anything exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.adapters import aci_args, container_apps_args, ecs_args
from tests.integration.conftest import Play, inventory_of, variables
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow


def targets(sandbox: Sandbox) -> dict[str, Any]:
    """Return one target of each platform whose volume is made by the role and filled by a container."""
    seed = {"image": "registry.example.com/fetcher:1@sha256:" + "d4" * 32}
    volume = {
        "ollama_models": [{"name": "gemma3:1b", "digest": "b" * 64}],
        "ollama_storage": {"mode": "volume", "uid": 12345, "seed": seed},
        "ollama_storage_create": True,
    }
    given = {"ecs": ecs_args(sandbox), "aci": aci_args(sandbox), "container_apps": container_apps_args(sandbox)}
    names = {
        "ecs": {"ollama_efs": {"name": "models"}},
        "aci": {"ollama_azure_files": {"account_name": "acimodels01"}},
        "container_apps": {"ollama_azure_files": {"account_name": "appmodels01", "quota_gib": 50}},
    }
    return {name: variables(name, given[name]) | volume | names[name] for name in given}


def test_a_volume_is_planned_made_used_and_left_alone(play: Play, clouds: Sandbox, tmp_path: Path) -> None:
    inventory = inventory_of(tmp_path, targets(clouds))
    plan = play("site", "--check", "--diff", inventory=inventory)
    assert plan.code == 0, plan.output

    real = play("site", inventory=inventory)
    assert real.code == 0, real.output
    assert set(real.of_targets("health").values()) == {"healthy"}
    assert all(set(plans) == {"storage", "deploy"} for plans in real.of_targets("plans").values())
    assert plan.of_targets("plans") == real.of_targets("plans")

    again = play("site", inventory=inventory)
    assert (again.code, again.report["changed"]) == (0, 0), again.output
