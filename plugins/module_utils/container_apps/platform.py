# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Container Apps as a platform of the reconciler."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ..azure_files.resources import read_key
from ..clients.azure_versions import CONTAINER_APPS
from ..deployment import sidecar
from ..deployment.endpoint import endpoint_url
from ..deployment.environment import MODELS_VARIABLE, parse_models
from ..deployment.hardening import Posture
from ..deployment.model import Model
from ..deployment.seeding import seeds
from ..errors import NotFound, PolycloudError, Refused, RolloutFailed
from ..outcome import Emit
from ..plan import Action, Change
from ..platform import Observed, Platform, Rollout, Target
from ..release import RECORD_TAGS, SECRETS, SHARED, Record, secrets_digest
from ..resource import Found, Kind, Wanted, gather
from .answers import (
    follows_newest,
    has_traffic,
    image_of,
    is_running,
    quota_advice,
    server_of,
    serves_alone,
    sidecar_image_of,
    target_port,
)
from .app import STOP_FIRST, DeployedAppKind, Release, restore_patch
from .bodies import traffic_to, weighted_revisions
from .capabilities import CAPABILITIES
from .naming import (
    Described,
    app_id,
    environment_group,
    environment_id,
    needs_account_key,
    secret_values,
    seed_storage_name,
    storage_name,
)
from .resources import Arm, EnvironmentKind, EnvironmentStorageKind
from .template import uses_volume, wakes_on_request
from .translate import APP, ENVIRONMENT, SEED_STORAGE, STORAGE, STORAGE_KEY, bundle, secret_groups
from .watch import State, Watch, judge

REVISED = ("properties.template", "properties.workloadProfileName", f"tags.{SECRETS}")

FORMER = "(former)"


