# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers are kept in Redis when they are whole, and are taken from there with their head and pieces."""

from __future__ import annotations

import asyncio

import pytest
from ollama_sidecar.cache import REQUEST_BYTES, ResponseCache
from ollama_sidecar.http.exchange import UpstreamError
from ollama_sidecar.routes import INFERENCE

from tests.helpers.cache_yard import JSON, MOST, NDJSON, STREAM, Ollama, read, settled, turns, with_cache, without_redis
from tests.helpers.redis_stub import RedisStub

ROUTES = {route.name: route for route in INFERENCE}


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


def test_a_request_that_is_not_cacheable_or_very_large_has_no_key() -> None:
    async def test(cache: ResponseCache) -> None:
        route, cold = ROUTES["/api/generate"], {"prompt": "hi", "options": {"temperature": 0}}
        assert cache.key(route, cold, 10, "digest", "-")
        assert not cache.key(route, cold, REQUEST_BYTES + 1, "digest", "-")
        assert not cache.key(route, cold, 10, "", "-")
        assert not cache.key(route, {"prompt": "hi"}, 10, "digest", "-")
        assert cache.key(route, cold, 10, "digest", "-") != cache.key(route, cold, 10, "digest", "-", "0.31.0")

    without_redis(test)
