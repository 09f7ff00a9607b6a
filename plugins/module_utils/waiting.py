# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded waits: look, pause a little longer each time, give up with what was last seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from .errors import WaitTimeout

T = TypeVar("T")
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
GROWTH = 1.4


class Look(Generic[T]):
    """One look at the thing waited for. result: what was waited for, None if it is not there yet. seen: in words."""

    __slots__ = ("result", "seen")

    def __init__(self, result: T | None, seen: str = "") -> None:
        self.result = result
        self.seen = seen


class Waiter:
    """Waits of one run. The pauses grow from 0.2 s to 10 s; sleep and clock are replaced in tests."""

    def __init__(
        self, *, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sleep = sleep
        self.clock = clock

    def until(self, what: str, seconds: float, look: Callable[[], Look[T]]) -> T:
        """Look until there is a result. Raises WaitTimeout that says what was waited for and what was last seen."""
        deadline = self.clock() + seconds
        pause = FIRST_PAUSE
        while True:
            seen = look()
            if seen.result is not None:
                return seen.result
            left = deadline - self.clock()
            if left <= 0:
                last = f" Last seen: {seen.seen}." if seen.seen else ""
                raise WaitTimeout(f"Waited {seconds:g} s for {what} in vain.{last}")
            self._sleep(min(pause, max(left, 0.0)))
            pause = min(pause * GROWTH, LONGEST_PAUSE)
