# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether new work is taken, and how the sidecar ends: it refuses what is new, finishes what runs, and then goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .reply import Reply, busy


class Life:
    """Counts the work that is under way. over: its time is, too."""

    def __init__(self) -> None:
        self.draining = False
        self.working = 0
        self.leaving = asyncio.Event()
        self.over = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def work(self) -> Iterator[None]:
        """Something of this task that a drain waits for. Raises Reply where it is ended by `end`."""
        task = asyncio.current_task()
        self.working += 1
        self._idle.clear()
        if task is not None:
            self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Its client may have gone in the same moment.
            if not self.over or task is None or task.uncancel():
                raise
            raise stopping() from None
        finally:
            self.working -= 1
            if task is not None:
                self._tasks.discard(task)
            if not self.working:
                self._idle.set()

    def drain(self, *, leave: bool) -> None:
        """Take nothing new; with `leave` the process ends when nothing runs any more. Calling it again does no harm."""
        self.draining = True
        if leave:
            self.leaving.set()

    def end(self) -> None:
        """Stop what still runs, wherever it is; nothing may begin any more."""
        self.draining = self.over = True
        for task in self._tasks:
            task.cancel()

    async def idle(self, seconds: float) -> bool:
        """Wait until nothing runs, at most so long; whether nothing does."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def stopping() -> Reply:
    """What is said instead of an answer at the end."""
    return busy(503, "this server is stopping", "draining", 1)
