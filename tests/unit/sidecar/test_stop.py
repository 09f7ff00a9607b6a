# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the time of a drain is over, nobody is left without a word."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.helpers.scripted_ollama import Asked, chunk, chunked_head, scripted_ollama
from tests.helpers.sidecar_yard import Answer, request, run, sidecar_yard, until

PIECE = b'{"response":"a"}\n'
EVENT = b'data: {"id":1}\n\n'
STOPPED = "This server is stopping."


async def endless(asked: Asked) -> None:
    """A stream that does not end; an answer at once does not come."""
    if asked.json().get("stream") is not False:
        native = asked.target.startswith("/api/")
        asked.write(chunked_head("application/x-ndjson" if native else "text/event-stream"))
        while not asked.gone.is_set():
            asked.write(chunk(PIECE if native else EVENT))
            await asyncio.sleep(0)
    await asked.gone.wait()


def stopped(bodies: list[tuple[str, Any]], **given: Any) -> tuple[list[Answer], list[Any], float]:
    """The answers to requests that run, and then wait, when the time of a drain is over; and how long it took."""

    async def test() -> tuple[list[Answer], list[Any], float]:
        async with scripted_ollama(endless) as ollama, sidecar_yard(ollama, drain_seconds=0.1, **given) as yard:
            asking, admission = [], yard.sidecar.admission
            for number, (target, body) in enumerate(bodies, 1):
                asking.append(asyncio.create_task(yard.ask("POST", target, body)))
                await until(lambda most=number: admission.running + admission.waiting == most)
            await asyncio.sleep(0.05)
            begin = asyncio.get_running_loop().time()
            yard.sidecar.life.drain(leave=True)
            await yard.task
            took = asyncio.get_running_loop().time() - begin
            for asked in ollama.asked:
                await asked.gone.wait()
            return await asyncio.gather(*asking), yard.records, took

    return run(test())


@pytest.mark.parametrize(
    ("target", "piece", "last"),
    [
        ("/api/chat", PIECE, f'{{"error":"{STOPPED}"}}\n'),
        ("/v1/completions", EVENT, "data: "),
        ("/v1/messages", EVENT, "event: error\ndata: "),
    ],
)
def test_a_stream_ends_with_an_error_in_the_words_of_its_api(target: str, piece: bytes, last: str) -> None:
    (answer,), (record,), took = stopped([(target, {"model": "tiny", "stream": True})])
    assert (answer.status, answer.whole) == (200, False)
    assert answer.body.startswith(piece)
    # Nothing follows it, although Ollama goes on.
    end = answer.body[answer.body.rindex(piece) + len(piece) :].strip(b"\n").decode()
    assert end.startswith(last.strip())
    assert STOPPED in end
    assert (record.status, record.broken, record.disconnected) == (200, "draining", False)
    assert took < 1.0


def test_what_waits_and_what_has_not_begun_is_told_to_come_again() -> None:
    body = {"model": "tiny", "stream": False}
    answers, records, took = stopped([("/api/generate", body)] * 3)
    for answer in answers:
        assert (answer.status, answer.whole) == (503, True)
        assert answer.header("Retry-After")
        assert answer.json() == {"error": "this server is stopping"}
    assert [record.rejected for record in records] == ["draining"] * 3
    assert took < 1.0


def test_a_body_that_is_still_on_its_way_is_not_waited_for() -> None:
    async def test() -> Answer:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, drain_seconds=0.1) as yard:
            client = await yard.connect()
            raw = request("POST", "/api/chat", json.dumps({"model": "tiny"}).encode())
            await client.send(raw[:-1])
            await until(lambda: yard.sidecar.life.working)
            yard.sidecar.life.drain(leave=True)
            answer = await client.answer()
            await client.close()
            await yard.task
            return answer

    assert run(test()).status == 503
