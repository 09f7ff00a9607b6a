# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where settings are written: the environment and the file that it names. Imports no library, for the health check."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PREFIX = "SIDECAR_"


class Twice(ValueError):
    """The file has a setting twice, in different cases."""


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the sidecar, in capitals: their case does not matter."""
    return {name.upper(): value for name, value in environment.items() if name.upper().startswith(PREFIX)}


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in the environment, named as in the file."""
    return {name.removeprefix(PREFIX).lower(): value for name, value in variables(environment).items()}


def members(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the file says, names in lower case. Raises OSError; ValueError where it is no TOML; Twice."""
    path = variables(environment).get(f"{PREFIX}CONFIG", "")
    given = tomllib.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    found = {name.lower(): value for name, value in given.items()}
    if len(found) != len(given):
        raise Twice("a setting is there twice, in different cases")
    return found
