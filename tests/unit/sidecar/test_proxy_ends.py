# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when a side goes, stays silent, is slow or sends too much."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from tests.helpers.scripted_ollama import Asked, ScriptedOllama, chunk, chunked_head, response, scripted_ollama
from tests.helpers.sidecar_yard import SECONDS, Answer, request, run, sidecar_yard, until

TINY = {"model": "tiny"}
PIECE = b'{"response":"a"}\n'


async def endless(asked: Asked) -> None:
    """An answer that begins and then goes on for ever, until its connection ends."""
    asked.write(chunked_head())
    asked.write(chunk(PIECE))
    await asked.gone.wait()


async def gone(asked: Asked) -> None:
    async with asyncio.timeout(SECONDS):
        await asked.gone.wait()


# The client goes.


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_a_client_that_goes_ends_ollamas_work_at_once(how: str) -> None:
    async def test() -> tuple[float, Any]:
        async with scripted_ollama(endless) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            await client.send(request("POST", "/api/chat", TINY))
            await client.reader.readuntil(PIECE)
            asked = await ollama.wait(1)
            loop = asyncio.get_running_loop()
            begin = loop.time()
            if how == "close":
                client.writer.close()
            elif how == "reset":
                client.reset()
            else:
                client.writer.write_eof()
            await gone(asked)
            took = loop.time() - begin
            record = await yard.record()
            assert yard.sidecar.admission.running == 0
            await client.close()
            return took, record

    took, record = run(test())
    assert took < 0.5  # the next look of anything that polls would be later
    assert (record.disconnected, record.status, record.broken) == (True, 200, "")


def test_a_client_that_goes_before_the_answer_begins_ends_ollamas_work() -> None:
    async def silent(asked: Asked) -> None:
        await asked.gone.wait()

    async def test() -> Any:
        async with scripted_ollama(silent) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            await client.send(request("POST", "/api/chat", TINY))
            asked = await ollama.wait(1)
            client.reset()
            await gone(asked)
            return await yard.record()

    record = run(test())
    assert (record.disconnected, record.status) == (True, 499)


def test_a_client_that_goes_while_it_waits_leaves_the_queue_and_never_reaches_ollama() -> None:
    async def test() -> None:
        async with scripted_ollama(endless) as ollama, sidecar_yard(ollama, num_parallel=1) as yard:
            first, second, third = [await yard.connect() for dummy in range(3)]
            await first.send(request("POST", "/api/chat", TINY))
            running = await ollama.wait(1)
            gate = yard.sidecar.admission
            await second.send(request("POST", "/api/chat", TINY))
            await third.send(request("POST", "/api/chat", {"model": "tiny", "third": True}))
            await until(lambda: gate.waiting == 2)
            second.reset()
            await until(lambda: gate.waiting == 1)
            record = await yard.record()
            assert (record.disconnected, record.status) == (True, 499)
            first.reset()
            await gone(running)
            assert (await ollama.wait(2)).json() == {"model": "tiny", "third": True}
            third.reset()
            await until(lambda: gate.running == 0)
            assert len(ollama.asked) == 2

    run(test())


