# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The response cache before an Ollama that a test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ollama_sidecar.cache import ResponseCache
from ollama_sidecar.cache_flight import Flight, Reader

from tests.helpers.redis_stub import RedisStub, redis_stub

LONG = 30.0
MOST = 100
NDJSON = [("Content-Type", "application/x-ndjson")]
JSON = [("Content-Type", "application/json; charset=utf-8")]
STREAM = [b'{"response":"a"}\n', b'{"response":"b"}\n', b'{"done":true}\n']


class Ollama:
    """Asked by `fetch`; answers when `go` is set. asked, stopped: how often it was, and was stopped."""

    def __init__(self, pieces: list[bytes] = STREAM, headers: Any = NDJSON, status: int = 200) -> None:
        self.pieces, self.headers, self.status = pieces, headers, status
        self.error: Exception | None = None
        self.refusal: Exception | None = None
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.asked = self.stopped = self.pushed = 0

    async def fetch(self, flight: Flight) -> None:
        self.asked += 1
        try:
            if self.refusal is not None:
                await self.go.wait()
                raise self.refusal
            flight.start(self.status, self.headers)
            for index, piece in enumerate(self.pieces):
                if not flight.push(piece):
                    await flight.drained()
                self.pushed += 1
                if index == 0:
                    self.begun.set()
                    await self.go.wait()
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.stopped += 1
            raise


async def read(reader: Reader | None) -> list[bytes]:
    """All pieces."""
    assert reader is not None
    pieces = []
    try:
        while piece := await reader.piece():
            pieces.append(piece)
    finally:
        reader.close()
    return pieces


async def settled(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def turns(number: int = 20) -> None:
    """Let all tasks go as far as they can."""
    for _ in range(number):
        await asyncio.sleep(0)


def with_cache(test: Callable[[ResponseCache, RedisStub], Awaitable[None]], *, most: int = MOST) -> None:
    async def body() -> None:
        async with redis_stub() as stub:
            cache = ResponseCache(stub.url, ttl=60, most=most, wait=LONG, retry=LONG)
            cache.start()
            await settled(lambda: cache.store.up)
            try:
                await test(cache, stub)
            finally:
                await cache.close()

    asyncio.run(body())


def without_redis(test: Callable[[ResponseCache], Awaitable[None]], *, most: int = MOST) -> None:
    """What holds also while Redis is gone."""

    async def body() -> None:
        cache = ResponseCache("redis://127.0.0.1:1", ttl=60, most=most, wait=LONG, retry=LONG)
        try:
            await test(cache)
        finally:
            await cache.close()

    asyncio.run(body())
