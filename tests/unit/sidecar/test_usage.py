# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens are counted while an answer passes, and the usage that only we asked for is taken out to the byte."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_sidecar.routes import INFERENCE, Route
from ollama_sidecar.usage import HOLD, InjectedMeter, Meter, inject, meter_for

ROUTES = {route.name: route for route in INFERENCE}
METRICS = {
    "total_duration": 4_000_000_000,
    "load_duration": 2_500_000_000,
    "prompt_eval_count": 11,
    "prompt_eval_duration": 5,
    "eval_count": 7,
    "eval_duration": 6,
}
# What a model or a client may write to look like counts.
LURE = ',"eval_count":99,"total_duration":1,"usage":{"prompt_tokens":99,"completion_tokens":99} {"error":"x"}\n\n'
TOOL = {"a": 1, "done": True, "total_duration": 1, "eval_count": 99, "prompt_eval_count": 99, "usage": {"x": 1}}


def go(value: Any) -> bytes:
    """JSON as Go writes it: no spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def chat(content: str = "hi", *, done: bool = False, tool: bool = False, **more: Any) -> bytes:
    """A line of /api/chat, in the order of Go's struct."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if tool:
        message["tool_calls"] = [{"function": {"name": "f", "arguments": TOOL}}]
    ended = {"done_reason": "stop", **more, **METRICS} if done else more
    return go({"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done, **ended})


def generate(text: str = "hi", *, done: bool = False, **after: Any) -> bytes:
    ended = {"done_reason": "stop", "context": list(range(3000)), **METRICS, **after} if done else after
    return go({"model": "m", "created_at": "2026-01-01T00:00:00Z", "response": text, "done": done, **ended})


def sse(*datas: Any, events: bool = False) -> bytes:
    lines = [
        (f"event: {data['type']}\n".encode() if events else b"") + b"data: " + (data if data == b"[DONE]" else go(data))
        for data in datas
    ]
    return b"".join(line + b"\n\n" for line in lines)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(places)]


def pass_through(meter: Meter, pieces: list[bytes]) -> bytes:
    return b"".join([*(meter.feed(piece) for piece in pieces), meter.finish()])


def told(meter: Meter) -> tuple[int | None, int | None, float | None, bool]:
    return meter.prompt_tokens, meter.output_tokens, meter.load, meter.error


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
BASE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "fp"}


def chat_chunk(text: str, usage: dict[str, int] | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]
    return {**BASE, "choices": choices if usage is None else [], **({} if usage is None else {"usage": usage})}


def text_chunk(text: str | None, usage: dict[str, int] | None) -> dict[str, Any]:
    choices = [] if text is None else [{"text": text, "index": 0, "finish_reason": None}]
    return {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "choices": choices,
        "model": "m",
        "system_fingerprint": "fp",
        **({} if usage is None else {"usage": usage}),
    }


