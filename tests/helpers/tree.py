# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the repository holds: its source files, its modules and their documentation, read without importing them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.tools.stage import source_files

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "plugins" / "modules"
FRAGMENTS = ROOT / "plugins" / "doc_fragments"


@functools.cache
def files(*suffixes: str, under: str = "") -> tuple[str, ...]:
    """Return source files below `under` with one of the suffixes (or all), relative to the root; no bad fixtures."""
    return tuple(
        name
        for name in source_files(ROOT)
        if name.startswith(under) and not name.startswith("tests/bad/") and (not suffixes or name.endswith(suffixes))
    )


def module_names() -> list[str]:
    """Return the names of all modules."""
    return sorted(path.stem for path in MODULES.glob("*.py") if path.stem != "__init__")


@functools.cache
def load(name: str) -> Any:
    """Return the content of a YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@functools.cache
def parse(name: str) -> ast.Module:
    """Return the syntax tree of a Python file of the repository."""
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def constant(name: str, variable: str) -> str | None:
    """Return the text assigned to a variable at the top of a Python file, or None."""
    for node in parse(name).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if variable in targets:
                return str(node.value.value)
    return None


def documentation(module: str) -> dict[str, Any]:
    """Return DOCUMENTATION of a module as data, its own part without fragments."""
    text = constant(f"plugins/modules/{module}.py", "DOCUMENTATION")
    assert text, f"module {module} has no DOCUMENTATION"
    return dict(yaml.safe_load(text))


def fragment(reference: str) -> dict[str, Any]:
    """Return a doc fragment of ours as data; `reference` is polycloud.ollama.<file>[.<part>]."""
    _namespace, _name, file, *part = reference.split(".")
    variable = part[0].upper() if part else "DOCUMENTATION"
    for node in ast.walk(parse(f"plugins/doc_fragments/{file}.py")):
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if variable in names and isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            return dict(yaml.safe_load(str(node.value.value)))
    raise AssertionError(f"there is no doc fragment {reference}")


def attributes(module: str) -> dict[str, dict[str, Any]]:
    """Return the attributes of a module, those of its fragments included; the module's own win."""
    own = documentation(module)
    merged: dict[str, dict[str, Any]] = {}
    references = own.get("extends_documentation_fragment") or []
    references = [references] if isinstance(references, str) else references
    parts = [fragment(name) for name in references if name.startswith("polycloud.ollama.")]
    for part in [*parts, own]:
        for name, attribute in (part.get("attributes") or {}).items():
            merged[name] = {**merged.get(name, {}), **attribute}
    return merged


def functions(name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield (qualified name, node) of each function of a Python file, nested ones too."""
    stack: list[tuple[str, ast.AST]] = [("", parse(name))]
    while stack:
        prefix, node = stack.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if not isinstance(child, ast.ClassDef):
                    yield prefix + child.name, child
                stack.append((f"{prefix}{child.name}.", child))
            else:
                stack.append((prefix, child))


def code_lines(node: ast.AST) -> int:
    """Count the lines of a function without its docstring."""
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    body = getattr(node, "body", [])
    documented = bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    docstring = body[0].end_lineno - body[0].lineno + 1 if documented else 0
    return int(last - first + 1 - docstring)
