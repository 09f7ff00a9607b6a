# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The response cache on a real Redis: replay to the byte, and no error whatever becomes of Redis.

Ollama is a scripted server, asked through the sidecar's own client, which counts how often it was. What a hung Redis
costs is told by the number of reads that waited in vain, not by a clock.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from ollama_sidecar.cache import ResponseCache
from ollama_sidecar.cache_flight import Flight, Reader
from ollama_sidecar.cache_key import PREFIX
from ollama_sidecar.http.upstream import PooledUpstream
from ollama_sidecar.routes import INFERENCE
from redis.asyncio import Redis

from tests.helpers.certificates import self_signed
from tests.helpers.real_redis import RealRedis, running_redis
from tests.helpers.scripted_ollama import LAST, Asked, chunk, chunked_head, scripted_ollama

pytestmark = pytest.mark.real
CHAT = next(route for route in INFERENCE if route.name == "/api/chat")
WORDS = 12
WAIT = 0.05
SOON = 20.0  # seconds; more than anything here takes


def body(number: int = 0) -> dict[str, Any]:
    """A request whose answer is always the same."""
    said = [{"role": "user", "content": f"question {number}"}]
    return {"model": "tiny", "messages": said, "options": {"temperature": 0}}


def line(question: str, index: int) -> bytes:
    done = index == WORDS - 1
    message = {"role": "assistant", "content": f"{index} of {question}"}
    return json.dumps({"model": "tiny", "message": message, "done": done}).encode() + b"\n"


async def answering(asked: Asked) -> None:
    """A stream of lines, each in a piece of its own."""
    question = asked.json()["messages"][0]["content"]
    asked.write(chunked_head())
    for index in range(WORDS):
        asked.write(chunk(line(question, index)))
        await asyncio.sleep(0.001)
    asked.write(LAST)


class Front:
    """What stands where the proxy is: the cache before Ollama. pieces: what the last fetch pushed."""

    def __init__(self, cache: ResponseCache, upstream: PooledUpstream) -> None:
        self.cache, self.upstream = cache, upstream
        self.pieces: list[bytes] = []

    def key(self, number: int = 0) -> str:
        found = self.cache.key(CHAT, body(number), 100, "digest", "tenant")
        assert found.startswith(PREFIX)
        return found

    async def ask(self, number: int = 0) -> Reader:
        async def fetch(flight: Flight) -> None:
            def push(piece: bytes) -> bool:
                self.pieces.append(piece)
                return flight.push(piece)

            self.pieces = []
            raw = json.dumps(body(number)).encode()
            answer = await self.upstream.send("POST", "/api/chat", [("Content-Type", "application/json")], raw)
            try:
                flight.start(answer.status, answer.headers)
                await answer.pump(push, flight.drained)
            finally:
                answer.close()

        reader = await self.cache.ask(self.key(number), fetch)
        assert reader is not None
        return reader

    async def answer(self, number: int = 0) -> tuple[str, bytes]:
        """How it came, and the answer, which is the right one."""
        reader = await self.ask(number)
        try:
            whole = await reader.body(100_000)
        finally:
            reader.close()
        assert whole == b"".join(line(f"question {number}", index) for index in range(WORDS))
        return reader.how, whole

    async def answers(self, numbers: Iterable[int]) -> list[str]:
        """How each of many at once came."""
        return [how for how, dummy in await asyncio.gather(*(self.answer(number) for number in numbers))]

    async def written(self) -> None:
        """Wait until nothing is on its way to Redis."""
        await until(lambda: not self.cache._tasks)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def fronting(
    url: str, *, ttl: int = 60, most: int = 100_000, wait: float = WAIT, retry: float = 0.2
) -> AsyncIterator[tuple[Front, list[Asked]]]:
    """The front, and what Ollama was asked."""
    async with scripted_ollama(answering) as ollama:
        upstream = PooledUpstream("127.0.0.1", ollama.port)
        cache = ResponseCache(url, ttl=ttl, most=most, wait=wait, retry=retry)
        cache.start()
        try:
            yield Front(cache, upstream), ollama.asked
        finally:
            await cache.close()
            await upstream.close()


Test = Callable[[Front, list[Asked], RealRedis], Awaitable[None]]


def on_redis(folder: Path, test: Test, *options: str, **settings: Any) -> None:
    """Run a test on a Redis that has answered, on the loop that the sidecar has in production."""

    async def main(redis: RealRedis) -> None:
        async with asyncio.timeout(3 * SOON), fronting(redis.url, **settings) as (front, asked):
            await until(lambda: front.cache.store.up)
            await test(front, asked, redis)

    with running_redis(folder, *options) as redis, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(redis))


@asynccontextmanager
async def client(redis: RealRedis) -> AsyncIterator[Redis]:
    """Another client, as an operator has."""
    found = Redis.from_url(redis.url)
    try:
        yield found
    finally:
        await found.aclose()


