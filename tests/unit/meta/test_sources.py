# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each source file says whose it is and what it is for, and belongs to no single machine."""

from __future__ import annotations

import ast
import re

from pip._internal.models.index import PyPI

from tests.helpers.tree import ROOT, code_lines, files, parse

COMMENTED = (".py", ".yml", ".yaml", ".sh", ".toml", ".cfg", "Makefile", "Jenkinsfile", ".groovy", ".j2")
WRITTEN_BY_TOOLS = ("changelogs/changelog.yaml", "changelogs/fragments/", "tests/golden/", "tests/fixtures/")
# Where the builders of this repository work; Ollama's home inside its image is a fact of that image.
MACHINE_PATH = re.compile(r"(?<![\w.$}-])/(?:work/|root/(?!\.ollama))")
DESCRIBED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
REGISTRIES = (PyPI.netloc, PyPI.file_storage_domain, ".".join(("registry", "npmjs", "org")))


def text_of(name: str) -> str:
    """Return a file's text; what is not text has no header and names no path."""
    return (ROOT / name).read_text(encoding="utf-8", errors="ignore")


def test_each_file_names_its_licence_at_the_top() -> None:
    marker = "SPDX-License-Identifier" + ": GPL-3.0-or-later"
    ours = [name for name in files(*COMMENTED) if not name.startswith(WRITTEN_BY_TOOLS) and text_of(name).strip()]
    assert [name for name in ours if marker not in "\n".join(text_of(name).splitlines()[:8])] == []


def test_package_files_of_plugins_are_empty_so_that_ansible_ships_nothing_unseen() -> None:
    assert [name for name in files("__init__.py", under="plugins/") if text_of(name)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert {name: found for name in files() if (found := MACHINE_PATH.findall(text_of(name)))} == {}


def test_no_file_names_a_package_registry() -> None:
    assert [(name, host) for name in files() for host in REGISTRIES if host in text_of(name)] == []


def test_what_others_call_is_described() -> None:
    filled = [name for name in files(".py", under="plugins/") if text_of(name).strip()]
    shared = [name for name in filled if not name.startswith("plugins/modules/")]
    undocumented = [name for name in shared if not ast.get_docstring(parse(name))]
    assert [name for name in undocumented if "DOCUMENTATION" not in text_of(name)] == []
    nodes = [(name, node) for name in shared for node in parse(name).body if isinstance(node, DESCRIBED)]
    public = [(name, node) for name, node in nodes if not node.name.startswith("_") and code_lines(node) > 3]
    assert [(name, node.name) for name, node in public if not ast.get_docstring(node)] == []
