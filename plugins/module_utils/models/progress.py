# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a fetch is: a bar on a terminal, else plain lines, few enough for a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

EVERY_SECONDS = 5.0
STEPS = 10
REDRAW_SECONDS = 0.1
BAR_WIDTH = 24

Emit = Callable[[str], None]


@dataclass(frozen=True)
class Snapshot:
    """`done` and `total` in bytes, `rate` in bytes a second since the start, `left` in seconds (None: not known)."""

    label: str
    done: int
    total: int
    rate: float
    left: float | None


Show = Callable[[Snapshot], None]


def quiet(text: str) -> None:
    """Tell nobody."""


class Meter:
    """Counts bytes from several threads and tells of them, in lines by `emit` or in snapshots by `show`."""

    def __init__(
        self, total: int, emit: Emit, show: Show | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.received = 0
        self.label = ""
        self._emit = emit
        self._total = total
        self._done = 0
        self._show = show
        self._clock = clock
        self._start = self._told_at = clock()
        self._told_step = 0
        self._lock = threading.Lock()

    def tell(self, text: str) -> None:
        """One line, whatever the rate."""
        with self._lock:
            self._emit(text)

    def add(self, count: int) -> None:
        """`count` bytes came."""
        with self._lock:
            self.received += count
            self._done += count
            self._report()

    def skip(self, count: int) -> None:
        """`count` bytes need not come: a former fetch left them."""
        with self._lock:
            self._total -= count

    def retract(self, count: int) -> None:
        """`count` bytes that came must come again."""
        with self._lock:
            self._done -= count

    def _report(self) -> None:
        now = self._clock()
        ended = self._done >= self._total
        if self._show is not None:
            if ended or now - self._told_at >= REDRAW_SECONDS:
                self._told_at = now
                self._show(self._snapshot(now))
            return
        # "At most" both: a fast fetch gives ten lines, a slow one a line each five seconds.
        step = STEPS * self._done // self._total if self._total > 0 else STEPS
        if now - self._told_at >= EVERY_SECONDS or step > self._told_step:
            self._told_at, self._told_step = now, step
            self._emit(line(self._snapshot(now)))

    def _snapshot(self, now: float) -> Snapshot:
        rate = self._done / max(now - self._start, 1e-3)
        left = (self._total - self._done) / rate if rate > 0 else None
        return Snapshot(self.label, self._done, self._total, rate, left)


def line(shot: Snapshot) -> str:
    """A snapshot as text: C(gemma3:1b: 81.5 MB of 815.0 MB (10 %), 40.0 MB/s, 18 s left)."""
    percent = 100 * shot.done // shot.total if shot.total else 100
    left = "" if shot.left is None else f", {_duration(shot.left)} left"
    return f"{shot.label}: {readable(shot.done)} of {readable(shot.total)} ({percent} %), {readable(shot.rate)}/s{left}"


def bar_on(stream: TextIO) -> Show:
    """A bar that redraws one line of a terminal."""
    widest = 0

    def show(shot: Snapshot) -> None:
        nonlocal widest
        filled = min(BAR_WIDTH, BAR_WIDTH * shot.done // shot.total) if shot.total else BAR_WIDTH
        text = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {line(shot)}"
        widest = max(widest, len(text))
        ended = shot.done >= shot.total
        stream.write("\r" + text.ljust(widest) + ("\n" if ended else ""))
        stream.flush()

    return show


def readable(count: float) -> str:
    """Bytes with a unit of powers of ten: C(815.0 MB)."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
