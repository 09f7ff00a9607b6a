# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis may be slow, stopped, refusing or mad: a read costs one bounded wait, and nobody is told an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from ollama_sidecar import cache_store
from ollama_sidecar.cache_store import WRITES, Store

from tests.helpers.redis_stub import RedisStub, redis_stub

SECRET = "s3cret"
LONG = 30.0  # seconds; no test waits for this


async def settled(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


def with_store(test: Callable[[RedisStub, Store], Awaitable[None]], *, wait: float = LONG, retry: float = LONG) -> None:
    """Run a test with a store that has reached its Redis."""

    async def body() -> None:
        faults: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
        async with redis_stub() as stub:
            store = Store(stub.url, ttl=60, most=1000, wait=wait, retry=retry)
            store.start()
            await settled(lambda: store.up)
            try:
                await test(stub, store)
            finally:
                await store.close()
        assert not faults

    asyncio.run(body())


def test_a_value_that_was_put_is_got() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        await store.put("k", b"\x00\xff\r\n")
        assert await store.get("k") == b"\x00\xff\r\n"
        assert not await store.get("other")

    with_store(test)


def test_a_value_larger_than_any_answer_is_not_read_whole() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.data[b"k"] = b"x" * 100_000
        assert await store.get("k") == b"x" * 1000

    with_store(test)


def test_a_redis_that_hangs_is_waited_for_once_by_all_who_ask_then_and_by_nobody_after() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.silent = True
        asking = []
        for number in range(60):
            asking.append(asyncio.ensure_future(store.get(f"k{number}")))
            await asyncio.sleep(0)
        assert await asyncio.gather(*asking) == [None] * 60
        asked = stub.asked["GETRANGE"]
        assert (store.up, store.trips) == (False, 1)
        assert 1 <= store.late <= 60
        late = store.late
        assert [await store.get("k") for _ in range(50)] == [None] * 50
        await store.put("k", b"v")
        assert (stub.asked["GETRANGE"], stub.asked["SET"], store.late) == (asked, 0, late)

    with_store(test, wait=0.05)


def test_when_one_wait_is_over_nobody_goes_on_waiting() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.silent = True
        loop = asyncio.get_running_loop()
        first = loop.create_task(store.get("a"))
        await asyncio.sleep(0.3)
        second = loop.create_task(store.get("b"))
        await first
        # It came 0.3 s later, and would wait 0.3 s longer.
        done, dummy = await asyncio.wait([second], timeout=0.2)
        assert second in done

    with_store(test, wait=0.5)


def test_redis_is_probed_until_it_answers_and_then_used_again() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        await store.put("k", b"v")
        stub.silent = True
        assert await store.get("k") is None
        stub.silent = False
        asked = stub.asked["GETRANGE"]
        await settled(lambda: store.up)
        assert stub.asked["GETRANGE"] == asked + 1
        assert await store.get("k") == b"v"

    with_store(test, wait=0.5, retry=0.05)


def test_a_wait_that_ends_late_because_we_were_busy_is_no_fault_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_store, "MOMENT", LONG)

    async def test(stub: RedisStub, store: Store) -> None:
        await store.put("k", b"v")
        loop = asyncio.get_running_loop()
        asking = loop.create_task(store.get("k"))
        await asyncio.sleep(0)
        end = loop.time() + 0.2
        while loop.time() < end:
            pass
        assert await asking == b"v"
        assert store.trips == 0

    with_store(test, wait=0.02)


@pytest.mark.parametrize("code", ["WRONGTYPE", "NOPERM", "ERR"])
def test_a_read_that_is_refused_is_a_miss_and_the_next_is_tried(code: str) -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.misbehave = lambda command: f"-{code} of {SECRET}\r\n".encode() if command[1] == b"bad" else None
        await store.put("good", b"v")
        assert await store.get("bad") is None
        assert await store.get("good") == b"v"
        assert (store.refused, store.trips) == (1, 0)

    with_store(test)


