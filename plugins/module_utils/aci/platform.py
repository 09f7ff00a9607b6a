# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment on Azure Container Instances: one container group, its releases kept as revisions of a profile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..azure_files.resources import read_key
from ..clients.azure import AzureClient, Emit
from ..clients.azure_errors import lacks_capacity
from ..clients.azure_versions import CONTAINER_INSTANCE
from ..compare import diff, merge
from ..deployment.endpoint import endpoint_url
from ..deployment.hardening import Posture
from ..deployment.model import Deployment
from ..errors import ApiError, NoCapacity, NotFound, RolloutFailed, WaitTimeout
from ..platform import Observed, Platform, Rollout, Target
from ..release import DEPLOYMENT, RELEASE, SECRETS, Record, config_hash, secrets_digest
from ..resource import Found, Wanted, gather
from ..unknown import Ref
from . import history, normalise, readiness, translate
from .advice import advice
from .capabilities import CAPABILITIES
from .drain import Drain
from .options import AciPlatform
from .resources import GroupKind, ProfileKind
from .secrets import fill_secrets, known, take_secrets

ADOPTED = "the adopted definition"
LEAST_ROLLBACK = 300.0
FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
SETTLE = 0.5


class ContainerGroupPlatform(Platform):
    """Bundle keys: C(profile) (a record of each release), then C(group), which runs it and carries the record tags."""

    capabilities = CAPABILITIES
    carriers = ("profile", "group")

    def __init__(self, deployment: Deployment[AciPlatform], client: AzureClient, emit: Emit) -> None:
        self.deployment = deployment
        self._client = client
        self._emit = emit
        whole = merge(translate.container_group(deployment), deployment.overrides.get("group") or {})
        self._body, self._secrets = take_secrets(whole)
        resource_group = deployment.platform.resource_group
        self._group = GroupKind(client, resource_group, self._secrets, deployed=True)
        token = deployment.sidecar.drain_token if deployment.sidecar is not None else None
        self._drain = Drain(token, self._urls, self._restart, emit)
        self._group.before_end = self._drain.before
        self._profile = ProfileKind(client, resource_group, deployment.tags)
        self.kinds = {"profile": self._profile, "group": self._group}

    @property
    def target(self) -> str:
        return f"{self.deployment.name} on aci {self.deployment.platform.location}"

    # ---- read and translate

    def observe(self) -> Observed:
        name = self.deployment.name
        reads: dict[str, Callable[[], Found | None]] = {
            "profile": lambda: self._profile.read(name),
            "group": lambda: self._group.read(name),
            "key": self._read_storage_key,
        }
        found = gather(reads)
        del found["key"]
        group, profile = found["group"], found["profile"]
        release = group.tags.get(RELEASE, "") if group else ""
        if profile is not None and release and profile.attributes["revision"] != release:
            # What runs is compared, never the newest revision: that may be one which was found bad.
            found["profile"] = self._profile.read_revision(name, release, profile.tags)
        running = group is not None and not readiness.is_stopped(group.raw)
        return Observed(
            found=found,
            record=Record.from_tags(group.tags if group else {}),
            exists=group is not None,
            running=running,
            release=release,
            endpoints=self._urls(group.raw) if group and running else (),
            image=history.image_of(group.body) if group else "",
            sidecar_image=history.sidecar_image_of(group.body) if group else "",
            settled=group is None or readiness.provisioning_state(group.raw) == "Succeeded",
        )

    def _read_storage_key(self) -> None:
        """Read the key of the share's account where the description gives none: so it travels through no playbook."""
        files, place = self.deployment.platform.azure_files, self.deployment.platform.resource_group
        if files is None or self.deployment.storage.mode == "baked":
            return
        if files.account_key is None and files.account_key_reference is None:
            key = read_key(self._client, files.resource_group or place, files.account_name)
            self._secrets[f"volumes.{translate.VOLUME}.{files.account_name}"] = key

    def secret_values(self) -> Mapping[str, str]:
        return known(self._secrets)

    def config_hash(self, wanted: Sequence[Wanted]) -> str:
        return config_hash(self._body, self.secret_values())

    def wanted(self, observed: Observed) -> Sequence[Wanted]:
        name = self.deployment.name
        profile = history.to_profile(self._body, self.config_hash(()))
        digest = secrets_digest(self.secret_values(), observed.record.secrets)
        own = {DEPLOYMENT: name}
        return (
            Wanted(
                key="profile",
                name=name,
                body=merge(profile, self.deployment.overrides.get("profile") or {}),
                tags=own,
            ),
            Wanted(
                key="group",
                name=name,
                body={**self._body, "release": Ref("profile", "revision")},
                tags={**self.deployment.tags, **own, **({SECRETS: digest} if digest else {})},
            ),
        )

    def posture(self) -> Posture:
        return Posture()

    def notes(self, observed: Observed) -> Sequence[str]:
        return advice(self.deployment)

    # ---- a release on its way

    def begin(self, observed: Observed, results: Mapping[str, Found]) -> Rollout:
        group = observed.found.get("group")
        previous = self._previous(observed)
        detail: dict[str, Any] = {}
        if group is not None and previous in (observed.release, ADOPTED):
            detail = {"body": history.writable(group.body), "tags": group.tags}
        written = self._group.operation is not None
        release = results["group"].tags.get(RELEASE, "")
        return Rollout(release=release, previous=previous, outage=written and observed.running, detail=detail)

    @staticmethod
    def _previous(observed: Observed) -> str:
        """The release to return to: the last good one, else what was adopted; nothing if none was ever good."""
        if not observed.exists:
            return ""
        return observed.record.last_good or ("" if observed.release else ADOPTED)

    def wait_steady(self, rollout: Rollout) -> None:
        self._finish_operation()
        self._wait_up(self.deployment.update.timeout)

    def _finish_operation(self) -> None:
        """Follow the PUT of this run, if there was one, to its end."""
        operation, self._group.operation = self._group.operation, None
        if operation is None:
            return
        try:
            operation.wait()
        except ApiError as error:
            if not error.answers:
                raise
            failure = NoCapacity if lacks_capacity(error) else RolloutFailed
            raise failure(error.message, hint=error.hint) from error

    def _wait_up(self, timeout: float) -> None:
        """Poll the group until all its containers run, twice in a row. Also resumes what a former run began."""
        deadline = time.monotonic() + timeout
        delay, told, before = FIRST_DELAY, "", None
        seen_up = False
        while True:
            raw = self._read_group()
            before = readiness.restarts(raw) if before is None else before
            verdict = readiness.judge(raw, before)
            if verdict.text != told:
                told = verdict.text
                self._emit("ACI", told)
            if verdict.problem:
                raise RolloutFailed(f"Container group {self.deployment.name}: {verdict.problem}.")
            if verdict.up and seen_up:
                return
            seen_up = verdict.up
            if time.monotonic() >= deadline:
                raise WaitTimeout(f"Container group {self.deployment.name} timed out, last seen: {told}.")
            time.sleep(SETTLE if seen_up else delay)
            delay = min(delay * 1.5, LONGEST_DELAY)

    def _read_group(self) -> dict[str, Any]:
        raw = self._client.get(self._group.id(self.deployment.name), CONTAINER_INSTANCE)
        if raw is None:
            raise RolloutFailed(f"Container group {self.deployment.name} is gone.")
        return raw

    def endpoints(self, rollout: Rollout) -> Sequence[str]:
        return self._urls(self._read_group())

    def _urls(self, raw: Mapping[str, Any]) -> tuple[str, ...]:
        host = readiness.address(raw)
        ports = ((raw.get("properties") or {}).get("ipAddress") or {}).get("ports") or ()
        if not host or not ports:
            return ()
        return (endpoint_url(self.deployment, host, int(ports[0]["port"])),)

    def promote(self, rollout: Rollout) -> None:
        """Nothing to do: the group was changed in place."""

    # ---- back to an earlier release

    def abandon(self, rollout: Rollout) -> None:
        self._group.operation = None
        name = self.deployment.name
        if not rollout.previous:
            self._client.delete(self._group.id(name), CONTAINER_INSTANCE)
            self._client.delete(self._profile.id(name), CONTAINER_INSTANCE)
            return
        self._emit("ACI", f"restoring release {rollout.previous}")
        # A replaced group that could not be created again is gone: what is wanted stands in for it.
        current = self._group.read(name) or Found(id="", body=self._body)
        body, tags = rollout.detail.get("body"), rollout.detail.get("tags")
        if body is None:
            body = self._recorded(rollout.previous, current)
        self._restore(body, {**(tags or current.tags), **_digest(current)}, rollout.previous, current)
        self._finish_operation()
        self._wait_up(max(float(self.deployment.update.timeout), LEAST_ROLLBACK))

    def _recorded(self, release: str, current: Found) -> dict[str, Any]:
        profile = self._profile.read_revision(self.deployment.name, release, {})
        if profile is None:
            raise NotFound(f"Revision {release} of container group profile {self.deployment.name} does not exist.")
        body, missing = history.to_group(profile.body, current.body, self._secrets)
        if missing:
            raise NotFound(f"Release {release} needs {', '.join(missing)}, which the description does not give.")
        return body

    def _restore(self, body: Mapping[str, Any], tags: Mapping[str, str], release: str, current: Found) -> Found:
        """PUT an earlier body; where it differs in what is immutable the group is deleted first."""
        name = self.deployment.name
        gone = bool(current.id) and _needs_recreate(current.body, body)
        if gone:
            self._emit("ACI", f"release {release} differs in what is immutable: the group is created anew")
            self._group.delete(current)
        mine = {} if release == ADOPTED else {"release": release}
        kept = {key: value for key, value in tags.items() if key != RELEASE}
        # What was deleted just now is drained already.
        with self._drain.before(current.raw if not gone else {}):
            return self._group.put(name, {**body, **mine}, kept)

    def describe(self, observed: Observed, release: str) -> Target | None:
        profile = self._profile.read_revision(self.deployment.name, release, {})
        group = observed.found.get("group")
        if profile is None or group is None:
            return None
        body, missing = history.to_group(profile.body, group.body, self._secrets)
        problem = f"it needs {', '.join(missing)}; give the value(s) in the description" if missing else ""
        return Target(
            release=release,
            config_hash=history.config_of(profile.body),
            image=history.image_of(body),
            models=history.models_of(body),
            problem=problem,
        )

    def switch(self, observed: Observed, target: Target) -> Rollout:
        group = observed.found["group"]
        if group is None:
            raise NotFound(f"Container group {self.deployment.name} does not exist.")
        detail: dict[str, Any] = {}
        if not fill_secrets(group.body, self._secrets)[1]:
            detail = {"body": history.writable(group.body), "tags": group.tags}
        self._restore(self._recorded(target.release, group), group.tags, target.release, group)
        return Rollout(release=target.release, previous=observed.release, outage=observed.running, detail=detail)

    # ---- start, stop, record

    def start(self, observed: Observed) -> Rollout:
        self._client.post(self._group.id(self.deployment.name), "start", CONTAINER_INSTANCE)
        return Rollout(release=observed.release, previous=observed.record.last_good)

    def stop(self, observed: Observed) -> None:
        group = observed.found["group"]
        with self._drain.before(group.raw if group else {}):
            self._client.post(self._group.id(self.deployment.name), "stop", CONTAINER_INSTANCE)
        deadline = time.monotonic() + self.deployment.update.timeout
        delay = FIRST_DELAY
        while not readiness.is_stopped(raw := self._read_group()):
            if time.monotonic() >= deadline:
                state = readiness.group_state(raw)
                raise WaitTimeout(f"Container group {self.deployment.name} did not stop in time, last seen: {state}.")
            time.sleep(delay)
            delay = min(delay * 1.5, LONGEST_DELAY)

    def _restart(self) -> None:
        self._client.post(self._group.id(self.deployment.name), "restart", CONTAINER_INSTANCE)

    def write_record(self, record: Record) -> None:
        """Write the record tags. Release and secrets digest stay: they were written with the body that they name."""
        tags = self._group.found(self._read_group()).tags
        written = record.to_tags()
        kept = {key: tags[key] for key in (RELEASE, SECRETS) if key in tags}
        others = {key: value for key, value in tags.items() if not key.startswith("polycloud-")}
        merged = {**others, **written, **kept}
        if RELEASE not in kept:
            merged.pop(RELEASE, None)
        if merged != tags:
            self._group.tag(self.deployment.name, merged)


def _digest(current: Found) -> dict[str, str]:
    """The tag of the secret values in use: a restored body gets the description's, as nobody knows the old ones."""
    return {SECRETS: current.tags[SECRETS]} if SECRETS in current.tags else {}


def _needs_recreate(current: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    changes = diff(normalise.container_group(current), normalise.container_group(body))
    return any(change.path.startswith(normalise.IMMUTABLE) for change in changes)
