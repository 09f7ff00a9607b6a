# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A platform that lives in memory: for testing the reconciler alone, with every call recorded and able to fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.polycloud.ollama.plugins.module_utils.capabilities import Capabilities
from ansible_collections.polycloud.ollama.plugins.module_utils.compare import FieldChange, drop_empty
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.hardening import Posture
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Deployment, Model
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import ApiError, NoCapacity, RolloutFailed
from ansible_collections.polycloud.ollama.plugins.module_utils.platform import Observed, Platform, Rollout, Target
from ansible_collections.polycloud.ollama.plugins.module_utils.release import DEPLOYMENT, SHARED, Record
from ansible_collections.polycloud.ollama.plugins.module_utils.resource import Found, Kind, Wanted
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import Ref

CAPABILITIES = Capabilities(
    platform="memory",
    as_of="2026-11-22",
    sources=("this file",),
    update_strategies=("surge", "stop_first"),
    default_strategy="surge",
    updates_while_stopped=True,
    autoscaling=True,
    schedule=True,
    public_exposure=True,
    allowed_cidrs=True,
    authentication=("none", "external"),
    gpu_sharing=True,
    secret_values=True,
    secret_references=("arn:aws:secretsmanager…",),
    volume=True,
    sets_user=True,
    non_root_with_volume=True,
    read_only_root=True,
    drop_capabilities=True,
    tag_value_chars=256,
    surge_needs="one spare GPU",
)


@dataclass
class Cloud:
    """What exists, and the log of writes. bad_images never become steady."""

    resources: dict[str, Found] = field(default_factory=dict)
    revisions: list[str] = field(default_factory=list)
    active: str = ""
    running: bool = False
    writes: list[str] = field(default_factory=list)
    bad_images: set[str] = field(default_factory=set)
    unreachable: bool = False
    refuses: str = ""
    full: bool = False


class MemoryKind(Kind):
    def __init__(self, cloud: Cloud, key: str, *, versioned: bool = False, immutable: tuple[str, ...] = ()) -> None:
        self.title = f"memory {key}"
        self.cloud, self.key, self.versioned, self.immutable = cloud, key, versioned, immutable

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(drop_empty(body))

    def read(self, name: str) -> Found | None:
        return self.cloud.resources.get(self.key)

    def create(self, wanted: Wanted) -> Found:
        if self.cloud.refuses == self.key:
            raise ApiError(f"memory.Create {self.key}", 400, "InaccessibleImage", "the image cannot be pulled")
        self.cloud.writes.append(f"create {self.key}")
        return self._store(wanted, {})

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        self.cloud.writes.append(f"update {self.key}")
        return self._store(wanted, found.tags)

    def delete(self, found: Found) -> None:
        self.cloud.writes.append(f"delete {self.key}")
        self.cloud.resources.pop(self.key, None)

    def in_use(self, found: Found) -> str:
        return "2 other services" if found.tags.get("busy") else ""

    def _store(self, wanted: Wanted, tags: Mapping[str, str]) -> Found:
        name = wanted.name
        if self.versioned:
            self.cloud.revisions.append(str(wanted.body["image"]))
            name = f"{wanted.name}:{len(self.cloud.revisions)}"
        found = Found(id=name, body=wanted.body, tags={**tags, **wanted.tags})
        self.cloud.resources[self.key] = found
        if self.key == "service":
            self.cloud.running = self.cloud.running or not tags
        return found


