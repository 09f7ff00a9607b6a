# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `image` before anything is built: the Dockerfile it writes, the tag it chooses, and what it refuses.

UPDATE_GOLDEN=1 writes the golden files anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.facts import MINIMUM_OLLAMA_VERSION
from tests.helpers.playbooks import run_playbook
from tests.helpers.tree import ROOT, load

GOLDEN = ROOT / "tests" / "golden" / "image"
A, B, C = ("sha256:" + letter * 64 for letter in "abc")
BUILDER: dict[str, Any] = {
    "image_repository": "registry.example.org/team/ollama",
    "image_ollama_version": "0.24.0",
    "image_ollama_source": f"docker.io/ollama/ollama:0.24.0@{A}",
    "image_base": f"docker.io/library/ubuntu:24.04@{B}",
    "image_fetch_base": f"docker.io/library/python:3.12-slim@{C}",
    "image_payload": "cuda_v12",
    "image_models": [
        {"name": "gemma3:1b", "digest": "1" * 64},
        {"name": "team/own:2", "digest": "sha256:" + "2" * 64, "registry": "https://models.example.org"},
    ],
}
IGNORED = {"id": "CVE-2099-0001", "reason": "not called", "expires": "2999-12-31"}
CASES: dict[str, dict[str, Any]] = {
    "builder": BUILDER,
    "login": BUILDER
    | {
        "image_model_registry": "https://models.example.org",
        "image_model_registry_config": "/etc/login/config.json",
        "image_labels": {"org.opencontainers.image.vendor": 'A "quoted" $HOME'},
    },
    "controller": BUILDER | {"image_fetch": "controller", "image_storage": "baked", "image_payload": "cpu"},
    "volume": BUILDER | {"image_storage": "volume", "image_models": []},
}


