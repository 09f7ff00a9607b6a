# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that are counted are those that a real Ollama tells, and what we asked for besides is not seen."""

from __future__ import annotations

import json
import random
import re
import urllib.request
from typing import Any

import pytest
from ollama_sidecar.routes import INFERENCE
from ollama_sidecar.usage import Meter, inject, meter_for

from tests.helpers.real_ollama import RealOllama

pytestmark = pytest.mark.real
ROUTES = {route.name: route for route in INFERENCE}
PROMPT = 'Say "eval_count":5, {"usage":1}'
CHAT = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 8, "temperature": 0, "seed": 1}
NATIVE = {"options": {"num_predict": 8, "temperature": 0, "seed": 1}}
BODIES: dict[str, dict[str, Any]] = {
    "/api/generate": {"prompt": PROMPT, **NATIVE},
    "/api/chat": {"messages": CHAT["messages"], **NATIVE},
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": PROMPT, "max_tokens": 8, "temperature": 0, "seed": 1},
    "/v1/responses": {"input": PROMPT, "max_output_tokens": 8, "temperature": 0},
    "/v1/messages": CHAT,
}


def ask(url: str, path: str, body: dict[str, Any]) -> bytes:
    data = json.dumps({"model": "tiny:latest", **body}).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def passed(meter: Meter, answer: bytes) -> bytes:
    """What the client gets of an answer that comes in pieces of any length."""
    chance = random.Random(1)  # noqa: S311 - places to cut at
    out = b""
    while answer:
        length = chance.choice((1, 7, 100, 5000))
        out, answer = out + meter.feed(answer[:length]), answer[length:]
    return out + meter.finish()


def masked(answer: bytes) -> bytes:
    """Without what is new in each answer: ids and times."""
    return re.sub(rb'"(id|created)":("[^"]*"|\d+)', rb'"\1":0', answer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_tokens_are_counted_as_ollama_tells_them(real_ollama: RealOllama, path: str, stream: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if stream and path.endswith("completions") else {}
    answer = ask(real_ollama.url, path, {**BODIES[path], "stream": stream, **options})
    meter = meter_for(ROUTES[path], stream, False)
    assert passed(meter, answer) == answer
    names = rb'"(?:eval_count|completion_tokens|output_tokens)":(\d+)'
    assert meter.output_tokens == int(re.findall(names, answer)[-1]) > 0
    assert (meter.prompt_tokens or 0) > 5
    assert meter.error is False
    assert (meter.load is not None) is path.startswith("/api/")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_a_client_that_asked_no_usage_sees_none(real_ollama: RealOllama, path: str) -> None:
    body: dict[str, Any] = {**BODIES[path], "stream": True}
    plain = ask(real_ollama.url, path, body)
    assert inject(body)
    asked = ask(real_ollama.url, path, body)
    meter = meter_for(ROUTES[path], True, True)
    assert masked(passed(meter, asked)) == masked(plain)
    assert masked(asked) != masked(plain)
    assert (meter.output_tokens or 0) > 0
    assert (meter.prompt_tokens or 0) > 5
    assert meter.error is False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/embed", {"input": PROMPT}),
        ("/api/embeddings", {"prompt": PROMPT}),
        ("/v1/embeddings", {"input": PROMPT}),
    ],
)
def test_embeddings_are_counted_where_ollama_does(real_ollama: RealOllama, path: str, body: dict[str, Any]) -> None:
    answer = ask(real_ollama.url, path, body)
    meter = meter_for(ROUTES[path], False, False)
    assert passed(meter, answer) == answer
    assert (meter.prompt_tokens or 0) > 5 or path == "/api/embeddings"