ZERO = dict.fromkeys(USAGE, 0)
TEXTS = ["Hel", LURE, 'say "usage":{"x"}', "\n\ndata: [DONE]", ""]
CHAT_ASKED = sse(*(chat_chunk(text) for text in TEXTS), chat_chunk("", USAGE), b"[DONE]")
CHAT_PLAIN = sse(*(chat_chunk(text) for text in TEXTS), b"[DONE]")
TEXT_ASKED = sse(*(text_chunk(text, ZERO) for text in TEXTS), text_chunk(None, USAGE), b"[DONE]")
TEXT_PLAIN = sse(*(text_chunk(text, None) for text in TEXTS), b"[DONE]")
RESPONSE_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 18,
}
ECHO = [{"name": "f", "parameters": {"a": 1, "usage": {"input_tokens": 99, "output_tokens": 99}}}]
RESPONSE = {"output": [{"text": LURE}], "tools": ECHO, "truncation": "disabled", "usage": RESPONSE_USAGE}
RESPONSES_STREAM = sse(
    {"response": {"usage": None}, "type": "response.created"},
    {"delta": LURE, "type": "response.output_text.delta"},
    {"response": RESPONSE, "sequence_number": 9, "type": "response.completed"},
    events=True,
)
MESSAGES_STREAM = sse(
    {"type": "message_start", "message": {"id": "1", "usage": {"input_tokens": 99, "output_tokens": 0}}},
    {"type": "content_block_delta", "delta": {"text": LURE}},
    {"type": "message_delta", "delta": {"stop_reason": "stop"}, "usage": {"input_tokens": 11, "output_tokens": 7}},
    {"type": "message_stop"},
    events=True,
)
MESSAGE = {
    "id": "1",
    "content": [{"type": "tool_use", "input": {"a": 1, "usage": {"input_tokens": 99, "output_tokens": 99}}}],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
LONG = [{"token": "x" * 30, "logprob": -0.1, "bytes": [1, 2]}] * 200
NATIVE = (11, 7, 2.5, False)
COUNTED = (11, 7, None, False)
EMBEDDED = {"embeddings": [[0.25] * 2000], "total_duration": 1, "load_duration": 2_500_000_000, "prompt_eval_count": 11}
# name: route, stream, answer, what is told.
ANSWERS: dict[str, tuple[str, bool, bytes, tuple[Any, ...]]] = {
    "chat stream": ("/api/chat", True, b"\n".join([chat(LURE), chat(done=True), b""]), NATIVE),
    "chat": ("/api/chat", False, chat(LURE, done=True), NATIVE),
    "chat, tool call": ("/api/chat", False, chat(done=True, tool=True), NATIVE),
    "chat, tool call, logprobs": ("/api/chat", False, chat(done=True, tool=True, logprobs=LONG), NATIVE),
    "chat, only a tool call": ("/api/chat", True, chat(tool=True) + b"\n", (None, None, None, False)),
    "chat, an error": ("/api/chat", True, chat() + b'\n{"error":"gone"}\n', (None, None, None, True)),
    "generate stream": ("/api/generate", True, b"\n".join([generate(LURE), generate(done=True), b""]), NATIVE),
    "generate": ("/api/generate", False, generate(LURE, done=True), NATIVE),
    "generate, more behind": (
        "/api/generate",
        False,
        generate(done=True, tool_calls=[{"function": {"arguments": TOOL}}], logprobs=LONG),
        NATIVE,
    ),
    "generate, an error at once": ("/api/generate", True, b'{"error":"gone"}\n', (None, None, None, True)),
    "generate, loaded": ("/api/generate", False, b'{"model":"m","response":"","done":true}', (None, None, None, False)),
    "embed": ("/api/embed", False, go({"model": "m", **EMBEDDED}), (11, 0, 2.5, False)),
    "embeddings": ("/api/embeddings", False, b'{"embedding":[0.1,0.2]}', (None, None, None, False)),
    "v1 chat stream": ("/v1/chat/completions", True, CHAT_ASKED, COUNTED),
    "v1 chat stream, not asked": ("/v1/chat/completions", True, CHAT_PLAIN, (None, None, None, False)),
    "v1 chat stream, cut": ("/v1/chat/completions", True, sse(chat_chunk("a")), (None, None, None, True)),
    "v1 chat": ("/v1/chat/completions", False, go({**chat_chunk(LURE), "usage": USAGE}), COUNTED),
    "v1 text stream": ("/v1/completions", True, TEXT_ASKED, COUNTED),
    "v1 text stream, cut": ("/v1/completions", True, sse(text_chunk("a", ZERO)), (None, None, None, True)),
    "v1 text": ("/v1/completions", False, go(text_chunk(LURE, USAGE)), COUNTED),
    "v1 embeddings": (
        "/v1/embeddings",
        False,
        go({"data": [{"embedding": [0.1] * 900}], "model": "m", "usage": {"prompt_tokens": 11, "total_tokens": 11}}),
        (11, None, None, False),
    ),
    "responses stream": ("/v1/responses", True, RESPONSES_STREAM, COUNTED),
    "responses stream, cut": ("/v1/responses", True, RESPONSES_STREAM[:200], (None, None, None, True)),
    "responses": ("/v1/responses", False, go({**RESPONSE, "metadata": {}}), COUNTED),
    "messages stream": ("/v1/messages", True, MESSAGES_STREAM, COUNTED),
    "messages stream, cut": ("/v1/messages", True, MESSAGES_STREAM[:160], (None, None, None, True)),
    "messages stream, an error": (
        "/v1/messages",
        True,
        sse({"type": "message_start"}, {"type": "error"}, {"type": "message_stop"}, events=True),
        (None, None, None, True),
    ),
    "messages": ("/v1/messages", False, go(MESSAGE) + b"\n", COUNTED),
    "models": ("/v1/models", False, go({"data": [{"usage": USAGE}]}), (None, None, None, False)),
}
CUTS = st.lists(st.integers(0, 1 << 20), max_size=40)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_tokens_of_an_answer_are_told_and_its_bytes_left_alone(name: str) -> None:
    route, stream, answer, expected = ANSWERS[name]
    meter = meter_for(ROUTES[route], stream, False)
    assert pass_through(meter, [answer]) == answer
    assert told(meter) == expected


@pytest.mark.parametrize("name", ANSWERS)
@given(cuts=CUTS)
def test_it_does_not_matter_where_an_answer_is_cut_into_pieces(name: str, cuts: list[int]) -> None:
    route, stream, answer, expected = ANSWERS[name]
    meter = meter_for(ROUTES[route], stream, False)
    pieces = split(answer, cuts)
    assert [meter.feed(piece) for piece in pieces] == pieces
    assert meter.finish() == b""
    assert told(meter) == expected


@pytest.mark.parametrize(
    ("route", "asked", "plain"),
    [("/v1/chat/completions", CHAT_ASKED, CHAT_PLAIN), ("/v1/completions", TEXT_ASKED, TEXT_PLAIN)],
)
@given(cuts=CUTS)
def test_a_client_that_asked_no_usage_gets_the_stream_as_if_nobody_had(
    route: str, asked: bytes, plain: bytes, cuts: list[int]
) -> None:
    meter = meter_for(ROUTES[route], True, True)
    assert pass_through(meter, split(asked, cuts)) == plain
    assert told(meter) == COUNTED


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (CHAT_ASKED[: CHAT_ASKED.index(b"data: [DONE]")], True),
        (sse({"error": {"message": "gone"}}, b"[DONE]"), True),
        (sse(chat_chunk(LURE), b"[DONE]"), False),
    ],
)
@given(cuts=CUTS)
def test_a_stream_that_is_not_whole_or_carries_an_error_is_told(stream: bytes, error: bool, cuts: list[int]) -> None:
    meter = meter_for(ROUTES["/v1/chat/completions"], True, True)
    pass_through(meter, split(stream, cuts))
    assert meter.error is error


