# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas from Microsoft's SDK packages (azure-mgmt-*), which are generated from Azure's own API definitions.

The packages are imported when the first body of their provider arrives: 0.1 to 0.4 s each.
"""

from __future__ import annotations

import datetime
import functools
import importlib
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

from tests.sandbox.azure.schema import Node, Property

PACKAGES = {
    "Microsoft.ContainerInstance": "azure.mgmt.containerinstance.models",
    "Microsoft.App": "azure.mgmt.appcontainers.models",
    "Microsoft.Storage": "azure.mgmt.storage.models",
}
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_TEXTS = (datetime.datetime, datetime.date, datetime.timedelta, bytes)


@functools.cache
def schema(namespace: str, model: str) -> Node:
    """Return the schema of a model class of a provider's SDK package."""
    package = importlib.import_module(PACKAGES[namespace])
    return _model_node(namespace, getattr(package, model))


@functools.cache
def _names(namespace: str) -> dict[str, Any]:
    """Return the names in which the SDK's annotations are written."""
    package = importlib.import_module(PACKAGES[namespace])
    return {**vars(package), "_models": package, "_types": package}


@functools.cache
def _model_node(namespace: str, model: type) -> Node:
    node = Node("object", model.__name__)
    hints = get_type_hints(model, localns=_names(namespace))
    for attribute, hint in hints.items():
        wire = _rest_field(model, attribute)
        if wire is None:
            continue
        read_only = wire._visibility == ["read"]
        optional = type(None) in get_args(hint)
        make_node = functools.partial(_hint_node, namespace, hint)
        node.properties[wire._rest_name_input or attribute] = Property(make_node, not optional, read_only)
    return node


def _rest_field(model: type, attribute: str) -> Any:
    for base in model.__mro__:
        found = vars(base).get(attribute)
        if found is not None and hasattr(found, "_rest_name_input"):
            return found
    return None


def _hint_node(namespace: str, hint: Any) -> Node:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _hint_node(namespace, _main_alternative(arguments))
    if origin is list:
        return Node("array", items=_hint_node(namespace, arguments[0]))
    if origin is dict:
        return Node("map", items=_hint_node(namespace, arguments[1]))
    if hint in _SCALARS:
        return Node(_SCALARS[hint])
    if hint in _TEXTS or (origin is not None and str(origin).endswith("Literal")):
        return Node("string")
    if isinstance(hint, type) and getattr(hint, "_is_model", False):
        return _model_node(namespace, hint)
    return Node("any")


def _main_alternative(arguments: tuple[Any, ...]) -> Any:
    """Return the alternative that counts: Optional[X] is X, Union[str, Enum] is str."""
    given = [argument for argument in arguments if argument is not type(None)]
    return str if str in given else given[0]
