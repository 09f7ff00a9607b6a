# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client is told of the models that it may ask, and of no other."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ollama_sidecar.listing import shortened
from ollama_sidecar.routes import INFERENCE
from ollama_sidecar.settings import Key

from tests.helpers.scripted_ollama import response, scripted_ollama
from tests.helpers.sidecar_yard import run, sidecar_yard

ROUTES = {route.name: route for route in INFERENCE}
LISTS = {
    "/api/tags": {"models": [{"name": "tiny:latest", "model": "tiny:latest", "size": 1}, {"name": "other:1"}]},
    "/v1/models": {"object": "list", "data": [{"id": "tiny", "object": "model"}, {"id": "other:1"}]},
}
SECRET = "a-key-of-a-client"


def only_tiny(model: str) -> bool:
    return model == "tiny:latest"


@pytest.mark.parametrize("path", LISTS)
def test_a_list_keeps_what_may_be_asked_as_it_was(path: str) -> None:
    found = json.loads(shortened(ROUTES[path], json.dumps(LISTS[path]).encode(), only_tiny))
    before: dict[str, Any] = dict(LISTS[path])
    member = "models" if path == "/api/tags" else "data"
    assert found == {**before, member: before[member][:1]}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"models": 3}', b'{"models": ["a"]}', b"[" * 100_000])
def test_what_is_no_list_is_handed_on(raw: bytes) -> None:
    assert shortened(ROUTES["/api/tags"], raw, only_tiny) == raw


@pytest.mark.parametrize("raw", [b'{"models":null}', b'{ "models": [{"name": "tiny"}] }\n'])
def test_a_list_of_which_all_may_be_asked_is_handed_on_byte_for_byte(raw: bytes) -> None:
    assert shortened(ROUTES["/api/tags"], raw, only_tiny) == raw


def asked(path: str, **settings: Any) -> tuple[int, bytes]:
    async def test() -> tuple[int, bytes]:
        raw = json.dumps(LISTS.get(path, {"id": path})).encode()
        async with (
            scripted_ollama(response(raw)) as ollama,
            sidecar_yard(ollama, **settings) as yard,
        ):
            answer = await yard.ask("GET", path, headers={"Authorization": f"Bearer {SECRET}"})
            return answer.status, answer.body

    return run(test())


@pytest.mark.parametrize(
    "settings",
    [
        {"allowed_models": ("tiny",)},
        {"keys": (Key(id="a", sha256=hashlib.sha256(SECRET.encode()).hexdigest(), models=("tiny",)),)},
    ],
)
def test_both_the_server_and_the_key_hold_a_list(settings: Any) -> None:
    status, body = asked("/v1/models", **settings)
    assert status == 200
    assert [entry["id"] for entry in json.loads(body)["data"]] == ["tiny"]
    assert asked("/v1/models/other:1", **settings)[0] == 404
    assert asked("/v1/models/tiny", **settings) == (200, b'{"id": "/v1/models/tiny"}')


def test_without_a_rule_a_list_is_handed_on_as_it_came() -> None:
    assert asked("/v1/models") == (200, json.dumps(LISTS["/v1/models"]).encode())
