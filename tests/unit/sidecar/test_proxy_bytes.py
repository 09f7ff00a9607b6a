# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ollama answers reaches the client byte for byte and when it comes; what Ollama may not know stays here."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.scripted_ollama import (
    LAST,
    Asked,
    ScriptedOllama,
    chunk,
    chunked_head,
    response,
    scripted_ollama,
    stream,
)
from tests.helpers.sidecar_yard import Answer, Yard, request, run, sidecar_yard

TINY = {"model": "tiny"}
NDJSON = [b'{"response":"a"}\n', b'{"response":"b"}\n', b'{"done":true,"eval_count":2}\n']
SSE = [b'data: {"x":1}\n\n', b"data: [DONE]\n\n"]


def answer_to(raw: bytes, method: str = "POST", target: str = "/api/chat", body: Any = TINY, **given: Any) -> Answer:
    """What a client gets where Ollama answers `raw`. close: Ollama ends the connection after it."""
    close = given.pop("close", False)

    async def script(asked: Asked) -> None:
        asked.write(raw)
        if close:
            asked.close()

    async def test() -> Answer:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama, **given) as yard:
            return await yard.ask(method, target, body)

    return run(test())


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (stream(NDJSON), b"".join(NDJSON)),
        (stream(SSE, "text/event-stream"), b"".join(SSE)),
        (response(b'{"a":1}'), b'{"a":1}'),
        (response(b""), b""),
        (stream([]), b""),
        (response(b"\x00\xff\r\n0\r\n\r\n"), b"\x00\xff\r\n0\r\n\r\n"),
        (response(b"x" * 300_000), b"x" * 300_000),
    ],
)
def test_a_body_passes_as_it_is(raw: bytes, body: bytes) -> None:
    answer = answer_to(raw)
    assert (answer.status, answer.body, answer.whole) == (200, body, True)


def test_an_answer_that_ends_with_the_connection_passes() -> None:
    answer = answer_to(response(b"until the end", length=False), close=True)
    assert (answer.status, answer.body, answer.whole) == (200, b"until the end", True)


@pytest.mark.parametrize("target", ["/api/tags", "/"])
def test_a_head_has_the_length_and_no_body(target: str) -> None:
    answer = answer_to(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n", "HEAD", target, None)
    assert (answer.status, answer.header("Content-Length"), answer.body) == (200, "17", b"")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_that_can_have_no_body_ends_with_its_head(status: str) -> None:
    answer = answer_to(f"HTTP/1.1 {status}\r\n\r\n".encode())
    assert (answer.status, answer.body, answer.whole) == (int(status[:3]), b"", True)


def test_what_ollama_says_before_its_answer_is_not_the_answer() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    answer = answer_to(early + response(b'{"a":1}'))
    assert (answer.status, answer.body, answer.header("Link"), answer.informed) == (200, b'{"a":1}', "", [])


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Internal Server Error", "503 Busy"])
@pytest.mark.parametrize("target", ["/api/chat", "/v1/chat/completions"])
def test_ollamas_own_errors_pass_as_they_are(status: str, target: str) -> None:
    body = b'{"error":"in its own words"}'
    answer = answer_to(response(body, status, ["Content-Type: application/json", "X-Own: 1"]), target=target)
    assert (answer.status, answer.body, answer.header("X-Own")) == (int(status[:3]), body, "1")


def test_headers_of_one_connection_stay_on_it() -> None:
    headers = ["Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Authenticate: x", "Te: x"]
    answer = answer_to(response(b"{}", headers=[*headers, "X-Request-Id: ollama", "Server: go", "X-End: 1"]))
    assert answer.header("X-End") == "1"
    for name in ("X-Hop", "Keep-Alive", "Proxy-Authenticate", "Te"):
        assert answer.header(name) == ""
    assert answer.header("Server") == "polycloud-ollama"
    assert len(answer.header("X-Request-Id")) == 32


@settings(max_examples=25)
@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6), st.data())
def test_no_way_of_cutting_an_answer_into_packets_changes_it(pieces: list[bytes], data: st.DataObject) -> None:
    raw = stream(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))

    async def script(asked: Asked) -> None:
        for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
            asked.write(raw[begin:end])
            await asyncio.sleep(0)

    async def test() -> Answer:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/api/chat", TINY)

    answer = run(test())
    assert (answer.body, answer.whole) == (b"".join(pieces), True)


def test_an_answer_cut_at_each_byte_is_the_same() -> None:
    raw = stream(NDJSON)

    async def script(asked: Asked) -> None:
        for place in range(len(raw)):
            asked.write(raw[place : place + 1])
            await asyncio.sleep(0.0005)

    async def test() -> Answer:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("POST", "/api/generate", TINY)

    answer = run(test())
    assert (answer.body, answer.whole) == (b"".join(NDJSON), True)


def test_each_piece_is_handed_on_when_it_comes() -> None:
    async def test() -> None:
        more = [asyncio.Event() for dummy in NDJSON]

        async def script(asked: Asked) -> None:
            asked.write(chunked_head())
            for piece, event in zip(NDJSON, more, strict=True):
                asked.write(chunk(piece))
                await event.wait()
            asked.write(LAST)

        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            await client.send(request("POST", "/api/generate", TINY))
            head = await client.reader.readuntil(b"\r\n\r\n")
            assert b"Transfer-Encoding: chunked" in head
            for piece, event in zip(NDJSON, more, strict=True):
                # Ollama says nothing more before this piece has come.
                assert await client.reader.readexactly(len(chunk(piece))) == chunk(piece)
                event.set()
            assert await client.reader.readexactly(len(LAST)) == LAST
            await client.close()

    run(test())


