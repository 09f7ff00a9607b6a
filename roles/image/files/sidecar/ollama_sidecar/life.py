# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether new work is taken, and how the sidecar ends: it refuses what is new, finishes what runs, and then goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Life:
    """Counts the work that is under way."""

    def __init__(self) -> None:
        self.draining = False
        self.working = 0
        self.leaving = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def work(self) -> Iterator[None]:
        """Something that a drain waits for."""
        self.working += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.working -= 1
            if not self.working:
                self._idle.set()

    def drain(self, *, leave: bool) -> None:
        """Take nothing new; with `leave` the process ends when nothing runs any more. Calling it again does no harm."""
        self.draining = True
        if leave:
            self.leaving.set()

    async def idle(self, seconds: float) -> bool:
        """Wait until nothing runs, at most so long; whether nothing does."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
