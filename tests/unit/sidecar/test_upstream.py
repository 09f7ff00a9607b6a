# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Ollama by itself: bytes in any cut, and what comes back to the pool."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from ollama_sidecar.http.exchange import UpstreamError
from ollama_sidecar.http.upstream import MANY, Connection, PooledAnswer, PooledUpstream

from tests.helpers.scripted_ollama import response, stream

PIECES = [b'{"a":1}\n', b"\r\n0\r\n\r\n", b"x" * 300]
WAYS = {
    "chunked": (stream(PIECES), b"".join(PIECES)),
    "of a known length": (response(b"".join(PIECES)), b"".join(PIECES)),
    "empty": (response(b""), b""),
    "after an early one": (b"HTTP/1.1 100 Continue\r\n\r\n" + stream(PIECES), b"".join(PIECES)),
}


class Transport:
    """What a connection does to its socket."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.aborted = True


async def asked(silence: float = 60.0) -> tuple[Connection, Transport]:
    """A connection that has sent a request."""
    connection, transport = Connection(), Transport()
    made: Any = transport
    connection.connection_made(made)
    await connection.request(b"POST / HTTP/1.1\r\n\r\n", b"", headless=False, silence=silence)
    return connection, transport


async def body_of(connection: Connection) -> bytes:
    found = b""
    while piece := await connection.piece():
        found += piece
    return found


def run(test: Callable[[], Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(10):
            return await test()

    return asyncio.run(bounded())


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_is_cut_anywhere_is_read_the_same(way: str) -> None:
    raw, body = WAYS[way]

    async def test() -> None:
        for place in range(len(raw) + 1):
            connection, dummy = await asked()
            connection.data_received(raw[:place])
            connection.data_received(raw[place:])
            await connection.head()
            assert (connection.status, await body_of(connection)) == (200, body)
            assert connection.reusable

    run(test)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_comes_byte_by_byte_is_pushed_the_same(way: str) -> None:
    raw, body = WAYS[way]

    async def test() -> None:
        connection, dummy = await asked()
        got = bytearray()

        def push(data: bytes) -> bool:
            got.extend(data)
            return True

        async def drained() -> None:
            raise AssertionError

        pumping = asyncio.create_task(connection.pump(push, drained))
        await asyncio.sleep(0)
        for place in range(len(raw)):
            connection.data_received(raw[place : place + 1])
        await pumping
        assert bytes(got) == body

    run(test)


def test_an_answer_that_ends_with_the_connection_is_whole_and_one_with_a_frame_is_not() -> None:
    async def test() -> None:
        connection, dummy = await asked()
        connection.data_received(response(b"to the end", length=False))
        connection.eof_received()
        connection.connection_lost(None)
        assert await body_of(connection) == b"to the end"
        for raw in (stream(PIECES), response(b"x" * 10)):
            connection, dummy = await asked()
            connection.data_received(raw[:-1])
            connection.eof_received()
            connection.connection_lost(None)
            with pytest.raises(UpstreamError) as told:
                await body_of(connection)
            assert told.value.sent

    run(test)


def test_a_connection_that_was_held_up_is_read_again_when_it_is_given_back() -> None:
    async def test() -> None:
        pool = PooledUpstream("127.0.0.1", 1)
        connection, transport = await asked()
        connection.data_received(response(b"x" * (MANY + 1)))
        assert transport.paused
        answer = PooledAnswer(pool, connection)
        answer.close()
        answer.close()  # a second time changes nothing
        assert pool._idle == [connection]
        assert not transport.paused
        assert not transport.aborted

    run(test)


def test_what_comes_while_nobody_asks_ends_the_connection_and_reaches_nobody() -> None:
    async def test() -> None:
        pool = PooledUpstream("127.0.0.1", 1)
        connection, transport = await asked()
        got: list[bytes] = []

        def push(data: bytes) -> bool:
            got.append(data)
            return True

        async def drained() -> None:
            raise AssertionError

        connection.data_received(response(b"1"))
        await connection.pump(push, drained)
        PooledAnswer(pool, connection).close()
        connection.data_received(response(b"2"))
        assert (got, transport.aborted, pool._take()) == ([b"1"], True, None)

    run(test)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("last", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
def test_a_kept_connection_whose_end_only_the_kernel_knows_is_not_asked(loop: Any, last: bytes) -> None:
    """After a restart of Ollama the next request must not be lost: it cannot be sent again."""

    def answer(server: socket.socket) -> socket.socket:
        line = server.accept()[0]
        line.recv(65536)
        line.sendall(response(b"{}"))
        return line

    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            pool = PooledUpstream("127.0.0.1", server.getsockname()[1])
            lines = []
            for ended in (False, True):
                asking = asyncio.create_task(pool.send("POST", "/", [], b"x"))
                lines.append(await asyncio.to_thread(answer, server))
                reply = await asking
                assert await reply.body(10) == b"{}"
                reply.close()
                # From here on the loop does not run.
                if ended:
                    lines[-1].sendall(last)
                    lines[-1].close()
                kept = pool._take()
                assert (kept is None) is ended
            lines[0].close()
            if kept is not None:
                kept.abort()
            await pool.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test())


@pytest.mark.parametrize("raw", [response(b"x" * 10)[:-5], stream(PIECES)[:-5], b"HTTP/1.1 200 OK\r\n"])
def test_an_answer_that_is_given_up_ends_its_connection(raw: bytes) -> None:
    async def test() -> None:
        pool = PooledUpstream("127.0.0.1", 1)
        connection, transport = await asked()
        connection.data_received(raw)
        PooledAnswer(pool, connection).close()
        assert transport.aborted
        assert pool._idle == []

    run(test)


def test_an_answer_that_ollama_ends_the_connection_after_is_not_kept() -> None:
    async def test() -> None:
        connection, dummy = await asked()
        connection.data_received(response(b"x", headers=["Connection: close"]))
        assert await body_of(connection) == b"x"
        assert not connection.reusable

    run(test)


def test_while_the_client_is_slow_ollama_is_not_silent() -> None:
    async def test() -> None:
        connection, transport = await asked(silence=0.05)
        connection.data_received(response(b"x" * (MANY + 1)) + b"")
        assert transport.paused
        await asyncio.sleep(0.2)
        assert len(await connection.piece()) == MANY + 1
        connection, transport = await asked(silence=0.05)
        connection.data_received(stream([b"x" * (MANY + 1)])[:-5])
        await asyncio.sleep(0.2)
        assert await connection.piece()
        with pytest.raises(UpstreamError) as told:  # now it is
            await connection.piece()
        assert told.value.timed_out

    run(test)


def test_while_the_client_sends_ollama_is_not_silent() -> None:
    async def test() -> None:
        connection, transport = Connection(), Transport()
        made: Any = transport
        connection.connection_made(made)
        pieces = iter([b"a", b"b", b"c", b""])

        async def slow() -> bytes:
            await asyncio.sleep(0.1)
            return next(pieces)

        await connection.request(b"POST / HTTP/1.1\r\n\r\n", slow, headless=False, silence=0.15)
        connection.data_received(response(b"1"))
        await connection.head()
        assert transport.written.endswith(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")
        assert connection.reusable

    run(test)


def test_an_answer_before_the_end_of_the_body_stops_the_body_and_ends_the_connection_after_it() -> None:
    async def test() -> None:
        connection, transport = Connection(), Transport()
        made: Any = transport
        connection.connection_made(made)
        sent = 0

        async def endless() -> bytes:
            nonlocal sent
            sent += 1
            if sent == 3:
                connection.data_received(response(b"no", "413 Too Large"))
            return b"x"

        await connection.request(b"POST / HTTP/1.1\r\n\r\n", endless, headless=False, silence=60)
        await connection.head()
        assert (connection.status, await body_of(connection), sent) == (413, b"no", 3)
        assert not connection.reusable

    run(test)


@pytest.mark.parametrize("text", ["a\r\nX: 1", "a\nX: 1", "a\rX: 1"])
def test_no_line_break_gets_into_a_head(text: str) -> None:
    async def test() -> None:
        pool = PooledUpstream("127.0.0.1", 1)
        with pytest.raises(UpstreamError, match="line break"):
            await pool.send("GET", "/", [("Accept", text)], b"")
        with pytest.raises(UpstreamError, match="line break"):
            await pool.send("GET", f"/{text}", [], b"")

    run(test)