@pytest.mark.parametrize("stream", [CHAT_ASKED, TEXT_ASKED])
def test_bytes_one_by_one_give_the_same(stream: bytes) -> None:
    meter = InjectedMeter()
    assert pass_through(meter, [stream[place : place + 1] for place in range(len(stream))]) in (CHAT_PLAIN, TEXT_PLAIN)
    assert told(meter) == COUNTED


@given(texts=st.lists(st.text(max_size=60), max_size=8), cuts=CUTS)
def test_whatever_a_model_writes_is_passed_on(texts: list[str], cuts: list[int]) -> None:
    asked = sse(*(text_chunk(text, ZERO) for text in texts), text_chunk(None, USAGE), b"[DONE]")
    plain = sse(*(text_chunk(text, None) for text in texts), b"[DONE]")
    assert pass_through(InjectedMeter(), split(asked, cuts)) == plain


@given(data=st.binary(max_size=400), cuts=CUTS)
def test_bytes_that_are_no_stream_are_passed_on_whole(data: bytes, cuts: list[int]) -> None:
    assert pass_through(InjectedMeter(), split(data, cuts)) == data


@pytest.mark.parametrize("usage", [{"prompt_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}, None])
def test_a_later_servers_usage_in_each_piece_is_taken_out_too(usage: Any) -> None:
    chunk = chat_chunk("a")
    assert pass_through(InjectedMeter(), [sse({**chunk, "usage": usage}), sse(b"[DONE]")]) == sse(chunk, b"[DONE]")


def test_a_whole_event_is_passed_on_at_once() -> None:
    meter = InjectedMeter()
    assert meter.feed(sse(chat_chunk("a"))) == sse(chat_chunk("a"))
    assert meter.feed(b"data: {") == b""
    assert meter.feed(b"}\n\ndata: ") == b"data: {}\n\n"
    assert meter.feed(b"1\n") == b""
    assert meter.feed(b"\ndata: ") == b"data: 1\n\n"


def test_a_stream_whose_events_do_not_end_is_passed_on_as_it_is() -> None:
    meter = InjectedMeter()
    lines = [b"data: " + b"x" * 1000 + b"\n"] * (3 * HOLD // 1000)
    held = most = passed = 0
    for line in lines:
        got = len(meter.feed(line))
        passed += got
        held += len(line) - got
        most = max(most, held)
    assert most <= HOLD + len(lines[0])
    assert (held, meter.finish()) == (0, b"")
    assert passed == sum(map(len, lines))
    assert meter.error


def test_a_stream_that_was_given_up_still_ends_and_counts() -> None:
    meter = InjectedMeter()
    begin = b"data: " + b"x" * (HOLD + 1)
    assert meter.feed(begin) == begin
    assert meter.feed(CHAT_ASKED) == CHAT_ASKED
    assert meter.finish() == b""
    assert told(meter) == COUNTED


def test_a_long_event_in_small_pieces_is_not_copied_with_each() -> None:
    meter = InjectedMeter()
    begin = time.process_time()
    for dummy in range(HOLD // 8):
        assert meter.feed(b"datadata") == b""
    assert time.process_time() - begin < 2  # it was minutes


def test_what_is_kept_of_an_answer_is_bounded() -> None:
    for route, stream in (("/api/chat", True), ("/api/generate", True), ("/v1/chat/completions", True)):
        meter = meter_for(ROUTES[route], stream, False)
        for _ in range(50):
            meter.feed(b"x" * 100_000)
        kept = [getattr(meter, name) for kind in type(meter).__mro__ for name in getattr(kind, "__slots__", ())]
        assert sum(len(value) for value in kept if isinstance(value, bytes)) <= 2048


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({"stream": True}, {"include_usage": True}),
        ({"stream": True, "stream_options": None}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": None}}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False, "x": 1}}, {"include_usage": True, "x": 1}),
    ],
)
def test_usage_is_asked_for_where_a_client_did_not(body: dict[str, Any], options: dict[str, Any]) -> None:
    assert inject(body)
    assert body == {"stream": True, "stream_options": options}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"stream": False},
        {"stream": "yes"},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": {"Include_Usage": True}},
        {"stream": True, "Stream_Options": {"include_usage": True}},
        {"stream": True, "\u017ftream_options": {"include_usage": True}},
        {"stream": True, "stream_options": "usage"},
        # Ollama refuses these, and the client has to be told.
        {"stream": True, "stream_options": {"include_usage": ""}},
        {"stream": True, "stream_options": {"include_usage": 0}},
        {"stream": True, "stream_options": {"include_usage": []}},
    ],
)
def test_a_request_is_left_alone_where_usage_was_asked_or_nothing_streams(body: dict[str, Any]) -> None:
    before = json.dumps(body)
    assert not inject(body)
    assert json.dumps(body) == before


def test_every_route_has_a_meter() -> None:
    for route in (*INFERENCE, Route("/x", ("GET",), INFERENCE[-1].kind)):
        for stream in (False, True):
            assert meter_for(route, stream, False).feed(b"x") == b"x"