@pytest.mark.parametrize("code", ["OOM", "READONLY", "MISCONF"])
def test_a_write_that_is_refused_is_forgotten(code: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.misbehave = lambda command: f"-{code} of {SECRET}\r\n".encode() if command[0] == b"SET" else None
        await store.put("k", b"v")
        await store.put("k", b"v")
        assert not await store.get("k")
        assert (store.refused, store.dropped, store.up) == (2, 2, True)

    with_store(test)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert SECRET not in told[0]


@pytest.mark.parametrize(
    "answer",
    [b"-NOAUTH x\r\n", b"-LOADING x\r\n", b"?\r\n", b"\x00\xff" * 9 + b"\r\n", b"$x\r\n", b":a\r\n", b"*1\r\n*x\r\n"],
)
def test_what_is_no_answer_is_a_miss_and_ends_the_use_of_redis(answer: bytes) -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.misbehave = lambda command: answer
        assert await store.get("k") is None
        assert await store.get("k") is None
        assert (store.up, store.trips) == (False, 1)

    with_store(test)


@pytest.mark.parametrize("answer", [b":1\r\n", b"*0\r\n", b"$-1\r\n"])
def test_an_answer_of_another_kind_is_a_miss(answer: bytes) -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.misbehave = lambda command: answer
        assert await store.get("k") is None
        assert store.up

    with_store(test)


def test_a_client_that_goes_leaves_no_answer_for_the_next() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        await store.put("a", b"of a")
        await store.put("b", b"of b")
        for _ in range(20):
            asking = asyncio.get_running_loop().create_task(store.get("a"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            asking.cancel()
            assert await store.get("b") == b"of b"
        assert store.trips == 0

    with_store(test)


def test_writes_on_their_way_are_bounded() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.silent = True
        writes = [asyncio.ensure_future(store.put(f"k{number}", b"v")) for number in range(WRITES + 10)]
        await settled(lambda: store.dropped == 10)
        await asyncio.gather(*writes)
        assert store.dropped == WRITES + 10
        assert not store.up

    with_store(test)


def test_a_redis_that_is_down_at_the_start_is_used_when_it_comes() -> None:
    async def body() -> None:
        async with redis_stub() as stub:
            stub.silent = True
            store = Store(stub.url, ttl=60, most=1000, wait=LONG, retry=0.05)
            store.start()
            assert await store.get("k") is None
            stub.silent = False
            await settled(lambda: store.up)
            await store.close()

    asyncio.run(body())


def test_a_stop_does_not_wait_for_redis() -> None:
    async def test(stub: RedisStub, store: Store) -> None:
        stub.silent = True
        async with asyncio.timeout(5):
            asking = asyncio.ensure_future(store.get("k"))
            await asyncio.sleep(0.01)
            asking.cancel()
            await store.close()

    with_store(test)


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@127.0.0.1",
        f"unix://:{SECRET}@/run/redis.sock",
        f"redis://:{SECRET}/@host:port",
        f"redis://:{SECRET}@host:99999",
        f"redis://:{SECRET}@host/0?db=x",
        f"redis://:{SECRET}@host/0?surprise=1",
        f"redis://:{SECRET}@[::1",
        f"rediss://:{SECRET}@host?ssl_cert_reqs=maybe",
    ],
)
def test_an_url_that_cannot_be_used_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ValueError, match="must be redis://") as raised:
        Store(url, ttl=60, most=1000, wait=LONG, retry=LONG)
    error: BaseException | None = raised.value
    assert error is not None
    assert (error.__cause__, error.__context__) == (None, None)
    assert SECRET not in str(error)


def test_an_url_with_tls_is_read() -> None:
    store = Store(f"rediss://user:{SECRET}@host:6380/2?ssl_ca_certs=ca.pem", ttl=60, most=1000, wait=LONG, retry=LONG)
    options: dict[str, Any] = store._redis.connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"], options["username"]) == ("host", 6380, 2, "user")
    assert options["ssl_ca_certs"] == "ca.pem"


def test_no_log_tells_the_password(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        async with redis_stub() as stub:
            stub.misbehave = lambda command: f"-WRONGPASS {SECRET}\r\n".encode()
            url = stub.url.replace("://", f"://user:{SECRET}@")
            store = Store(url, ttl=60, most=1000, wait=LONG, retry=0.01)
            store.start()
            await settled(lambda: stub.asked["AUTH"] > 2)
            await store.close()

    caplog.set_level(logging.DEBUG)
    asyncio.run(body())
    assert "does not answer yet" in caplog.text
    assert SECRET not in caplog.text
