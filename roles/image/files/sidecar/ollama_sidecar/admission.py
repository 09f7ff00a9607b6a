# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At most so many requests of a model at once; the others wait in a bounded queue that is fair between keys.

Ollama's own limit (OLLAMA_MAX_QUEUE) does not guard a model that is in memory: its requests wait without a bound.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

WEIGHT = 0.2  # of the newest request in the running mean of durations
LEAST, MOST = 1, 60  # seconds of Retry-After


class Rejected(Exception):
    """No place. reason: queue_full or queue_timeout. retry_after: whole seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Gate:
    """The places of one model.

    limit: requests at once. most: requests that wait at most. seconds: how long one waits at most.
    """

    def __init__(self, limit: int, most: int, seconds: float) -> None:
        self._limit, self._most, self._seconds = limit, most, seconds
        # Keys in the order of their turns; each has its own requests in the order they came.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._mean = 1.0  # seconds that a request takes
        self.running = 0
        self.waiting = 0

    @asynccontextmanager
    async def place(self, key: str) -> AsyncIterator[None]:
        """Hold a place while the block runs. Raises Rejected."""
        if self.running >= self._limit or self.waiting:
            await self._turn(key)
        else:
            self.running += 1
        begin = monotonic()
        try:
            yield
        finally:
            self._mean += WEIGHT * (monotonic() - begin - self._mean)
            self.running -= 1
            self._next()

    def retry_after(self) -> int:
        """Seconds until a place is likely, by what requests took lately."""
        return min(MOST, max(LEAST, math.ceil(self._mean * (self.waiting + 1) / self._limit)))

    async def _turn(self, key: str) -> None:
        """Wait until `_next` gives a place."""
        if self.waiting >= self._most:
            raise Rejected("queue_full", self.retry_after())
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._queues.setdefault(key, deque()).append(turn)
        self.waiting += 1
        timer = loop.call_later(self._seconds, self._give_up, key, turn)
        try:
            await turn
        except TimeoutError:
            raise Rejected("queue_timeout", self.retry_after()) from None
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(key, turn)
            elif turn.exception() is None:
                # The place came in the same moment as the client went.
                self.running -= 1
                self._next()
            raise
        finally:
            timer.cancel()

    def _give_up(self, key: str, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            self._leave(key, turn)
            turn.set_exception(TimeoutError())

    def _leave(self, key: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(key)
        if queue is not None and turn in queue:
            queue.remove(turn)
            self.waiting -= 1
            if not queue:
                del self._queues[key]

    def _next(self) -> None:
        """Give free places to the keys in turn."""
        while self._queues and self.running < self._limit:
            key, queue = next(iter(self._queues.items()))
            turn = queue.popleft()
            self.waiting -= 1
            gone = turn.done()  # its client went, and it has not run since
            if not queue:
                del self._queues[key]
            elif not gone:
                self._queues.move_to_end(key)
            if not gone:
                self.running += 1
                turn.set_result(None)


class Admission:
    """A gate for each model that is known, and one for all others together."""

    def __init__(self, limit: int, most: int, seconds: float) -> None:
        self._arguments = (limit, most, seconds)
        self._gates: dict[str, Gate] = {}

    def gate(self, model: str) -> Gate:
        if model not in self._gates:
            self._gates[model] = Gate(*self._arguments)
        return self._gates[model]

    def queues(self) -> dict[str, tuple[int, int]]:
        """Requests that run and that wait, of each model."""
        return {model: (gate.running, gate.waiting) for model, gate in self._gates.items()}

    @property
    def running(self) -> int:
        return sum(gate.running for gate in self._gates.values())

    @property
    def waiting(self) -> int:
        return sum(gate.waiting for gate in self._gates.values())
