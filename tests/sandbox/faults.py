# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault switch: what goes wrong on purpose, on which call, and how often.

One switch serves both clouds. The gate in ``http.py`` asks it before every call; the clouds themselves read
``gpu_capacity`` and ``quota`` when they place a task or a replica.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

CLOUDS = ("aws", "azure")
# What a rule can do to a call. The first two are answered in the cloud's own form; the others cut the connection.
KINDS = ("throttle", "error500", "reset_before", "reset_after", "hang")
# What a cloud's ``error_response`` must know: the answered kinds, plus two states of a whole cloud.
ERROR_KINDS = ("throttle", "error500", "unavailable", "expired_credentials")
DOWN_MODES = ("reset", "unavailable")


class FaultError(ValueError):
    """A fault description that cannot be obeyed; the text names the field and the rule."""


@dataclass
class FaultRule:
    """Fail some calls of an operation.

    ``operation`` is a regular expression searched in ``"<service> <operation>"``, for example ``ecs UpdateService``
    or ``Microsoft.App PUT containerApps``. Calls are counted from arming: the rule acts on call ``nth`` and on the
    ``times`` - 1 matching calls after it (``times`` None: on all of them).
    """

    operation: str
    kind: str
    cloud: str | None = None
    region: str | None = None
    nth: int = 1
    times: int | None = 1
    hang_seconds: float = 30.0
    id: int = 0
    seen: int = 0
    fired: int = 0

    @classmethod
    def from_mapping(cls, wanted: Mapping[str, Any]) -> FaultRule:
        """Build a rule from a control API body; raises FaultError naming the field that is wrong."""
        settable = {field.name for field in fields(cls)} - {"id", "seen", "fired"}
        unknown = sorted(set(wanted) - settable)
        if unknown:
            raise FaultError(f"unknown field(s) {', '.join(unknown)}; a rule has {', '.join(sorted(settable))}")
        if "kind" not in wanted:
            raise FaultError(f"kind is missing; choose one of {', '.join(KINDS)}")
        rule = cls(**{"operation": ".", **wanted})
        rule.validate()
        return rule

    def validate(self) -> None:
        """Raise FaultError for the first field that breaks its rule."""
        if self.kind not in KINDS:
            raise FaultError(f"kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")
        if self.cloud is not None and self.cloud not in CLOUDS:
            raise FaultError(f"cloud {self.cloud!r} is unknown; choose one of {', '.join(CLOUDS)}")
        if not isinstance(self.nth, int) or self.nth < 1:
            raise FaultError(f"nth {self.nth!r} must be a whole number from 1 on")
        if self.times is not None and (not isinstance(self.times, int) or self.times < 1):
            raise FaultError(f"times {self.times!r} must be a whole number from 1 on, or null for every call")
        if not isinstance(self.hang_seconds, (int, float)) or self.hang_seconds < 0:
            raise FaultError(f"hang_seconds {self.hang_seconds!r} must be a number of seconds from 0 on")
        try:
            re.compile(self.operation)
        except (re.error, TypeError) as error:
            raise FaultError(f"operation {self.operation!r} is no regular expression: {error}") from error

    def matches(self, cloud: str, service: str, operation: str, region: str) -> bool:
        """Say whether a call is one that this rule counts."""
        if self.cloud not in (None, cloud) or self.region not in (None, region):
            return False
        return re.search(self.operation, f"{service} {operation}") is not None

    def count(self) -> bool:
        """Count one matching call and say whether the rule acts on it."""
        self.seen += 1
        acts = self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)
        self.fired += acts
        return acts


class FaultSwitch:
    """The state of all faults. Thread safe; everything is off at the start and after ``reset``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_id = 1
        # Set when the sandbox stops, so that held calls end at once.
        self.closing = threading.Event()
        self._clear()

    def _clear(self) -> None:
        self._rules: list[FaultRule] = []
        self._down: dict[str, str] = {}
        self._expired: set[str] = set()
        self.latency_ms: float = 0.0
        # GPUs that exist in each region of each cloud; None: as many as asked for.
        self.gpu_capacity: int | None = None
        # GPUs that the account may use in each region; 0 makes the cloud answer with its quota error.
        self.quota: int | None = None

    def reset(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._clear()

    def arm(self, rule: FaultRule) -> FaultRule:
        """Start to count calls for a rule; returns it with its id."""
        rule.validate()
        with self._lock:
            rule.id = self._next_id
            self._next_id += 1
            self._rules.append(rule)
        return rule

    def disarm(self) -> None:
        """Forget all rules; the other faults stay as they are."""
        with self._lock:
            self._rules = []

    def decide(self, cloud: str, service: str, operation: str, region: str = "") -> FaultRule | None:
        """Count a call in every rule that matches it, and return the first rule that acts on it."""
        with self._lock:
            matching = [rule for rule in self._rules if rule.matches(cloud, service, operation, region)]
            acting = [rule for rule in matching if rule.count()]
        return acting[0] if acting else None

    def set_down(self, cloud: str, down: bool, mode: str = "reset") -> None:
        """Take a cloud down (``reset`` cuts every connection, ``unavailable`` answers 503) or bring it back."""
        if mode not in DOWN_MODES:
            raise FaultError(f"mode {mode!r} is unknown; choose one of {', '.join(DOWN_MODES)}")
        with self._lock:
            if down:
                self._down[_known(cloud)] = mode
            else:
                self._down.pop(_known(cloud), None)

    def down_mode(self, cloud: str) -> str | None:
        """Return how a cloud is down, or None while it is up."""
        with self._lock:
            return self._down.get(cloud)

    def set_credentials_expired(self, expired: bool, cloud: str | None = None) -> None:
        """Let the credentials of one cloud, or of all, count as expired."""
        names = {_known(cloud)} if cloud else set(CLOUDS)
        with self._lock:
            self._expired = self._expired | names if expired else self._expired - names

    def credentials_expired(self, cloud: str) -> bool:
        """Say whether calls to this cloud are refused because of expired credentials."""
        with self._lock:
            return cloud in self._expired

    def gpu_stockout(self, in_use: int, wanted: int) -> bool:
        """Say whether a region that has ``in_use`` GPUs taken lacks room for ``wanted`` more."""
        return self.gpu_capacity is not None and in_use + wanted > self.gpu_capacity

    def over_quota(self, in_use: int, wanted: int) -> bool:
        """Say whether ``wanted`` more GPUs in a region break the account's quota."""
        return self.quota is not None and in_use + wanted > self.quota

    def state(self) -> dict[str, Any]:
        """Return everything that is switched on, as JSON types."""
        with self._lock:
            return {
                "rules": [asdict(rule) for rule in self._rules],
                "down": dict(self._down),
                "credentials_expired": sorted(self._expired),
                "latency_ms": self.latency_ms,
                "gpu_capacity": self.gpu_capacity,
                "quota": self.quota,
            }


def _known(cloud: str) -> str:
    if cloud not in CLOUDS:
        raise FaultError(f"cloud {cloud!r} is unknown; choose one of {', '.join(CLOUDS)}")
    return cloud
