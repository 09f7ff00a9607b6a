# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that mean harm: none is two requests for Ollama, none reaches an admin route, nothing secret is printed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ollama_sidecar import logs, routes
from ollama_sidecar.http.server import LOG as SERVER_LOG

from tests.helpers.scripted_ollama import ScriptedOllama, response, scripted_ollama
from tests.helpers.sidecar_yard import Answer, Yard, request, run, sidecar_yard

KEY, PROMPT = "pc-secret-key-0123456789", "the-prompt-of-a-client"
HIDDEN = b"DELETE /api/delete HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16\r\n\r\n" + b'{"model":"tiny"}'
BODY = b'{"model":"tiny"}'
PUBLIC = {route.name for route in routes.INFERENCE if not route.prefix}


def post(*headers: bytes, body: bytes = BODY) -> bytes:
    return b"\r\n".join([b"POST /api/chat HTTP/1.1", b"Host: a", *headers, b"", b""]) + body


SMUGGLED = {
    "both lengths": post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "both lengths, the other way round": post(
        b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + HIDDEN
    ),
    "two lengths": post(b"Content-Length: 16", b"Content-Length: 0", body=BODY + HIDDEN),
    "two lengths in one": post(b"Content-Length: 16, 0", body=BODY + HIDDEN),
    "a length with a sign": post(b"Content-Length: +16", body=BODY + HIDDEN),
    "a length below nothing": post(b"Content-Length: -1", body=BODY + HIDDEN),
    "a length in hexadecimal": post(b"Content-Length: 0x10", body=BODY + HIDDEN),
    "a length with an underscore": post(b"Content-Length: 1_6", body=BODY + HIDDEN),
    "a length of many digits": post(b"Content-Length: " + b"9" * 30, body=BODY + HIDDEN),
    "a coding that is none": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN),
    "a coding after chunked": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + HIDDEN),
    "a coding twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "a coding with a tab": post(b"Transfer-Encoding:\tchunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN),
    "a space before the colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN),
    "a space before the colon of the length": post(b"Content-Length : 16", body=BODY + HIDDEN),
    "a folded header": post(b"X: a", b" Content-Length: 16", body=BODY + HIDDEN),
    "a folded coding": post(b"Transfer-Encoding:", b" chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + HIDDEN),
    "a line that ends with LF only": b"POST /api/chat HTTP/1.1\nHost: a\nContent-Length: 16\n\n" + BODY + HIDDEN,
    "a line that ends with CR only": b"POST /api/chat HTTP/1.1\rHost: a\rContent-Length: 16\r\r" + BODY + HIDDEN,
    "a zero byte in a header": post(b"X: a\x00b", b"Content-Length: 16", body=BODY + HIDDEN),
    "a line break in a header": post(b"X: a\rY: b", b"Content-Length: 16", body=BODY + HIDDEN),
    "a chunk of a size that is none": post(
        b"Transfer-Encoding: chunked", body=b"10;\r\n" + BODY + b"\r\n-1\r\n\r\n" + HIDDEN
    ),
    "a chunk of a size in 0x": post(b"Transfer-Encoding: chunked", body=b"0x10\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN),
    "a chunk without an end": post(b"Transfer-Encoding: chunked", body=b"10\r\n" + BODY + b"XX0\r\n\r\n" + HIDDEN),
    "a chunk longer than told": post(b"Transfer-Encoding: chunked", body=b"4\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN),
    "a chunk with LF only": post(b"Transfer-Encoding: chunked", body=b"10\n" + BODY + b"\n0\n\n" + HIDDEN),
    "a chunk extension with LF": post(
        b"Transfer-Encoding: chunked", body=b"10;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN
    ),
    "a huge chunk": post(b"Transfer-Encoding: chunked", body=b"f" * 20 + b"\r\n" + BODY + b"\r\n0\r\n\r\n" + HIDDEN),
    "a trailer that is a header": post(
        b"Transfer-Encoding: chunked", body=b"10\r\n" + BODY + b"\r\n0\r\nContent-Length: 5\r\n\r\n" + HIDDEN
    ),
    "an upgrade": post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 16", body=BODY + HIDDEN),
    "an upgrade to a websocket": post(
        b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 16", body=BODY + HIDDEN
    ),
    "a body of a GET": b"GET /api/tags HTTP/1.1\r\nHost: a\r\nUser-Agent: a\r\n\r\n" + HIDDEN,
    "a line break in the target": b"POST /api/chat\r\nX: HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n"
    + BODY
    + HIDDEN,
    "a target with a line break that is encoded": post(b"Content-Length: 16", body=BODY + HIDDEN).replace(
        b"/api/chat", b"/api/chat?a=%0d%0aX:1"
    ),
}


def admin_requests(ollama: ScriptedOllama) -> list[str]:
    return [asked.target for asked in ollama.asked if asked.target.partition("?")[0] not in PUBLIC]


@pytest.mark.parametrize("raw", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_no_request_hides_another_from_us_and_shows_it_to_ollama(raw: bytes) -> None:
    async def test() -> tuple[list[str], list[bytes], int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, client_seconds=0.2) as yard:
            client = await yard.connect()
            await client.send(raw)
            try:
                async with asyncio.timeout(0.3):
                    while await client.reader.read(65536):
                        pass
            except (TimeoutError, ConnectionError):
                pass
            client.reset()
            after = await yard.ask("POST", "/api/chat", BODY)  # and the next one on that connection is whole
            return admin_requests(ollama), [asked.body for asked in ollama.asked], after.status

    hidden, bodies, after = run(test())
    assert hidden == []
    assert set(bodies) <= {BODY, b""}
    assert after == 200


def settings_with_key() -> dict[str, Any]:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    return {"keys": ({"id": "one", "sha256": digest},), "client_seconds": 0.2, "body_bytes": 4096}


def values() -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(PROMPT),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    )


NAMES = st.sampled_from(["model", "prompt", "messages", "options", "keep_alive", "stream", "Model", "input"])
METHODS = st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PUT", "OPTIONS", "CONNECT", "PATCH", "TRACE", "x"])
TARGETS = st.sampled_from([route.name for group in (routes.INFERENCE, routes.ADMIN, routes.SHOW) for route in group])
ODD = st.sampled_from(["", "/", "//", "/..", "/../api/delete", "%2f", "%2e%2e/", ";a", "?x=1", "#a", "\\", "%00", "é"])
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "Authorization",
            "X-Api-Key",
            "Content-Type",
            "Origin",
            "Host",
            "Expect",
            "X-Request-Id",
            "Connection",
            "Upgrade",
        ]
    ),
    st.sampled_from(
        [f"Bearer {KEY}", KEY, f"Bearer {KEY}x", "", "close", "100-continue", "\xff\xfe", "a" * 9000, "h2c"]
    ),
    max_size=4,
)


