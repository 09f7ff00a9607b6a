# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At most so many requests of a model at once; the others wait in a bounded queue that is fair between keys.

Ollama's own limit (OLLAMA_MAX_QUEUE) does not guard a model that is in memory: its requests wait without a bound.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

WEIGHT = 0.2  # of the newest request in the running mean of durations
LEAST, MOST = 1, 60  # seconds of Retry-After
OTHER = "other"  # in metrics, the models that are not known

Turn = asyncio.Future[None]


class Rejected(Exception):
    """No place. reason: queue_full or queue_timeout. retry_after: whole seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Line:
    """Who waits: keys in the order of their turns, each with its own requests in the order they came.

    Nothing here takes longer with more of them, since it is a flood that fills it.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[str, OrderedDict[Turn, None]] = OrderedDict()
        self._sizes: dict[int, dict[str, None]] = {}  # the keys that have so many requests
        self._longest = 0
        self.waiting = 0

    def count(self, key: str) -> int:
        """Requests of a key."""
        queue = self._queues.get(key)
        return len(queue) if queue else 0

    def add(self, key: str, turn: Turn) -> None:
        queue = self._queues.setdefault(key, OrderedDict())
        queue[turn] = None
        self.waiting += 1
        self._resized(key, len(queue) - 1, len(queue))

    def drop(self, key: str, turn: Turn) -> bool:
        """Take a request out; whether it was there."""
        queue = self._queues.get(key)
        if queue is None or turn not in queue:
            return False
        del queue[turn]
        self._shrunk(key, queue)
        return True

    def next(self) -> Turn:
        """Take out the oldest request of the key whose turn it is."""
        key, queue = next(iter(self._queues.items()))
        turn, dummy = queue.popitem(last=False)
        self._shrunk(key, queue)
        if queue and not turn.done():  # else its client went, and the turn is still the key's
            self._queues.move_to_end(key)
        return turn

    def displace(self, key: str) -> Turn | None:
        """Take out the newest request of the key that has most, where `key` has less even with one more."""
        if self.count(key) + 1 >= self._longest:
            return None
        most = next(iter(self._sizes[self._longest]))
        queue = self._queues[most]
        turn, dummy = queue.popitem()
        self._shrunk(most, queue)
        return turn

    def _shrunk(self, key: str, queue: OrderedDict[Turn, None]) -> None:
        self.waiting -= 1
        self._resized(key, len(queue) + 1, len(queue))
        if not queue:
            del self._queues[key]

    def _resized(self, key: str, before: int, after: int) -> None:
        if before:
            keys = self._sizes[before]
            del keys[key]
            if not keys:
                del self._sizes[before]
        if after:
            self._sizes.setdefault(after, {})[key] = None
        # A key grows and shrinks by one, so the longest does.
        if after > self._longest or (before == self._longest and before not in self._sizes):
            self._longest = after


class Gate:
    """The places of one model.

    limit: requests at once. most: requests that wait at most. seconds: how long one waits at most.
    """

    def __init__(self, limit: int, most: int, seconds: float) -> None:
        self._limit, self._most, self._seconds = limit, most, seconds
        self._line = Line()
        self._mean = 1.0  # seconds that a request takes
        self.running = 0

    @property
    def waiting(self) -> int:
        return self._line.waiting

    @asynccontextmanager
    async def place(self, key: str) -> AsyncIterator[None]:
        """Hold a place while the block runs. Raises Rejected."""
        if self.running >= self._limit or self._line.waiting:
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
            self._make_room(key)
        loop = asyncio.get_running_loop()
        turn: Turn = loop.create_future()
        self._line.add(key, turn)
        timer = loop.call_later(self._seconds, self._give_up, key, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._line.drop(key, turn)
            elif turn.exception() is None:
                # The place came in the same moment as the client went.
                self.running -= 1
                self._next()
            raise
        finally:
            timer.cancel()

    def _make_room(self, key: str) -> None:
        """The queue is everybody's: who has most of it gives way to who has less. Raises Rejected."""
        turn = self._line.displace(key)
        if turn is None:
            raise self._full()
        if not turn.done():
            turn.set_exception(self._full())

    def _full(self) -> Rejected:
        return Rejected("queue_full", self.retry_after())

    def _give_up(self, key: str, turn: Turn) -> None:
        if not turn.done():
            self._line.drop(key, turn)
            turn.set_exception(Rejected("queue_timeout", self.retry_after()))

    def _next(self) -> None:
        """Give free places to the keys in turn."""
        while self._line.waiting and self.running < self._limit:
            turn = self._line.next()
            if not turn.done():
                self.running += 1
                turn.set_result(None)


class Admission:
    """A gate for each model that is known.

    One that is not known, by a name that only Ollama may understand, has a single place for all of them together, and
    takes its place at the gate of its own name too: so it counts when it becomes known, and names that clients invent
    leave nothing behind.
    """

    def __init__(self, limit: int, most: int, seconds: float) -> None:
        self._arguments = (limit, most, seconds)
        self._gates: dict[str, Gate] = {}
        self._strange: dict[str, Gate] = {}
        self._strangers = Gate(1, most, seconds)

    def gate(self, model: str) -> Gate:
        """The gate of a model that is known."""
        gate = self._gates.get(model)
        if gate is None:
            gate = self._gates[model] = self._strange.get(model) or Gate(*self._arguments)
        return gate

    @asynccontextmanager
    async def strange(self, model: str, key: str) -> AsyncIterator[None]:
        """Hold a place for a model that is not known. Raises Rejected."""
        async with self._strangers.place(key):
            gate = self._gates.get(model) or self._strange.setdefault(model, Gate(*self._arguments))
            try:
                async with gate.place(key):
                    yield
            finally:
                self._strange.pop(model, None)

    def retry_after(self, model: str) -> int:
        """Seconds until a place of a model is likely."""
        gate = self._gates.get(model)
        return gate.retry_after() if gate else LEAST

    def queues(self) -> dict[str, tuple[int, int]]:
        """Requests that run and that wait, of each model."""
        found = {model: (gate.running, gate.waiting) for model, gate in self._gates.items()}
        if self._strangers.running:
            found[OTHER] = (self._strangers.running, self._strangers.waiting)
        return found

    @property
    def running(self) -> int:
        return sum(running for running, dummy in self.queues().values())

    @property
    def waiting(self) -> int:
        return sum(waiting for dummy, waiting in self.queues().values())
