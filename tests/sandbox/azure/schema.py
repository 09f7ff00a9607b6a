# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a request body against a schema: unknown property, wrong type, missing property.

A schema is a tree of nodes. Two sources make such trees: Microsoft's SDK models (``sdk_models.py``) and, where they are
at hand, the structural files derived from them (``derived_specs.py``). Enum sets are open: not checked here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.azure.errors import invalid_content

SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


@dataclass
class Node:
    """One type: any, a scalar, an array of ``items``, a map of ``items``, or an object with ``properties``."""

    kind: str
    name: str = ""
    items: Node | None = None
    properties: dict[str, Property] = field(default_factory=dict)


class Property:
    """A property of an object. Its type is built at the first use: types refer to each other in circles."""

    def __init__(self, make_node: Callable[[], Node], required: bool = False, read_only: bool = False) -> None:
        self._make_node = make_node
        self.required = required
        self.read_only = read_only

    @functools.cached_property
    def node(self) -> Node:
        """Return the property's type."""
        return self._make_node()


def clean(node: Node, value: Any, partial: bool = False, path: str = "") -> Any:
    """Return the body without its read-only properties, which Azure ignores in requests.

    ``partial`` is for merge patches: objects outside arrays may lack required properties. Raises 400
    InvalidRequestContent naming the property.
    """
    if value is None or node.kind == "any":
        return value
    if node.kind == "object":
        return _clean_object(node, value, partial, path)
    if node.kind == "array":
        items = _expect(value, (list,), "array", path)
        return [clean(node.items or Node("any"), item, False, f"{path}[{index}]") for index, item in enumerate(items)]
    if node.kind == "map":
        entries = _expect(value, (dict,), "object", path)
        return {
            name: clean(node.items or Node("any"), item, partial, _join(path, name)) for name, item in entries.items()
        }
    return _expect(value, SCALARS[node.kind], node.kind, path)


def _clean_object(node: Node, value: Any, partial: bool, path: str) -> dict[str, Any]:
    given: Mapping[str, Any] = _expect(value, (dict,), "object", path)
    cleaned = {}
    for name, item in given.items():
        if name not in node.properties:
            raise invalid_content(
                f"Could not find member '{name}' on object of type '{node.name}'. Path '{_join(path, name)}'"
            )
        wanted = node.properties[name]
        if not wanted.read_only:
            cleaned[name] = clean(wanted.node, item, partial, _join(path, name))
    if not partial:
        for name, wanted in node.properties.items():
            if wanted.required and not wanted.read_only and cleaned.get(name) is None:
                raise invalid_content(f"Required property '{name}' not found in JSON. Path '{path}'")
    return cleaned


def _expect(value: Any, types: tuple[type, ...], kind: str, path: str) -> Any:
    # In Python a bool is an int; in JSON it is not.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        shown = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else repr(value)[:80]
        raise invalid_content(f"Error converting value {shown} to type '{kind}'. Path '{path}'")
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
