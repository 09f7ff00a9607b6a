# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles take what the modules take, under names made from the modules' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.options import (
    DEPLOYMENT_OPTIONS,
    RUN_OPTIONS,
    STATES,
)
from tests.helpers.tree import ROOT, load
from tests.tools import role_specs

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
DEPLOY = {platform: f"roles/deploy/tasks/{platform}.yml" for platform in role_specs.PLATFORMS}


def module_arguments(path: str) -> dict[str, Any]:
    """Return the arguments of the one task of ours in a file."""
    tasks = [value for task in load(path) for key, value in task.items() if key.startswith("polycloud.ollama.")]
    assert len(tasks) == 1
    return dict(tasks[0])


@pytest.mark.parametrize("path", role_specs.files(), ids=lambda path: path.parent.parent.name)
def test_a_written_specification_is_what_the_modules_say_now(path: Path) -> None:
    written = path.read_text(encoding="utf-8")
    assert written == role_specs.files()[path], "run `python -m tests.tools.role_specs`"


@pytest.mark.parametrize("platform", DEPLOY)
def test_the_role_deploy_hands_every_option_to_the_module(platform: str) -> None:
    given = module_arguments(DEPLOY[platform])
    assert set(given) == {*DEPLOYMENT_OPTIONS, *RUN_OPTIONS, "platform"}
    unlike = {
        option: value
        for option, value in given.items()
        if option != "platform" and not str(value).startswith(f"{{{{ ollama_{option} ")
    }
    assert unlike == {}


@pytest.mark.parametrize(("variable", "module", "_place", "left_out"), role_specs.STORAGE)
def test_the_role_storage_hands_every_option_to_the_module(
    variable: str, module: str, _place: str, left_out: tuple[str, ...]
) -> None:
    options = load("roles/storage/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    given = module_arguments(f"roles/storage/tasks/{variable}.yml")
    assert set(given) - {"tags"} == set(options[f"ollama_{variable}"]["options"])
    assert "delete_data" in left_out


def test_the_role_deploy_knows_every_state() -> None:
    options = load("roles/deploy/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert options["ollama_state"]["choices"] == list(STATES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_specification_for_each_entry_point_and_a_readme(role: str) -> None:
    entries = set(load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"])
    tasks = {path.stem for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}
    assert entries <= tasks
    assert (ROOT / "roles" / role / "README.md").is_file()


@pytest.mark.parametrize("role", ROLES)
def test_every_default_of_a_role_is_documented_or_the_roles_own(role: str) -> None:
    path = ROOT / "roles" / role / "defaults" / "main.yml"
    defaults = set(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.is_file() else set()
    files = [load(f"roles/{name}/meta/argument_specs.yml")["argument_specs"].values() for name in ROLES]
    documented = {option for entries in files for entry in entries for option in entry["options"]}
    passed_on = {"ollama_storage_result", "ollama_deploy_result", "ollama_validate_result"}
    assert defaults - documented - passed_on == set()


def test_omit_is_the_only_default_in_the_roles() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "roles").rglob("tasks/*.yml")}
    assert texts
    assert [path for path, text in texts.items() if text.count("default(") != text.count("default(omit)")] == []
