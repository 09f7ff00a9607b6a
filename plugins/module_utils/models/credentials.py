# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials for one registry: given, from the environment, or from the `auths` of a docker config.json."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..text import one_line
from .errors import LoginRefused

USERNAME_VARIABLE = "POLYCLOUD_REGISTRY_USERNAME"
PASSWORD_VARIABLE = "POLYCLOUD_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable
TOKEN_VARIABLE = "POLYCLOUD_REGISTRY_TOKEN"  # noqa: S105 - the name of a variable
MAX_CONFIG = 1024 * 1024  # bytes


@dataclass(frozen=True)
class Credentials:
    """Either a user with a password, or a bearer `token`, or an OAuth2 `refresh_token`; nothing means anonymous."""

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for what in ("username", "password", "token", "refresh_token"):
            value: str = getattr(self, what)
            # Refused here, because the library would show the value in its own error.
            if not value.isprintable() or (what != "password" and not value.isascii()):
                raise LoginRefused(
                    f"The registry's {what} holds a character that cannot be sent.", hint="Look for a stray newline."
                )
        if ":" in self.username or bool(self.username) != bool(self.password):
            raise LoginRefused("A registry login needs a username without a colon, and a password.")

    @property
    def basic(self) -> str:
        """The value of an Authorization header, empty without a user."""
        if not self.username:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        values = (self.password, self.token, self.refresh_token, self.basic.partition(" ")[2])
        return tuple(value for value in values if value)


ANONYMOUS = Credentials()


def from_environment(environment: Mapping[str, str]) -> Credentials:
    """Credentials from POLYCLOUD_REGISTRY_USERNAME and _PASSWORD, or _TOKEN."""
    token = environment.get(TOKEN_VARIABLE, "")
    if token:
        return Credentials(token=token)
    return Credentials(environment.get(USERNAME_VARIABLE, ""), environment.get(PASSWORD_VARIABLE, ""))


def config_file(environment: Mapping[str, str]) -> Path:
    """Where docker keeps its configuration: $DOCKER_CONFIG/config.json or ~/.docker/config.json."""
    folder = environment.get("DOCKER_CONFIG", "")
    return (Path(folder) if folder else Path(environment.get("HOME", "/"), ".docker")) / "config.json"


def from_docker_config(path: Path, host: str) -> Credentials:
    """Credentials for `host` (with the port where it is not the usual one); anonymous where there are none.

    Helpers (credsStore, credHelpers) are programs and are not started. Raises LoginRefused for a file that is broken.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_CONFIG + 1)
    except FileNotFoundError:
        return ANONYMOUS
    except OSError as error:
        raise LoginRefused(f"{path} cannot be read: {error.strerror}.") from None
    try:
        auths = json.loads(raw).get("auths", {})
        entry: Mapping[str, Any] = next((auths[key] for key in auths if _host(key) == host.lower()), {})
        return _entry(entry)
    except (ValueError, AttributeError, TypeError, RecursionError, binascii.Error):
        raise LoginRefused(f"{one_line(str(path), 200)} is not a docker config.json.") from None


def credentials_for(url: str, environment: Mapping[str, str]) -> Credentials:
    """The environment's credentials, else docker's for the registry `url`."""
    found = from_environment(environment)
    if found != ANONYMOUS:
        return found
    return from_docker_config(config_file(environment), url.split("/", 3)[2])


def scrub(text: str, secrets: tuple[str, ...]) -> str:
    """`text` without the secrets: a registry may send back what it got."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _host(key: str) -> str:
    # Old entries are URLs: https://index.example.org/v1/
    return key.partition("://")[2].partition("/")[0].lower() if "://" in key else key.partition("/")[0].lower()


def _entry(entry: Mapping[str, Any]) -> Credentials:
    if entry.get("identitytoken"):
        return Credentials(refresh_token=str(entry["identitytoken"]))
    if entry.get("registrytoken"):
        return Credentials(token=str(entry["registrytoken"]))
    if entry.get("username"):
        return Credentials(str(entry["username"]), str(entry.get("password", "")))
    if not entry.get("auth"):
        return ANONYMOUS
    username, dummy, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    return Credentials(username, password.rstrip("\0"))
