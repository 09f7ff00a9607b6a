# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as Azure Resource Manager tells them: a status, and a body with code and message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ArmError(Exception):
    """A refused request. ``headers`` are added to the answer, for example Retry-After."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {"error": {"code": self.code, "message": self.message}}


def bad_request(code: str, message: str) -> ArmError:
    """Return a 400."""
    return ArmError(400, code, message)


def invalid_content(message: str) -> ArmError:
    """Return the 400 for a body that does not fit the resource's schema."""
    return bad_request(
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{message}'.",
    )


def not_found(resource_type: str, name: str, group: str) -> ArmError:
    """Return the 404 for a resource that is not in its resource group."""
    message = f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found."
    return ArmError(404, "ResourceNotFound", message)


def group_not_found(group: str) -> ArmError:
    """Return the 404 for a missing resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def conflict(code: str, message: str) -> ArmError:
    """Return a 409."""
    return ArmError(409, code, message)


def one_of(values: Sequence[str]) -> str:
    """Return values for a message."""
    return ", ".join(f"'{value}'" for value in values)
