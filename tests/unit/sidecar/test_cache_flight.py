# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Those who ask the same at once share one question to Ollama, and none of them can harm another."""

from __future__ import annotations

import asyncio

import pytest
from ollama_sidecar import cache_flight
from ollama_sidecar.cache import ResponseCache
from ollama_sidecar.http.exchange import UpstreamError

from tests.helpers.cache_yard import JSON, MOST, STREAM, Ollama, read, turns, without_redis


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


def test_an_empty_piece_is_not_the_end() -> None:
    async def test(cache: ResponseCache) -> None:
        ollama = Ollama([STREAM[0], b"", *STREAM[1:]])
        ollama.go.set()
        assert await read(await cache.ask("k", ollama.fetch)) == STREAM

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