@st.composite
def whole_requests(draw: st.DrawFn) -> bytes:
    """A request that is nearly right, with bytes that are not."""
    target = draw(ODD) + draw(TARGETS) + draw(ODD) if draw(st.booleans()) else draw(TARGETS)
    body = draw(
        st.dictionaries(NAMES, values(), max_size=4).map(lambda found: json.dumps(found).encode())
        | st.binary(max_size=60)
        | st.just(json.dumps({"model": "tiny", "prompt": PROMPT}).encode())
    )
    headers = draw(HEADERS)
    if draw(st.booleans()):
        headers = {**headers, "Authorization": f"Bearer {KEY}"}
    lines = [f"{draw(METHODS)} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if draw(st.booleans()):
        lines.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines.append(f"Content-Length: {len(body) + draw(st.sampled_from([0, 0, 0, 1, -1]))}")
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
    for place in draw(st.lists(st.integers(0, max(0, len(raw) - 1)), max_size=draw(st.sampled_from([0, 0, 3])))):
        raw = raw[:place] + draw(st.binary(min_size=1, max_size=2)) + raw[place + 1 :]
    return raw


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(whole_requests(), min_size=1, max_size=20))
def test_no_request_crashes_it_reaches_an_admin_route_or_prints_a_secret(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], raws: list[bytes]
) -> None:
    caplog.clear()

    async def one(yard: Yard, raw: bytes) -> None:
        client = await yard.connect()
        await client.send(raw)
        client.writer.write_eof()
        try:
            async with asyncio.timeout(2):
                while await client.reader.read(65536):
                    pass
        except ConnectionError:
            pass
        finally:
            client.reset()

    async def test() -> tuple[list[str], Answer]:
        async with scripted_ollama(response(b"{}")) as ollama, sidecar_yard(ollama, **settings_with_key()) as yard:
            asyncio.get_running_loop().set_exception_handler(logs.on_loop_error)
            await asyncio.gather(*(one(yard, raw) for raw in raws))
            alive = await yard.ask("POST", "/api/chat", BODY, {"Authorization": f"Bearer {KEY}"})
            assert yard.sidecar.admission.running == yard.sidecar.admission.waiting == 0
            assert yard.sidecar.life.working == 0
            assert all(record.status < 500 or record.rejected == "upstream" for record in yard.records)
            for asked in ollama.asked:
                assert KEY.encode() not in asked.raw
            return admin_requests(ollama), alive

    hidden, alive = run(test())
    assert [target for target in hidden if not target.startswith("/v1/models/")] == []
    assert alive.status == 200
    said = capfd.readouterr()
    # What the process would write: its own format, which has no text of an exception.
    formatter = logs.Lines()
    written = said.out + said.err + "".join(formatter.format(record) for record in caplog.records)
    assert KEY not in written
    assert PROMPT not in written