class ContainerApps(Platform):
    """One deployment on Container Apps: environment, storage of the environment, app."""

    capabilities = CAPABILITIES
    carriers = (APP,)

    def __init__(
        self,
        deployment: Described,
        arm: Arm,
        emit: Emit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.deployment: Described = deployment
        self._arm = arm
        self._emit = emit
        self._sleep = sleep
        self._timeout = float(deployment.update.timeout)
        self._strategy = deployment.update.strategy or CAPABILITIES.default_strategy
        own = app_id(arm.group_id(deployment.platform.resource_group), deployment.name)
        self._watch = Watch(arm, emit, own, advice=quota_advice(deployment), clock=clock, sleep=sleep)
        self._app = DeployedAppKind(arm, deployment, self._watch, emit, strategy=self._strategy)
        self.kinds: Mapping[str, Kind] = self._make_kinds(own)

    def _make_kinds(self, own: str) -> dict[str, Kind]:
        deployment = self.deployment
        options = deployment.platform
        logs, share = options.environment.log_analytics, options.storage
        group = environment_group(deployment)
        keys = {"sharedKey": logs.workspace_key} if logs and logs.workspace_key else {}
        environment = environment_id(self._arm.group_id(group), options.environment.name)
        key = share.account_key if share else None
        self._storage = EnvironmentStorageKind(self._arm, environment, account_key=key)
        return {
            ENVIRONMENT: EnvironmentKind(
                self._arm,
                group,
                secrets=keys,
                guest=own,
                storages=[storage_name(deployment), seed_storage_name(deployment)],
            ),
            STORAGE: self._storage,
            SEED_STORAGE: self._storage,
            APP: self._app,
        }

    @property
    def target(self) -> str:
        return f"{self.deployment.name} on container_apps {self.deployment.platform.location}"

    # ---- read and plan

    def observe(self) -> Observed:
        deployment = self.deployment
        reads: dict[str, Callable[[], Found | None]] = {
            ENVIRONMENT: lambda: self.kinds[ENVIRONMENT].read(deployment.platform.environment.name),
            APP: lambda: self._app.read(deployment.name),
        }
        if uses_volume(deployment):
            reads[STORAGE] = lambda: self._storage.read(storage_name(deployment))
        if seeds(deployment):
            reads[SEED_STORAGE] = lambda: self._storage.read(seed_storage_name(deployment))
        if needs_account_key(deployment):
            reads[STORAGE_KEY] = self._read_key
        found = gather(reads)
        found.pop(STORAGE_KEY, None)
        app = found[APP]
        if app is None:
            return Observed(found=found)
        found |= {key: self._mark_key(found[key], app.tags) for key in (STORAGE, SEED_STORAGE) if key in found}
        running = is_running(app.raw)
        host = str(app.attributes.get("fqdn") or "")
        return Observed(
            found=found,
            record=Record.from_tags(app.tags),
            exists=True,
            running=running,
            release=self._app.serving,
            endpoints=(self._url(host),) if host and running else (),
            image=image_of(app.body),
            sidecar_image=sidecar_image_of(app.body),
            settled=serves_alone(app.raw, self._app.serving),
        )

    def _read_key(self) -> None:
        """Read the key of the share's account, so that it travels through no playbook."""
        platform = self.deployment.platform
        share = platform.storage
        if share is not None:
            group = share.resource_group or platform.resource_group
            self._storage.account_key = read_key(cast(Any, self._arm), group, share.account_name or "")

    def secret_values(self) -> Mapping[str, str]:
        return secret_values(self.deployment)

    def _mark_key(self, storage: Found | None, tags: Mapping[str, str]) -> Found | None:
        """Mark the found share if its key is not the one whose digest the app carries."""
        known = tags.get(STORAGE_KEY, "")
        values = secret_groups(self.deployment, self._storage.account_key)[STORAGE_KEY]
        share = (storage.body["properties"] if storage else {}).get("azureFile")
        if storage is None or not share or not values:
            return storage
        same = secrets_digest(values, known) == known
        marked = {**share, "accountKey": "(secret)" if same else FORMER}
        return dataclasses.replace(storage, body={"properties": {"azureFile": marked}})

    def wanted(self, observed: Observed) -> Sequence[Wanted]:
        app, environment = observed.found.get(APP), observed.found.get(ENVIRONMENT)
        tags = app.tags if app else {}
        groups = secret_groups(self.deployment, self._storage.account_key)
        digests = {tag: secrets_digest(values, tags.get(tag, "")) for tag, values in groups.items()}
        return bundle(self.deployment, digests=digests, existing=environment.raw if environment else None)

    def replaces(self, change: Change) -> bool:
        """Only the template and what it is filled with make a revision; the rest is the app's own configuration."""
        return change.action is not Action.UPDATE or any(field.path.startswith(REVISED) for field in change.fields)

    def posture(self) -> Posture:
        return Posture()

    def notes(self, observed: Observed) -> Sequence[str]:
        """Raises Refused where the environment that the user gives does not fit the deployment."""
        deployment, notes = self.deployment, []
        if observed.found.get(ENVIRONMENT) is not None:
            self._check_environment(observed.found[ENVIRONMENT])
        if deployment.schedule is not None and wakes_on_request(deployment):
            notes.append(
                "schedule: a request outside the working hours starts a replica (scaling.min is not scaling.max)"
            )
        app = observed.found.get(APP)
        if app is not None and target_port(app.raw) not in (None, deployment.network.port):
            notes.append("network.port is shared by all revisions: outage expected until the new release answers")
        if self._strategy == STOP_FIRST and observed.exists and not observed.record.last_good:
            notes.append("stop_first: there is no proven release yet to return to")
        return [*notes, *sidecar.notes(deployment)]

    def _check_environment(self, found: Found | None) -> None:
        # A state that needs no definition (stopped, rolled_back) has none that could be compared.
        if found is None or SHARED in found.tags or not self.deployment.image:
            return
        platform, properties = self.deployment.platform, found.raw.get("properties") or {}
        name = platform.environment.name
        profiles = {item["name"]: item["workloadProfileType"] for item in properties.get("workloadProfiles") or ()}
        wanted = next(w for w in bundle(self.deployment, digests={}) if w.key == APP).body["properties"]
        if wanted.get("workloadProfileName") not in profiles:
            have = ", ".join(f"{key} ({kind})" for key, kind in profiles.items()) or "none (consumption only)"
            profile = wanted.get("workloadProfileName")
            raise Refused(
                f"managed environment {name} has no workload profile {profile}; it has: {have}.",
                hint="Name one of them in platform.workload_profile, add it to the environment, or set adopt: true.",
            )
        internal = bool((properties.get("vnetConfiguration") or {}).get("internal"))
        private = self.deployment.network.exposure == "private"
        if private and platform.ingress_scope == "network" and not internal:
            raise Refused(
                f"managed environment {name} is not internal: ingress_scope network would make the app public.",
                hint="Use an internal environment, or ingress_scope: environment.",
            )

    # ---- a release

    def begin(self, observed: Observed, results: Mapping[str, Found]) -> Rollout:
        release = self._app.release
        if release is not None:
            return Rollout(release=release.revision, previous=release.previous, outage=release.outage)
        self._app.refuse_outside_hours()
        serving, record = observed.release, observed.record
        previous = record.last_good if record.last_good != serving else serving
        if not previous and record.rejected:
            # The app is older than this release: it must not be removed when the verification fails.
            previous = serving
        return Rollout(release=serving, previous=previous)

    def wait_steady(self, rollout: Rollout) -> None:
        release = self._app.release
        self._watch.ready(rollout.release, self._timeout, release.operation if release else None)

    def endpoints(self, rollout: Rollout) -> Sequence[str]:
        """The revision's own address, which answers before it gets traffic."""
        revision = self._app.read_revision(rollout.release)
        host = str(((revision or {}).get("properties") or {}).get("fqdn") or "")
        return (self._url(host),) if host else ()

    def promote(self, rollout: Rollout) -> None:
        raw = self._require_app()
        release = self._app.release or Release(rollout.release, rollout.previous)
        configuration: dict[str, Any] = {}
        if weighted_revisions(raw) != {rollout.release} or follows_newest(raw):
            configuration["ingress"] = {"traffic": traffic_to(rollout.release)}
        wanted = self._app.wanted_secrets()
        kept = {item["name"] for item in release.secrets or ()} - {item["name"] for item in wanted}
        if release.secrets is not None and kept:
            configuration["secrets"] = wanted
        others = (release.others | weighted_revisions(raw) | {rollout.previous}) - {rollout.release, ""}
        if configuration:
            self._emit("Container Apps", f"all traffic to revision {rollout.release}")
            self._app.patch({"properties": {"configuration": configuration}})
            if others and not rollout.outage:
                self._sleep(float(self.deployment.platform.drain))
        for name in sorted(others):
            self._let_go(name)

    def _let_go(self, revision: str) -> None:
        found = self._app.read_revision(revision)
        if found is not None and found["properties"].get("active"):
            self._emit("Container Apps", f"revision {revision}: deactivated, kept for rollback")
            self._app.deactivate(revision)

    def abandon(self, rollout: Rollout) -> None:
        if not rollout.previous:
            self._emit("Container Apps", f"removing {self.deployment.name}: its first release is bad")
            self._arm.delete(self._app.own_id, CONTAINER_APPS, timeout=self._timeout)
            return
        raw = self._require_app()
        new, old = rollout.release, rollout.previous
        if new != old and self._app.read_revision(old) is None:
            raise RolloutFailed(f"revision {old} no longer exists, so {new} stays in place")
        # Without traffic the new revision goes first: it may hold the GPU, and its provisioning blocks other writes.
        if new != old and (rollout.outage or not has_traffic(raw, new)):
            self._stop_bad(new, wait=rollout.outage)
        self._revive(old)
        self._restore(old)
        if new != old:
            self._let_go(new)

    def _stop_bad(self, revision: str, *, wait: bool) -> None:
        """Deactivate a bad revision, which may not exist. wait: until its GPU is free."""
        try:
            self._app.deactivate(revision)
        except NotFound:
            return
        if wait:
            self._watch.quiet(revision, self._timeout)

    def _revive(self, revision: str) -> None:
        """Activate a revision again if it is not active, and wait for it."""
        found = self._app.read_revision(revision)
        if found is not None and not found["properties"].get("active"):
            self._emit("Container Apps", f"activating revision {revision} again")
            self._app.activate(revision)
            self._watch.ready(revision, self._timeout)

    def _restore(self, serving: str) -> None:
        """Bring back configuration, tags and traffic as they were before the release."""
        now = self._require_app()
        release = self._app.release
        if release is None or release.before is None:
            if weighted_revisions(now) != {serving} or follows_newest(now):
                self._app.patch({"properties": {"configuration": {"ingress": {"traffic": traffic_to(serving)}}}})
            return
        patch = restore_patch(release, now, serving)
        if patch != {"properties": {"configuration": {}}}:
            self._app.patch(patch)
        self._app.tags = {**dict.fromkeys(self._app.tags, ""), **(release.before.get("tags") or {})}

    # ---- earlier releases

    def describe(self, observed: Observed, release: str) -> Target | None:
        revision = self._app.read_revision(release)
        if revision is None:
            return None
        properties = revision["properties"]
        template = properties.get("template") or {}
        container = server_of(template)
        variables = {item.get("name"): item for item in container.get("env") or ()}
        models = parse_models(str((variables.get(MODELS_VARIABLE) or {}).get("value") or ""))
        look = judge(revision)
        problem = f"it never came up ({look.text})" if look.state is State.FAILED else ""
        configuration = ((self._app.raw or {}).get("properties") or {}).get("configuration") or {}
        secrets = {item["name"] for item in configuration.get("secrets") or ()}
        missing = sorted({item["secretRef"] for item in variables.values() if item.get("secretRef")} - secrets)
        if missing:
            problem = f"the app no longer has its secrets {', '.join(missing)}"
        return Target(
            release=release,
            image=str(container.get("image") or ""),
            models=tuple(Model(name=name, digest=digest) for name, digest in models),
            problem=problem,
        )

    def switch(self, observed: Observed, target: Target) -> Rollout:
        self._app.refuse_outside_hours()
        outage = self._strategy == STOP_FIRST and observed.running
        if outage:
            self._app.deactivate(observed.release)
            self._watch.quiet(observed.release, self._timeout)
        found = self._app.read_revision(target.release)
        if found is not None and not found["properties"].get("active"):
            self._emit("Container Apps", f"activating revision {target.release} again")
            self._activate_instead(target.release, observed.release if outage else "")
        return Rollout(release=target.release, previous=observed.release, outage=outage)

    def _activate_instead(self, revision: str, stopped: str) -> None:
        """Activate a revision; if Azure refuses, bring the one back that was stopped for it."""
        try:
            self._app.activate(revision)
        except PolycloudError:
            if stopped:
                self._app.activate(stopped)
            raise

    # ---- running or not

    def start(self, observed: Observed) -> Rollout:
        self._app.refuse_outside_hours()
        self._emit("Container Apps", f"starting {self.deployment.name}")
        self._arm.post(self._app.own_id, "start", CONTAINER_APPS, timeout=self._timeout)
        self._watch.status("Running", self._timeout)
        return Rollout(release=observed.release, previous=observed.record.last_good or observed.release)

    def stop(self, observed: Observed) -> None:
        self._emit("Container Apps", f"stopping {self.deployment.name}")
        self._arm.post(self._app.own_id, "stop", CONTAINER_APPS, timeout=self._timeout)
        self._watch.status("Stopped", self._timeout)
        if observed.release:
            self._watch.asleep(observed.release, self._timeout)

    def write_record(self, record: Record) -> None:
        """The digest of the secrets is written with the secrets themselves, and not here."""
        names = [name for name in RECORD_TAGS if name != SECRETS]
        written = {key: value for key, value in record.to_tags().items() if key != SECRETS}
        gone = {name: "" for name in names if name in self._app.tags and name not in written}
        self._app.tags = {**self._app.tags, **gone, **written}
        self._app.patch({"tags": self._app.tags})

    def _require_app(self) -> dict[str, Any]:
        raw = self._arm.get(self._app.own_id, CONTAINER_APPS)
        if raw is None:
            raise RolloutFailed(f"container app {self.deployment.name} is gone: somebody deleted it during the run")
        return raw

    def _url(self, host: str) -> str:
        return endpoint_url(self.deployment, host, None, "https")
