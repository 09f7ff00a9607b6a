# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Those who ask the same get one answer: from Redis, or from the one who asks Ollama at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from ollama_sidecar import cache_flight
from ollama_sidecar.cache import REQUEST_BYTES, ResponseCache
from ollama_sidecar.cache_flight import Flight, Reader
from ollama_sidecar.http.exchange import UpstreamError
from ollama_sidecar.routes import INFERENCE

from tests.helpers.redis_stub import RedisStub, redis_stub

LONG = 30.0
MOST = 100
NDJSON = [("Content-Type", "application/x-ndjson")]
JSON = [("Content-Type", "application/json; charset=utf-8")]
STREAM = [b'{"response":"a"}\n', b'{"response":"b"}\n', b'{"done":true}\n']
ROUTES = {route.name: route for route in INFERENCE}


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


def test_an_answer_is_replayed_with_its_head_and_pieces() -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        ollama = Ollama()
        ollama.go.set()
        first = await cache.ask("k", ollama.fetch)
        assert first is not None
        assert (first.how, first.status) == ("miss", 200)
        assert await read(first) == STREAM
        await settled(lambda: not cache._flights)
        second = await cache.ask("k", ollama.fetch)
        assert second is not None
        assert (second.how, second.status, second.headers) == ("hit", 200, NDJSON)
        assert await read(second) == STREAM
        assert ollama.asked == 1

    with_cache(test)


def test_an_answer_that_is_no_stream_is_replayed_at_once_with_its_length() -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        ollama = Ollama([b'{"a"', b":1}"], JSON)
        ollama.go.set()
        await read(await cache.ask("k", ollama.fetch))
        await settled(lambda: not cache._flights)
        reader = await cache.ask("k", ollama.fetch)
        assert reader is not None
        assert list(reader.headers) == [*JSON, ("Content-Length", "7")]
        assert await read(reader) == [b'{"a":1}']
        assert ollama.asked == 1

    with_cache(test)


def test_many_who_ask_at_once_ask_ollama_once_and_read_along() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        asking = [asyncio.ensure_future(cache.ask("k", ollama.fetch)) for _ in range(50)]
        readers = await asyncio.gather(*asking)
        assert [reader.how for reader in readers if reader] == ["miss"] + ["hit"] * 49
        # Each has the first piece before the second is there.
        assert [await reader.piece() for reader in readers if reader] == STREAM[:1] * 50
        ollama.go.set()
        assert [await read(reader) for reader in readers] == [STREAM[1:]] * 50
        assert ollama.asked == 1

    without_redis(test)


def test_who_comes_between_the_end_and_the_write_does_not_ask_ollama_again() -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        ollama = Ollama()
        ollama.go.set()
        stub.silent = False
        first = await cache.ask("k", ollama.fetch)
        stub.silent = True
        assert await read(first) == STREAM
        late = await cache.ask("k", ollama.fetch)
        assert late is not None
        assert late.how == "hit"
        assert await read(late) == STREAM
        assert ollama.asked == 1

    with_cache(test)


def test_those_who_wait_for_an_answer_that_is_no_stream_get_it_when_it_is_whole() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama([b'{"a"', b":1}"], JSON)
        first = asyncio.ensure_future(cache.ask("k", ollama.fetch))
        second = asyncio.ensure_future(cache.ask("k", ollama.fetch))
        await ollama.begun.wait()
        await turns()
        assert (first.done(), second.done()) == (True, False)
        ollama.go.set()
        assert b"".join(await read(await second)) == b'{"a":1}'
        (await first).close()  # type: ignore[union-attr]

    without_redis(test)


def test_the_first_client_may_go_and_the_others_get_their_answer() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        first = await cache.ask("k", ollama.fetch)
        second = await cache.ask("k", ollama.fetch)
        assert first is not None
        first.close()
        await turns()
        ollama.go.set()
        assert await read(second) == STREAM
        assert (ollama.asked, ollama.stopped) == (1, 0)

    without_redis(test)


def test_the_first_client_may_go_before_ollama_has_begun() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama([b'{"a"', b":1}"], JSON)
        first = asyncio.ensure_future(cache.ask("k", ollama.fetch))
        second = asyncio.ensure_future(cache.ask("k", ollama.fetch))
        await asyncio.sleep(0)
        first.cancel()
        await turns()
        ollama.go.set()
        assert b"".join(await read(await second)) == b'{"a":1}'
        assert (ollama.asked, ollama.stopped) == (1, 0)

    without_redis(test)


def test_a_client_that_goes_before_ollama_has_begun_stops_it() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        ollama.refusal = RuntimeError("no place")
        asking = asyncio.ensure_future(cache.ask("k", ollama.fetch))
        await turns()
        asking.cancel()
        await turns()
        assert (ollama.stopped, cache._flights) == (1, {})

    without_redis(test)


