# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a person reads it, and as JSON."""

from __future__ import annotations

import json

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import FieldChange
from ansible_collections.polycloud.ollama.plugins.module_utils.plan import Action, Change, Plan

SERVICE = Change(
    Action.UPDATE,
    "service",
    "ecs service",
    "chat",
    (
        FieldChange("taskDefinition", "chat:7", "(known after apply)"),
        FieldChange("environment.NEW", None, {"value": "1"}),
        FieldChange("environment.OLD", "x", None),
        FieldChange("secrets.KEY", "canary-1", "canary-2", secret=True),
        FieldChange("command", "a", "b" * 500),
    ),
    "image digest",
)
KEEP = Change(Action.KEEP, "cluster", "ecs cluster", "ml")
PLAN = Plan("chat on ecs us-east-1", (KEEP, SERVICE), ("update strategy stop_first: outage expected",))


def test_it_renders_changes_with_reasons_and_counts_the_rest() -> None:
    assert PLAN.render().splitlines()[:5] == [
        "chat on ecs us-east-1: 1 to update, 1 unchanged",
        "  ~ update ecs service chat: image digest",
        "      taskDefinition: chat:7 → (known after apply)",
        '      environment.NEW: {"value": "1"}',
        "      environment.OLD: x → (removed)",
    ]
    assert PLAN.render().endswith("  ! update strategy stop_first: outage expected\n")


def test_no_secret_is_rendered_or_in_the_json() -> None:
    assert "canary" not in PLAN.render() + json.dumps(PLAN.to_dict())
    assert "secrets.KEY: (secret, changed)" in PLAN.render()


def test_long_values_are_cut() -> None:
    assert max(len(line) for line in PLAN.render().splitlines()) < 160


def test_it_is_json_and_says_whether_anything_changes() -> None:
    assert json.loads(json.dumps(PLAN.to_dict()))["changed"] is True
    assert Plan("x", (KEEP,)).changed is False
    assert Plan("x").summary() == "nothing to do"
    assert [change.key for change in PLAN.acting()] == ["service"]
