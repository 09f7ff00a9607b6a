# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part the secret values from a container group's body, and put them back. Pure.

Azure takes these values and never gives them back. So bodies that are planned, hashed or kept hold a mark in their
place, the values travel beside them under stable names (C(containers.ollama.API_KEY)), and only the PUT joins the two.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from ..unknown import is_unknown

Body = dict[str, Any]
MARK = "(secret)"
# A slot is one place of a secret: its name, the object that holds it and the key in that object.
Slot = tuple[str, Body, str]


def take_secrets(body: Mapping[str, Any]) -> tuple[Body, dict[str, str]]:
    """Return the body with marks, and the values by name."""
    marked = copy.deepcopy(dict(body))
    values: dict[str, str] = {}
    for name, holder, key in _slots(marked):
        value = holder.get(key)
        if value is not None and value != MARK:
            values[name] = str(value)
        holder[key] = MARK
    return marked, values


def fill_secrets(body: Mapping[str, Any], values: Mapping[str, str]) -> tuple[Body, tuple[str, ...]]:
    """Return the body with values in all places that need one, and the names for which there is none.

    Works on a marked body and on one that Azure gave back, in which the places are empty.
    """
    filled = copy.deepcopy(dict(body))
    missing = []
    for volume in (filled.get("properties") or {}).get("volumes") or ():
        if volume.get("secret") == {}:
            _restore_files(volume, values)
    for name, holder, key in _slots(filled):
        if name in values:
            holder[key] = values[name]
        else:
            missing.append(name)
    return filled, tuple(missing)


def _slots(body: Body) -> Iterator[Slot]:
    properties = body.get("properties") or {}
    for kind in ("containers", "initContainers"):
        for container in properties.get(kind) or ():
            for variable in container["properties"].get("environmentVariables") or ():
                if variable.get("value") is None and variable.get("secureValueReference") is None:
                    yield f"{kind}.{container['name']}.{variable['name']}", variable, "secureValue"
    for volume in properties.get("volumes") or ():
        yield from _volume_slots(volume)
    for registry in properties.get("imageRegistryCredentials") or ():
        if registry.get("username") and registry.get("passwordReference") is None:
            yield f"imageRegistryCredentials.{registry['server']}", registry, "password"
    workspace = (properties.get("diagnostics") or {}).get("logAnalytics")
    if workspace:
        yield f"diagnostics.{workspace['workspaceId']}", workspace, "workspaceKey"


def _volume_slots(volume: Body) -> Iterator[Slot]:
    share = volume.get("azureFile")
    if share and share.get("storageAccountKeyReference") is None:
        yield f"volumes.{volume['name']}.{share['storageAccountName']}", share, "storageAccountKey"
    files = volume.get("secret")
    if files is not None:
        # Azure gives back no file names; without any, the volume itself is what is missing.
        for file in list(files) or [""]:
            yield f"volumes.{volume['name']}.{file}".rstrip("."), files, file


def _restore_files(volume: Body, values: Mapping[str, str]) -> None:
    prefix = f"volumes.{volume['name']}."
    volume["secret"] = {name.removeprefix(prefix): MARK for name in values if name.startswith(prefix)}


def known(values: Mapping[str, str]) -> dict[str, str]:
    """The values that are known now: in check mode a key may be known only after apply."""
    return {name: value for name, value in values.items() if not is_unknown(value)}
