# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that say nothing, are too many, or do not take their answer: they end, and the others do not suffer."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from ollama_sidecar import descriptors
from ollama_sidecar.http import connections
from ollama_sidecar.http.exchange import Exchange
from ollama_sidecar.http.server import serve

from tests.helpers.scripted_ollama import scripted_ollama
from tests.helpers.sidecar_yard import Yard, request, run, sidecar_yard, until

WHOLE = request("GET", "/livez")


async def on_a_sidecar(test: Callable[[Yard], Any], **given: Any) -> Any:
    async with scripted_ollama() as ollama, sidecar_yard(ollama, **given) as yard:
        return await test(yard)


@pytest.mark.parametrize("sent", [b"", WHOLE[:1], WHOLE[:-2]], ids=["nothing", "a byte", "all but the end"])
def test_a_client_that_does_not_say_what_it_wants_is_not_waited_for_without_an_end(sent: bytes) -> None:
    async def test(yard: Yard) -> float:
        begin = time.monotonic()
        client = await yard.connect()
        await client.send(sent)
        assert await client.ended()
        await client.close()
        return time.monotonic() - begin

    # uvloop counts whole milliseconds.
    assert 0.29 <= run(on_a_sidecar(test, client_seconds=0.3)) < 5


def test_a_head_that_comes_byte_by_byte_has_no_more_time() -> None:
    async def test(yard: Yard) -> bytes:
        client = await yard.connect()
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 5:
                await client.send(b"GET /livez HTTP/1.1\r\nX: " if not client.closed else b"x")
                client.closed = True
                await asyncio.sleep(0.05)
        except ConnectionError:
            return b""
        return await client.reader.read(1)

    assert run(on_a_sidecar(test, client_seconds=0.3)) == b""


def test_a_connection_that_has_asked_stays_for_the_next_request() -> None:
    async def test(yard: Yard) -> list[int]:
        client = await yard.connect()
        statuses = []
        for dummy in range(3):
            await client.send(WHOLE)
            statuses.append((await client.answer("GET")).status)
            await asyncio.sleep(0.4)
        await client.close()
        return statuses

    assert run(on_a_sidecar(test, client_seconds=0.2)) == [200] * 3


def test_a_client_that_is_told_all_and_does_not_take_it_is_cut() -> None:
    """The end of the connection waits for what is left to be taken, and aiohttp waits for that without an end."""
    made: list[Any] = []

    async def answer(exchange: Exchange) -> None:
        made.append(exchange)
        await exchange.start(200, [], close=True)
        # A little more than the kernel takes: the handler does not wait for so little.
        while not made[0]._request.transport.get_write_buffer_size():
            exchange.push(b"x" * 16384)
            await asyncio.sleep(0.001)
        await exchange.finish()

    async def test() -> None:
        listener = await serve(answer, "127.0.0.1", 0, patience=0.2)
        silent = socket.create_connection(("127.0.0.1", listener.port))
        silent.sendall(WHOLE)
        await until(lambda: made)
        transport = made[0]._request.transport
        await until(lambda: not listener._server.connections and transport.is_closing())
        silent.close()
        await listener.close()

    run(test())


def test_more_connections_than_there_may_be_are_closed_at_once_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(yard: Yard) -> None:
        kept = [await yard.connect() for dummy in range(3)]
        for client in kept:
            await client.send(WHOLE)
            assert (await client.answer("GET")).status == 200
        for dummy in range(5):
            client = await yard.connect()
            assert await client.ended()
            await client.close()
        # Who watches is not shut out.
        assert (await yard.ask("GET", "/livez", listener="metrics")).status == 200
        assert (await yard.ask("GET", "/livez", listener="admin")).status == 200
        await kept.pop().close()
        public: Any = yard.sidecar.listeners["public"]
        await until(lambda: len(public._server.connections) == 2)
        assert (await yard.ask("GET", "/livez")).status == 200
        for client in kept:
            await client.close()

    run(on_a_sidecar(test, max_connections=3))
    told = [record.getMessage() for record in caplog.records if record.name == connections.LOG.name]
    assert told == ["closed 1 new connections: there are 3 already"]


def test_silent_connections_do_not_keep_others_out_for_long() -> None:
    async def test(yard: Yard) -> None:
        silent = [await yard.connect() for dummy in range(20)]
        assert [await client.ended() for client in silent] == [True] * 20
        assert (await yard.ask("GET", "/livez")).status == 200
        for client in silent:
            await client.close()

    run(on_a_sidecar(test, client_seconds=0.3, max_connections=20))


LIMITS = [
    # soft, hard, wanted: allowed, soft afterwards
    ((1024, 1_048_576), 4096, 4096, 8480),
    ((65_536, 65_536), 4096, 4096, 65_536),
    ((1024, 1024), 4096, 368, 1024),
    ((1024, 4096), 4096, 1904, 4096),
    ((1024, resource.RLIM_INFINITY), 4096, 4096, 8480),
    ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 4096, 4096, resource.RLIM_INFINITY),
    ((64, 64), 4096, 1, 64),
]


@pytest.mark.parametrize(("limits", "wanted", "allowed", "after"), LIMITS)
def test_there_is_a_file_descriptor_for_each_connection_and_its_request(
    limits: tuple[int, int], wanted: int, allowed: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [limits]
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda kind: now[0])
    monkeypatch.setattr(descriptors.resource, "setrlimit", lambda kind, new: now.__setitem__(0, new))
    assert descriptors.most(wanted) == allowed
    assert now[0] == (after, limits[1])


def test_a_start_with_few_file_descriptors_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(yard: Yard) -> int:
        return (await yard.ask("GET", "/livez")).status

    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(descriptors, "most", lambda wanted: 7)
    assert run(on_a_sidecar(test)) == 200
    assert "there are file descriptors for 7 connections only, see max_connections" in caplog.messages
