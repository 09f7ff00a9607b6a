# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request is judged as Ollama would read it, and what would disturb the other clients is taken out."""

from __future__ import annotations

import json
from contextlib import suppress
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_sidecar import requests
from ollama_sidecar.reply import Reply
from ollama_sidecar.requests import RELOADING, TOKENS, Asked, canonical, read
from ollama_sidecar.routes import INFERENCE

ROUTES = {route.name: route for route in INFERENCE}
CHAT = ROUTES["/api/chat"]
KELVIN, LONG_S = "\u212a", "\u017f"


def asked(body: Any, route: str = "/api/chat", *, ctx: int = 0, predict: int = 0, keep: tuple[str, ...] = ()) -> Asked:
    """What becomes of a body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = requests.read(ROUTES[route], raw)
    requests.tame(found, ROUTES[route], max_num_ctx=ctx, max_num_predict=predict, keep=frozenset(keep))
    requests.encode(found)
    return found


def refused(raw: bytes) -> str:
    with pytest.raises(Reply) as told:
        asked(raw)
    assert told.value.status == 400
    return told.value.message


def options(body: dict[str, Any], **limits: Any) -> Any:
    return json.loads(asked({"model": "m", **body}, **limits).body).get("options")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("tiny", "tiny:latest"),
        ("tiny:latest", "tiny:latest"),
        ("TINY:Q4", "tiny:q4"),
        (" tiny ", "tiny:latest"),
        ("library/tiny", "tiny:latest"),
        ("registry.ollama.ai/library/tiny:1b", "tiny:1b"),
        ("https://registry.ollama.ai/library/tiny", "tiny:latest"),
        ("team/tiny", "team/tiny:latest"),
        ("host:5000/model", "host:5000/model:latest"),
        ("host:5000/team/model:1", "host:5000/team/model:1"),
        ("registry.example.org/library/tiny", "registry.example.org/library/tiny:latest"),
        # A host of that name, not Ollama's own namespace.
        ("library/team/tiny", "library/team/tiny:latest"),
        ("tiny:cloud", "tiny:cloud"),
        # Where it is may be said; that is no part of the name.
        ("tiny:local", "tiny:latest"),
        ("tiny:1b: LOCAL ", "tiny:1b"),
        ("tiny:latest:local", "tiny:latest"),
        ("team/tiny:local", "team/tiny:latest"),
        ("tiny-local", "tiny-local:latest"),
        # Any scheme, and a host that is left out.
        ("ollama://registry.ollama.ai/library/tiny:latest", "tiny:latest"),
        ("://REGISTRY.ollama.ai/library/tiny", "tiny:latest"),
        ("x:///library/tiny:local", "tiny:latest"),
        ("hf://hf.co/team/tiny", "hf.co/team/tiny:latest"),
        # Ollama refuses it, so it must not pass for another.
        ("foo://tiny", "foo://tiny:latest"),
    ],
)
def test_a_name_has_one_form(written: str, meant: str) -> None:
    assert canonical(written) == meant
    assert canonical(meant) == meant


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"model":"m"}{"model":"n"}',
        b'{"model":"m"} trailing',
        b'{"model":"m","temperature":NaN}',
        b'{"model":"m","temperature":Infinity}',
        b'{"model":"m","temperature":-Infinity}',
        b'\xef\xbb\xbf{"model":"m"}',
        '{"model":"m"}'.encode("utf-16"),
        '{"model":"m"}'.encode("utf-32"),
        b'{"model":"\xff"}',
        b'{"model":"m","x":' + b"[" * 100_000,
        b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model":"m","x":' + b"9" * 5000 + b"}",
        b"{'model':'m'}",
        b'{"model":"m",}',
        b'{"model":"m"/**/}',
    ],
)
def test_what_is_no_json_object_in_utf8_is_refused(raw: bytes) -> None:
    assert "JSON object" in refused(raw)


@pytest.mark.parametrize("model", [None, "", 5, True, [], {}, ["m"], "m" * 513])
def test_a_model_must_be_named(model: Any) -> None:
    assert refused(json.dumps({"model": model}).encode()) == "model is required"
    assert refused(b"{}") == "model is required"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"allowed","model":"other"}',
        b'{"model":"m","options":{},"options":{"num_ctx":9}}',
        b'{"model":"m","options":{"num_ctx":1,"num_ctx":9}}',
        b'{"model":"m","messages":[{"role":"a","role":"b"}]}',
        b'{"model":"m","m\\u006fdel":"other"}',
    ],
)
def test_a_member_that_is_there_twice_is_refused(raw: bytes) -> None:
    assert "is there twice" in refused(raw)


@pytest.mark.parametrize(
    "name",
    [
        "Model",
        "MODEL",
        "Stream",
        "Options",
        f"option{LONG_S}",
        "Keep_Alive",
        f"{KELVIN}eep_alive",
        f"{LONG_S}tream",
        "Max_Tokens",
        f"max_to{KELVIN}ens",
        f"{LONG_S}hift",
        "Name",
        "STREAM_OPTIONS",
    ],
)
def test_another_spelling_that_go_would_take_is_refused(name: str) -> None:
    assert "in lower case" in refused(json.dumps({"model": "m", name: 1}).encode())
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    assert "in lower case" in refused(f'{{"model":"m","{escaped}":1}}'.encode())


@pytest.mark.parametrize("name", [*RELOADING, "num_predict"])
def test_another_spelling_of_an_option_is_refused(name: str) -> None:
    with pytest.raises(Reply):
        asked({"model": "m", "options": {name.upper(): 1}})


def test_a_request_that_disturbs_nobody_passes_byte_for_byte() -> None:
    raw = '{ "model" : "m", "x": [1.10, 1E5, "\\ud800 \u00e4"], "options": {"temperature": 0, "seed": 7} }'.encode()
    assert asked(raw).body == raw


@pytest.mark.parametrize("name", RELOADING)
def test_options_that_load_the_model_anew_are_taken_out(name: str) -> None:
    for value in (1, -1, 10**30, True, None, "4096", [], 0.5):
        assert options({"options": {name: value, "seed": 1}}) == {"seed": 1}
    assert options({"options": {name: 1, "seed": 1}}, keep=(name,)) == {"seed": 1, name: 1}


@pytest.mark.parametrize("name", ["keep_alive", "shift"])
def test_members_that_pin_or_drop_the_model_are_taken_out(name: str) -> None:
    for value in (0, -1, "24h", True, None):
        assert json.loads(asked({"model": "m", name: value}).body) == {"model": "m"}
    assert json.loads(asked({"model": "m", name: 0}, keep=(name,)).body) == {"model": "m", name: 0}


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (1, 1),
        (2048, 2048),
        (2049, 2048),
        (10**30, 2048),
        (-1, 2048),
        (0, 2048),
        ("9", 2048),
        (None, 2048),
        (True, 2048),
    ],
)
def test_num_ctx_is_held_where_a_limit_is_set(wanted: Any, given: int) -> None:
    assert options({"options": {"num_ctx": wanted}}, ctx=2048) == {"num_ctx": given}


def test_num_ctx_is_not_added_where_nobody_asked_for_it() -> None:
    assert options({"options": {}}, ctx=2048) == {}


# Ollama: what is below 0 is ten times num_ctx, 0 is no limit at all, and a fraction is cut off.
@pytest.mark.parametrize(
    ("wanted", "given"),
    [(1, 1), (100, 100), (101, 100), (0, 100), (-1, 100), (-2, 100), (0.5, 100), (7.0, 7.0), (1e300, 100), (None, 100)],
)
@pytest.mark.parametrize("route", sorted(TOKENS))
def test_the_length_of_an_answer_is_held_in_each_dialect(route: str, wanted: Any, given: Any) -> None:
    body: dict[str, Any] = {"model": "m"}
    place = body.setdefault("options", {}) if route.startswith("/api/") else body
    place[TOKENS[route]] = wanted
    found = json.loads(asked(body, route, predict=100).body)
    assert (found["options"] if route.startswith("/api/") else found)[TOKENS[route]] == given


@pytest.mark.parametrize("extra", [{}, {"options": None}, {"options": {}}])
@pytest.mark.parametrize("route", sorted(TOKENS))
def test_an_answer_without_a_wish_gets_the_limit(route: str, extra: dict[str, Any]) -> None:
    found = json.loads(asked({"model": "m", **extra}, route, predict=100).body)
    assert (found["options"] if route.startswith("/api/") else found)[TOKENS[route]] == 100


@pytest.mark.parametrize("route", ["/api/embed", "/v1/embeddings", "/api/embeddings"])
def test_an_embedding_has_no_length(route: str) -> None:
    assert asked({"model": "m", "input": "x"}, route, predict=100).body == b'{"model": "m", "input": "x"}'


def test_a_number_that_json_cannot_write_is_refused_where_the_body_must_be_written_anew() -> None:
    assert "too large" in refused(b'{"model":"m","keep_alive":0,"x":1e999}')


@pytest.mark.parametrize(
    ("route", "body", "streams"),
    [
        ("/api/chat", {}, True),
        ("/api/chat", {"stream": None}, True),
        ("/api/generate", {"stream": False}, False),
        ("/api/embed", {"stream": True}, False),
        ("/v1/chat/completions", {}, False),
        ("/v1/chat/completions", {"stream": True}, True),
        ("/v1/messages", {"stream": None}, False),
    ],
)
def test_whether_an_answer_streams_is_known_before(route: str, body: dict[str, Any], streams: bool) -> None:
    assert requests.read(ROUTES[route], json.dumps({"model": "m", **body}).encode()).stream is streams


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["model", "name", "options", "keep_alive", "shift", "stream", "max_tokens", "prompt", "Model"])
OPTIONS = st.dictionaries(st.sampled_from([*RELOADING, "num_predict", "seed", "NUM_CTX"]), VALUES, max_size=4)


@given(st.dictionaries(NAMES, VALUES | OPTIONS, max_size=6), st.sampled_from(sorted(ROUTES)), st.integers(0, 50))
def test_no_body_gets_a_disturbing_member_past(body: dict[str, Any], route: str, limit: int) -> None:
    if ROUTES[route].methods != ("POST",):
        return
    try:
        sent = json.loads(asked(body, route, ctx=limit, predict=limit).body)
    except Reply:
        return  # another exception fails the test
    assert not {"keep_alive", "shift"} & sent.keys()
    inside = sent.get("options")
    if isinstance(inside, dict):
        assert not set(RELOADING[1:]) & inside.keys()
        assert "num_ctx" not in inside or (limit and 1 <= inside["num_ctx"] <= limit)
    if limit and route in TOKENS:
        place = inside if route.startswith("/api/") else sent
        assert not isinstance(place, dict) or 1 <= place[TOKENS[route]] <= limit


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    for body in (raw, b'{"model":"m","prompt":"' + raw + b'"}'):
        with suppress(Reply):
            assert requests.read(CHAT, body).model


@pytest.mark.parametrize(
    "filling",
    [
        b"[" + b"{}," * 200_001 + b"0]",
        b"[" + b"[]," * 200_001 + b"0]",
        b"[" + b"1," * 250_001 + b"0]",
        b"[" * 200_001,
    ],
)
def test_a_body_of_too_many_values_is_refused_before_it_is_read(filling: bytes) -> None:
    """48 MiB of empty objects took 8 seconds, in which nobody was answered, and 1.5 GB."""
    with pytest.raises(Reply) as told:
        read(ROUTES["/api/chat"], b'{"model":"tiny","x":' + filling)
    assert (told.value.status, told.value.reason) == (413, "body")


def test_a_long_text_and_an_image_have_few_values() -> None:
    prompt = "One, two, three {four} [five]. " * 30_000
    body = {"model": "tiny", "prompt": prompt, "images": ["A" * 2**20]}
    assert read(ROUTES["/api/generate"], json.dumps(body).encode()).data == body


def test_a_member_that_is_there_twice_is_found_among_many() -> None:
    """Not by a look at each for each: 64 KiB would take seconds."""
    members = ",".join(f'"a{number}":0' for number in range(100_000))
    begin = process_time()
    with pytest.raises(Reply, match="a99999"):
        read(ROUTES["/api/chat"], f'{{"model":"tiny",{members},"a99999":0}}'.encode())
    assert process_time() - begin < 2.0  # 0.1 where nothing else runs


def test_what_was_read_is_forgotten_when_the_body_is_written() -> None:
    request = asked({"model": "tiny", "keep_alive": 1, "prompt": "hello"})
    assert request.data == {}
    assert json.loads(request.give()) == {"model": "tiny", "prompt": "hello"}
    assert request.body == b""
