# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: which function answers which method and path. Literal segments ignore case, as Azure does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.sandbox.azure.arm import ArmRequest, ArmResponse

Handler = Callable[[ArmRequest], ArmResponse]

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"


@dataclass(frozen=True)
class Route:
    """One method on one path pattern; ``{name}`` matches one segment."""

    method: str
    pattern: str
    handler: Handler

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the placeholders' values, or None where the path is another."""
        wanted = self.pattern.strip("/").split("/")
        if len(wanted) != len(segments):
            return None
        values: dict[str, str] = {}
        for pattern, segment in zip(wanted, segments, strict=True):
            if pattern.startswith("{"):
                values[pattern[1:-1]] = segment
            elif pattern.lower() != segment.lower():
                return None
        return values


class Router:
    """All routes of the emulated Azure."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = list(routes)

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str], list[str]]:
        """Return the route, its placeholders, and the methods that the path has (empty: no such path)."""
        segments = path.strip("/").split("/")
        allowed = []
        for route in self._routes:
            values = route.match(segments)
            if values is None:
                continue
            if route.method == method:
                return route, values, [method]
            allowed.append(route.method)
        return None, {}, allowed