class MemoryPlatform(Platform):
    """network (shared) → definition (versioned carrier) → service (carrier with the record)."""

    capabilities = CAPABILITIES
    carriers = ("definition", "service")

    def __init__(self, cloud: Cloud, deployment: Deployment[Any], **capabilities: Any) -> None:
        self.cloud, self.deployment = cloud, deployment
        self.capabilities = replace(CAPABILITIES, **capabilities)
        self.kinds = {
            "network": MemoryKind(cloud, "network", immutable=("zone",)),
            "definition": MemoryKind(cloud, "definition", versioned=True),
            "service": MemoryKind(cloud, "service", immutable=("place",)),
        }

    @property
    def target(self) -> str:
        return f"{self.deployment.name} on memory"

    def posture(self) -> Posture:
        return Posture(user="10001:10001", read_only_root=True, drop_capabilities=True)

    def observe(self) -> Observed:
        found = {key: kind.read(self.deployment.name) for key, kind in self.kinds.items()}
        service = found["service"]
        return Observed(
            found=found,
            record=Record.from_tags(service.tags if service else {}),
            exists=service is not None,
            running=self.cloud.running and service is not None,
            release=self.cloud.active if service else "",
            endpoints=("http://old",) if self.cloud.running else (),
            image=self._image(self.cloud.active),
        )

    def _image(self, release: str) -> str:
        return self.cloud.revisions[int(release.rpartition(":")[2]) - 1] if release else ""

    def wanted(self, observed: Observed) -> Sequence[Wanted]:
        name = self.deployment.name
        own = {DEPLOYMENT: name}
        zone, place = (self.deployment.overrides.get(key, "a") for key in ("zone", "place"))
        return (
            Wanted(key="network", name="net", body={"zone": zone}, tags={SHARED: "true"}, shared=True),
            Wanted(key="definition", name=name, body={"image": self.deployment.image}, tags=own),
            Wanted(key="service", name=name, body={"definition": Ref("definition"), "place": place}, tags=own),
        )

    def begin(self, observed: Observed, results: Mapping[str, Found]) -> Rollout:
        release = results["definition"].id
        strategy = self.deployment.update.strategy or "surge"
        return Rollout(release=release, previous=self.cloud.active, outage=strategy != "surge")

    def wait_steady(self, rollout: Rollout) -> None:
        if self.cloud.unreachable:
            raise ApiError("memory.DescribeService", 500, "InternalError", "try again")
        if self.cloud.full:
            raise NoCapacity("No GPU is free.", hint="Ask for a higher quota.")
        if self._image(rollout.release) in self.cloud.bad_images:
            raise RolloutFailed("the task exits at once")

    def endpoints(self, rollout: Rollout) -> Sequence[str]:
        return (f"http://{rollout.release}",)

    def promote(self, rollout: Rollout) -> None:
        self.cloud.writes.append(f"promote {rollout.release}")
        self.cloud.active, self.cloud.running = rollout.release, True

    def abandon(self, rollout: Rollout) -> None:
        self.cloud.writes.append(f"abandon {rollout.release}")
        if not rollout.previous:
            self.cloud.resources.pop("service", None)
            return
        self._point_at(rollout.previous)

    def _point_at(self, release: str) -> None:
        # A service that is gone is made anew.
        service = self.cloud.resources.get("service") or Found(id="chat", body={}, tags={DEPLOYMENT: "chat"})
        definition = self.cloud.resources["definition"]
        self.cloud.resources["service"] = replace(service, body={**service.body, "definition": release})
        self.cloud.resources["definition"] = replace(definition, id=release, body={"image": self._image(release)})

    def describe(self, observed: Observed, release: str) -> Target | None:
        image = self._image(release)
        return Target(release=release, config_hash=f"hash-of-{release}", image=image, models=(Model(name="old:1b"),))

    def switch(self, observed: Observed, target: Target) -> Rollout:
        self.cloud.writes.append(f"switch {target.release}")
        self._point_at(target.release)
        return Rollout(release=target.release, previous=observed.release)

    def start(self, observed: Observed) -> Rollout:
        self.cloud.writes.append("start")
        self.cloud.running = True
        release = self.cloud.resources["definition"].id
        return Rollout(release=release, previous=observed.record.last_good or release)

    def stop(self, observed: Observed) -> None:
        self.cloud.writes.append("stop")
        self.cloud.running = False

    def write_record(self, record: Record) -> None:
        service = self.cloud.resources["service"]
        self.cloud.resources["service"] = replace(service, tags={**service.tags, **record.to_tags()})