def test_a_mistake_of_ours_is_told_by_its_place_and_quotes_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ollama_sidecar import requests

    def fail(*given: Any) -> None:
        raise ValueError(f"a prompt: {PROMPT}")

    monkeypatch.setattr(requests, "tame", lambda *given, **more: fail())

    async def test() -> tuple[Answer, Answer]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            first = await yard.ask("POST", "/v1/chat/completions", {"model": "tiny", "prompt": PROMPT})
            return first, await yard.ask("GET", "/api/tags")

    broken, next_one = run(test())
    assert (broken.status, broken.json()["error"]["message"], next_one.status) == (500, "internal error", 200)
    assert "ValueError at" in caplog.text
    assert "test_hostile.py" in caplog.text
    assert PROMPT not in caplog.text


UNREADABLE = {
    "a control character": (f"GET / HTTP/1.1\r\nAuthorization: Bearer {KEY}\x00\r\n\r\n".encode(), 400),
    "no request line": (f"{KEY}\r\n\r\n".encode(), 400),
    "a header that is too long": (f"GET / HTTP/1.1\r\nAuthorization: {KEY}{'x' * 9000}\r\n\r\n".encode(), 431),
    "a target that is too long": (f"GET /{KEY}{'x' * 9000} HTTP/1.1\r\n\r\n".encode(), 431),
    "too many headers": (b"GET / HTTP/1.1\r\n" + f"X: {KEY}\r\n".encode() * 200 + b"\r\n", 431),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("used", [False, True])
def test_what_cannot_be_read_is_answered_in_our_words_counted_and_not_quoted(
    name: str, used: bool, caplog: pytest.LogCaptureFixture
) -> None:
    raw, status = UNREADABLE[name]

    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            client = await yard.connect()
            if used:
                await client.send(request("GET", "/livez"))
                await client.answer("GET")
            await client.send(raw)
            answer = await client.answer("GET")
            assert await client.ended()
            await client.close()
            assert (answer.status, answer.json()) == (status, {"error": "the request cannot be read"})
            assert answer.header("Server") == "polycloud-ollama"
            record = await yard.record()
            assert answer.header("X-Request-Id") == record.id
            assert (record.status, record.rejected, record.method) == (status, "http", "")
            scrape = (await yard.ask("GET", "/metrics", listener="metrics")).body
            assert b'ollama_requests_rejected_total{reason="http"} 1.0' in scrape

    caplog.set_level(logging.DEBUG)
    run(test())
    assert KEY not in caplog.text


def test_what_aiohttp_tells_of_a_failure_of_its_own_has_no_text(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(KEY)
    except ValueError:
        SERVER_LOG.exception("it failed with %s", KEY)
    assert caplog.messages == ["the server failed: ValueError"]
    assert KEY not in caplog.text


def test_lines_of_the_process_are_json_and_an_error_has_no_text() -> None:
    try:
        raise KeyError(KEY)
    except KeyError as error:
        record = logging.LogRecord("a", logging.ERROR, "f", 1, "it %s", ("broke",), (KeyError, error, None))
    line = json.loads(logs.Lines().format(record))
    assert (line["message"], line["level"]) == ("it broke", "error")
    assert line["error"].startswith("KeyError at test_hostile.py")
    assert logs.told(None) == ""
