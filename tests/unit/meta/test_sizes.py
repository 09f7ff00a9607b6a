# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files and functions stay small enough to be read at once. What is longer holds two ideas."""

from __future__ import annotations

import ast

import pytest

from tests.helpers.tree import ROOT, code_lines, files, functions, module_names, parse

FUNCTION_LINES = 45
MODULE_CODE_LINES = 150
FILE_LINES = {"plugins/module_utils/": 400, "plugins/plugin_utils/": 400, "tests/": 450, "benchmarks/": 400}


@pytest.mark.parametrize("folder", FILE_LINES)
def test_files_are_short(folder: str) -> None:
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in files(".py", under=folder)}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES[folder]} == {}


def test_functions_fit_on_a_screen() -> None:
    lengths = {(name, path): code_lines(node) for name in files(".py") for path, node in functions(name)}
    assert {where: lines for where, lines in lengths.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("module", module_names())
def test_a_module_is_mostly_documentation(module: str) -> None:
    name = f"plugins/modules/{module}.py"
    total = len((ROOT / name).read_text(encoding="utf-8").splitlines())
    documented = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in parse(name).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    assert total - documented <= MODULE_CODE_LINES