def test_a_stream_is_replayed_to_the_byte_and_piece_by_piece(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        assert (await front.answer())[0] == "miss"
        sent = front.pieces
        assert len(sent) > 1
        await front.written()
        reader = await front.ask()
        pieces = []
        while piece := await reader.piece():
            pieces.append(piece)
        reader.close()
        assert (reader.how, reader.status, list(reader.headers)) == (
            "hit",
            200,
            [("Content-Type", "application/x-ndjson")],
        )
        assert pieces == sent
        assert len(asked) == 1

    on_redis(tmp_path, test)


def test_fifty_who_ask_the_same_at_once_ask_ollama_once(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        assert sorted(await front.answers([0] * 50)) == ["hit"] * 49 + ["miss"]
        # Those who come while it is written, and after.
        for _ in range(20):
            assert (await front.answer())[0] == "hit"
        assert len(asked) == 1

    on_redis(tmp_path, test)


def test_an_answer_is_forgotten_after_its_time(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        await front.answer()
        await front.written()
        async with client(redis) as other:
            assert 0 < await other.pttl(front.key()) <= 1000
            async with asyncio.timeout(SOON):
                while await other.exists(front.key()):
                    await asyncio.sleep(0.05)
        assert (await front.answer())[0] == "miss"
        assert len(asked) == 2

    on_redis(tmp_path, test, ttl=1)


def test_an_answer_that_is_too_large_is_not_written(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        await front.answer()
        await front.written()
        async with client(redis) as other:
            assert await other.dbsize() == 0

    on_redis(tmp_path, test, most=200)


def test_a_redis_that_is_killed_during_load_harms_nobody_and_is_used_again(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        store = front.cache.store
        load = asyncio.ensure_future(_load(front, 40))
        await until(lambda: len(asked) > 10)
        redis.kill()
        await load
        assert (store.up, store.trips) == (False, 1)
        redis.start()
        await until(lambda: store.up)
        await front.answer(1000)
        await front.written()
        assert (await front.answer(1000))[0] == "hit"

    on_redis(tmp_path, test, wait=SOON, retry=1.0)


def test_a_redis_that_hangs_is_waited_for_once_and_is_used_again(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        store = front.cache.store
        await front.answer(0)
        await front.written()
        redis.hang()
        await front.answers(range(50))
        assert (store.up, store.trips) == (False, 1)
        # Those who were asking when the first wait ended, all in the same wait.
        assert 1 <= store.late <= 50
        late = store.late
        for number in range(100):
            await front.answer(number)
        assert (store.late, store.trips) == (late, 1)
        redis.go_on()
        await until(lambda: store.up)
        assert (await front.answer(0))[0] == "hit"

    on_redis(tmp_path, test, retry=0.5)


def test_a_redis_that_hangs_while_it_is_written_to_harms_nobody(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        reader = await front.ask()
        redis.hang()
        assert await reader.body(100_000)
        reader.close()
        # The write waits; who asks meanwhile is answered from memory.
        assert (await front.answer())[0] == "hit"
        await until(lambda: not front.cache.store.up)
        assert (front.cache.store.dropped, front.cache.store.late, len(asked)) == (1, 0, 1)

    on_redis(tmp_path, test, wait=SOON)


def test_a_redis_that_is_flushed_during_load_harms_nobody(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        load = asyncio.ensure_future(_load(front, 40))
        async with client(redis) as other:
            while not load.done():
                await other.flushall()
                await asyncio.sleep(0.005)
        await load
        assert (front.cache.store.up, front.cache.store.trips) == (True, 0)
        assert len(asked) > 10

    on_redis(tmp_path, test, wait=SOON)


def test_values_of_others_under_our_keys_are_misses_and_are_replaced(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        async with client(redis) as other:
            await other.rpush(front.key(0), "a list")
            await other.set(front.key(1), b"\x00garbage")
            await other.set(front.key(2), b"x" * 5_000_000)
        assert await front.answers(range(3)) == ["miss"] * 3
        await front.written()
        assert await front.answers(range(3)) == ["hit"] * 3
        assert front.cache.store.trips == 0

    on_redis(tmp_path, test, wait=SOON)


def test_a_redis_that_is_full_is_still_read(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        await front.answer(0)
        await front.written()
        async with client(redis) as other:
            await other.config_set("maxmemory", "1")
        assert (await front.answer(1))[0] == "miss"
        await front.written()
        assert await front.answers(range(2)) == ["hit", "miss"]
        assert front.cache.store.refused >= 1
        assert front.cache.store.trips == 0

    on_redis(tmp_path, test, wait=SOON)


def test_a_redis_that_became_a_replica_is_still_read(tmp_path: Path) -> None:
    async def test(front: Front, asked: list[Asked], redis: RealRedis) -> None:
        await front.answer(0)
        await front.written()
        async with client(redis) as other:
            await other.replicaof("127.0.0.1", 1)
        await front.answer(1)
        await front.written()
        assert await front.answers(range(2)) == ["hit", "miss"]
        await front.written()
        assert (front.cache.store.refused, front.cache.store.trips) == (2, 0)

    on_redis(tmp_path, test, wait=SOON)


def test_a_redis_with_another_password_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main(url: str) -> None:
        async with fronting(url, wait=SOON, retry=0.05) as (front, dummy):
            await until(lambda: "does not answer yet" in caplog.text)
            assert [(await front.answer())[0] for _ in range(3)] == ["miss"] * 3
            assert not front.cache.store.up

    with running_redis(tmp_path, "--requirepass", "right-one") as redis:
        for url in (redis.url, redis.url.replace("://", "://:wrong-one@")):
            caplog.clear()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main(url))
            assert "wrong-one" not in caplog.text


def test_a_redis_behind_tls_and_a_password_is_used(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        async with fronting(url, wait=SOON) as (front, dummy):
            await until(lambda: front.cache.store.up)
            await front.answer()
            await front.written()
            assert (await front.answer())[0] == "hit"

    pem = str(self_signed(tmp_path))
    options = ["--tls-cert-file", pem, "--tls-key-file", pem, "--tls-auth-clients", "no", "--requirepass", "p@ss/word"]
    with running_redis(tmp_path, *options, tls=True) as redis:
        url = f"rediss://:p%40ss%2Fword@127.0.0.1:{redis.port}/0?ssl_ca_certs={pem}"
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(url))


async def _load(front: Front, questions: int) -> None:
    """Eight clients that ask one question after the other; each gets its answer."""

    async def one() -> None:
        for number in range(questions):
            await front.answer(number)

    await asyncio.gather(*(one() for _ in range(8)))
