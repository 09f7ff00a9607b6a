# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer has one name for all requests that mean the same, and no other request ever finds it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ollama_sidecar.cache_key import PREFIX, Use, cacheable, key, use
from ollama_sidecar.routes import INFERENCE

ROUTES = {route.name: route for route in INFERENCE}
CHAT, GENERATE = ROUTES["/api/chat"], ROUTES["/api/generate"]
COLD: dict[str, Any] = {"options": {"temperature": 0}}
SAID = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}

CACHEABLE: list[tuple[str, dict[str, Any]]] = [
    ("/api/generate", {"prompt": "hi", **COLD}),
    ("/api/generate", {"prompt": "hi", "raw": True, "format": "json", "options": {"seed": 0}}),
    ("/api/generate", {"prompt": "hi", "images": ["aGk="], "options": {"temperature": 0.0}}),
    ("/api/generate", {"prompt": "hi", "keep_alive": None, "context": None, "options": {"temperature": -0.0}}),
    ("/api/chat", {"messages": SAID, "options": {"temperature": 0.8, "seed": 42}}),
    ("/api/chat", {"messages": SAID, "options": {"seed": 42.0}, "logprobs": True, "tools": []}),
    ("/api/embed", {"input": ["a", "b"]}),
    ("/api/embeddings", {"prompt": "a"}),
    ("/v1/embeddings", {"input": "a"}),
    ("/v1/chat/completions", {"messages": SAID, "temperature": 0, "n": 1}),
    ("/v1/chat/completions", {"messages": SAID, "seed": 7}),
    ("/v1/completions", {"prompt": "a", "seed": 7}),
    ("/v1/responses", {"input": "a", "temperature": 0}),
    ("/v1/messages", {"messages": SAID, "temperature": 0, "max_tokens": 5}),
]
CHANCE: list[tuple[str, dict[str, Any]]] = [
    ("/api/generate", {"prompt": "hi"}),
    ("/api/generate", {"prompt": "hi", "options": {"temperature": 0.1}}),
    # Not where this API reads it.
    ("/api/generate", {"prompt": "hi", "temperature": 0, "seed": 1}),
    ("/v1/chat/completions", {"messages": SAID, **COLD}),
    # Neither knows a seed.
    ("/v1/responses", {"input": "a", "seed": 1}),
    ("/v1/messages", {"messages": SAID, "seed": 1}),
    # Any seed will do.
    ("/api/chat", {"messages": SAID, "options": {"seed": -1}}),
    ("/api/chat", {"messages": SAID, "options": {"seed": 2**32 - 1}}),
    # No numbers.
    ("/api/chat", {"messages": SAID, "options": {"temperature": False}}),
    ("/api/chat", {"messages": SAID, "options": {"seed": True}}),
    ("/api/chat", {"messages": SAID, "options": {"temperature": "0", "seed": "1"}}),
    ("/api/chat", {"messages": SAID, "options": {"seed": 1.5}}),
    ("/api/chat", {"messages": SAID, "options": {"seed": float("inf")}}),
    ("/api/chat", {"messages": SAID, "options": [0]}),
]
MORE_THAN_AN_ANSWER: list[tuple[str, dict[str, Any]]] = [
    # These load a model, or unload it.
    ("/api/generate", {**COLD}),
    ("/api/generate", {"prompt": "", **COLD}),
    ("/api/chat", {"messages": [], **COLD}),
    ("/api/embed", {"input": []}),
    ("/api/generate", {"prompt": "hi", "keep_alive": 0, **COLD}),
    ("/api/embed", {"input": "a", "keep_alive": "5m"}),
    ("/api/generate", {"prompt": "hi", "context": [1, 2], **COLD}),
    ("/v1/responses", {"input": "a", "temperature": 0, "previous_response_id": "resp_1"}),
    # What a tool does or did is not in the request.
    ("/api/chat", {"messages": SAID, "tools": [{"type": "function"}], **COLD}),
    ("/api/chat", {"messages": [*SAID, {"role": "assistant", "tool_calls": [{"function": {}}]}], **COLD}),
    ("/v1/messages", {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}], "temperature": 0}),
    ("/v1/responses", {"input": [{"type": "function_call"}], "temperature": 0}),
    ("/v1/chat/completions", {"messages": SAID, "temperature": 0, "n": 2}),
    ("/v1/models", {"input": "a"}),
]


@pytest.mark.parametrize(("route", "body"), CACHEABLE)
def test_a_request_whose_answer_is_always_the_same_is_cacheable(route: str, body: dict[str, Any]) -> None:
    assert cacheable(ROUTES[route], body)
    assert key("d", ROUTES[route], body, "t").startswith(PREFIX)


@pytest.mark.parametrize(("route", "body"), CHANCE)
def test_an_answer_that_is_drawn_by_chance_is_not_cacheable(route: str, body: dict[str, Any]) -> None:
    assert not cacheable(ROUTES[route], body)


@pytest.mark.parametrize(("route", "body"), MORE_THAN_AN_ANSWER)
def test_a_request_that_does_more_than_answer_is_not_cacheable(route: str, body: dict[str, Any]) -> None:
    assert not cacheable(ROUTES[route], body)


def test_every_route_to_a_model_is_covered() -> None:
    bodies = {route for route, dummy in CACHEABLE}
    assert bodies == {route.name for route in INFERENCE if route.methods == ("POST",)}


# Few values, so that two requests that are drawn are often the same.
LEAF = st.sampled_from([None, 0, 0.0, -0.0, 1, 1.0, True, False, "", "a", "1", 0.5])
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=3,
)
BODY = st.fixed_dictionaries(
    {},
    optional={
        "options": st.dictionaries(st.sampled_from(["temperature", "seed", "top_k"]), LEAF, max_size=2),
        "messages": st.lists(st.dictionaries(st.sampled_from(["role", "content"]), LEAF), max_size=2),
        "think": VALUE,
        "stream": st.sampled_from([None, True, False]),
    },
)


