# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a plan from wanted and found resources. Pure: no call, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .compare import FieldChange, diff, mask
from .errors import Refused
from .plan import Action, Change
from .release import DEPLOYMENT, SHARED
from .resource import Found, Kind, Wanted
from .unknown import KNOWN_AFTER_APPLY, Ref, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the user allows beyond the safe default."""

    adopt: bool = False
    recreate: bool = False
    force: bool = False


def plan_changes(
    wanted: Iterable[Wanted],
    found: Mapping[str, Found | None],
    kinds: Mapping[str, Kind],
    consent: Consent,
) -> list[Change]:
    """Compare resource by resource, in the order of wanted. Raises Refused before anything is called."""
    changes: list[Change] = []
    for resource in wanted:
        kind = kinds[resource.key]
        body = resolve(resource.body, lambda ref: _reference(ref, found, changes, kinds))
        changes.append(_plan_one(resource, body, found.get(resource.key), kind, consent))
    return changes


def _reference(ref: Ref, found: Mapping[str, Found | None], changes: list[Change], kinds: Mapping[str, Kind]) -> Any:
    """The value of a reference as far as it is known before apply."""
    change = next(change for change in changes if change.key == ref.key)
    existing = found.get(ref.key)
    new_id = change.action in (Action.CREATE, Action.REPLACE)
    if existing is None or new_id or (change.action is Action.UPDATE and kinds[ref.key].versioned):
        return KNOWN_AFTER_APPLY
    return existing.attribute(ref.attribute)


def _plan_one(wanted: Wanted, body: Any, found: Found | None, kind: Kind, consent: Consent) -> Change:
    def change(action: Action, fields: Iterable[FieldChange] = (), reason: str = "") -> Change:
        return Change(action, wanted.key, kind.title, wanted.name, tuple(fields), reason)

    if found is None:
        return change(Action.CREATE)
    if wanted.shared and SHARED not in found.tags and not consent.adopt:
        return change(Action.KEEP, reason="given by the user, used as it is")
    check_ownership(wanted, found, kind, consent)
    fields = field_changes(wanted, body, found, kind)
    if not fields:
        return change(Action.KEEP)
    fixed = [field for field in fields if _is_immutable(field.path, kind.immutable)]
    if not fixed:
        return change(Action.UPDATE, fields, _reason(fields))
    names = ", ".join(dict.fromkeys(field.path for field in fixed))
    if not consent.recreate:
        raise Refused(
            f"{kind.title} {wanted.name}: {names} cannot be changed in place.",
            hint="Set recreate: true to delete it and create it again (it is gone in between), or change it back.",
        )
    return change(Action.REPLACE, fields, f"{names} is immutable")


def field_changes(wanted: Wanted, body: Any, found: Found, kind: Kind) -> list[FieldChange]:
    """The differences of body and tags, secrets masked. Tags that others set are left alone."""
    fields = diff(kind.normalise(found.body), kind.normalise(body))
    if kind.taggable:
        ours = {key: found.tags.get(key) for key in wanted.tags}
        fields += diff(ours, dict(wanted.tags), "tags")
    return mask(fields, kind.secret_paths)


def check_ownership(wanted: Wanted, found: Found, kind: Kind, consent: Consent) -> None:
    """Refuse to change what is not ours, unless the user said adopt."""
    if not kind.taggable or consent.adopt:
        return
    owner = found.tags.get(DEPLOYMENT)
    if wanted.shared or (owner and owner == wanted.tags.get(DEPLOYMENT)):
        return
    whose = f"belongs to deployment {owner}" if owner else "exists and is not managed by this collection"
    raise Refused(
        f"{kind.title} {wanted.name} {whose}.",
        hint="Choose another name, or set adopt: true to take it over.",
    )


def _is_immutable(path: str, immutable: Iterable[str]) -> bool:
    return any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in immutable)


def _reason(fields: list[FieldChange]) -> str:
    names = list(dict.fromkeys(field.path for field in fields))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
