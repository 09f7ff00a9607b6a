# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long, how often and how much: the bounds of a fetch, and the patience of one step of it."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from .errors import ModelError, SourceError, SourceUnreachable, Stopped
from .progress import Emit, quiet

MIB = 1024 * 1024
TOLD = 1.0  # seconds
RETRIED = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Limits:
    """Times in seconds, sizes in bytes."""

    timeout: float = 30.0  # the longest silence of a connection
    part_size: int = 64 * MIB  # what a killed fetch loses at most, for each of its streams
    attempts: int = 8  # tries of one step without progress
    first_pause: float = 0.5  # doubled with each try
    longest_pause: float = 30.0
    patience: float = 300.0  # of one step without progress, its pauses included
    stall: float = 60.0  # in this time a stream must bring stall_bytes
    stall_bytes: int = 64 * 1024


class Patience:
    """Decides whether one step is tried again, and waits before it. `stop` ends a wait at once.

    tell: hears why the next try waits, where it waits for longer than TOLD seconds.
    """

    def __init__(self, limits: Limits, stop: threading.Event, tell: Emit = quiet) -> None:
        self._limits = limits
        self._stop = stop
        self._tell = tell
        self.progressed()

    def progressed(self) -> None:
        """Something came: the count and the clock start anew."""
        self._tries = 0
        self._deadline = time.monotonic() + self._limits.patience

    def pause(self, error: ModelError) -> None:
        """Wait before the next try, or raise `error` when there is to be none."""
        self._tries += 1
        if not worth_a_retry(error) or self._tries >= self._limits.attempts:
            raise error
        pause = min(self._limits.longest_pause, self._limits.first_pause * 2 ** (self._tries - 1))
        pause *= 0.5 + random.random() / 2  # noqa: S311 - spreads clients, hides nothing
        pause = max(pause, getattr(error, "retry_after", None) or 0.0)
        if time.monotonic() + pause > self._deadline:
            raise error
        if pause > TOLD:
            self._tell(f"{error.message.rstrip('.')}: trying again in {pause:.0f} s")
        if self._stop.wait(pause):
            raise Stopped("The fetch was stopped.")


def worth_a_retry(error: ModelError) -> bool:
    """True for what may pass by itself."""
    if isinstance(error, SourceUnreachable):
        return not error.final
    return isinstance(error, SourceError) and error.status in RETRIED


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header (seconds or a date), None where it says nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
