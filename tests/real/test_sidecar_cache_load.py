# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load on a whole sidecar while its Redis is killed, hangs and is flushed: no client sees anything but its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.helpers.real_redis import RealRedis, running_redis
from tests.helpers.scripted_ollama import LAST, Asked, chunk, chunked_head, scripted_ollama
from tests.helpers.sidecar_yard import Yard, run, sidecar_yard, until

pytestmark = pytest.mark.real
CLIENTS, QUESTIONS = 8, 12


def question(number: int) -> dict[str, Any]:
    return {"model": "tiny", "prompt": f"question {number}", "options": {"temperature": 0}}


def lines(prompt: str) -> list[bytes]:
    """The answer to a question, in its pieces."""
    return [b'{"response":"%s","done":%s}\n' % (prompt.encode(), done) for done in (b"false", b"false", b"true")]


async def answering(asked: Asked) -> None:
    asked.write(chunked_head())
    for line in lines(asked.json()["prompt"]):
        asked.write(chunk(line))
        await asyncio.sleep(0.001)
    asked.write(LAST)


class Load:
    """Clients that ask without a pause until they are ended. answers: how often each way of the cache was told."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.answers: dict[str, int] = {}
        self._go = True
        self._clients = [asyncio.create_task(self._client(number)) for number in range(CLIENTS)]

    @property
    def up(self) -> bool:
        """Whether the sidecar uses Redis."""
        cache = self.yard.sidecar._cache
        return cache is not None and cache.store.up

    async def _client(self, number: int) -> None:
        while self._go:
            number += 1
            body = question(number % QUESTIONS)
            answer = await self.yard.ask("POST", "/api/generate", body)
            assert (answer.status, answer.whole) == (200, True)
            assert answer.body == b"".join(lines(body["prompt"]))
            how = answer.header("X-Cache")
            self.answers[how] = self.answers.get(how, 0) + 1

    async def more(self, number: int = 100) -> None:
        """Let so many more be answered."""
        wanted = sum(self.answers.values()) + number
        await until(lambda: sum(self.answers.values()) >= wanted or any(client.done() for client in self._clients))

    async def end(self) -> None:
        self._go = False
        await asyncio.gather(*self._clients)


def under_load(folder: Path, test: Callable[[Load, RealRedis], Awaitable[None]]) -> None:
    async def body(redis: RealRedis) -> None:
        async with (
            scripted_ollama(answering) as ollama,
            sidecar_yard(ollama, cache_url=redis.url, models=("tiny",), cache_retry_seconds=0.2) as yard,
        ):
            await until(lambda: not yard.sidecar.monitor.problem())
            load = Load(yard)
            await load.more()
            try:
                await test(load, redis)
            finally:
                await load.end()
            assert set(load.answers) == {"hit", "miss"}

    with running_redis(folder) as redis:
        run(body(redis))


@pytest.mark.parametrize(
    ("stop", "go_on"),
    [(RealRedis.kill, RealRedis.start), (RealRedis.hang, RealRedis.go_on)],
    ids=["killed", "hung"],
)
def test_a_redis_that_is_gone_for_a_while_is_no_error(
    tmp_path: Path, stop: Callable[[RealRedis], None], go_on: Callable[[RealRedis], None]
) -> None:
    async def test(load: Load, redis: RealRedis) -> None:
        stop(redis)
        await until(lambda: not load.up)
        await load.more()
        go_on(redis)
        await until(lambda: load.up)
        await load.more()

    under_load(tmp_path, test)


def test_a_redis_that_is_flushed_is_no_error(tmp_path: Path) -> None:
    async def test(load: Load, redis: RealRedis) -> None:
        other = Redis.from_url(redis.url)
        for _ in range(20):
            await other.flushall()
            await load.more(10)
        await other.aclose()

    under_load(tmp_path, test)
