# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reconciler of all platforms: observe, plan, apply, wait, verify, record; roll back what is bad."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from .compare import FieldChange
from .deployment.model import Model
from .errors import VERDICTS, NoCapacity, PolycloudError, Refused, ReleaseFailed, RolloutFailed, blames_release
from .outcome import Emit, Outcome, Verdict, Verify
from .plan import Action, Change, Measure, Plan, merge_notes
from .planner import Consent, plan_changes
from .platform import Observed, Platform, Rollout, Target
from .release import DEPLOYMENT, SECRETS, SHARED, Record, with_good, with_rejected
from .resource import Found, Wanted
from .unknown import Ref, resolve

VERIFY_ONLY = "the running release was never proven good: verify it"


class Reconciler:
    """Drive one platform to one state. Create it per run; C(outcome) is valid from the plan on."""

    def __init__(
        self,
        platform: Platform,
        verify: Verify,
        emit: Emit,
        *,
        consent: Consent | None = None,
        check: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.platform = platform
        self.outcome = Outcome(Plan(platform.target))
        self._verify = verify
        self._emit = emit
        self._consent = consent or Consent()
        self._check = check
        self._clock = clock
        self._hash = ""
        self._wanted: Sequence[Wanted] = ()

    def run(self, state: str) -> Outcome:
        """Reach the state (C(present), C(started), C(stopped), C(absent) or C(rolled_back)).

        Raises Refused before any write, ReleaseFailed after a release was found bad, other errors of ours as they come.
        """
        steps = {
            "present": self._present,
            "started": self._started,
            "stopped": self._stopped,
            "absent": self._absent,
            "rolled_back": self._rolled_back,
        }
        observed = self.platform.observe()
        self._tell(observed)
        steps[state](observed)
        return self.outcome

    # ---- present and started

    def _present(self, observed: Observed) -> None:
        self._converge(observed, start=False)

    def _started(self, observed: Observed) -> None:
        self._converge(observed, start=observed.exists and not observed.running)

    def _converge(self, observed: Observed, *, start: bool) -> None:
        self._wanted = self.platform.wanted(observed)
        changes = plan_changes(self._wanted, observed.found, self.platform.kinds, self._consent)
        releasing = [change for change in changes if self._is_release(change)]
        self._hash = self.platform.config_hash(self._wanted)
        self._refuse_rejected(observed, releasing)
        deferred = bool(releasing) and self._must_defer(observed) and not start
        if deferred:
            changes = [change.deferred() if self._is_release(change) else change for change in changes]
        unproven = self._unproven(observed) and not releasing
        if start or unproven:
            changes = self._mark_carrier(changes, "start it" if start else VERIFY_ONLY)
        notes = self._notes(observed, releasing, deferred=deferred)
        if not self._set_plan(changes, notes, self.platform.hardening()):
            return
        release = bool(releasing) and not deferred
        self._apply_converge(observed, changes, releasing=release, start=start, verify=unproven)

    def _apply_converge(
        self, observed: Observed, changes: list[Change], *, releasing: bool, start: bool, verify: bool
    ) -> None:
        began = self._clock()
        start_first = start and self._must_defer(observed)
        if start_first:
            self.platform.start(observed)
            observed = self.platform.observe()
        try:
            results = self._apply(changes, observed)
        except PolycloudError as error:
            raise self._broken_off(observed, error, began) from error
        if start and not start_first:
            rollout = self.platform.start(observed)
        elif (releasing or verify or start) and (observed.running or not observed.exists):
            rollout = self.platform.begin(observed, results)
        else:
            return
        if start and not releasing and rollout.release == observed.record.last_good:
            self._restart(observed.record, rollout, began)
            return
        self._finish(observed.record, rollout, self._hash, self.platform.deployment.main_model, began)

    def _restart(self, record: Record, rollout: Rollout, began: float) -> None:
        """Prove a good release that was started again. If it does not come up, that is no reason to reject it."""
        try:
            self.outcome.changed = True
            self.outcome.verdict = self._prove(rollout, self.platform.deployment.main_model)
            self.platform.promote(rollout)
        except PolycloudError as error:
            why = f"Release {rollout.release} was good and does not come up again: {str(error).rstrip('.')}"
            self._emit("release", why)
            raise self._failure(f"{why}. It was left as it is.", False, None) from error
        self._tell(self.platform.observe())

    def _apply(self, changes: Sequence[Change], observed: Observed) -> dict[str, Found]:
        """Make the changes in order. Returns the resources by key as they are afterwards."""
        wanted = {resource.key: resource for resource in self._wanted}
        results = {key: found for key, found in observed.found.items() if found is not None}

        def lookup(ref: Ref) -> Any:
            return results[ref.key].attribute(ref.attribute)

        for change in changes:
            if change.action is Action.KEEP or change.reason in ("start it", VERIFY_ONLY):
                continue
            resource = wanted[change.key]
            resource = dataclasses.replace(resource, body=resolve(resource.body, lookup))
            self._emit(change.kind, f"{change.action} {change.name}" + (f": {change.reason}" if change.reason else ""))
            self.outcome.changed = True
            results[change.key] = self._apply_one(change, resource, results.get(change.key))
        self.outcome.resources = {key: found.id for key, found in results.items()}
        return results

    def _apply_one(self, change: Change, resource: Wanted, found: Found | None) -> Found:
        kind = self.platform.kinds[change.key]
        if found is None or change.action is Action.CREATE:
            return kind.create(resource)
        if change.action is Action.REPLACE:
            kind.delete(found)
            return kind.create(resource)
        return kind.update(resource, found, change.fields)

    # ---- a release: steady, verified, recorded, or rolled back

    def _finish(self, record: Record, rollout: Rollout, new_hash: str, model: Model, began: float) -> None:
        try:
            verdict = self._prove(rollout, model)
            self.platform.promote(rollout)
        except VERDICTS as error:
            raise self._bad_release(record, rollout, new_hash, error, began) from error
        except PolycloudError as error:
            self._interrupted(rollout, error)
            raise
        good = with_good(dataclasses.replace(record, deployment=self._name), rollout.release, new_hash)
        self.platform.write_record(good)
        for line in self.platform.prune(good):
            self._emit(self.platform.capabilities.platform, line)
        self.outcome.changed = True
        self.outcome.verdict = verdict
        self.outcome.outage_seconds = round(self._clock() - began, 1) if rollout.outage else None
        self._tell(self.platform.observe())

    def _prove(self, rollout: Rollout, model: Model) -> Verdict:
        self.platform.wait_steady(rollout)
        endpoints = self.platform.endpoints(rollout)
        try:
            return self._verify(endpoints, model)
        except PolycloudError as error:
            raise RolloutFailed(error.message, hint=error.hint) from error

    def _interrupted(self, rollout: Rollout, error: PolycloudError) -> None:
        """The cloud failed us, not the release: nothing is undone or rejected, the next run goes on from here."""
        self.outcome.changed = True
        state = f"Release {rollout.release} is neither proven nor rejected: run again to go on with it."
        error.hint = f"{error.hint} {state}".strip()
        self._emit("release", str(error))

    def _broken_off(self, observed: Observed, error: PolycloudError, began: float) -> PolycloudError:
        """A write failed. Where that left nothing of what ran (a replace, deleted and not created), bring it back."""
        try:
            now = self.platform.observe()
        except PolycloudError:
            return error
        self._tell(now)
        if now.exists or not observed.exists:
            return error
        rollout = self.platform.begin(observed, {key: item for key, item in observed.found.items() if item})
        lost = dataclasses.replace(rollout, release="", previous=rollout.previous or observed.release, outage=True)
        return self._bad_release(observed.record, lost, self._hash, error, began)

    def _bad_release(
        self, record: Record, rollout: Rollout, bad_hash: str, error: PolycloudError, began: float
    ) -> ReleaseFailed:
        """Undo a bad release as far as the user allows, and describe what serves now."""
        self.outcome.changed = True
        guilty = blames_release(error)
        what = "is bad" if guilty else "found no place" if isinstance(error, NoCapacity) else "was not made"
        why = f"Release {rollout.release or 'of this run'} {what}: {str(error).rstrip('.')}"
        self._emit("release", why)
        rejected = dataclasses.replace(record, deployment=self._name)
        if guilty:
            rejected = with_rejected(rejected, bad_hash)
        if not self.platform.deployment.update.auto_rollback:
            self.platform.write_record(rejected)
            return self._failure(f"{why}. It was left in place (update.auto_rollback is false).", False, None)
        try:
            self.platform.abandon(rollout)
            if rollout.previous:
                self.platform.write_record(rejected)
        except PolycloudError as second:
            return self._failure(f"{why}. The rollback failed as well: {second}", False, None)
        outage = round(self._clock() - began, 1) if rollout.outage and rollout.previous else None
        if rollout.previous:
            return self._failure(f"{why}. Rolled back to {rollout.previous}.", True, outage)
        return self._failure(f"{why}. It was the first release, so it was removed again.", True, outage)

    def _failure(self, message: str, rolled_back: bool, outage: float | None) -> ReleaseFailed:
        try:
            self._tell(self.platform.observe())
        except PolycloudError as error:
            self.outcome.serving = f"unknown ({error})"
        self.outcome.rolled_back = rolled_back
        self.outcome.outage_seconds = outage
        return ReleaseFailed(message, rolled_back=rolled_back, serving=self.outcome.serving, outage_seconds=outage)

    # ---- the other states

    def _stopped(self, observed: Observed) -> None:
        if not observed.exists:
            self._set_plan([], ["nothing to stop: the deployment does not exist"])
            return
        carrier = self._carrier_change(Action.UPDATE if observed.running else Action.KEEP, "stop it")
        if self._set_plan([carrier], []):
            self.platform.stop(observed)
            self.outcome.changed = True
            self._tell(self.platform.observe())

    def _absent(self, observed: Observed) -> None:
        changes, notes = [], []
        for resource in reversed(self.platform.wanted(observed)):
            found = observed.found.get(resource.key)
            if found is None:
                continue
            why = self._why_kept(resource, found)
            if why:
                notes.append(f"{self.platform.kinds[resource.key].title} {resource.name} stays: {why}")
                continue
            changes.append(Change(Action.DELETE, resource.key, self.platform.kinds[resource.key].title, resource.name))
        if not self._set_plan(changes, notes):
            return
        for change in changes:
            self._emit(change.kind, f"delete {change.name}")
            found = observed.found[change.key]
            if found is not None:
                self.platform.kinds[change.key].delete(found)
                self.outcome.changed = True
        self._tell(Observed(found={}))

    def _why_kept(self, resource: Wanted, found: Found) -> str:
        kind = self.platform.kinds[resource.key]
        if resource.shared:
            return kind.in_use(found) if SHARED in found.tags else "it was given by the user"
        if kind.taggable and found.tags.get(DEPLOYMENT) != self._name:
            return "it does not carry this deployment's ownership tag"
        return ""

    def _rolled_back(self, observed: Observed) -> None:
        target = self._rollback_target(observed)
        fields = [FieldChange("release", observed.release, target.release)]
        if target.image != observed.image:
            fields.append(FieldChange("image", observed.image, target.image))
        change = dataclasses.replace(
            self._carrier_change(Action.UPDATE, "roll back to the last good release"), fields=tuple(fields)
        )
        if not self._set_plan([change], self._notes(observed, [change], deferred=False)):
            return
        began = self._clock()
        bad_hash = observed.record.config_hash
        rollout = self._switch(observed, target)
        model = target.models[0] if target.models else self.platform.deployment.main_model
        record = dataclasses.replace(observed.record, previous_good="", last_good=target.release)
        if bad_hash and bad_hash != target.config_hash:
            record = with_rejected(record, bad_hash)
        self._finish(record, rollout, target.config_hash, model, began)

    def _switch(self, observed: Observed, target: Target) -> Rollout:
        if target.release != observed.release:
            return self.platform.switch(observed, target)
        # An earlier run was cut off after it had switched.
        return self.platform.begin(observed, {key: found for key, found in observed.found.items() if found is not None})

    def _rollback_target(self, observed: Observed) -> Target:
        record = observed.record
        known = observed.release in (record.last_good, record.previous_good)
        release = record.previous_good if known else record.last_good
        if not observed.exists or not release:
            raise Refused(
                f"{self.platform.target}: there is no earlier good release to roll back to.",
                hint="Deploy a known image instead (state: present).",
            )
        target = self.platform.describe(observed, release)
        if target is None or target.problem:
            why = target.problem if target else "it no longer exists"
            raise Refused(f"{self.platform.target}: release {release} cannot be restored: {why}.")
        return target

    # ---- small parts

    @property
    def _name(self) -> str:
        return self.platform.deployment.name

    @property
    def _carrier(self) -> str:
        return self.platform.carriers[-1]

    def _is_release(self, change: Change) -> bool:
        """True if the change makes a new release. New labels on the same definition do not."""
        return change.key in self.platform.carriers and change.action is not Action.KEEP and not _only_tags(change)

    def _unproven(self, observed: Observed) -> bool:
        return observed.exists and observed.running and observed.release != observed.record.last_good

    def _must_defer(self, observed: Observed) -> bool:
        stopped = observed.exists and not observed.running
        return stopped and not self.platform.capabilities.updates_while_stopped

    def _refuse_rejected(self, observed: Observed, releasing: Sequence[Change]) -> None:
        if releasing and self._hash in observed.record.rejected and not self._consent.force:
            raise Refused(
                f"{self.platform.target}: this configuration was deployed before, found bad and rolled back.",
                hint="Change it, or set force: true to try it again.",
            )

    def _carrier_change(self, action: Action, reason: str) -> Change:
        kind = self.platform.kinds[self._carrier]
        return Change(action, self._carrier, kind.title, self._name, reason=reason if action is not Action.KEEP else "")

    def _mark_carrier(self, changes: list[Change], reason: str) -> list[Change]:
        """The carrier itself stays as it is, but something happens to it: starting, verifying."""
        return [
            dataclasses.replace(change, action=Action.UPDATE, reason=reason)
            if change.key == self._carrier and change.action is Action.KEEP
            else change
            for change in changes
        ]

    def _notes(self, observed: Observed, releasing: Sequence[Change], *, deferred: bool) -> tuple[str, ...]:
        notes = []
        if deferred:
            notes.append("deferred: the deployment is stopped, the new definition takes effect at start")
        elif observed.running and any(self.platform.replaces(change) for change in releasing):
            notes.append(self._strategy_note(releasing))
        return merge_notes(notes, self.platform.notes(observed))

    def _strategy_note(self, releasing: Sequence[Change]) -> str:
        capabilities = self.platform.capabilities
        strategy = self.platform.deployment.update.strategy or capabilities.default_strategy
        if any(change.action is Action.REPLACE for change in releasing):
            return "recreated: outage expected from the delete until the new release answers"
        if strategy == "surge":
            return f"update strategy surge: no outage, needs {capabilities.surge_needs} while both releases run"
        return f"update strategy {strategy}: outage expected from the stop of the old release until the new one answers"

    def _set_plan(self, changes: Sequence[Change], notes: Sequence[str], hardening: Sequence[Measure] = ()) -> bool:
        """Publish the plan; True if it is to be applied now."""
        self.outcome.plan = Plan(self.platform.target, tuple(changes), tuple(notes), tuple(hardening))
        self.outcome.changed = self.outcome.plan.changed
        if self._check or not self.outcome.plan.changed:
            return False
        self.outcome.changed = False
        return True

    def _tell(self, observed: Observed) -> None:
        """Copy what is observed into the outcome."""
        self.outcome.endpoints, self.outcome.record = observed.endpoints, observed.record
        self.outcome.running, self.outcome.settled = observed.running, observed.running and observed.settled
        self.outcome.serving = f"{observed.image} (release {observed.release})" if observed.running else "nothing"
        if observed.running:
            self.outcome.image, self.outcome.sidecar_image = observed.image, observed.sidecar_image
        self.outcome.resources = {key: found.id for key, found in observed.found.items() if found is not None}


def _only_tags(change: Change) -> bool:
    """True if only tags differ; the digest of the secret values stands for the values and is more than a tag."""
    paths = [field.path for field in change.fields]
    return bool(paths) and all(path.startswith("tags.") and path != f"tags.{SECRETS}" for path in paths)
