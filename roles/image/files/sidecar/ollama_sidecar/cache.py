# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers kept in Redis, and one question for all who ask the same at once.

    cache = ResponseCache(url, ttl=3600, most=262_144, wait=0.05, retry=5.0)
    cache.start()                                     # does not wait for Redis
    key = cache.key(route, body, size, digest, tenant)  # empty: this request is not for the cache
    answer = await cache.ask(key, fetch, still)       # an Answer with `how`, or None: ask Ollama yourself
    try:
        ...                                           # answer.status, .headers, .pump(...) as with Ollama's
    finally:
        answer.close()
    await cache.close()

`fetch(flight)` is the caller's: it takes a place, asks Ollama, calls `flight.start(status, headers)` and then, as an
Exchange is written, `flight.push(piece)` and `await flight.drained()`; it returns when the answer is whole and raises
when it is not. It runs in a task of its own, so it must not touch an Exchange, and is cancelled when nobody waits.
`still()` says, before a whole answer is kept, whether the key is still true: a model's name may have been moved while
it answered. That a name was moved behind the sidecar's back is seen by the monitor's next look; until then a hit may be
of the model before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from . import cache_key
from .cache_entry import LEAST_BYTES, PIECE_BYTES, Entry, is_stream, pack, unpack, whole
from .cache_flight import Flight, Reader
from .cache_store import Store
from .http.exchange import UpstreamError
from .routes import Route

Fetch = Callable[[Flight], Awaitable[None]]
Still = Callable[[], Awaitable[bool]]
REQUEST_BYTES = 2**20  # a larger request is not looked up: to make its key would hold up the others
NAME_BYTES = 256  # of a content type


class ResponseCache:
    """url, ttl, wait, retry: of the Store. most: bytes of the largest answer that is kept."""

    def __init__(self, url: str, *, ttl: int, most: int, wait: float, retry: float) -> None:
        # In the worst case each byte is a piece.
        longest = LEAST_BYTES + NAME_BYTES + most * (1 + PIECE_BYTES)
        self.store = Store(url, ttl=ttl, most=longest, wait=wait, retry=retry)
        self._most = most
        self._flights: dict[str, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to use Redis as soon as it answers."""
        self.store.start()

    async def close(self) -> None:
        """End what still runs."""
        for task in tuple(self._tasks):
            task.cancel()
        for task in tuple(self._tasks):
            with suppress(asyncio.CancelledError):
                await task
        await self.store.close()

    def key(self, route: Route, body: Mapping[str, Any], size: int, digest: str, tenant: str, scope: str = "") -> str:
        """The key of a request; empty where it is not cacheable. size: bytes of its body as it came.

        scope: what answers depend on beside the model, such as the version of Ollama.
        """
        if size > REQUEST_BYTES or not cache_key.cacheable(route, body):
            return ""
        return cache_key.key(digest, route, body, tenant, scope)

    async def ask(self, key: str, fetch: Fetch, still: Still | None = None, *, fresh: bool = False) -> Reader | None:
        """The answer from the cache, from a request that is on its way, or from `fetch`. None: ask Ollama yourself.

        fresh: do not take what is kept, but keep the new answer. Raises what `fetch` raised before the answer began;
        only to the caller whose `fetch` it is, the others get None.
        """
        flight = None if fresh else self._flights.get(key)
        first = flight is None
        if flight is None:
            flight = self._begin(key, fetch, still, fresh)
        reader = Reader(flight, first=first)
        try:
            if await reader.head():
                return reader
        except BaseException:
            reader.close()
            raise
        reader.close()
        return None

    def _begin(self, key: str, fetch: Fetch, still: Still | None, fresh: bool) -> Flight:
        def close(flight: Flight) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]

        flight = Flight(self._most, close)
        if key not in self._flights:
            self._flights[key] = flight
        flight.task = asyncio.get_running_loop().create_task(self._fly(flight, key, fetch, still, fresh))
        self._tasks.add(flight.task)
        flight.task.add_done_callback(self._tasks.discard)
        return flight

    async def _fly(self, flight: Flight, key: str, fetch: Fetch, still: Still | None, fresh: bool) -> None:
        try:
            entry = None if fresh else unpack(await self.store.get(key) or b"")
            if entry is not None:
                _land(flight, entry)
                return
            await fetch(flight)
            flight.land()
            # Until it is written, those who come take it from here.
            await self._keep(flight, key, still)
        except asyncio.CancelledError:
            if not flight.over:
                flight.land(UpstreamError("The request was stopped.", sent=flight.status != 0))
            raise
        except Exception as error:  # noqa: BLE001 - it is raised to the one who asks
            flight.land(error)
        finally:
            flight.alone()

    async def _keep(self, flight: Flight, key: str, still: Still | None) -> None:
        if not flight.shared or flight.status != 200:
            return
        names = {name.lower(): value for name, value in flight.headers}
        entry = whole(names.get("content-type", "")[:NAME_BYTES], flight.pieces)
        if entry is not None and (still is None or await still()):
            await self.store.put(key, pack(entry))


def _land(flight: Flight, entry: Entry) -> None:
    """An answer that was kept."""
    flight.kept = True
    flight.pieces = list(entry.pieces)
    headers = [("Content-Type", entry.content_type)]
    if not is_stream(entry.content_type):
        headers.append(("Content-Length", str(len(entry.pieces[0]))))
    flight.start(200, headers)
    flight.land()
