# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the typed model from module parameters. The dataclasses' own type hints say how; there is no second mapping."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from .model import Deployment

P = TypeVar("P")


def parse(params: Mapping[str, Any], platform_type: type[P]) -> Deployment[P]:
    """Return the deployment of checked module parameters. None means not given: the field's default is taken."""
    values = _fields(Deployment, {**params, "platform": None})
    values["platform"] = build(platform_type, params.get("platform") or {})
    values.setdefault("image", "")
    values.setdefault("models", ())
    return Deployment(**values)


def build(cls: type[P], values: Mapping[str, Any]) -> P:
    """Build a dataclass, nested ones included, from a mapping with the same names. Unknown names are ignored."""
    return cls(**_fields(cls, values))


def _fields(cls: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {
        field.name: _convert(hints[field.name], values[field.name])
        for field in dataclasses.fields(cls)
        if values.get(field.name) is not None
    }


def _convert(hint: Any, value: Any) -> Any:
    options = [hint]
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        options = [arg for arg in typing.get_args(hint) if arg is not types.NoneType]
    hint = options[0]
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return tuple(_convert(inner, item) for item in value)
    if isinstance(value, Mapping) and typing.get_args(hint)[1:] == (str,):
        return {str(key): _text(item) for key, item in value.items()}
    return value


def _text(value: Any) -> str:
    """YAML turns true, 1 and 1.5 into other types; an environment value or a tag is always text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
