# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that send too much, or send and read slowly, cost neither memory nor places."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from tests.helpers.scripted_ollama import Asked, chunk, chunked_head, response, scripted_ollama, stream
from tests.helpers.sidecar_yard import SECONDS, Answer, Client, Yard, request, run, sidecar_yard, until

TINY = {"model": "tiny"}
PIECE = b'{"response":"a"}\n'


async def gone(asked: Asked) -> None:
    async with asyncio.timeout(SECONDS):
        await asked.gone.wait()


# Bodies.


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_and_not_read_to_its_end(chunked: bool) -> None:
    async def test() -> tuple[Answer, int, int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, body_bytes=1024) as yard:
            client = await yard.connect()
            if chunked:
                await client.send(
                    request("POST", "/api/chat", b"", {"Transfer-Encoding": "chunked"}).replace(
                        b"Content-Length: 0\r\n", b""
                    )
                )
                await client.send(chunk(b"x" * 2000))
            else:
                await client.send(request("POST", "/api/chat", b"x" * 100, {"Content-Length": "100000000"}))
            answer = await client.answer()
            record = await yard.record()
            await client.close()
            return answer, len(ollama.asked), record.bytes_in

    answer, reached, taken = run(test())
    assert (answer.status, reached, taken) == (413, 0, 0)
    assert "1024 bytes" in answer.json()["error"]
    assert answer.header("Connection") == "close"


def test_a_body_at_the_limit_passes() -> None:
    async def test() -> int:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, body_bytes=1024) as yard:
            body = json.dumps({"model": "tiny", "prompt": ""}).encode()
            body = body.replace(b'""', b'"' + b"x" * (1024 - len(body)) + b'"')
            assert len(body) == 1024
            return (await yard.ask("POST", "/api/chat", body)).status

    assert run(test()) == 200


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    async def test() -> Answer:
        async with scripted_ollama(stream([PIECE])) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            body = json.dumps(TINY).encode()
            head = request("POST", "/api/chat", b"", {"Expect": "100-continue", "Content-Length": str(len(body))})
            await client.send(head)
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(body)
            answer = await client.answer()
            await client.close()
            return answer

    answer = run(test())
    assert (answer.status, answer.body) == (200, PIECE)


def test_a_client_that_asks_first_is_not_told_to_send_what_is_refused() -> None:
    async def test() -> Answer:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, body_bytes=1024) as yard:
            return await yard.raw(
                request("POST", "/api/chat", b"", {"Expect": "100-continue", "Content-Length": "5000"})
            )

    answer = run(test())
    assert (answer.status, answer.informed) == (413, [])


def test_a_body_that_does_not_come_is_not_waited_for_without_an_end() -> None:
    async def test() -> tuple[Answer, int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, client_seconds=0.1) as yard:
            raw = request("POST", "/api/chat", b"{", {"Content-Length": "50"})
            return await yard.raw(raw), len(ollama.asked)

    answer, reached = run(test())
    assert (answer.status, reached) == (408, 0)


def test_a_compressed_body_is_refused_in_plain_words() -> None:
    async def test() -> Answer:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/v1/responses", b"\x28\xb5\x2f\xfd", {"Content-Encoding": "zstd"})

    answer = run(test())
    assert (answer.status, answer.json()["error"]["message"]) == (415, "the body must not be compressed")


def test_a_get_with_a_body_gets_its_answer_and_the_body_reaches_nobody() -> None:
    async def test() -> tuple[list[int], list[bytes]]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            statuses = []
            for dummy in range(2):
                await client.send(request("GET", "/api/tags", b'{"model":"x"}'))
                statuses.append((await client.answer("GET")).status)
            await client.close()
            return statuses, [asked.body for asked in ollama.asked]

    assert run(test()) == ([200, 200], [b"", b""])


# Slow clients.


async def flood(asked: Asked) -> None:
    """200 MB, as fast as they are taken. sent: how many bytes were."""
    asked.write(chunked_head())
    piece = chunk(b"x" * 65536)
    for dummy in range(3200):
        await asked.send(piece)
        asked.sent += b"."
        if asked.gone.is_set():
            return
    asked.write(b"0\r\n\r\n")


