# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over four targets: its plan, its second run, stop, start, validate, and the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Play, inventory_of
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
TARGETS = ["chat-use1", "chat-euw1", "chat-westus3", "chat-swedencentral"]


def test_the_plan_on_empty_clouds_is_what_the_run_then_does_and_a_second_run_does_nothing(
    play: Play, clouds: Sandbox
) -> None:
    plan = play("site", "--check", "--diff")
    assert plan.code == 0, plan.output
    assert [call for call in clouds.client.requests() if call["method"] in ("PUT", "PATCH", "DELETE")] == []
    assert clouds.client.workloads() == []

    real = play("site", "--diff")
    assert real.code == 0, real.output
    assert list(real.of_targets("plans")) == TARGETS
    assert plan.of_targets("plans") == real.of_targets("plans")
    assert set(real.of_targets("health").values()) == {"healthy"}
    assert all(real.of_targets("answer").values())

    again = play("site", "--diff")
    assert (again.code, again.report["changed"]) == (0, 0), again.output
    assert "changed=1" not in again.output


def test_stop_lasts_over_a_converge_until_start(play: Play, clouds: Sandbox) -> None:
    only = ("--limit", "chat-use1:chat-westus3")
    assert play("site", *only).code == 0
    stopped = play("stop", *only)
    assert set(stopped.of_targets("health").values()) == {"stopped"}, stopped.output
    assert clouds.client.workloads() == []

    converged = play("site", *only)
    assert (converged.code, converged.report["changed"]) == (0, 0), converged.output
    assert set(converged.of_targets("health").values()) == {"stopped"}

    started = play("start", *only)
    assert set(started.of_targets("health").values()) == {"healthy"}, started.output


def test_teardown_removes_what_was_made_and_validate_then_says_so(play: Play, clouds: Sandbox) -> None:
    only = ("--limit", "chat-use1:chat-swedencentral")
    assert play("site", *only).code == 0
    assert set(play("validate", *only).of_targets("health").values()) == {"healthy"}
    gone = play("teardown", *only)
    assert gone.code == 0, gone.output
    assert set(gone.of_targets("health").values()) == {"not deployed"}
    assert clouds.client.workloads() == []

    missing = play("validate", *only)
    assert missing.code == 2
    assert all("does not exist" in error for error in missing.of_targets("error").values())


def test_a_run_without_targets_fails_and_says_what_to_do(play: Play, tmp_path: Path) -> None:
    empty = play("site", inventory=inventory_of(tmp_path, {}))
    assert empty.code == 2
    assert "No host of the group ollama_targets is part of this run" in empty.output
