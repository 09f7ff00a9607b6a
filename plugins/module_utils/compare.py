# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare a wanted body with a found one. Pure; both sides must have gone through the same normalisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .unknown import is_unknown

MISSING = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference. path: dotted, list items by name (C(containers.ollama.image)) or by index."""

    path: str
    before: Any
    after: Any
    secret: bool = False

    def to_dict(self) -> dict[str, Any]:
        if self.secret:
            return {"path": self.path, "before": "(secret)", "after": "(secret)"}
        return {"path": self.path, "before": self.before, "after": self.after}


def drop_empty(value: Any) -> Any:
    """Remove None, empty mappings and empty lists at every depth: clouds answer them where nothing was sent."""
    if isinstance(value, Mapping):
        cleaned = {key: drop_empty(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item is not None and item != {} and item != []}
    if isinstance(value, (list, tuple)):
        return [drop_empty(item) for item in value]
    return value


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge overrides into a body: mappings by key, lists of named items by name, the rest replaced; None removes."""
    merged = dict(base)
    for key, value in overrides.items():
        current = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(current, Mapping):
            merged[key] = merge(current, value)
        elif current is not None and _named(value) and _named(current):
            merged[key] = _merge_named(current, value)
        else:
            merged[key] = value
    return merged


def _merge_named(base: Sequence[Mapping[str, Any]], overrides: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_name = {item["name"]: dict(item) for item in base}
    for item in overrides:
        by_name[item["name"]] = merge(by_name.get(item["name"], {}), item)
    return list(by_name.values())


def _named(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return all(isinstance(item, Mapping) and "name" in item for item in value)


def diff(before: Any, after: Any, path: str = "") -> list[FieldChange]:
    """List the differences from before to after.

    Lists of items that all have a unique C(name) are compared by name, others by position. Numbers are equal by value,
    whatever their type; a number and its spelling as text are not (normalisation makes them one).
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _diff_mappings(before, after, path)
    if isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)):
        return _diff_lists(before, after, path)
    if before == after and type(before) is type(after):
        return []
    if _same_number(before, after):
        return []
    return [FieldChange(path, before, after)]


def _same_number(before: Any, after: Any) -> bool:
    numbers = (int, float)
    if isinstance(before, bool) or isinstance(after, bool):
        return False
    return isinstance(before, numbers) and isinstance(after, numbers) and float(before) == float(after)


def _diff_mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> list[FieldChange]:
    changes: list[FieldChange] = []
    for key in [*before, *(key for key in after if key not in before)]:
        changes += diff(before.get(key, MISSING), after.get(key, MISSING), f"{path}.{key}" if path else str(key))
    return changes


def _diff_lists(before: Sequence[Any], after: Sequence[Any], path: str) -> list[FieldChange]:
    if _uniquely_named(before) and _uniquely_named(after):
        return _diff_mappings({i["name"]: i for i in before}, {i["name"]: i for i in after}, path)
    changes: list[FieldChange] = []
    for index in range(max(len(before), len(after))):
        left = before[index] if index < len(before) else MISSING
        right = after[index] if index < len(after) else MISSING
        changes += diff(left, right, f"{path}[{index}]")
    return changes


def _uniquely_named(items: Sequence[Any]) -> bool:
    if not items:
        return True
    return _named(items) and len({item["name"] for item in items}) == len(items)


def mask(changes: Iterable[FieldChange], secret_paths: Iterable[str]) -> list[FieldChange]:
    """Mark the changes at or below a secret path, so that no value of theirs is ever rendered."""
    prefixes = tuple(secret_paths)
    return [
        FieldChange(c.path, c.before, c.after, secret=True) if c.path.startswith(prefixes) and prefixes else c
        for c in changes
    ]


def has_unknown(value: Any) -> bool:
    """True if any value in the body is known only after apply."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_unknown(item) for item in value)
    return is_unknown(value)
