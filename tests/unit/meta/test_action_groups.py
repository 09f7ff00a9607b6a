# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""meta/runtime.yml lists each module in the groups that its documentation names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.playbooks import run_playbook
from tests.helpers.tree import attributes, load, module_names

GROUPS: dict[str, list[Any]] = load("meta/runtime.yml")["action_groups"]
PREFIXES = {"aws": ("ecr_", "ecs_", "efs_"), "azure": ("aci_", "container_app", "azure_")}


def members(group: str) -> list[str]:
    """Return the modules of a group, without the groups that it extends."""
    return [entry for entry in GROUPS[group] if isinstance(entry, str)]


def test_the_group_all_holds_every_module_and_nothing_else() -> None:
    assert members("all") == module_names()


@pytest.mark.parametrize("group", PREFIXES)
def test_the_group_of_a_cloud_holds_the_modules_of_that_cloud(group: str) -> None:
    assert members(group) == [name for name in module_names() if name.startswith(PREFIXES[group])]


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_sorted_so_that_two_people_add_without_conflict(group: str) -> None:
    assert members(group) == sorted(members(group))


@pytest.mark.parametrize("module", module_names())
def test_a_module_documents_exactly_the_groups_it_is_in(module: str) -> None:
    documented = set(attributes(module)["action_group"]["membership"])
    assert documented == {f"polycloud.ollama.{group}" for group in GROUPS if module in members(group)}


def test_the_groups_of_the_clouds_extend_the_upstream_groups() -> None:
    extended = {
        group: [name for entry in entries if isinstance(entry, dict) for name in entry["metadata"]["extend_group"]]
        for group, entries in GROUPS.items()
    }
    assert extended == {"aws": ["amazon.aws.aws", "community.aws.aws"], "azure": ["azure.azcollection.all"], "all": []}


@pytest.mark.parametrize(
    ("group", "upstream"),
    [("aws", "amazon.aws.aws_region_info"), ("azure", "azure.azcollection.azure_rm_resourcegroup_info")],
)
def test_one_key_of_module_defaults_reaches_the_upstream_modules_too(group: str, upstream: str, tmp_path: Path) -> None:
    defaults = {f"group/polycloud.ollama.{group}": {"a_default_that_no_module_has": 1}}
    run = run_playbook(tmp_path, [{"module_defaults": defaults, upstream: {}}])
    assert run.rc != 0
    assert "a_default_that_no_module_has" in run.stdout + str(run.stderr)
