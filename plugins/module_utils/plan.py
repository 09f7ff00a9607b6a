# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: typed changes with reasons. JSON-able, rendered for C(--diff) as a person wants to read it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .compare import FieldChange


class Action(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.DELETE: "-", Action.KEEP: " "}
LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Change:
    """One resource and what happens to it. key: its place in the bundle; kind: its name for a person."""

    action: Action
    key: str
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()
    reason: str = ""

    def deferred(self) -> Change:
        """The same change left for the start of a stopped deployment."""
        return replace(self, action=Action.KEEP, reason="deferred: takes effect at start")

    def to_dict(self) -> dict[str, Any]:
        return {
            "action": str(self.action),
            "key": self.key,
            "kind": self.kind,
            "name": self.name,
            "reason": self.reason,
            "fields": [field.to_dict() for field in self.fields],
        }

    def render(self) -> list[str]:
        head = f"{SIGNS[self.action]} {self.action} {self.kind} {self.name}"
        lines = [f"{head}: {self.reason}" if self.reason else head]
        lines += [f"    {_render_field(field)}" for field in self.fields]
        return lines


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of hardening on this platform. met: None where it is not known. way_out: what to do about it."""

    measure: str
    met: bool | None
    detail: str
    way_out: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"measure": self.measure, "met": self.met, "detail": self.detail}

    def render(self) -> str:
        state = {True: "yes", False: "no", None: "not known"}[self.met]
        head = f"hardening {self.measure.replace('_', ' ')}: {state}"
        return f"{head}, {self.detail}" if self.detail else head


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one target, in the order in which apply makes them.

    notes: what a person must know before saying yes (update strategy, C(outage expected), deferred changes).
    hardening: what the platform gives; empty where nothing is deployed.
    """

    target: str
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    hardening: tuple[Measure, ...] = ()

    @property
    def changed(self) -> bool:
        return any(change.action is not Action.KEEP for change in self.changes)

    def __getitem__(self, key: str) -> Change:
        for change in self.changes:
            if change.key == key:
                return change
        raise KeyError(key)

    def acting(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.action is not Action.KEEP)

    def to_dict(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "changed": self.changed,
            "summary": self.summary(),
            "changes": [change.to_dict() for change in self.changes],
            "notes": list(self.notes),
            "hardening": [measure.to_dict() for measure in self.hardening],
        }

    def summary(self) -> str:
        """One line: C(1 to create, 2 to update, 3 unchanged)."""
        words = {Action.KEEP: "unchanged"}
        parts = [
            f"{count} {words.get(action, f'to {action}')}"
            for action in Action
            if (count := sum(change.action is action for change in self.changes))
        ]
        return ", ".join(parts) or "nothing to do"

    def render(self) -> str:
        """The plan as text: one block a change, unchanged resources only counted."""
        lines = [f"{self.target}: {self.summary()}"]
        for change in self.acting():
            lines += [f"  {line}" for line in change.render()]
        lines += [f"  {measure.render()}" for measure in self.hardening]
        lines += [f"  ! {note}" for note in self.notes]
        return "\n".join(lines) + "\n"


def _render_field(field: FieldChange) -> str:
    if field.secret:
        return f"{field.path}: (secret, changed)"
    if field.before is None:
        return f"{field.path}: {_short(field.after)}"
    if field.after is None:
        return f"{field.path}: {_short(field.before)} → (removed)"
    return f"{field.path}: {_short(field.before)} → {_short(field.after)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def merge_notes(*groups: Iterable[str]) -> tuple[str, ...]:
    """All notes once, in order."""
    return tuple(dict.fromkeys(note for group in groups for note in group))
