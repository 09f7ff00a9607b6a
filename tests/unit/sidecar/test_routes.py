# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reaches Ollama is what is listed, written exactly so; the same table is tried on the router and on sockets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_sidecar import routes
from ollama_sidecar.reply import error_body
from ollama_sidecar.routes import ADMIN, DRAIN, HEALTH, INFERENCE, METRICS, SHOW, Dialect, Kind, Refused, dialect

from tests.helpers.scripted_ollama import response, scripted_ollama
from tests.helpers.sidecar_yard import Answer, request, run, sidecar_yard
from tests.unit.sidecar.route_table import BROKEN, TABLE

ADMIN_NAMES = {route.name for route in routes.ADMIN}


def status(method: str, target: str) -> int:
    try:
        routes.public().match(method, target)
    except Refused as refused:
        return refused.status
    return 200


def test_the_table_is_as_long_as_was_promised() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize(("method", "target", "expected"), TABLE)
def test_the_router_judges_a_request(method: str, target: str, expected: int) -> None:
    if method == "post":
        assert status(method, target) == 405  # on sockets the parser refuses it before
    elif target.startswith("/drain") and method != "DELETE":
        assert routes.public().match(method, target).kind is Kind.DRAIN  # its token is looked at later
    else:
        assert status(method, target) == expected


def test_the_same_table_holds_on_sockets() -> None:
    async def test() -> dict[tuple[str, str], tuple[int, int]]:
        found = {}
        async with scripted_ollama(response(b"{}")) as ollama, sidecar_yard(ollama, models=("tiny",)) as yard:
            await yard.ask("POST", "/api/chat", {"model": "tiny"})
            for method, target, expected in TABLE:
                body = {"model": "tiny"} if method == "POST" else None
                raw = request(method, "TARGET", body).replace(b"TARGET", target.encode())
                before = len(ollama.asked)
                answer = await yard.raw(raw, method)
                reached = len(ollama.asked) - before
                own = target.startswith(("/livez", "/readyz", "/drain"))
                # What is no URL at all is refused by the parser.
                seen = expected if answer.status == 400 and expected == 404 else answer.status
                if (seen, reached) != (expected, int(expected == 200 and not own)):
                    found[(method, target)] = (answer.status, reached)
        return found

    assert run(test()) == {}


def test_what_the_parser_cannot_read_reaches_nobody() -> None:
    async def test() -> tuple[list[Answer], int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            answers = []
            for raw in BROKEN:
                client = await yard.connect()
                await client.send(raw)
                client.writer.write_eof()
                answers.append(await client.answer("GET"))
                await client.close()
            return answers, len(ollama.asked)

    answers, reached = run(test())
    assert [answer.status for answer in answers if answer.status not in (0, 400, 404, 431)] == []
    assert reached == 0


@given(st.text(max_size=40), st.sampled_from(["GET", "POST", "DELETE", "HEAD"]))
def test_nothing_but_the_listed_paths_is_a_route(text: str, method: str) -> None:
    for target in (text, f"/{text}", f"/api/{text}", f"/v1/models/{text}"):
        try:
            route = routes.public().match(method, target)
        except Refused:
            continue
        path = target.partition("?")[0]
        assert path == route.name or (route.prefix and "/" not in path.removeprefix(route.name))
        assert route.kind is not Kind.ADMIN


@pytest.mark.parametrize("show", [False, True])
def test_no_admin_route_is_public(show: bool) -> None:
    router = routes.public(show=show)
    for route in routes.ADMIN:
        for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
            target = route.name + ("sha256:00" if route.prefix else "")
            try:
                found = router.match(method, target)
            except Refused:
                continue
            assert show
            assert found.name in ("/api/show", "/api/ps")


def test_a_wrong_verb_is_told_the_right_ones() -> None:
    async def test() -> Answer:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask("DELETE", "/api/tags")

    answer = run(test())
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")


def test_the_admin_listener_has_ollamas_own_routes_and_the_metrics_listener_none() -> None:
    async def test() -> list[int]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            body = {"model": "tiny"}
            answers = [
                await yard.ask("DELETE", "/api/delete", body, listener="admin"),
                await yard.ask("POST", "/api/show", body, listener="admin"),
                await yard.ask("HEAD", "/api/blobs/sha256:00", listener="admin"),
                await yard.ask("GET", "/metrics", listener="admin"),
                await yard.ask("GET", "/metrics", listener="metrics"),
                await yard.ask("GET", "/livez", listener="metrics"),
                await yard.ask("POST", "/api/chat", body, listener="metrics"),
                await yard.ask("DELETE", "/api/delete", body, listener="metrics"),
                await yard.ask("POST", "/drain", listener="metrics"),
            ]
            assert [asked.target for asked in ollama.asked] == ["/api/delete", "/api/show", "/api/blobs/sha256:00"]
            return [answer.status for answer in answers]

    assert run(test()) == [200, 200, 200, 200, 200, 200, 404, 404, 404]


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/api/delete"),
        ("POST", "/api/chat"),
        ("GET", "/api/tags"),
        ("POST", "/drain"),
        ("GET", "/drain"),
        ("GET", "/metrics"),
        ("GET", "/livez"),
        ("GET", "/nothing"),
    ],
)
def test_a_page_in_a_browser_cannot_use_the_admin_listener(method: str, target: str) -> None:
    async def test() -> tuple[int, int, bool]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            headers = {"Origin": "https://page.example.org"}
            answer = await yard.ask(method, target, {"model": "tiny"}, headers, listener="admin")
            assert (await yard.record()).rejected == "policy"
            return answer.status, len(ollama.asked), yard.sidecar.life.draining

    assert run(test()) == (403, 0, False)


@pytest.mark.parametrize(
    ("method", "target", "status", "words"),
    [
        ("GET", "/v1/chat/completions", 405, Dialect.OPENAI),
        ("POST", "/v1/nope?a=b", 404, Dialect.OPENAI),
        ("POST", "/v1//chat/completions", 404, Dialect.OPENAI),
        ("POST", "/v1/messagesx", 404, Dialect.OPENAI),
        ("DELETE", "/v1/messages", 405, Dialect.ANTHROPIC),
        ("GET", "/v1/messages/x", 404, Dialect.ANTHROPIC),
        ("POST", "/v1/messages/count_tokens?beta=true", 404, Dialect.ANTHROPIC),
        ("GET", "/api/chat", 405, Dialect.OLLAMA),
        ("GET", "/nothing", 404, Dialect.OLLAMA),
    ],
)
def test_what_is_no_route_is_refused_in_the_words_of_its_api(
    method: str, target: str, status: int, words: Dialect
) -> None:
    async def test() -> Answer:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            return await yard.ask(method, target)

    answer = run(test())
    assert answer.status == status
    message = "not found" if status == 404 else "method not allowed"
    assert answer.json() == error_body(words, status, message)


def test_each_route_has_the_dialect_of_its_path() -> None:
    for route in (*INFERENCE, *SHOW, *ADMIN, *HEALTH, *DRAIN, *METRICS):
        assert dialect(route.name) is route.dialect
