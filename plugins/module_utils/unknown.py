# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that exist only after apply, and references between resources of one bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

KNOWN_AFTER_APPLY = "(known after apply)"


def is_unknown(value: object) -> bool:
    """True for an id that check mode could not know yet, also when it came back to us through a role variable."""
    return isinstance(value, str) and value == KNOWN_AFTER_APPLY


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands in a wanted body for an attribute of another resource of the bundle: Ref("task_definition", "id")."""

    key: str
    attribute: str = "id"

    def __str__(self) -> str:
        return f"{self.key}.{self.attribute}"


def resolve(body: Any, lookup: Callable[[Ref], Any]) -> Any:
    """Return a copy of the body in which every Ref is replaced by lookup(ref)."""
    if isinstance(body, Ref):
        return lookup(body)
    if isinstance(body, Mapping):
        return {key: resolve(value, lookup) for key, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [resolve(value, lookup) for value in body]
    return body


def symbolic(body: Any) -> Any:
    """Return the body with every Ref spelled by its name: stable over runs, for hashing."""
    return resolve(body, lambda ref: f"${{{ref}}}")
