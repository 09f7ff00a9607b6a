# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all requests together may take of the memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.helpers.scripted_ollama import Asked, chunk, chunked_head, response, scripted_ollama
from tests.helpers.sidecar_yard import Answer, Client, Yard, request, run, sidecar_yard, until

MOST = 300_000
LIMITS = {"body_bytes": 200_000, "bodies_bytes": MOST}


def body(size: int, **more: Any) -> bytes:
    data = {"model": "tiny", "prompt": "", **more}
    return json.dumps({**data, "prompt": "x" * (size - len(json.dumps(data)))}).encode()


async def half(yard: Yard, raw: bytes) -> Client:
    """A client that sends all but the last byte."""
    client = await yard.connect()
    await client.send(raw[:-1])
    return client


def held(yard: Yard) -> int:
    return yard.sidecar._parts.bodies.held


def full(answer: Answer, yard: Yard) -> None:
    assert (answer.status, answer.header("Retry-After"), answer.header("Connection")) == (503, "1", "close")
    assert yard.records[-1].rejected == "bodies"
    assert "memory" in answer.json()["error"]


def test_a_request_that_does_not_fit_is_refused_before_it_is_read() -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, **LIMITS) as yard:
            first = await half(yard, request("POST", "/api/chat", body(200_000)))
            await until(lambda: held(yard) == 199_999)
            head = {"Content-Length": "150000", "Expect": "100-continue"}
            answer = await yard.ask("POST", "/api/chat", b"", head)
            assert answer.informed == []
            full(answer, yard)
            # One that fits is taken, and the first too.
            assert (await yard.ask("POST", "/api/chat", body(90_000))).status == 200
            await first.send(b"}")
            assert (await first.answer()).status == 200
            await until(lambda: held(yard) == 0)
            await first.close()

    run(test())


def test_who_says_much_and_sends_little_takes_nothing_from_others() -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, **LIMITS) as yard:
            raw = request("POST", "/api/chat", body(200_000))
            clients = [await half(yard, raw[:1000]) for dummy in range(5)]
            await until(lambda: yard.sidecar.life.working == 5)
            assert (await yard.ask("POST", "/api/chat", body(200_000))).status == 200
            for client in clients:
                await client.close()
            await until(lambda: (held(yard), yard.sidecar.life.working) == (0, 0))

    run(test())


def test_a_chunked_body_counts_as_it_comes() -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, **LIMITS) as yard:
            first = await half(yard, request("POST", "/api/chat", body(200_000)))
            await until(lambda: held(yard) == 199_999)
            second = await yard.connect()
            head = request("POST", "/api/chat", None, {"Transfer-Encoding": "chunked"})
            await second.send(head + chunk(b"x" * 60_000))
            await until(lambda: held(yard) == 259_999)
            await second.send(chunk(b"x" * 60_000))
            answer = await second.answer()
            full(answer, yard)
            await first.close()
            await second.close()
            await until(lambda: held(yard) == 0)

    run(test())


def test_those_who_wait_count_and_those_that_ollama_has_do_not() -> None:
    go = asyncio.Event()

    async def slow(asked: Asked) -> None:
        asked.write(chunked_head() + chunk(b"{}\n"))
        await go.wait()
        asked.write(b"0\r\n\r\n")

    async def test() -> None:
        async with scripted_ollama(slow) as ollama, sidecar_yard(ollama, **LIMITS) as yard:
            asking = [asyncio.create_task(yard.ask("POST", "/api/chat", body(150_000)))]
            await ollama.wait(1)
            await until(lambda: held(yard) == 0)
            for number in (1, 2):
                asking.append(asyncio.create_task(yard.ask("POST", "/api/chat", body(150_000))))
                await until(lambda most=number: yard.sidecar.admission.waiting == most)
            assert held(yard) == 300_000
            full(await yard.ask("POST", "/api/chat", body(100)), yard)
            go.set()
            assert [answer.status for answer in await asyncio.gather(*asking)] == [200] * 3
            assert held(yard) == 0

    run(test())


def test_a_request_as_large_as_one_may_be_always_fits() -> None:
    async def test() -> int:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, body_bytes=200_000, bodies_bytes=1024) as yard:
            return (await yard.ask("POST", "/api/chat", body(200_000))).status

    assert run(test()) == 200


def test_what_is_refused_or_fails_gives_back_what_it_had() -> None:
    async def test() -> None:
        raw = response(b"{}", "500 Internal Server Error")
        async with scripted_ollama(raw) as ollama, sidecar_yard(ollama, **LIMITS, models=["tiny"]) as yard:
            for sent in (b"no json" * 20_000, body(100_000, model="other"), body(100_000)):
                await yard.ask("POST", "/api/chat", sent)
            await until(lambda: len(yard.records) == 3)
            assert [record.status for record in yard.records] == [400, 404, 500]
            assert held(yard) == 0

    run(test())
