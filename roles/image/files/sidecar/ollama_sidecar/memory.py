# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives back what a burst of requests took.

Python's own allocator keeps each megabyte of which a few bytes are used, which after a thousand streams are most of
them; the C library's gives back each page, when told to (benchmarks/RESULTS.md, B4).
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

SECONDS = 5.0
FEW = 4  # a burst is over when no more than this part of it runs
GROWTH = 1.02  # of the memory since the last time, for which the walk over all objects is worth its milliseconds
ALLOCATOR = "PYTHONMALLOC"


class Memory:
    """Looks now and then whether a burst is over. working: the requests that run now."""

    def __init__(self, working: Callable[[], int]) -> None:
        self._working = working
        self._peak = 0
        self._least = 0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            self.look()

    def look(self) -> bool:
        """Give memory back where it is time; whether it was."""
        now = self._working()
        self._peak = max(self._peak, now)
        if now * FEW > self._peak or resident() <= self._least * GROWTH:
            return False
        gc.collect()
        if _trim is not None:
            _trim(0)
        self._peak, self._least = now, resident()
        return True


def resident() -> int:
    """Pages that this process has in memory; 0 where nobody tells."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0


def use_libc() -> None:
    """Begin this process anew with the allocator of the C library, unless one is chosen. It keeps its process id."""
    if ALLOCATOR not in os.environ:
        os.environ[ALLOCATOR] = "malloc"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted


_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
