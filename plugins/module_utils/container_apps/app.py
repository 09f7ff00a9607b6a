# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app of a deployment: read with the revision that serves, written as a release that takes no traffic yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..clients.azure_versions import CONTAINER_APPS
from ..compare import FieldChange
from ..errors import PolycloudError, Refused, RolloutFailed
from ..outcome import Emit
from ..release import LAST_GOOD
from ..resource import Found, Wanted
from . import normalise
from .bodies import (
    configuration_patch,
    makes_revision,
    revision_body,
    revision_suffix,
    served_body,
    serving_revision,
    weighted_revisions,
    with_secrets,
)
from .capabilities import LONGEST_REVISION
from .naming import Described, revision_id, revision_name, secret_values
from .resources import Arm, ContainerAppKind, app_found
from .schedule import is_working_time
from .template import wakes_on_request
from .watch import Background, State, Watch, judge

Body = dict[str, Any]
STOP_FIRST = "stop_first"
MOST_NAMES = 20


@dataclass(slots=True)
class Release:
    """A release on its way, as far as this run knows it.

    before: the app as it was, None for the first release. secrets: its secrets with their values, kept in memory for
    the way back; None where they are not touched. others: revisions that had some of the traffic. wanted: what was
    written.
    """

    revision: str
    previous: str = ""
    outage: bool = False
    before: Body | None = None
    secrets: list[Body] | None = None
    others: set[str] = field(default_factory=set)
    wanted: Body = field(default_factory=dict)
    operation: Background | None = None


