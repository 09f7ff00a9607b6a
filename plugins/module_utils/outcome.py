# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes in and out of the reconciler: who hears its events, what proves a release, how a run ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .deployment.model import Model
from .plan import Plan
from .release import Record


class Emit(Protocol):
    def __call__(self, source: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a good release answered."""

    answer: str
    tokens_per_second: float | None = None
    seconds: float | None = None


Verify = Callable[[Sequence[str], Model], Verdict]


@dataclass(slots=True)
class Outcome:
    """What a run planned and did; filled step by step, so that a failed run can still say where it stands.

    image, sidecar_image: as the platform reports them, empty where nothing runs. settled: they are what all endpoints
    answer with.
    """

    plan: Plan
    changed: bool = False
    serving: str = ""
    image: str = ""
    sidecar_image: str = ""
    settled: bool = False
    endpoints: tuple[str, ...] = ()
    record: Record = dataclasses.field(default_factory=Record)
    running: bool = False
    verdict: Verdict | None = None
    rolled_back: bool = False
    outage_seconds: float | None = None
    resources: dict[str, str] = dataclasses.field(default_factory=dict)
