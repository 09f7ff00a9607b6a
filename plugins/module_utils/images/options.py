# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules for images in registries share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..models.credentials import Credentials, config_file
from ..models.logins import login
from ..models.transport import Transport
from .reference import Reference
from .registry import ImageRegistry, credentials_in

ARGSPEC: dict[str, Any] = {
    "image": {"type": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "config": {"type": "path"},
    "login": {"type": "str", "choices": ["ecr", "acr"]},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
}
REQUIRED_TOGETHER = [("username", "password")]
MUTUALLY_EXCLUSIVE = [("username", "login"), ("username", "config"), ("config", "login")]


def registry_from(params: Mapping[str, Any], reference: Reference, *, actions: str = "pull") -> ImageRegistry:
    """The registry of `reference`, by the options of a module. Raises ModelError."""
    insecure = not params["validate_certs"]
    transport = Transport(insecure=insecure, ca_file=params["ca_path"], timeout=float(params["timeout"]))
    return ImageRegistry(reference.host, _credentials(params, reference.host, transport), transport, actions=actions)


def _credentials(params: Mapping[str, Any], host: str, transport: Transport) -> Credentials:
    if params["username"]:
        return Credentials(params["username"], params["password"])
    if params["login"]:
        return login(params["login"], f"https://{host}", transport)
    return credentials_in(Path(params["config"]) if params["config"] else config_file(os.environ), host)