async def slow_client(yard: Yard, **more: Any) -> Client:
    """A client with a small window that has sent a request and reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", yard.port()))
    client = Client(*await asyncio.open_connection(sock=sock, limit=1024))
    await client.send(request("POST", "/api/chat", {**TINY, **more}))
    return client


def queued(yard: Yard) -> int:
    """Bytes that wait in the sidecar for clients."""
    listener: Any = yard.sidecar.listeners["public"]
    return sum(found.transport.get_write_buffer_size() for found in listener._server.connections if found.transport)


def test_a_client_that_does_not_read_holds_up_ollama_and_no_memory() -> None:
    async def test() -> tuple[int, int]:
        async with scripted_ollama(flood) as ollama, sidecar_yard(ollama) as yard:
            client = await slow_client(yard)
            asked = await ollama.wait(1)
            most, before = 0, -1
            while len(asked.sent) != before:
                before = len(asked.sent)
                for dummy in range(50):
                    await asyncio.sleep(0.002)
                    most = max(most, queued(yard))
            taken = before * 65536
            client.reset()
            await gone(asked)
            return most, taken

    most, taken = run(test())
    assert most < 1_000_000
    assert taken < 20_000_000  # what the kernel's buffers hold, of 200 MB


def test_a_client_that_reads_slowly_gets_everything() -> None:
    body = bytes(range(256)) * 80_000  # 20 MB, more than the kernel holds
    raw = stream([body[at : at + 40_000] for at in range(0, len(body), 40_000)])

    async def test() -> tuple[Answer, int]:
        async with scripted_ollama(raw) as ollama, sidecar_yard(ollama, silence_seconds=0.3) as yard:
            client = await slow_client(yard)
            await asyncio.sleep(0.7)  # longer than Ollama may be silent: it is not Ollama that is
            most = queued(yard)
            return await client.answer(), most

    answer, most = run(test())
    assert (answer.whole, answer.body == body) == (True, True)
    assert most < 1_000_000


def test_a_client_that_reads_steadily_is_not_cut_however_slow() -> None:
    size = 6_000_000

    async def test() -> int:
        async with scripted_ollama(stream([b"x" * size])) as ollama, sidecar_yard(ollama, client_seconds=0.3) as yard:
            client = await slow_client(yard)
            got = b""
            while not got.endswith(b"\r\n0\r\n\r\n"):
                await asyncio.sleep(0.005)
                piece = await client.reader.read(16_384)
                assert piece, len(got)
                got += piece
            await client.close()
            return got.partition(b"\r\n\r\n")[2].count(b"x")

    assert run(test()) == size


def test_a_client_that_never_reads_is_cut_and_gives_its_place_back() -> None:
    async def test() -> Any:
        async with scripted_ollama(flood) as ollama, sidecar_yard(ollama, client_seconds=0.2) as yard:
            client = await slow_client(yard)
            asked = await ollama.wait(1)
            await gone(asked)
            await until(lambda: yard.sidecar.admission.running == 0)
            record = await yard.record()
            client.reset()
            return record

    assert run(test()).disconnected


@pytest.mark.parametrize("size", [100_000, 200_000, 300_000, 700_000, 5_000_000])
def test_a_client_that_goes_while_ollama_is_held_up_leaves_no_connection_that_hangs(size: int) -> None:
    async def script(asked: Asked) -> None:
        asked.write(response(b"x" * size) if asked.json().get("large") else response(b'{"n":1}'))

    async def test() -> Any:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, silence_seconds=1, poll_seconds=60) as yard:
            client = await slow_client(yard, large=True)
            await ollama.wait(1)
            await asyncio.sleep(0.1)
            client.reset()
            await until(lambda: yard.sidecar.admission.running == 0)
            return (await yard.ask("POST", "/api/chat", TINY)).json()

    assert run(test()) == {"n": 1}


async def left_behind(yard: Yard) -> tuple[Client, int]:
    """A client that has not taken all of an answer which is over for Ollama, and the size of that answer."""
    low, high = 500_000, 12_000_000  # what the kernel holds is between them
    while low < high:
        size = (low + high) // 2

        async def sized(asked: Asked, size: int = size) -> None:
            asked.write(response(b"x" * size))

        yard.ollama.script = sized
        before = len(yard.records)
        client = await slow_client(yard)
        await yard.ollama.wait(len(yard.ollama.asked) + 1)
        await asyncio.sleep(0.2)
        over = len(yard.records) > before
        if over and queued(yard):
            return client, size
        client.reset()
        await until(lambda: yard.sidecar.life.working == 0)
        low, high = (size + 1, high) if over else (low, size)
    raise AssertionError("no size leaves bytes behind")


def test_what_a_client_has_not_taken_yet_holds_up_the_end_and_is_not_lost() -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            client, size = await left_behind(yard)
            assert yard.sidecar.life.working == 0
            yard.sidecar.life.drain(leave=True)
            await asyncio.sleep(0.3)
            assert not yard.task.done()
            answer = await client.answer()
            assert (len(answer.body), answer.whole) == (size, True)
            async with asyncio.timeout(2):
                await yard.task

    run(test())


def test_a_client_that_never_takes_it_does_not_hold_up_the_end_for_ever() -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, client_seconds=0.5, drain_seconds=60) as yard:
            client, dummy = await left_behind(yard)
            yard.sidecar.life.drain(leave=True)
            async with asyncio.timeout(3):
                await yard.task
            client.reset()

    run(test())
