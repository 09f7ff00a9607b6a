# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From module parameters in snake_case to the API's own shape, and back. Pure; the argument spec is the only map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Spec = Mapping[str, Mapping[str, Any]]

# Names that are not simply camelCase of ours, of all clouds; no name means two things.
SPECIAL = {
    "memory_in_gb": "memoryInGB",
    "enable_ecs_managed_tags": "enableECSManagedTags",
    "size_in_gib": "sizeInGiB",
    "private_ipv4_address": "privateIPv4Address",
}
_BACK = {api: ours for ours, api in SPECIAL.items()}
# Maps whose keys are the user's own words.
FREE = ("options", "dockerLabels", "driverOpts", "labels", "tags", "userAssignedIdentities", "secret", "metadata")


def camel(name: str) -> str:
    """C(size_in_gib) to C(sizeInGiB)."""
    head, *rest = name.split("_")
    return SPECIAL.get(name) or head + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    """C(sizeInGiB) to C(size_in_gib)."""
    return _BACK.get(name) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def to_api(params: Mapping[str, Any], options: Spec) -> dict[str, Any]:
    """The API's body of checked parameters. Options that were not given are left out, at every depth."""
    body: dict[str, Any] = {}
    for name, spec in options.items():
        value = params.get(name)
        if value is None:
            continue
        inner = spec.get("options")
        if inner and isinstance(value, list):
            body[camel(name)] = [to_api(item, inner) for item in value]
        elif inner:
            body[camel(name)] = to_api(value, inner)
        else:
            body[camel(name)] = value
    return body


def from_api(value: Any, key: str = "") -> Any:
    """An API's answer for a module's result: snake_case keys, times as text, the user's own maps untouched."""
    if isinstance(value, Mapping):
        if key in FREE:
            return dict(value)
        return {snake(str(name)): from_api(item, str(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [from_api(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value
