# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path into a host's variables is looked up as the template engine would find it; all else is left to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.paths import only_paths, value_at

VARIABLES: dict[str, Any] = {
    "fleet_region": "us-east-1",
    "fleet_details": {"task": {"availability_zone": "us-east-1a", "tags": {"items": "hidden by the method"}}},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [("fleet_region", "us-east-1"), ("fleet_details.task.availability_zone", "us-east-1a")],
)
def test_a_path_leads_to_its_value(expression: str, value: str) -> None:
    assert value_at(expression, VARIABLES) == value


@pytest.mark.parametrize(
    "expression",
    [
        "fleet_nothing",
        "fleet_details.task.nothing",
        "fleet_region.upper",
        "fleet_details.task.tags.items",
        "fleet_region ~ ''",
        "fleet_details['task']",
        "fleet_region ",
        "fleet_details..task",
        "lookup('env', 'HOME')",
    ],
)
def test_what_is_no_path_or_leads_nowhere_is_left_to_the_template_engine(expression: str) -> None:
    with pytest.raises(KeyError):
        value_at(expression, VARIABLES)


def test_keyed_groups_need_other_variables_as_soon_as_one_key_is_no_path() -> None:
    path = {"key": "fleet_details.task.availability_zone"}

    assert only_paths([path, {"key": "fleet_region"}])
    assert not only_paths([path, {"key": "inventory_hostname"}])
    assert not only_paths([{"prefix": "no key"}])
    assert not only_paths(["not a mapping"])
