# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas from the derived structural API files, a second witness that is optional.

They are looked for in POLYCLOUD_AZURE_SPECS, else in ../shared/azure-specs beside the repository. Without them the SDK
models alone judge.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

from tests.sandbox.azure.schema import Node, Property

FILES = {
    ("Microsoft.ContainerInstance", "2023-05-01"): "containerinstance-2023-05-01.derived.json",
    ("Microsoft.ContainerInstance", "2025-09-01"): "containerinstance-2025-09-01.derived.json",
    ("Microsoft.App", "2026-07-01"): "app-containerapps-2026-07-01.derived.json",
}
REPOSITORY = Path(__file__).resolve().parents[3]


def folder() -> Path | None:
    """Return the folder with the derived files, or None."""
    named = os.environ.get("POLYCLOUD_AZURE_SPECS")
    place = Path(named) if named else REPOSITORY.parent / "shared" / "azure-specs"
    return place if place.is_dir() else None


def schema(namespace: str, api_version: str, definition: str) -> Node | None:
    """Return the schema of a definition, or None where no file is at hand or it lacks the definition."""
    place, name = folder(), FILES.get((namespace, api_version))
    if place is None or name is None or not (place / name).is_file():
        return None
    definitions = _definitions(place / name)
    return _definition_node(place / name, definition) if definition in definitions else None


@functools.cache
def _definitions(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8"))["definitions"])


@functools.cache
def _definition_node(file: Path, name: str) -> Node:
    definition = _definitions(file)[name]
    if "properties" not in definition:
        return _inline_node(file, definition)
    node = Node("object", name)
    required = definition.get("required", [])
    for wire, described in definition["properties"].items():
        make_node = functools.partial(_inline_node, file, described)
        node.properties[wire] = Property(make_node, wire in required, bool(described.get("readOnly")))
    return node


def _inline_node(file: Path, described: dict[str, Any]) -> Node:
    if "$ref" in described:
        return _definition_node(file, described["$ref"].rsplit("/", 1)[-1])
    kind = described.get("type")
    if kind == "array":
        return Node("array", items=_inline_node(file, described["items"]))
    if kind == "object" and isinstance(described.get("additionalProperties"), dict):
        return Node("map", items=_inline_node(file, described["additionalProperties"]))
    if kind in ("string", "integer", "number", "boolean"):
        return Node(kind)
    return Node("any")
