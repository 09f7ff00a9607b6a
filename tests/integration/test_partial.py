# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One part fails: the others are deployed, the summary tells of every target, and the exit code says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.adapters import ecs_args
from tests.integration.conftest import BAD_IMAGE, Play, inventory_of, variables
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
ONE_OF_EACH_CLOUD = ("--limit", "chat-use1:azure")
WITH_AND_WITHOUT_OUTAGE = ("--limit", "chat-use1:chat-swedencentral")


def test_with_azure_down_aws_is_deployed_the_summary_says_partial_and_the_next_run_heals(
    play: Play, clouds: Sandbox
) -> None:
    clouds.client.set_down("azure")
    partial = play("site", *ONE_OF_EACH_CLOUD)
    assert partial.code == 2
    assert partial.report["status"] == "partial"
    assert "partial: 1 of 3 targets ok" in partial.output
    assert partial.of_targets("health") == {
        "chat-use1": "healthy",
        "chat-westus3": "failed",
        "chat-swedencentral": "failed",
    }
    assert all(partial.target(name)["error"] for name in ("chat-westus3", "chat-swedencentral"))

    clouds.client.set_down("azure", down=False)
    healed = play("site", *ONE_OF_EACH_CLOUD)
    assert (healed.code, healed.report["status"]) == (0, "ok"), healed.output
    assert set(healed.of_targets("health").values()) == {"healthy"}
    assert healed.of_targets("changed") == {"chat-use1": False, "chat-westus3": True, "chat-swedencentral": True}


def test_a_bad_release_is_rolled_back_and_a_second_try_of_it_is_refused(play: Play) -> None:
    assert play("site", *WITH_AND_WITHOUT_OUTAGE).code == 0
    failed = play("site", *WITH_AND_WITHOUT_OUTAGE, "-e", f"ollama_image={BAD_IMAGE}")
    assert (failed.code, failed.report["status"]) == (2, "failed")
    assert set(failed.of_targets("health").values()) == {"rolled back"}, failed.output
    assert failed.target("chat-swedencentral")["outage_seconds"] > 0
    assert failed.target("chat-use1")["outage_seconds"] is None

    refused = play("site", *WITH_AND_WITHOUT_OUTAGE, "-e", f"ollama_image={BAD_IMAGE}")
    assert refused.code == 2
    assert all("was deployed before, found bad" in error for error in refused.of_targets("error").values())
    assert set(refused.of_targets("changed").values()) == {False}


def test_a_target_that_is_wrong_or_out_of_reach_is_in_the_summary_and_holds_up_no_other(
    play: Play, clouds: Sandbox, tmp_path: Path
) -> None:
    good = variables("ecs", ecs_args(clouds))
    hosts = {
        "good": good,
        "incomplete": {"ollama_platform": "ecs", "ollama_name": "chat"},
        "undefined": good | {"ollama_image": "{{ no_such_variable }}"},
        "without-block": {key: value for key, value in good.items() if key != "ollama_ecs"},
        "out-of-reach": good | {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
    }
    run = play("site", inventory=inventory_of(tmp_path, hosts))
    assert (run.code, run.report["status"]) == (2, "partial"), run.output
    assert run.of_targets("ok") == {name: name == "good" for name in hosts}
    errors = run.of_targets("error")
    assert "missing required arguments: ollama_image, ollama_models" in errors["incomplete"]
    assert "no_such_variable" in errors["undefined"]
    assert "ollama_ecs is not set for target without-block" in errors["without-block"]
    assert "onnect" in errors["out-of-reach"]


def test_all_targets_out_of_reach_still_end_in_a_summary(play: Play, clouds: Sandbox, tmp_path: Path) -> None:
    lost = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    hosts = {name: variables("ecs", ecs_args(clouds)) | lost for name in ("one", "two")}
    run = play("site", inventory=inventory_of(tmp_path, hosts))
    assert run.code == 2
    assert run.report["status"] == "failed", run.output
    assert "failed: 0 of 2 targets ok" in run.output