def meaning(value: Any, *, top: bool = True) -> Any:
    """What Python compares: dictionaries without an order, 0 as 0.0; only True and 1 must be told apart."""
    if isinstance(value, dict):
        members = {name: meaning(member, top=False) for name, member in value.items() if member is not None}
        if top:
            members["stream"] = members.get("stream", ("bool", True))
        return members
    if isinstance(value, list):
        return [meaning(item, top=False) for item in value]
    return ("bool", value) if isinstance(value, bool) else value


@given(BODY, BODY)
def test_two_requests_have_one_key_exactly_when_they_mean_the_same(one: dict[str, Any], two: dict[str, Any]) -> None:
    same = key("d", CHAT, one, "t") == key("d", CHAT, two, "t")
    assert same == (meaning(one) == meaning(two))


@given(BODY, st.randoms())
def test_the_order_and_the_spelling_of_members_do_not_count(body: dict[str, Any], random: Any) -> None:
    def otherwise(value: Any) -> Any:
        if isinstance(value, dict):
            members = [(name, otherwise(member)) for name, member in value.items()]
            random.shuffle(members)
            return dict(members)
        if isinstance(value, list):
            return [otherwise(item) for item in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    other = {"model": "library/tiny:latest", **otherwise(body), "unset": None}
    assert key("d", CHAT, {"model": "tiny", **body}, "t") == key("d", CHAT, json.loads(json.dumps(other)), "t")


NAMES = st.lists(st.text("ab", max_size=2), min_size=3, max_size=3)


@given(NAMES, NAMES)
@example(["", "ab", ""], ["", "b", "a"])
def test_nothing_is_shared_between_models_tenants_or_versions(one: list[str], two: list[str]) -> None:
    body = {"prompt": "hi", **COLD}
    keys = [key(f"d{digest}", GENERATE, body, tenant, scope) for digest, tenant, scope in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)


def test_nothing_is_shared_between_routes() -> None:
    body = {"prompt": "a", "input": "a", "messages": SAID}
    assert len({key("d", route, body, "t") for route in INFERENCE}) == len(INFERENCE)


def test_the_default_of_stream_is_that_of_the_api() -> None:
    for name, default in (("/api/chat", True), ("/v1/chat/completions", False), ("/v1/messages", False)):
        keys = {value: key("d", ROUTES[name], {"stream": value}, "t") for value in (None, True, False)}
        assert keys[None] == keys[default] != keys[not default]
    embed = ROUTES["/api/embed"]
    assert key("d", embed, {"stream": True}, "t") == key("d", embed, {}, "t")


def test_options_of_a_stream_count_only_for_a_stream() -> None:
    route, options = ROUTES["/v1/chat/completions"], {"stream_options": {"include_usage": True}}
    assert key("d", route, options, "t") == key("d", route, {}, "t")
    assert key("d", route, {"stream": True, **options}, "t") != key("d", route, {"stream": True}, "t")


@pytest.mark.parametrize("member", ["format", "response_format", "text"])
def test_the_order_of_a_schemas_properties_counts_as_the_model_follows_it(member: str) -> None:
    turned = {**SCHEMA, "properties": dict(reversed(SCHEMA["properties"].items()))}  # type: ignore[attr-defined]
    assert key("d", CHAT, {member: SCHEMA}, "t") != key("d", CHAT, {member: turned}, "t")
    assert key("d", CHAT, {member: SCHEMA}, "t") == key("d", CHAT, {member: dict(SCHEMA), "a": None}, "t")


def test_a_member_in_capitals_has_no_key_as_ollama_may_read_it_as_another() -> None:
    for body in (
        {"Prompt": "b"},
        {"messages": [{"content": "a", "Content": "b"}]},
        {"options": {"Temperature": 0}},
        # A Kelvin sign and a long s, which are a k and an s to Go.
        {"\u212aeep_alive": 0},
        {"\u017fystem": "b"},
    ):
        assert key("d", CHAT, body, "t") == ""


def test_a_schema_may_name_its_properties_as_it_likes() -> None:
    assert key("d", CHAT, {"format": {"properties": {"Name": {}, "name": {}}}}, "t") != ""


def test_what_cannot_be_compared_has_no_key() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert key("d", CHAT, {"think": deep}, "t") == ""
    assert key("d", CHAT, {"format": deep}, "t") == ""
    assert key("d", CHAT, {"stream": "yes"}, "t") == ""
    assert key("", CHAT, {"prompt": "hi"}, "t") == ""
    # Half of a character that takes two has no bytes in UTF-8.
    assert key("d", CHAT, {"prompt": "\ud800"}, "t") != ""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Use.BOTH),
        ({"X-Cache": "bypass"}, Use.NEITHER),
        ({"X-Cache": " BYPASS "}, Use.NEITHER),
        ({"X-Cache": "hit"}, Use.BOTH),
        ({"Cache-Control": "no-store"}, Use.NEITHER),
        ({"Cache-Control": "no-cache, no-store"}, Use.NEITHER),
        ({"Cache-Control": "No-Cache"}, Use.WRITE),
        ({"Cache-Control": "max-age=0"}, Use.WRITE),
        ({"Cache-Control": "max-age=60"}, Use.BOTH),
    ],
)
def test_a_client_says_whether_its_answer_may_be_taken_or_kept(headers: dict[str, str], expected: Use) -> None:
    assert use(headers) is expected