class DeployedAppKind(ContainerAppKind):
    """The carrier of a deployment. C(release) is set by what was written in this run."""

    def __init__(
        self,
        arm: Arm,
        deployment: Described,
        watch: Watch,
        emit: Emit,
        *,
        strategy: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(arm, deployment.platform.resource_group, secrets=secret_values(deployment))
        self.release: Release | None = None
        self.serving = ""
        self.raw: Body | None = None
        self.revision: Body | None = None
        self.tags: dict[str, str] = {}
        self._deployment = deployment
        self._watch = watch
        self._emit = emit
        self._strategy = strategy
        self._now = now
        self._timeout = float(deployment.update.timeout)

    # ---- read

    def read(self, name: str) -> Found | None:
        raw = self.arm.get(self.id(name), CONTAINER_APPS)
        self.raw = raw
        if raw is None:
            self.serving, self.revision, self.tags = "", None, {}
            return None
        self.tags = dict(raw.get("tags") or {})
        self.serving = serving_revision(raw, self.tags.get(LAST_GOOD, ""))
        self.revision = self.read_revision(self.serving) if self.serving else None
        return app_found(raw, served_body(raw, self.revision, self.serving))

    def read_revision(self, revision: str) -> Body | None:
        """One revision of the app, None if it is gone."""
        return self.arm.get(revision_id(self.own_id, revision), CONTAINER_APPS)

    @property
    def own_id(self) -> str:
        return self.id(self._deployment.name)

    # ---- write

    def create(self, wanted: Wanted) -> Found:
        self.refuse_outside_hours()
        suffix = revision_suffix(wanted.body, self.secrets)
        body = revision_body(wanted.body, tags=wanted.tags, suffix=suffix, serving="", secrets=self.secrets)
        revision = revision_name(wanted.name, suffix)
        operation = Background(self.arm.begin_put(self.own_id, CONTAINER_APPS, body, timeout=self._timeout))
        self.release = Release(revision, wanted=body, operation=operation)
        self.tags = dict(wanted.tags)
        return Found(id=self.own_id, body=wanted.body, tags=wanted.tags)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        self.refuse_outside_hours()
        raw = dict(found.raw)
        self.tags = {**found.tags, **wanted.tags}
        release = Release(self.serving, previous=self.serving, before=raw, wanted=dict(wanted.body))
        release.others = weighted_revisions(raw)
        if makes_revision(change.path for change in fields):
            self._update_template(wanted, release)
        else:
            self.release = release
            self.patch(self._patch_to(wanted.body, raw, self.serving))
            if self.revision is not None and not self.revision["properties"].get("active"):
                self.activate(self.serving)
        return Found(id=found.id, body=wanted.body, tags=self.tags, raw=raw, attributes=found.attributes)

    def _update_template(self, wanted: Wanted, release: Release) -> None:
        """Make the new revision, or wake the one that was made of the same template before."""
        revision, reuse = self._name_revision(wanted)
        release.secrets = self._read_secrets(release.before)
        asleep = self.revision is None or not self.revision["properties"].get("active")
        stop_first = self._strategy == STOP_FIRST and not asleep
        release.revision, release.outage = revision, stop_first
        self.release = release
        if stop_first:
            self._emit("Container Apps", f"stop_first: stopping revision {self.serving}, nothing answers from here")
            self.deactivate(self.serving)
            self._watch.quiet(self.serving, self._timeout)
        try:
            self._write_revision(wanted, release, reuse=reuse, serving="" if stop_first or asleep else self.serving)
        except PolycloudError:
            # Azure refused the write: nothing was changed but what we stopped.
            if stop_first:
                self.activate(self.serving)
            raise

    def _write_revision(self, wanted: Wanted, release: Release, *, reuse: bool, serving: str) -> None:
        suffix = release.revision.rpartition("--")[2]
        body = revision_body(
            wanted.body,
            tags=self.tags,
            suffix=suffix,
            serving=serving,
            secrets=self.secrets,
            kept_secrets=release.secrets or (),
        )
        if not reuse:
            write = self.arm.begin_put(self.own_id, CONTAINER_APPS, body, timeout=self._timeout)
            release.operation = Background(write)
            return
        self._emit("Container Apps", f"revision {release.revision} has this template already: activating it again")
        if not serving:
            self.activate(release.revision)
        patch = self._patch_to(wanted.body, release.before or {}, serving or release.revision)
        patch["properties"]["configuration"]["secrets"] = body["properties"]["configuration"]["secrets"]
        self.patch(patch)
        if serving:
            self.activate(release.revision)

    def _name_revision(self, wanted: Wanted) -> tuple[str, bool]:
        """A free name for the revision, or a former one of the same template that may be used again.

        Azure refuses a suffix that exists; revisions cannot be deleted.
        """
        stem = revision_suffix(wanted.body, self.secrets)
        template = normalise.template(wanted.body["properties"]["template"])
        for count in range(1, MOST_NAMES + 1):
            suffix = stem if count == 1 else f"{stem}-{count}"
            name = revision_name(wanted.name, suffix)
            if len(name) > LONGEST_REVISION:
                break
            former = self.read_revision(name)
            if former is None:
                return name, False
            same = normalise.template(former["properties"].get("template") or {}) == template
            if same and judge(former).state is not State.FAILED and name != self.serving:
                return name, True
        raise RolloutFailed(f"No free revision name is left for {wanted.name}: {stem} and its successors exist.")

    def _read_secrets(self, before: Mapping[str, Any] | None) -> list[Body]:
        """The app's secrets with their values, for the release that still runs and for the way back."""
        configuration = ((before or {}).get("properties") or {}).get("configuration") or {}
        if not configuration.get("secrets"):
            return []
        listed = self.arm.post(self.own_id, "listSecrets", CONTAINER_APPS).get("value") or []
        return [_secret_entry(item) for item in listed]

    # ---- small writes

    def patch(self, body: Mapping[str, Any]) -> None:
        """Merge into the app and wait."""
        location = (self.raw or {}).get("location") or self._deployment.platform.location
        self.arm.patch(self.own_id, CONTAINER_APPS, {"location": location, **body}, timeout=self._timeout)

    def activate(self, revision: str) -> None:
        self.arm.post(revision_id(self.own_id, revision), "activate", CONTAINER_APPS)

    def deactivate(self, revision: str) -> None:
        self.arm.post(revision_id(self.own_id, revision), "deactivate", CONTAINER_APPS)

    def wanted_secrets(self) -> list[Body]:
        """The secrets as wanted, with their values."""
        body = with_secrets(self.release.wanted, self.secrets) if self.release else {}
        return list(((body.get("properties") or {}).get("configuration") or {}).get("secrets") or ())

    def _patch_to(self, wanted: Mapping[str, Any], raw: Mapping[str, Any], serving: str) -> Body:
        """The merge patch from the app as found to what is wanted, template and secrets apart."""
        found = (raw.get("properties") or {}).get("configuration") or {}
        configuration = configuration_patch(found, wanted["properties"]["configuration"], serving)
        patch: Body = {"tags": self.tags, "properties": {"configuration": configuration}}
        if normalise.identity(raw.get("identity")) != normalise.identity(wanted.get("identity")):
            patch["identity"] = identity_patch(raw.get("identity"), wanted.get("identity"))
        return patch

    def refuse_outside_hours(self) -> None:
        """Refuse a release that only the calendar can start, while it is asleep: it could not be verified."""
        schedule = self._deployment.schedule
        if schedule is None or wakes_on_request(self._deployment) or is_working_time(schedule, self._now()):
            return
        raise Refused(
            f"container app {self._deployment.name}: outside the working hours ({schedule.start} to {schedule.stop} "
            f"{schedule.timezone}) no replica runs, so a release cannot be verified.",
            hint="Deploy within them, or change the schedule.",
        )


def restore_patch(release: Release, now: Mapping[str, Any], serving: str) -> Body:
    """The merge patch back to the app as it was before a release, with all traffic to a revision. Pure."""
    before = release.before or {}
    configuration_of = {
        name: (app.get("properties") or {}).get("configuration") or {}
        for name, app in (("now", now), ("before", before))
    }
    patch = configuration_patch(configuration_of["now"], configuration_of["before"], serving)
    if release.secrets or (release.secrets is not None and configuration_of["now"].get("secrets")):
        patch["secrets"] = release.secrets
    body: Body = {"properties": {"configuration": patch}}
    former, current = before.get("tags") or {}, now.get("tags") or {}
    if former != current:
        # An empty value stands for a tag that is gone: Azure's services do not agree on how PATCH removes one.
        body["tags"] = {**dict.fromkeys(current, ""), **former}
    if normalise.identity(now.get("identity")) != normalise.identity(before.get("identity")):
        body["identity"] = identity_patch(now.get("identity"), before.get("identity"))
    return body


def identity_patch(found: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None) -> Body:
    """The merge patch of a managed identity: ids that are no longer wanted become null."""
    named: Body = {name: {} for name in (wanted or {}).get("userAssignedIdentities") or {}}
    known = {name.lower() for name in named}
    gone = {name: None for name in (found or {}).get("userAssignedIdentities") or {} if name.lower() not in known}
    body: Body = {"type": (wanted or {}).get("type") or "None"}
    if named or gone:
        body["userAssignedIdentities"] = {**named, **gone}
    return body


def _secret_entry(item: Mapping[str, Any]) -> Body:
    keys = ("name", "keyVaultUrl", "identity") if item.get("keyVaultUrl") else ("name", "value")
    return {key: item[key] for key in keys if item.get(key) is not None}