def test_a_client_that_goes_while_it_sends_its_body_reaches_nobody() -> None:
    async def test() -> tuple[Any, int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            await client.send(request("POST", "/api/chat", b"x" * 10, {"Content-Length": "1000"}))
            await asyncio.sleep(0.01)
            client.reset()
            return await yard.record(), len(ollama.asked)

    record, reached = run(test())
    assert (record.status, record.disconnected, reached) == (499, True, 0)


# Ollama goes.


async def broken_off(asked: Asked) -> None:
    asked.write(chunked_head("text/event-stream" if asked.target.startswith("/v1") else "application/x-ndjson"))
    asked.write(chunk(PIECE if asked.target.startswith("/api") else b'data: {"x":1}\n\n'))
    await asyncio.sleep(0.01)
    asked.reset()


@pytest.mark.parametrize(
    ("target", "end"),
    [
        ("/api/chat", PIECE + b'{"error":"Ollama closed the connection."}\n'),
        ("/v1/chat/completions", b"data: "),
        ("/v1/messages", b"event: error\ndata: "),
    ],
)
def test_an_answer_that_breaks_off_is_told_in_the_stream_and_not_whole(target: str, end: bytes) -> None:
    async def test() -> tuple[Answer, Any]:
        async with scripted_ollama(broken_off) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", target, {"model": "tiny", "stream": True}), await yard.record()

    answer, record = run(test())
    assert (answer.status, answer.whole, record.broken) == (200, False, "upstream")
    assert end in answer.body
    last = [line for line in answer.body.splitlines() if line][-1].removeprefix(b"data: ")
    assert "error" in json.loads(last)
    if target == "/api/chat":
        # Each line is JSON, as the clients of Ollama expect.
        assert all(json.loads(line) for line in answer.body.removesuffix(b"\n").split(b"\n"))


def test_an_error_after_half_a_line_is_a_line_of_its_own() -> None:
    async def script(asked: Asked) -> None:
        asked.write(chunked_head())
        asked.write(chunk(PIECE + b'{"respo'))
        await asyncio.sleep(0.01)
        asked.reset()

    async def test() -> Answer:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/api/chat", TINY)

    assert run(test()).body == PIECE + b'{"respo\n{"error":"Ollama closed the connection."}\n'


def test_an_answer_of_known_length_that_breaks_off_is_cut_with_nothing_added() -> None:
    async def script(asked: Asked) -> None:
        asked.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        await asyncio.sleep(0.01)
        asked.close()

    async def test() -> Answer:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/api/chat", TINY)

    answer = run(test())
    assert (answer.body, answer.whole) == (b"x" * 50, False)


def test_a_client_of_http_1_0_sees_that_an_answer_is_not_whole() -> None:
    async def test() -> Answer:
        async with scripted_ollama(broken_off) as ollama, sidecar_yard(ollama) as yard:
            return await yard.raw(request("POST", "/api/chat", TINY, version="1.0"))

    assert not run(test()).whole


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_an_answer_that_never_begins_is_a_bad_gateway(raw: bytes) -> None:
    async def script(asked: Asked) -> None:
        asked.write(raw)
        await asyncio.sleep(0.01)
        asked.close()

    async def test() -> tuple[Answer, int]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            answer = await yard.ask("POST", "/api/chat", TINY)
            return answer, len(ollama.asked)

    answer, asked = run(test())
    assert (answer.status, list(answer.json())) == (502, ["error"])
    assert asked <= 2


def test_an_ollama_that_is_not_there_is_a_bad_gateway() -> None:
    async def test() -> Answer:
        async with scripted_ollama() as ollama:
            ollama.silent = True
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                upstream = f"http://127.0.0.1:{free.getsockname()[1]}"
                async with sidecar_yard(ollama, upstream=upstream) as yard:
                    return await yard.ask("POST", "/v1/messages", TINY)

    answer = run(test())
    assert (answer.status, answer.json()["type"]) == (502, "error")


def test_a_kept_connection_that_ollama_has_closed_is_not_told_to_the_client() -> None:
    async def script(asked: Asked) -> None:
        if asked.header("X") == "":
            asked.write(response(b'{"n":1}'))

    async def test() -> list[int]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, poll_seconds=60) as yard:
            statuses = []
            for dummy in range(3):
                statuses.append((await yard.ask("POST", "/api/chat", TINY)).status)
                for asked in ollama.asked:
                    asked.close()
            return statuses

    assert run(test()) == [200, 200, 200]


@pytest.mark.parametrize(
    ("method", "target", "body", "statuses", "times"),
    [("GET", "/api/version", None, [200, 200], 3), ("POST", "/api/chat", TINY, [200, 502], 2)],
)
def test_what_asks_no_model_is_tried_once_more_where_its_kept_connection_dies_and_a_prompt_is_not(
    method: str, target: str, body: Any, statuses: list[int], times: int
) -> None:
    async def script(asked: Asked) -> None:
        # Kept connections break when they are used again; new ones work.
        earlier = [other for other in ollama_box[0].asked[:-1] if other.transport is asked.transport]
        if earlier:
            asked.reset()
        else:
            asked.write(response(b'{"n":1}'))

    ollama_box: list[ScriptedOllama] = []

    async def test() -> tuple[list[int], int]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, poll_seconds=60) as yard:
            ollama_box.append(ollama)
            answers = [(await yard.ask(method, target, body)).status for dummy in range(2)]
            return answers, len(ollama.asked)

    assert run(test()) == (statuses, times)


def test_an_ollama_that_was_restarted_answers_the_first_request_although_all_kept_connections_are_dead() -> None:
    async def test() -> list[int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, poll_seconds=60, num_parallel=4) as yard:
            await asyncio.gather(*(yard.ask("POST", "/api/chat", TINY) for dummy in range(4)))
            kept = {asked.transport for asked in [*ollama.asked, *ollama.watched]}
            port = ollama.port
            assert ollama.server is not None
            ollama.server.close()
            for transport in kept:
                transport.close()
            async with scripted_ollama(port=port) as anew:
                # The loop has had no time to see the ends: only the kernel knows of them.
                statuses = [(await yard.ask("POST", "/api/chat", TINY)).status for dummy in range(4)]
                assert (len(anew.asked), len(ollama.asked)) == (4, 4)
            return statuses

    assert run(test()) == [200] * 4


