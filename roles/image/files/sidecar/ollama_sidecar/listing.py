# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of models, less those that the client may not ask."""

from __future__ import annotations

import json
from collections.abc import Callable

from .requests import canonical
from .routes import Route

MOST = 8 * 1024 * 1024  # bytes of a list
# Where each list has its models, and the members that may hold a name.
LISTS = {"/api/tags": ("models", ("model", "name")), "/v1/models": ("data", ("id",))}
ONE = "/v1/models/"


def shortened(route: Route, raw: bytes, allowed: Callable[[str], bool]) -> bytes:
    """The list with what `allowed` says of canonical names.

    As it was, byte for byte, where nothing is to be left out, or it is no list that we know.
    """
    members, names = LISTS[route.name]
    try:
        body = json.loads(raw)
        listed = body[members] or []
        body[members] = [entry for entry in listed if allowed(_name(entry, names))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return raw
    if len(body[members]) == len(listed):
        return raw
    return json.dumps(body, separators=(",", ":")).encode()


def asked(route: Route, target: str) -> str:
    """The one model that is asked for, canonical; empty where it is not one."""
    return canonical(target.partition("?")[0].removeprefix(ONE)) if route.name == ONE else ""


def _name(entry: dict[str, str], names: tuple[str, ...]) -> str:
    return canonical(next((entry[name] for name in names if entry.get(name)), ""))
