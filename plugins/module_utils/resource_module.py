# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every fine-grained module (one resource, or a few that belong together) does between argument spec and exit.

It runs the same kinds and the same planner as the deployment modules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import InvalidDeployment, PolycloudError, Refused
from .events import EventLog
from .plan import Action, Change, Plan
from .planner import Consent, plan_changes
from .release import DEPLOYMENT
from .resource import Found, Kind, Wanted, gather
from .unknown import KNOWN_AFTER_APPLY, Ref, resolve

# The argument spec that fine modules share; extend it with the resource's own options.
RESOURCE_OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "deployment": {"type": "str"},
    "recreate": {"type": "bool", "default": False},
}


class Emit(Protocol):
    def __call__(self, source: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Bundle:
    """Resources in the order of creation, and the kind of each by key.

    result: turns what is there afterwards (Found or None by key) into the keys of the module's result.
    """

    wanted: Sequence[Wanted]
    kinds: Mapping[str, Kind]
    result: Callable[[Mapping[str, Found | None]], dict[str, Any]]


def run_resource(module: Any, kind: Kind, wanted: Wanted, state: str | None = None, *, name: str = "resource") -> None:
    """Bring one resource to the state and exit. The result holds it under C(name): id, name, tags and its body."""

    def result(found: Mapping[str, Found | None]) -> dict[str, Any]:
        return {name: describe(found[wanted.key], wanted)}

    run_bundle(module, lambda emit: Bundle([wanted], {wanted.key: kind}, result), state)


def run_bundle(module: Any, make: Callable[[Emit], Bundle], state: str | None = None) -> None:
    """Build the bundle, bring it to the state and exit. Every error below arrives here and becomes fail_json."""
    events = EventLog.for_module(module)
    steps = _Steps(module, events.emit)
    try:
        result = steps.run(make(events.emit), state or module.params["state"])
    except PolycloudError as error:
        details: dict[str, Any] = {"error": type(error).__name__, "events": events.events}
        if isinstance(error, InvalidDeployment):
            details["problems"] = list(error.problems)
        if steps.plan is not None:
            details |= {"changed": steps.changed, "plan": steps.plan.to_dict()}
        module.fail_json(msg=str(error), **details)
    else:
        module.exit_json(**result, events=events.events)


def describe(found: Found | None, wanted: Wanted) -> dict[str, Any] | None:
    """A resource for a module's result; ids that check mode cannot know are C((known after apply))."""
    if found is None:
        return None
    return {"id": found.id, "name": wanted.name, "tags": dict(found.tags), **dict(found.body)}


class _Steps:
    """One run. plan and changed are valid as far as it came, so that a failure can still say what was done."""

    def __init__(self, module: Any, emit: Emit) -> None:
        self.plan: Plan | None = None
        self.changed = False
        self._check = bool(module.check_mode)
        self._owner: str | None = module.params.get("deployment")
        self._recreate = bool(module.params.get("recreate"))
        self._emit = emit

    def run(self, bundle: Bundle, state: str) -> dict[str, Any]:
        found = read_all(bundle)
        self._refuse_owned(bundle, found)
        changes = self._deletions(bundle, found) if state == "absent" else self._changes(bundle, found)
        self.plan = Plan(", ".join(resource.name for resource in bundle.wanted), tuple(changes))
        after = _foresee(bundle, found, changes, state) if self._check else self._apply(bundle, found, changes)
        return {
            "changed": self.plan.changed,
            "plan": self.plan.to_dict(),
            "diff": {"prepared": self.plan.render()},
            **bundle.result(after),
        }

    def _refuse_owned(self, bundle: Bundle, found: Mapping[str, Found | None]) -> None:
        for resource in bundle.wanted:
            existing = found[resource.key]
            owner = existing.tags.get(DEPLOYMENT) if existing else None
            if owner and owner != self._owner:
                raise Refused(
                    f"{bundle.kinds[resource.key].title} {resource.name} belongs to deployment {owner}.",
                    hint=f"Change it through that deployment's module, or set deployment: {owner} if you mean it.",
                )

    def _changes(self, bundle: Bundle, found: Mapping[str, Found | None]) -> list[Change]:
        # A single resource needs no ownership tag: naming it in a task is the user's consent.
        consent = Consent(adopt=True, recreate=self._recreate)
        return plan_changes(bundle.wanted, found, bundle.kinds, consent)

    @staticmethod
    def _deletions(bundle: Bundle, found: Mapping[str, Found | None]) -> list[Change]:
        return [
            Change(Action.DELETE, resource.key, bundle.kinds[resource.key].title, resource.name)
            for resource in reversed(bundle.wanted)
            if found[resource.key] is not None
        ]

    def _apply(
        self, bundle: Bundle, found: Mapping[str, Found | None], changes: Sequence[Change]
    ) -> dict[str, Found | None]:
        after = dict(found)
        wanted = {resource.key: resource for resource in bundle.wanted}

        def lookup(ref: Ref) -> Any:
            other = after[ref.key]
            return other.attribute(ref.attribute) if other else KNOWN_AFTER_APPLY

        for change in changes:
            if change.action is Action.KEEP:
                continue
            self._emit(change.kind, f"{change.action} {change.name}" + (f": {change.reason}" if change.reason else ""))
            resource = dataclasses.replace(wanted[change.key], body=resolve(wanted[change.key].body, lookup))
            self.changed = True
            after[change.key] = _apply_one(bundle.kinds[change.key], change, resource, after[change.key])
        return after


def read_all(bundle: Bundle) -> dict[str, Found | None]:
    """Read every resource of the bundle at the same time."""

    def reader(resource: Wanted) -> Callable[[], Found | None]:
        return lambda: bundle.kinds[resource.key].read(resource.name)

    return gather({resource.key: reader(resource) for resource in bundle.wanted})


def _apply_one(kind: Kind, change: Change, wanted: Wanted, found: Found | None) -> Found | None:
    if found is None:
        return kind.create(wanted)
    if change.action is Action.UPDATE:
        return kind.update(wanted, found, change.fields)
    kind.delete(found)
    return kind.create(wanted) if change.action is Action.REPLACE else None


def _foresee(
    bundle: Bundle, found: Mapping[str, Found | None], changes: Sequence[Change], state: str
) -> dict[str, Found | None]:
    """What would be there after apply: wanted bodies, new ids unknown."""
    if state == "absent":
        return {resource.key: None for resource in bundle.wanted}
    actions = {change.key: change.action for change in changes}
    after: dict[str, Found | None] = {}
    for resource in bundle.wanted:
        existing, action = found[resource.key], actions[resource.key]
        new_id = action in (Action.CREATE, Action.REPLACE) or bundle.kinds[resource.key].versioned
        if existing is not None and action is Action.KEEP:
            after[resource.key] = existing
            continue
        body = resolve(resource.body, lambda ref: _known(after, ref))
        tags = {**(existing.tags if existing else {}), **resource.tags}
        after[resource.key] = Found(
            id=KNOWN_AFTER_APPLY if existing is None or new_id else existing.id,
            body=body,
            tags=tags,
            attributes={} if existing is None or new_id else existing.attributes,
        )
    return after


def _known(after: Mapping[str, Found | None], ref: Ref) -> Any:
    other = after.get(ref.key)
    if other is None or (ref.attribute != "id" and ref.attribute not in other.attributes):
        return KNOWN_AFTER_APPLY
    return other.attribute(ref.attribute)