def test_a_kept_connection_that_dies_at_work_was_maybe_ended_by_the_request_which_is_not_tried_again() -> None:
    async def script(asked: Asked) -> None:
        if asked.json().get("deadly"):
            await asyncio.sleep(0.2)
            asked.reset()
        else:
            asked.write(response())

    async def test() -> tuple[int, int]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, poll_seconds=60) as yard:
            await yard.ask("POST", "/api/chat", TINY)
            answer = await yard.ask("POST", "/api/chat", {"model": "tiny", "deadly": True})
            assert ollama.asked[0].transport is ollama.asked[1].transport
            return answer.status, len(ollama.asked)

    assert run(test()) == (502, 2)


def test_a_request_that_ends_ollama_does_not_hit_it_again() -> None:
    async def script(asked: Asked) -> None:
        if asked.json().get("deadly"):
            asked.reset()
        else:
            asked.write(response())

    async def test() -> tuple[int, int]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, num_parallel=8) as yard:
            await asyncio.gather(*(yard.ask("POST", "/api/chat", TINY) for dummy in range(8)))
            before = len(ollama.asked)
            answer = await yard.ask("POST", "/api/chat", {"model": "tiny", "deadly": True})
            return answer.status, len(ollama.asked) - before

    assert run(test()) == (502, 1)


def test_a_second_answer_that_nobody_asked_for_reaches_nobody() -> None:
    async def script(asked: Asked) -> None:
        asked.write(response(b'{"n":1}') + response(b'{"n":2}'))
        await asyncio.sleep(0.01)
        asked.write(response(b'{"n":3}'))

    async def test() -> list[Any]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            found = []
            for dummy in range(4):
                await client.send(request("POST", "/api/chat", TINY))
                found.append((await client.answer()).json())
                await asyncio.sleep(0.02)
            await client.close()
            return found

    assert run(test()) == [{"n": 1}] * 4


def test_an_ollama_that_says_nothing_is_given_up() -> None:
    async def silent(asked: Asked) -> None:
        await asked.gone.wait()

    async def test() -> tuple[Answer, ScriptedOllama]:
        async with scripted_ollama(silent) as ollama, sidecar_yard(ollama, silence_seconds=0.2) as yard:
            answer = await yard.ask("POST", "/api/chat", TINY)
            await gone(ollama.asked[0])
            return answer, ollama

    answer, ollama = run(test())
    assert (answer.status, len(ollama.asked)) == (504, 1)
    assert "0.2 seconds" in answer.json()["error"]


def test_an_ollama_that_falls_silent_in_its_answer_is_given_up() -> None:
    async def test() -> tuple[Answer, Any]:
        async with scripted_ollama(endless) as ollama, sidecar_yard(ollama, silence_seconds=0.2) as yard:
            return await yard.ask("POST", "/api/chat", TINY), await yard.record()

    answer, record = run(test())
    assert (answer.whole, record.broken) == (False, "timeout")
    assert b'{"error":' in answer.body


def test_a_long_answer_with_pauses_is_not_silence() -> None:
    async def script(asked: Asked) -> None:
        asked.write(chunked_head())
        for dummy in range(6):
            await asyncio.sleep(0.1)
            asked.write(chunk(PIECE))
        asked.write(b"0\r\n\r\n")

    async def test() -> Answer:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, silence_seconds=0.4) as yard:
            return await yard.ask("POST", "/api/chat", TINY)

    assert run(test()).body == PIECE * 6


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
@pytest.mark.parametrize("told", ["", "7"])
def test_an_ollama_that_has_too_much_to_do_tells_when_to_come_again(status: str, told: str) -> None:
    headers = ["Content-Type: application/json", *([f"Retry-After: {told}"] if told else [])]
    raw = response(b'{"error":"server busy"}', status, headers)

    async def test() -> Answer:
        async with scripted_ollama(raw) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/api/chat", TINY)

    answer = run(test())
    assert (answer.status, answer.body) == (int(status[:3]), b'{"error":"server busy"}')
    given = answer.header("Retry-After")
    assert given == told if told else 1 <= int(given) <= 60


def test_an_error_of_another_kind_is_left_as_it_is() -> None:
    async def test() -> Answer:
        raw = response(b'{"error":"broken"}', "500 Internal Server Error")
        async with scripted_ollama(raw) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/api/chat", TINY)

    assert run(test()).header("Retry-After") == ""
