# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promotion of an image before a registry is asked: what is refused.

tests/real/test_image_promote.py moves tags.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.helpers.playbooks import run_playbook
from tests.helpers.promotion import Promotion
from tests.helpers.tree import ROOT, load
from tests.sandbox.launcher import Sandbox

# Nothing answers there: what gets as far as the registry says so.
IMAGE = "127.0.0.1:9/team/ollama@sha256:" + "a" * 64
OTHER = "127.0.0.1:9/team/ollama@sha256:" + "b" * 64
TAKEN_BACK = {"action": "fallback", "at": "2099-01-01T00:00:00Z", "from": IMAGE.partition("@")[2]}
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/ollama"
REACHED = "Connection refused"
WEEK = timedelta(days=7, seconds=60)


def prepare(folder: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """The variables of each case, and what is said of it."""
    passed, failed, stale, torn, mixed = (
        Promotion(folder / name) for name in ("ok", "failed", "stale", "torn", "mixed")
    )
    for promotion in (passed, failed, stale, torn, mixed):
        promotion.folder.mkdir()
        promotion.validated(IMAGE, passed=promotion is not failed, age=WEEK if promotion is stale else timedelta(0))
    (torn.folder / "evidence" / "validate-b.json").write_text('{"kind": "validate"')
    mixed.validated(IMAGE, "b", passed=False)
    histories = {"taken": json.dumps({"moves": [TAKEN_BACK]}), "garbled": "{"}
    for name, text in histories.items():
        (folder / name).mkdir()
        (folder / name / "promote.json").write_text(text)

    (folder / "built").mkdir()
    (folder / "built" / "image.json").write_text(json.dumps({"reference": IMAGE}))

    def case(promotion: Promotion = passed, history: str = "none", **change: Any) -> dict[str, Any]:
        places = {
            "image_promote_evidence": str(promotion.folder / "evidence"),
            "image_evidence_folder": str(folder / history),
        }
        return {"image_reference": IMAGE, **places, **change}

    one_file = str(passed.folder / "evidence" / "validate-chat.json")
    return {
        "reaches the registry": (case(), REACHED),
        "older is allowed": (case(stale, image_promote_max_age=200), REACHED),
        "one file": (case(image_promote_evidence=one_file), REACHED),
        "built last": (case(history="built", image_reference=""), REACHED),
        "no image": (case(image_reference=""), "holds no image.json of a build"),
        "a tag": (case(image_reference="127.0.0.1:9/team/ollama:1"), "is not pinned"),
        "another image": (case(image_reference=OTHER), "runs another image"),
        "failed": (case(failed), "failed validate"),
        "stale": (case(stale), "longer ago than 168 hours"),
        "torn": (case(torn), "validate-b.json is not evidence of validate"),
        "one failed": (case(mixed), "b (ecs) failed validate"),
        "no folder": (case(image_promote_evidence=str(folder / "missing")), "does not exist"),
        "a target lacks": (case(image_promote_targets=["chat", "b"]), "target b has no evidence"),
        "a platform lacks": (case(image_promote_platforms=["aci"]), "no target of platform aci"),
        "taken back": (case(history="taken"), "before this image was taken back"),
        "garbled history": (case(history="garbled"), "does not tell which moves"),
        "no age": (case(image_promote_max_age=0), "max_age 0 must be"),
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What the role says of each case, and what it should."""
    folder = tmp_path_factory.mktemp("promote")
    cases = prepare(folder)
    tasks: list[dict[str, Any]] = []
    for name, (variables, _expected) in cases.items():
        role = {"name": "polycloud.ollama.image", "tasks_from": "promote"}
        said = {"msg": f"CASE {name}: {{{{ ansible_failed_result.msg }}}}"}
        block = [{"ansible.builtin.include_role": role, "vars": variables}]
        tasks.append({"block": block, "rescue": [{"ansible.builtin.debug": said}]})
    run = run_playbook(folder, tasks, env={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    assert run.rc == 0, run.stdout
    found = dict(re.findall(r'"msg": "CASE ([^:]*): (.*)"', run.stdout))
    return {name: (found.get(name, ""), expected) for name, (_variables, expected) in cases.items()}


def test_each_refusal_says_why_and_only_what_passed_reaches_the_registry(told: dict[str, tuple[str, str]]) -> None:
    unlike = {name: said for name, (said, expected) in told.items() if expected not in said}
    assert unlike == {}
    reached = {name for name, (said, _expected) in told.items() if REACHED in said}
    assert reached == {"reaches the registry", "older is allowed", "one file", "built last"}


@pytest.mark.parametrize("entry", ["promote", "fallback", "repository"])
def test_the_defaults_are_those_of_the_specification(entry: str) -> None:
    options = load("roles/image/meta/argument_specs.yml")["argument_specs"][entry]["options"]
    written = {name: option["default"] for name, option in options.items() if "default" in option}
    defaults = yaml.safe_load((ROOT / "roles" / "image" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert {name: defaults[name] for name in written} == written


@pytest.mark.parametrize("playbook", ["promote", "fallback"])
def test_the_playbook_runs_where_ansible_does(playbook: str) -> None:
    (play,) = load(f"playbooks/{playbook}.yml")
    assert (play["hosts"], play["connection"], play["gather_facts"]) == ("localhost", "local", False)
    role = play["tasks"][0]["ansible.builtin.include_role"]
    assert role == {"name": "polycloud.ollama.image", "tasks_from": playbook}


def repository(folder: Path, name: str) -> Any:
    role = {"name": "polycloud.ollama.image", "tasks_from": "repository"}
    task = {"ansible.builtin.include_role": role, "vars": {"image_repository": name}}
    return run_playbook(folder, [task], "--diff")


def test_a_repository_of_ecr_is_made_where_its_name_says_with_tags_that_stay(clouds: Sandbox, tmp_path: Path) -> None:
    made = repository(tmp_path, ECR)
    assert made.rc == 0, made.stdout
    found = boto3.client("ecr", "eu-west-1").describe_repositories(repositoryNames=["team/ollama"])["repositories"][0]
    assert found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    tags = sorted(entry["filter"] for entry in found["imageTagMutabilityExclusionFilters"])
    assert tags == ["stable", "stable-previous"]
    assert "changed=0" in repository(tmp_path, ECR).stdout


def test_a_repository_elsewhere_is_not_managed(tmp_path: Path) -> None:
    refused = repository(tmp_path, "registry.example.org/team/ollama")
    assert refused.rc != 0
    assert "is for Amazon ECR" in refused.stdout
