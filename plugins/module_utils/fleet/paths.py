# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions that are only a path to a value, C(fleet_details.task.availability_zone): looked up. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_PATH = re.compile(r"(fleet_\w+)((?:\.[a-z_]\w*)*)")


def value_at(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value that a path of ours leads to. Raises KeyError where it is no path, or leads nowhere.

    A name that is a method of a dictionary, such as C(items), is left to the template engine, which prefers the method.
    """
    found = _PATH.fullmatch(expression)
    if not found:
        raise KeyError(expression)
    value = variables[found[1]]
    for name in found[2].split(".")[1:]:
        if not isinstance(value, Mapping) or hasattr(dict, name):
            raise KeyError(expression)
        value = value[name]
    return value


def only_paths(keyed_groups: Iterable[Any]) -> bool:
    """Whether all keys of C(keyed_groups) are paths into our own variables."""
    return all(isinstance(item, Mapping) and _PATH.fullmatch(str(item.get("key"))) for item in keyed_groups)
