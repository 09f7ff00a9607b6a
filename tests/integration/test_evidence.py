# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of validate: what the clouds say that runs, and what the promotion of an image takes it for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.modules import run_module
from tests.integration.conftest import BETTER_IMAGE, INVENTORY, Play
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
TARGETS = ["chat-use1", "chat-westus3", "chat-swedencentral"]
ONLY = ("--limit", ":".join(TARGETS))
TOO_FAST = ("-e", json.dumps({"ollama_health": {"min_tokens_per_second": 1e9}}))


def evidence(folder: Path) -> dict[str, dict[str, Any]]:
    """The files of evidence by target."""
    files = sorted((folder / "evidence").glob("*.json"))
    found = {body["target"]: body for body in map(json.loads, (file.read_text() for file in files))}
    assert [file.name for file in files] == [f"validate-{target}.json" for target in sorted(found)]
    return found


def asked(folder: Path, image: str, **options: Any) -> dict[str, Any]:
    return run_module("container_image_evidence_info", {"image": image, "path": str(folder / "evidence"), **options})


def test_what_each_platform_runs_is_witnessed_by_digest_whatever_the_variables_say_later(
    play: Play, clouds: Sandbox, tmp_path: Path
) -> None:
    deployed = play("site", *ONLY, "-e", f"ollama_image={BETTER_IMAGE}")
    assert deployed.code == 0, deployed.output
    first = evidence(tmp_path)
    assert sorted(first) == sorted(TARGETS)
    assert {body["image"] for body in first.values()} == {BETTER_IMAGE}

    for file in (tmp_path / "evidence").iterdir():
        file.unlink()
    # The inventory names another image, which is not what runs.
    assert play("validate", *ONLY).code == 0
    again = evidence(tmp_path)
    assert sorted(again) == sorted(TARGETS)
    assert {(body["image"], body["result"], body["settled"]) for body in again.values()} == {
        (BETTER_IMAGE, "passed", True)
    }
    assert all(body["answers"] and body["models"][0]["digest"] for body in again.values())
    platforms = ["ecs", "aci", "container_apps"]
    assert len(asked(tmp_path, BETTER_IMAGE, platforms=platforms, targets=TARGETS)["evidence"]) == 3


def test_a_target_that_fails_validate_takes_its_evidence_back(play: Play, clouds: Sandbox, tmp_path: Path) -> None:
    only = ("--limit", "chat-use1")
    assert play("site", *only).code == 0
    image = evidence(tmp_path)["chat-use1"]["image"]
    assert not asked(tmp_path, image).get("failed")

    failed = play("validate", *only, *TOO_FAST)
    assert failed.code == 2
    assert "tokens/s are asked for" in failed.target("chat-use1")["error"]
    assert failed.target("chat-use1")["task"] == "Ask each endpoint"
    assert evidence(tmp_path)["chat-use1"]["result"] == "failed"
    assert "failed validate" in asked(tmp_path, image)["msg"]


def test_check_mode_and_a_stopped_deployment_give_no_evidence(play: Play, clouds: Sandbox, tmp_path: Path) -> None:
    only = ("--limit", "chat-use1")
    assert play("site", *only).code == 0
    witness = tmp_path / "evidence" / "validate-chat-use1.json"
    witness.unlink()
    assert play("validate", *only, "--check").code == 0
    assert play("stop", *only).code == 0
    assert play("validate", *only).code == 0
    assert not witness.exists()


def test_the_inventory_of_these_tests_names_another_image() -> None:
    assert BETTER_IMAGE not in (INVENTORY / "group_vars" / "ollama_targets.yml").read_text(encoding="utf-8")