def asked_with(headers: dict[str, str], body: Any = TINY, **given: Any) -> Asked:
    """What Ollama is asked."""

    async def test() -> Asked:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, **given) as yard:
            await yard.ask("POST", "/api/chat", body, headers)
            return ollama.asked[0]

    return run(test())


def test_ollama_is_told_only_what_it_needs() -> None:
    asked = asked_with(
        {
            "Origin": "https://page.example.org",
            "Authorization": "Bearer secret",
            "X-Api-Key": "secret",
            "Cookie": "session=secret",
            "Proxy-Authorization": "Basic secret",
            "Connection": "close, X-Hop",
            "X-Hop": "1",
            "TE": "trailers",
            "Upgrade": "h2c",
            "X-Forwarded-For": "192.0.2.1",
            "Forwarded": "for=192.0.2.1",
            "Referer": "https://page.example.org",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "Accept": "*/*",
            "User-Agent": "client/1",
        }
    )
    assert asked.names == {"host", "content-type", "accept", "user-agent", "content-length"}
    assert (asked.header("Host"), asked.header("User-Agent")) == ("localhost", "client/1")
    assert b"secret" not in asked.raw


def test_a_request_that_was_not_changed_is_asked_byte_for_byte() -> None:
    raw = b'{ "model":"tiny",  "prompt": "\\u00e4 \xc3\xa4", "x":1.0e2 }'
    assert asked_with({}, raw).body == raw


def test_ids_that_are_plain_are_kept_and_others_are_made_anew() -> None:
    async def test() -> list[str]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            found = []
            for given in ("abc-1", "a b", "x" * 65, "<script>"):
                answer = await yard.ask("POST", "/api/chat", TINY, {"X-Request-Id": given})
                found.append(answer.header("X-Request-Id"))
            return found

    first, *others = run(test())
    assert first == "abc-1"
    assert all(len(made) == 32 for made in others)


@pytest.mark.parametrize("framed", [False, True])
def test_usage_that_only_we_asked_for_is_taken_out(framed: bool) -> None:
    delta = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\n'
    done = b"data: [DONE]\n\n"
    whole = b"".join([delta, usage, done])
    sent = response(whole, headers=["Content-Type: text/event-stream"])
    raw = sent if framed else stream([delta, usage, done], "text/event-stream")

    async def test() -> tuple[Answer, ScriptedOllama, Yard]:
        async with scripted_ollama(raw) as ollama, sidecar_yard(ollama) as yard:
            answer = await yard.ask("POST", "/v1/chat/completions", {"model": "tiny", "stream": True})
            await yard.record()
            return answer, ollama, yard

    answer, ollama, yard = run(test())
    assert (answer.body, answer.whole) == (delta + done, True)
    assert json.loads(ollama.asked[0].body)["stream_options"] == {"include_usage": True}
    assert (yard.records[0].prompt_tokens, yard.records[0].output_tokens) == (5, 7)


def test_one_connection_serves_many_requests_on_both_sides() -> None:
    async def test() -> tuple[int, list[bytes]]:
        async with scripted_ollama(stream(NDJSON)) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            bodies = []
            for dummy in range(20):
                await client.send(request("POST", "/api/chat", TINY))
                bodies.append((await client.answer()).body)
            await client.close()
            return ollama.connections, bodies

    connections, bodies = run(test())
    assert bodies == [b"".join(NDJSON)] * 20
    assert connections <= 2  # one more for the monitor


def test_requests_that_come_at_once_on_one_connection_are_answered_in_order() -> None:
    async def script(asked: Asked) -> None:
        asked.write(response(asked.body))

    async def test() -> list[Any]:
        async with scripted_ollama(script) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            await client.send(b"".join(request("POST", "/api/chat", {"model": f"m{n}"}) for n in range(3)))
            raw = b""
            while raw.count(b'"model"') < 3:
                raw += await client.reader.read(65536)
            await client.close()
            return [asked.json()["model"] for asked in ollama.asked]

    assert run(test()) == ["m0", "m1", "m2"]


@pytest.mark.parametrize("raw", [stream(NDJSON), response(b"".join(NDJSON))])
def test_a_client_of_http_1_0_gets_the_same_body(raw: bytes) -> None:
    async def test() -> tuple[Answer, bool]:
        async with scripted_ollama(raw) as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            await client.send(request("POST", "/api/chat", TINY, version="1.0"))
            answer = await client.answer()
            ended = client.closed or await client.ended()
            await client.close()
            return answer, ended

    answer, ended = run(test())
    assert (answer.body, answer.whole, answer.header("Transfer-Encoding"), ended) == (b"".join(NDJSON), True, "", True)


def test_admin_bodies_go_on_piece_by_piece() -> None:
    async def test() -> tuple[int, bytes]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, body_bytes=1024) as yard:
            blob = b"b" * 3_000_000  # more than the limit of the public side
            answer = await yard.ask("POST", "/api/blobs/sha256:00", blob, listener="admin")
            return answer.status, ollama.asked[0].body

    status, body = run(test())
    assert (status, body) == (200, b"b" * 3_000_000)
