# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login for a registry as a file in the format of docker's config.json, which docker, podman and buildah read."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ..models.credentials import MAX_CONFIG, Credentials
from ..models.errors import LoginRefused
from .reference import DOCKER_HUB

# The name under which docker itself looks for the login of Docker Hub.
HUB_KEY = "https://index.docker.io/v1/"
# The user that an Azure registry wants with a token; `az acr login --expose-token` is documented with it.
TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - no secret


def config_with(host: str, credentials: Credentials, other: Path | None = None) -> str:
    """The content of a config.json with this login; `other` is a config.json whose logins are kept.

    Raises LoginRefused.
    """
    auths = dict(_auths(other)) if other is not None else {}
    auths[HUB_KEY if host == DOCKER_HUB else host] = {"auth": _pair(credentials)}
    return json.dumps({"auths": auths}, indent=2, sort_keys=True) + "\n"


def _pair(credentials: Credentials) -> str:
    username, password = credentials.username, credentials.password
    if credentials.refresh_token:
        username, password = TOKEN_USER, credentials.refresh_token
    if not username or not password:
        raise LoginRefused("There is no login to write.", hint="Give username and password, or the login of a cloud.")
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _auths(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            auths = json.loads(stream.read(MAX_CONFIG + 1)).get("auths", {})
    except OSError as error:
        raise LoginRefused(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, AttributeError, RecursionError):
        auths = None
    if not isinstance(auths, dict):
        raise LoginRefused(f"{path} is not a docker config.json.")
    return auths


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner reads, whole or not at all; its folder is made. Raises LoginRefused."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(content)
            os.replace(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise LoginRefused(f"{path} cannot be written: {error.strerror}.") from None