def describe(folder: Path, cases: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What the role says of each case: dockerfile, tag, inputs."""
    tasks: list[dict[str, Any]] = []
    for name, variables in cases.items():
        told = "{'dockerfile': image_dockerfile, 'tag': image_tag, 'inputs': image_inputs}"
        role = {"name": "polycloud.ollama.image", "tasks_from": "describe"}
        tasks.append({"ansible.builtin.include_role": role, "vars": {**variables, "image_work_folder": str(folder)}})
        content = "{{ " + told + " | to_json }}"
        tasks.append({"ansible.builtin.copy": {"content": content, "dest": f"{folder}/{name}.json", "mode": "0644"}})
    run = run_playbook(folder, tasks)
    assert run.rc == 0, run.stdout + str(run.stderr)
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in cases}


def changed(change: Mapping[str, Any]) -> dict[str, Any]:
    return {**BUILDER, **change}


OTHER_VERSION = changed(
    {"image_ollama_version": "0.25.0", "image_ollama_source": f"docker.io/ollama/ollama:0.25.0@{B}"}
)
ONE_MORE = changed({"image_models": [*BUILDER["image_models"], {"name": "third:1", "digest": "3" * 64}]})
MOVED = changed({"image_models": [{"name": "gemma3:1b", "digest": "4" * 64}, BUILDER["image_models"][1]]})


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    variants = {
        "again": BUILDER,
        "version": OTHER_VERSION,
        "more": ONE_MORE,
        "moved": MOVED,
        "elsewhere": changed({"image_repository": "docker.io/other/ollama", "image_source_revision": "abc"}),
    }
    return describe(tmp_path_factory.mktemp("image"), {**CASES, **variants})


@pytest.mark.parametrize("case", CASES)
def test_the_dockerfile_is_as_recorded(case: str, described: dict[str, dict[str, str]]) -> None:
    golden = GOLDEN / f"{case}.Dockerfile"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(described[case]["dockerfile"])
    assert described[case]["dockerfile"] == golden.read_text(encoding="utf-8")


def stages(dockerfile: str) -> list[str]:
    """The text of each stage, without comments."""
    text = re.sub(r"(?m)^#.*\n", "", dockerfile)
    return [stage.strip() for stage in re.split(r"(?m)^(?=FROM )", text)[1:]]


def test_a_new_ollama_leaves_the_stages_that_fetch_as_they_were(described: dict[str, dict[str, str]]) -> None:
    before, after = (stages(described[case]["dockerfile"]) for case in ("builder", "version"))
    assert before[0] != after[0]
    assert before[1:3] == after[1:3]


def test_one_more_model_is_one_more_stage_and_its_layer_is_the_last_of_the_models(
    described: dict[str, dict[str, str]],
) -> None:
    before, after = (stages(described[case]["dockerfile"]) for case in ("builder", "more"))
    assert after[:3] == before[:3]
    assert len(after) == len(before) + 1
    until = [stage.partition("COPY --from=model-2")[0] for stage in (after[-1], before[-1])]
    assert before[-1].startswith(until[0].rstrip())


@pytest.mark.parametrize("case", CASES)
def test_the_last_layer_is_the_entry_point_and_the_user_is_not_root(
    case: str, described: dict[str, dict[str, str]]
) -> None:
    last = stages(described[case]["dockerfile"])[-1]
    assert re.findall(r"(?m)^(?:RUN|COPY|ADD) .*", last)[-1] == "COPY entrypoint.sh /usr/local/bin/ollama-entrypoint"
    assert re.findall(r"(?m)^USER (.*)", last)[-1] == "10001:10001"


def test_a_login_is_a_secret_of_the_build_and_nothing_else(described: dict[str, dict[str, str]]) -> None:
    text = described["login"]["dockerfile"]
    assert text.count("--mount=type=secret,id=models") == 2
    assert "/etc/login" not in text
    assert "ARG" not in text


def test_the_same_inputs_give_the_same_tag_wherever_they_go(described: dict[str, dict[str, str]]) -> None:
    assert described["again"] == described["builder"] == described["elsewhere"]
    assert re.fullmatch(r"0\.24\.0-gemma3-1b_team-own-2-[0-9a-f]{12}", described["builder"]["tag"])
    assert described["builder"]["inputs"].startswith(described["builder"]["tag"][-12:])


@pytest.mark.parametrize("case", ["version", "more", "moved", "login", "controller", "volume"])
def test_other_inputs_give_another_tag(case: str, described: dict[str, dict[str, str]]) -> None:
    assert described[case]["tag"] != described["builder"]["tag"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"image_ollama_version": "0.17.0"}, "CVE-2026-7482"),
    ({"image_ollama_version": "latest"}, "must be a version"),
    ({"image_repository": "registry.example.org/team/ollama:stable"}, "without tag and digest"),
    ({"image_ollama_source": ""}, "image_ollama_folder"),
    ({"image_base": "docker.io/library/ubuntu:24.04"}, "a tag means another image tomorrow"),
    ({"image_fetch_base": ""}, "image_fetch_base is not set"),
    ({"image_models": []}, "image_storage=volume"),
    ({"image_models": [{"name": "a;rm -rf /", "digest": "1" * 64}]}, "needs a name such as"),
    ({"image_models": [{"name": "../../x", "digest": "1" * 64}]}, "needs a name such as"),
    ({"image_models": [{"name": "gemma3:1b", "digest": "latest"}]}, "64 hexadecimal digits"),
    ({"image_models": [{"name": "a", "digest": "1" * 64}, {"name": "a", "digest": "2" * 64}]}, "names a model twice"),
    ({"image_registry_username": "ada"}, "image_registry_password together"),
    ({"image_registry_username": "ada", "image_registry_password": "x", "image_registry_login": "ecr"}, "of a cloud"),
    ({"image_registry_config": "/etc/login.json"}, "must be named config.json"),
    ({"image_labels": {"polycloud.ollama.inputs": "x"}}, "not begin with polycloud.ollama"),
    ({"image_labels": {"org.example.note": "two\nlines"}}, "must be one line"),
    ({"image_scan_ignore": [{**IGNORED, "expires": "2026-11-21"}]}, "judge it anew"),
    ({"image_scan_ignore": [{**IGNORED, "expires": "2999-02-30T"}]}, "a day on which it expires"),
    ({"image_scan_ignore": [{**IGNORED, "reason": "  "}]}, "needs an id, a reason"),
    ({"image_scan_ignore": [{"id": "CVE-2099-0001", "reason": "x"}]}, "a day on which it expires"),
    ({"image_scan_ignore": [IGNORED, {**IGNORED, "id": "x\ny"}]}, "needs an id, a reason"),
]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the role says of each refused change, and last of none; empty where it takes the variables."""
    folder = tmp_path_factory.mktemp("checks")
    tasks: list[dict[str, Any]] = []
    for number, (change, _told) in enumerate([*REFUSED, ({"image_scan_ignore": [IGNORED]}, "")]):
        role = {"name": "polycloud.ollama.image", "tasks_from": "check"}
        # A loop says only that one of its items failed; the items are told before it.
        items = "ansible_failed_result.get('results', [ansible_failed_result]) | selectattr('failed', 'true')"
        told = {"msg": f"CASE {number}: {{{{ {items} | map(attribute='msg') | first }}}}"}
        include = {"ansible.builtin.include_role": role, "vars": changed(change)}
        tasks.append({"block": [include], "rescue": [{"ansible.builtin.debug": told}]})
    run = run_playbook(folder, tasks, env={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    assert run.rc == 0, run.stdout
    told_of = dict(re.findall(r'"msg": "CASE (\d+): (.*)"', run.stdout))
    return [told_of.get(str(number), "") for number in range(len(REFUSED) + 1)]


def test_good_variables_are_taken(checked: list[str]) -> None:
    assert checked[-1] == ""


@pytest.mark.parametrize(("number", "told"), [(number, told) for number, (_change, told) in enumerate(REFUSED)])
def test_what_cannot_be_built_is_refused_before_anything_is(checked: list[str], number: int, told: str) -> None:
    assert told in checked[number]


def test_the_least_version_is_that_of_the_modules() -> None:
    assert load("roles/image/vars/main.yml")["image_minimum_ollama_version"] == MINIMUM_OLLAMA_VERSION


def test_the_defaults_are_those_of_the_specification() -> None:
    options = load("roles/image/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    written = {name: option["default"] for name, option in options.items() if "default" in option}
    defaults = yaml.safe_load((ROOT / "roles" / "image" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert {name: defaults[name] for name in written} == written