def test_a_client_that_goes_does_not_stop_the_others() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        readers = [await cache.ask("k", ollama.fetch) for _ in range(3)]
        reading = [asyncio.ensure_future(read(reader)) for reader in readers]
        await turns()
        reading[1].cancel()
        await turns()
        ollama.go.set()
        assert list(await asyncio.gather(reading[0], reading[2])) == [STREAM, STREAM]

    without_redis(test)


def test_when_the_last_client_went_ollama_is_stopped_and_the_next_asks_anew() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        readers = [await cache.ask("k", ollama.fetch) for _ in range(3)]
        for reader in readers:
            assert reader is not None
            reader.close()
        # In the same moment, before the task knows of its end.
        again = await cache.ask("k", ollama.fetch)
        ollama.go.set()
        assert await read(again) == STREAM
        assert (ollama.asked, ollama.stopped) == (2, 1)

    without_redis(test)


def test_what_went_wrong_before_the_answer_is_raised_to_the_first_and_the_others_ask_themselves() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        ollama.refusal = RuntimeError("no place")
        asking = [asyncio.ensure_future(cache.ask("k", ollama.fetch)) for _ in range(3)]
        await turns()
        ollama.go.set()
        first, *others = await asyncio.gather(*asking, return_exceptions=True)
        assert first is ollama.refusal
        assert others == [None, None]

    without_redis(test)


def test_an_answer_that_is_no_success_is_the_firsts_alone_and_is_not_kept() -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        ollama = Ollama([b'{"error":"x"}'], JSON, 404)
        asking = [asyncio.ensure_future(cache.ask("k", ollama.fetch)) for _ in range(2)]
        first, second = await asyncio.gather(*asking)
        ollama.go.set()
        assert first is not None
        assert first.status == 404
        assert await read(first) == [b'{"error":"x"}']
        assert second is None
        await turns()
        assert stub.asked["SET"] == 0

    with_cache(test)


@pytest.mark.parametrize("error", [UpstreamError("gone", sent=True), RuntimeError("a fault of ours")])
def test_a_stream_that_breaks_off_breaks_off_for_all_and_is_not_kept(error: Exception) -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        ollama = Ollama()
        ollama.error = error
        readers = [await cache.ask("k", ollama.fetch) for _ in range(2)]
        ollama.go.set()
        with pytest.raises(type(error)):
            await read(readers[0])
        with pytest.raises(UpstreamError):
            await read(readers[1])
        await turns()
        assert (stub.asked["SET"], cache._flights) == (0, {})

    with_cache(test)


def test_a_stream_that_ends_with_an_error_of_ollamas_is_not_kept() -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        ollama = Ollama([STREAM[0], b'{"error":"the runner died"}\n'])
        ollama.go.set()
        assert await read(await cache.ask("k", ollama.fetch)) == ollama.pieces
        await settled(lambda: not cache._flights)
        assert stub.asked["SET"] == 0

    with_cache(test)


@pytest.mark.parametrize(("size", "written"), [(MOST, 1), (MOST + 1, 0)])
def test_an_answer_larger_than_the_limit_is_passed_on_and_not_kept(size: int, written: int) -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        body = b'{"a":"' + b"x" * (size - 8) + b'"}'
        ollama = Ollama([body[:50], body[50:]], JSON)
        ollama.go.set()
        assert b"".join(await read(await cache.ask("k", ollama.fetch))) == body
        await settled(lambda: not cache._flights)
        assert stub.asked["SET"] == written

    with_cache(test)


def test_those_who_wait_for_an_answer_that_proves_too_large_ask_themselves() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama([b"x" * 80] * 3, JSON)
        asking = [asyncio.ensure_future(cache.ask("k", ollama.fetch)) for _ in range(3)]
        await ollama.begun.wait()
        ollama.go.set()
        first, *others = await asyncio.gather(*asking)
        assert others == [None, None]
        assert await read(first) == [b"x" * 80] * 3

    without_redis(test)


def test_those_who_wait_for_an_answer_whose_length_is_too_large_ask_themselves_at_once() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama([b"x" * 80] * 3, [*JSON, ("content-length", "240")])
        asking = [asyncio.ensure_future(cache.ask("k", ollama.fetch)) for _ in range(3)]
        async with asyncio.timeout(5):
            first, *others = await asyncio.gather(*asking)
        assert others == [None, None]
        assert ollama.pushed == 1
        ollama.go.set()
        assert await read(first) == [b"x" * 80] * 3

    without_redis(test)


def test_of_a_large_answer_no_more_is_held_than_the_limit_and_nothing_is_lost() -> None:
    async def test(cache: ResponseCache) -> None:
        pieces = [b"%03d" % number * 10 for number in range(100)]
        ollama = Ollama(pieces)
        readers = [await cache.ask("k", ollama.fetch) for _ in range(2)]
        ollama.go.set()
        fast = asyncio.ensure_future(read(readers[1]))
        await turns(500)
        # The slow one has read nothing.
        assert ollama.pushed <= MOST // 30 + 1
        slow = asyncio.ensure_future(read(readers[0]))
        assert await fast == await slow == pieces

    without_redis(test)


