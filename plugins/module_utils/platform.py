# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform must answer so that one reconciler can drive it.

Adding a platform means this class, its translation, its resource kinds, its capabilities and its options.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .capabilities import Capabilities
from .deployment.hardening import Posture, measures
from .deployment.model import Deployment, Model
from .plan import Change, Measure
from .release import Record, config_hash
from .resource import Found, Kind, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything read about a deployment, in one round of parallel reads.

    found: by bundle key, None where it does not exist. exists: the carrier exists. running: it is not stopped.
    release: id of the release that the platform runs now (never the family's newest). endpoints: URLs that answer now.
    image, sidecar_image: as the platform reports them.
    settled: no other release is on its way or shares the traffic, so what the endpoints answer is of these images.
    salt_source: the secrets digest found, so that an unchanged secret keeps its digest.
    """

    found: Mapping[str, Found | None]
    record: Record = field(default_factory=Record)
    exists: bool = False
    running: bool = False
    release: str = ""
    endpoints: tuple[str, ...] = ()
    image: str = ""
    sidecar_image: str = ""
    settled: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A release on its way. previous: the release that served before, empty for the first one.

    outage: nothing answers while it is on its way. detail: the platform's own handle.
    """

    release: str
    previous: str = ""
    outage: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An earlier release that a rollback may return to. problem: why it cannot be executed, empty if it can."""

    release: str
    config_hash: str = ""
    image: str = ""
    models: tuple[Model, ...] = ()
    problem: str = ""


class Platform(ABC):
    """One deployment on one platform. Only this class and its kinds call the cloud.

    kinds: by bundle key. carriers: the keys whose change makes a new release, the last of them holds the record tags.
    Every wait is bounded by C(update.timeout) and tells its progress as events.
    """

    capabilities: Capabilities
    kinds: Mapping[str, Kind]
    carriers: tuple[str, ...]
    deployment: Deployment[Any]

    @property
    @abstractmethod
    def target(self) -> str:
        """Name of the target for a person: C(chat on ecs us-east-1)."""

    @abstractmethod
    def observe(self) -> Observed:
        """Read what exists now. Bounded calls, never one per historical revision. No write."""

    @abstractmethod
    def wanted(self, observed: Observed) -> Sequence[Wanted]:
        """Translate the deployment (pure). Carries ownership tags; record tags are written by write_record."""

    def secret_values(self) -> Mapping[str, str]:
        """Values that the cloud never gives back, by a stable name. They take part in the configuration's name."""
        return {secret.name: secret.value for secret in self.deployment.secrets if secret.value is not None}

    def config_hash(self, wanted: Sequence[Wanted]) -> str:
        """Name the configuration: what the carriers are to be, and the secret values."""
        bodies = {resource.key: resource.body for resource in wanted if resource.key in self.carriers}
        return config_hash(bodies, self.secret_values())

    def notes(self, observed: Observed) -> Sequence[str]:
        """What a person must know about this platform and this deployment before saying yes."""
        return ()

    @abstractmethod
    def posture(self) -> Posture:
        """What the translated bodies ask of the platform's hardening. Pure."""

    def hardening(self) -> Sequence[Measure]:
        """What the platform gives of it."""
        return measures(self.deployment, self.capabilities, self.posture())

    def replaces(self, change: Change) -> bool:
        """True if the change of a carrier brings up new replicas in place of those that run. Pure."""
        return True

    @abstractmethod
    def begin(self, observed: Observed, results: Mapping[str, Found]) -> Rollout:
        """The carriers were written (or a former run left a release unproven): name the release on its way."""

    @abstractmethod
    def wait_steady(self, rollout: Rollout) -> None:
        """Wait until the new release is up by the platform's own word. Raises RolloutFailed or WaitTimeout."""

    @abstractmethod
    def endpoints(self, rollout: Rollout) -> Sequence[str]:
        """Base URLs of the new release itself, before it gets traffic where the platform can do that."""

    @abstractmethod
    def promote(self, rollout: Rollout) -> None:
        """The release is good: give it all traffic and let the previous one go. Waits until that is done."""

    @abstractmethod
    def abandon(self, rollout: Rollout) -> None:
        """The release is bad: bring back the previous one and wait for it, or remove the first one. Idempotent."""

    @abstractmethod
    def describe(self, observed: Observed, release: str) -> Target | None:
        """Read an earlier release by its id, None if it is gone."""

    @abstractmethod
    def switch(self, observed: Observed, target: Target) -> Rollout:
        """Start a rollback to the target."""

    @abstractmethod
    def start(self, observed: Observed) -> Rollout:
        """Start what was stopped."""

    @abstractmethod
    def stop(self, observed: Observed) -> None:
        """Stop all replicas and wait until none runs; the definition stays."""

    @abstractmethod
    def write_record(self, record: Record) -> None:
        """Write the record tags on the carrier; tags of others stay. A tag that became empty is removed."""

    def prune(self, record: Record) -> Sequence[str]:
        """Remove releases beyond C(update.keep_revisions), never the running, last good or previous good one."""
        return ()
