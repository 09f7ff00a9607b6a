# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read many accounts and regions at the same time; one that cannot be reached costs a warning, not the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from ..errors import PolycloudError
from .replica import Replica

Source = Callable[[Executor], list[Replica]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and by source what could not be."""

    replicas: tuple[Replica, ...]
    failures: Mapping[str, str]

    @property
    def complete(self) -> bool:
        return not self.failures


def read_fleet(sources: Mapping[str, Source], threads: int) -> Reading:
    """Read all sources. Sources and their batches have pools of their own, so that neither waits for the other."""
    if not sources:
        return Reading((), {})
    replicas: list[Replica] = []
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(len(sources)) as outer, ThreadPoolExecutor(threads) as inner:
        pending = {name: outer.submit(read, inner) for name, read in sources.items()}
        for name, future in pending.items():
            try:
                replicas += future.result()
            except PolycloudError as error:
                failures[name] = str(error)
    return Reading(tuple(replicas), failures)