def test_a_client_that_does_not_read_holds_up_the_others_only_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_flight, "PATIENCE", 0.05)

    async def test(cache: ResponseCache) -> None:
        pieces = [b"%03d" % number * 10 for number in range(100)]
        ollama = Ollama(pieces)
        readers = [await cache.ask("k", ollama.fetch) for _ in range(2)]
        ollama.go.set()
        assert await read(readers[1]) == pieces
        with pytest.raises(UpstreamError, match="too slowly"):
            await read(readers[0])

    without_redis(test)


def test_a_slow_client_that_is_alone_holds_up_ollama_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_flight, "PATIENCE", 0.01)

    async def test(cache: ResponseCache) -> None:
        pieces = [b"%03d" % number * 10 for number in range(100)]
        ollama = Ollama(pieces)
        ollama.go.set()
        reader = await cache.ask("k", ollama.fetch)
        await asyncio.sleep(0.1)
        assert ollama.pushed <= MOST // 30 + 1
        assert await read(reader) == pieces

    without_redis(test)


def test_a_client_that_wants_it_fresh_asks_ollama_and_renews_what_is_kept() -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        old, new = Ollama(), Ollama([b'{"response":"new"}\n', b'{"done":true}\n'])
        old.go.set()
        new.go.set()
        await read(await cache.ask("k", old.fetch))
        await settled(lambda: not cache._flights)
        fresh = await cache.ask("k", new.fetch, fresh=True)
        assert fresh is not None
        assert fresh.how == "miss"
        assert await read(fresh) == new.pieces
        await settled(lambda: not cache._flights)
        assert await read(await cache.ask("k", old.fetch)) == new.pieces

    with_cache(test)


def test_a_client_that_wants_it_fresh_does_not_join_who_asks_already() -> None:
    async def test(cache: ResponseCache) -> None:
        old, new = Ollama(), Ollama([b'{"response":"new"}\n', b'{"done":true}\n'])
        new.go.set()
        first = await cache.ask("k", old.fetch)
        assert await read(await cache.ask("k", new.fetch, fresh=True)) == new.pieces
        third = await cache.ask("k", new.fetch)
        old.go.set()
        assert await read(first) == await read(third) == STREAM

    without_redis(test)


@pytest.mark.parametrize("value", [b"", b"garbage", b"PCO\x01" + b"\xff" * 40])
def test_garbage_under_the_key_is_a_miss_and_is_replaced(value: bytes) -> None:
    async def test(cache: ResponseCache, stub: RedisStub) -> None:
        stub.data[b"k"] = value
        ollama = Ollama()
        ollama.go.set()
        assert await read(await cache.ask("k", ollama.fetch)) == STREAM
        await settled(lambda: stub.asked["SET"] == 1)
        assert await read(await cache.ask("k", ollama.fetch)) == STREAM
        assert ollama.asked == 1

    with_cache(test)


def test_a_reader_is_an_answer_that_can_be_pumped_or_read_at_once() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        ollama.go.set()
        one, two, three = [await cache.ask("k", ollama.fetch) for _ in range(3)]
        assert one is not None
        assert two is not None
        assert three is not None
        seen: list[bytes] = []
        waits: list[bool] = []

        async def drained() -> None:
            waits.append(True)

        def push(piece: bytes) -> bool:
            seen.append(piece)
            return len(seen) != 2

        await one.pump(push, drained)
        assert (seen, waits) == (STREAM, [True])
        assert await two.body(1000) == b"".join(STREAM)
        with pytest.raises(UpstreamError):
            await three.body(5)
        for reader in (one, two, three):
            reader.close()

    without_redis(test)


def test_a_stop_ends_what_runs() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama()
        readers = [await cache.ask("k", ollama.fetch) for _ in range(2)]
        await cache.close()
        assert ollama.stopped == 1
        for reader in readers:
            with pytest.raises(UpstreamError):
                await read(reader)

    without_redis(test)


def test_a_request_that_is_not_cacheable_or_very_large_has_no_key() -> None:
    async def test(cache: ResponseCache) -> None:
        route, cold = ROUTES["/api/generate"], {"prompt": "hi", "options": {"temperature": 0}}
        assert cache.key(route, cold, 10, "digest", "-")
        assert not cache.key(route, cold, REQUEST_BYTES + 1, "digest", "-")
        assert not cache.key(route, cold, 10, "", "-")
        assert not cache.key(route, {"prompt": "hi"}, 10, "digest", "-")
        before = cache.key(route, cold, 10, "digest", "-")
        cache.scope = "0.31.0"
        assert cache.key(route, cold, 10, "digest", "-") != before

    without_redis(test)
