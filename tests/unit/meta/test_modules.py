# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection declares."""

from __future__ import annotations

import ast

import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.module_utils.version import COLLECTION_VERSION
from tests.helpers.tree import attributes, constant, documentation, load, module_names, parse

SUPPORT = {"full", "partial", "none", "N/A"}
EXITS = {"fail_json", "exit_json", "fail_json_aws"}


@pytest.mark.parametrize("module", module_names())
@pytest.mark.parametrize("attribute", ["check_mode", "diff_mode", "idempotent"])
def test_a_module_says_how_far_it_supports(module: str, attribute: str) -> None:
    assert attributes(module).get(attribute, {}).get("support") in SUPPORT


@pytest.mark.parametrize("module", module_names())
def test_a_module_says_when_it_was_added(module: str) -> None:
    assert documentation(module)["version_added"]


@pytest.mark.parametrize("module", module_names())
def test_a_module_has_examples_by_its_full_name(module: str) -> None:
    tasks = yaml.safe_load(constant(f"plugins/modules/{module}.py", "EXAMPLES") or "[]")
    assert any(f"polycloud.ollama.{module}" in task for task in tasks)


@pytest.mark.parametrize("module", module_names())
def test_a_module_documents_what_it_returns(module: str) -> None:
    assert yaml.safe_load(constant(f"plugins/modules/{module}.py", "RETURN") or "")


@pytest.mark.parametrize("module", [name for name in module_names() if name.endswith("_info")])
def test_an_info_module_only_reads(module: str) -> None:
    assert "state" not in documentation(module).get("options", {})
    assert attributes(module)["check_mode"]["support"] == "full"
    assert attributes(module)["diff_mode"]["support"] == "N/A"


@pytest.mark.parametrize("module", module_names())
def test_only_main_ends_a_module(module: str) -> None:
    ends = [
        function.name
        for function in ast.walk(parse(f"plugins/modules/{module}.py"))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr in EXITS
    ]
    assert set(ends) <= {"main"}


def test_the_version_of_the_collection_is_the_one_that_modules_name() -> None:
    release = load("galaxy.yml")["version"]
    assert {documentation(module)["version_added"] for module in module_names()} <= {release}


def test_the_version_that_evidence_names_is_that_of_the_collection() -> None:
    assert load("galaxy.yml")["version"] == COLLECTION_VERSION
