# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the server writes: each write wakes the client, so a head goes with the piece that is there already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from ollama_sidecar.http.exchange import Exchange
from ollama_sidecar.http.server import AiohttpExchange, serve

from tests.helpers.scripted_ollama import Asked, chunk, chunked_head, scripted_ollama
from tests.helpers.sidecar_yard import Client, request, run, sidecar_yard, until

Answering = Callable[[Exchange], Awaitable[None]]


class Spy:
    """A transport that counts. writes: what each write had."""

    def __init__(self, transport: Any, writes: list[bytes]) -> None:
        self._transport, self._writes = transport, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._writes.append(bytes(data))
        self._transport.write(data)


async def written(answering: Answering, method: str = "POST") -> tuple[list[bytes], bytes]:
    """The writes of an answer, and its body as the client has it."""
    writes: list[bytes] = []

    async def handler(exchange: Any) -> None:
        protocol = exchange._request.protocol
        protocol.transport = Spy(protocol.transport, writes)
        await answering(exchange)

    listener = await serve(handler, "127.0.0.1", 0)
    try:
        client = Client(*await asyncio.open_connection("127.0.0.1", listener.port))
        await client.send(request(method, "/", b"" if method == "POST" else None))
        answer = await client.answer(method)
        assert answer.whole
        await client.close()
        return writes, answer.body
    finally:
        await listener.close()


def test_a_short_answer_is_one_write() -> None:
    async def answering(exchange: Exchange) -> None:
        await exchange.start(200, [("Content-Length", "2")], hold=True)
        assert exchange.push(b"ok")
        await exchange.finish()

    writes, body = run(written(answering))
    assert (len(writes), body) == (1, b"ok")


def test_the_first_piece_of_a_stream_goes_with_the_head_and_the_others_by_themselves() -> None:
    async def answering(exchange: Exchange) -> None:
        await exchange.start(200, [], hold=True)
        assert exchange.push(b"one")
        assert exchange.push(b"two")
        await exchange.finish()

    writes, body = run(written(answering))
    assert body == b"onetwo"
    assert writes[0].endswith(b"\r\n\r\n3\r\none\r\n")
    assert writes[1:] == [b"3\r\ntwo\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_a_held_head_is_sent_at_the_end_where_nothing_came(method: str) -> None:
    async def answering(exchange: Exchange) -> None:
        await exchange.start(200, [], hold=True)
        await exchange.finish()

    writes, body = run(written(answering, method))
    assert (len(writes), body) == (1, b"")


def test_an_empty_piece_sends_the_head_and_ends_nothing() -> None:
    seen: list[int] = []

    async def answering(exchange: Exchange) -> None:
        await exchange.start(200, [], hold=True)
        for dummy in range(2):
            exchange.push(b"")
            seen.append(len(writes_of(exchange)))
        exchange.push(b"one")
        await exchange.finish()

    def writes_of(exchange: Any) -> list[bytes]:
        writes: list[bytes] = exchange._request.protocol.transport._writes
        return writes

    writes, body = run(written(answering))
    assert body == b"one"
    assert seen == [1, 1]
    assert writes[0].endswith(b"\r\n\r\n")


def test_a_head_that_is_not_held_is_sent_at_once() -> None:
    seen: list[bytes] = []

    async def answering(exchange: Any) -> None:
        await exchange.start(200, [("Content-Length", "2")])
        seen.extend(exchange._request.protocol.transport._writes)
        exchange.push(b"ok")
        await exchange.finish()

    run(written(answering))
    assert len(seen) == 1


@pytest.mark.parametrize("together", [True, False])
def test_the_proxy_holds_the_head_where_ollama_has_sent_more_with_it(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    start = AiohttpExchange.start

    async def spied(exchange: AiohttpExchange, *given: Any, hold: bool = False, **more: Any) -> None:
        held.append(hold)
        await start(exchange, *given, hold=hold, **more)

    async def answer(asked: Asked) -> None:
        asked.write(chunked_head() + (chunk(b"{}\n") if together else b""))
        await until(lambda: held)
        asked.write(chunk(b"{}\n") + b"0\r\n\r\n")

    async def test() -> bytes:
        async with scripted_ollama(answer) as ollama, sidecar_yard(ollama) as yard:
            monkeypatch.setattr(AiohttpExchange, "start", spied)
            return (await yard.ask("POST", "/api/generate", {"model": "tiny"})).body

    assert run(test()) == b"{}\n" * (1 + together)
    assert held == [together]


def test_the_head_of_a_stream_is_there_while_its_first_event_is_held_back() -> None:
    """The meter keeps half an event, since it may be the one with the usage."""
    go = asyncio.Event()

    async def half(asked: Asked) -> None:
        asked.write(chunked_head("text/event-stream") + chunk(b'data: {"choices":'))
        await go.wait()
        asked.write(chunk(b"[]}\n\ndata: [DONE]\n\n") + b"0\r\n\r\n")

    async def test() -> bytes:
        async with scripted_ollama(half) as ollama, sidecar_yard(ollama) as yard:
            await until(lambda: yard.sidecar.monitor.up)
            client = await yard.connect()
            await client.send(request("POST", "/v1/chat/completions", {"model": "tiny", "stream": True}))
            async with asyncio.timeout(10):
                head = await client.reader.readuntil(b"\r\n\r\n")
            go.set()
            answer = await client.answer(data=head)
            await client.close()
            return answer.body

    assert run(test()).endswith(b"data: [DONE]\n\n")
