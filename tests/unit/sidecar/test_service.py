# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health, metrics and the order to drain, on real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from tests.helpers.scripted_ollama import Asked, entry, response, scripted_ollama
from tests.helpers.sidecar_yard import Answer, Yard, run, sidecar_yard, until

TOKEN = "a-drain-token"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
TINY = {"model": "tiny"}


async def ready(yard: Yard) -> tuple[int, str]:
    answer = await yard.ask("GET", "/readyz", listener="metrics")
    return answer.status, str(answer.json().get("reason", ""))


def test_it_lives_while_ollama_does_not() -> None:
    async def test() -> tuple[int, tuple[int, str]]:
        async with scripted_ollama() as ollama:
            ollama.silent = True
            async with sidecar_yard(ollama, models=("tiny",)) as yard:
                return (await yard.ask("GET", "/livez")).status, await ready(yard)

    assert run(test()) == (200, (503, "Ollama does not answer"))


def test_it_is_ready_when_the_model_is_in_memory_and_says_why_not_before() -> None:
    async def test() -> None:
        loading = asyncio.Event()

        async def load(asked: Asked) -> None:
            await loading.wait()
            await ollama._load(asked)

        async with scripted_ollama() as ollama:
            ollama.loaded, ollama.loading = [], load
            async with sidecar_yard(ollama, models=("tiny",), poll_seconds=0.01) as yard:
                assert await ready(yard) == (503, "tiny:latest is not in memory")
                loading.set()
                await until(lambda: not yard.sidecar.monitor.problem())
                assert await ready(yard) == (200, "")
                assert (await yard.ask("HEAD", "/readyz")).status == 200
                ollama.loaded = []
                loading.clear()
                await until(lambda: yard.sidecar.monitor.problem())
                assert (await ready(yard))[0] == 503
                loading.set()

    run(test())


def test_a_request_to_another_allowed_model_leaves_it_ready_and_the_reason_is_told() -> None:
    """Ollama has memory for one: loaded at once again, the two would throw each other out."""

    async def test() -> None:
        async def one_only(asked: Asked) -> None:
            ollama.loaded = [entry("other:latest")]
            await asyncio.sleep(0.05)
            asked.write(response(b'{"done":true}'))

        given: dict[str, Any] = {"models": ("tiny",), "allowed_models": ("tiny", "other"), "poll_seconds": 0.01}
        async with scripted_ollama(one_only) as ollama, sidecar_yard(ollama, **given) as yard:
            await until(lambda: not yard.sidecar.monitor.problem())
            before = len(ollama.watched)
            assert (await yard.ask("POST", "/api/generate", {"model": "other", "prompt": "a"})).status == 200
            await until(lambda: len(ollama.watched) > before + 20)
            assert await ready(yard) == (200, "tiny:latest made room for another model")
            assert not [asked for asked in ollama.watched[before:] if asked.method == "POST"]

    run(test())


def test_where_a_gpu_is_required_the_model_must_be_in_its_memory() -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama:
            ollama.loaded = [entry("tiny:latest", vram=5)]
            async with sidecar_yard(ollama, models=("tiny",), require_gpu=True, poll_seconds=0.01) as yard:
                await until(lambda: not yard.sidecar.monitor.problem())
                ollama.loaded = [entry("tiny:latest", vram=0)]
                await until(lambda: yard.sidecar.monitor.problem())
                assert await ready(yard) == (503, "tiny:latest is not in the memory of a GPU")

    run(test())


def test_probes_are_answered_while_every_place_is_taken_and_counted_as_no_request() -> None:
    async def hold(asked: Asked) -> None:
        await asked.gone.wait()

    async def test() -> tuple[list[int], int]:
        async with scripted_ollama(hold) as ollama, sidecar_yard(ollama, num_parallel=1) as yard:
            running = asyncio.create_task(yard.ask("POST", "/api/chat", TINY))
            await ollama.wait(1)
            statuses = [(await yard.ask("GET", path)).status for path in ("/livez", "/readyz")]
            statuses.append((await yard.ask("GET", "/metrics", listener="metrics")).status)
            counted = len(yard.records)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            return statuses, counted

    assert run(test()) == ([200, 200, 200], 0)


def drained(headers: dict[str, str] | None = None, listener: str = "public", token: str = HASH) -> Answer:
    async def test() -> Answer:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, drain_token_sha256=token) as yard:
            answer = await yard.ask("POST", "/drain?exit=false", None, headers, listener=listener)
            assert yard.sidecar.life.draining is (answer.status == 202)
            return answer

    return run(test())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {HASH}"},
        {"X-Api-Key": TOKEN},
    ],
)
def test_a_drain_without_its_token_is_no_route(headers: dict[str, str]) -> None:
    assert drained(headers).status == 404


def test_a_drain_with_its_token_begins() -> None:
    answer = drained({"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status, answer.json()) == (202, {"draining": True, "working": 0})


def test_without_a_token_set_no_token_opens_it() -> None:
    assert drained({"Authorization": "Bearer "}, token="").status == 404


def test_operators_need_no_token() -> None:
    assert drained(listener="admin").status == 202


def test_a_drain_refuses_what_is_new_finishes_what_runs_and_what_waits_and_then_ends() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def hold(asked: Asked) -> None:
            await go.wait()
            asked.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        async with scripted_ollama(hold) as ollama, sidecar_yard(ollama, num_parallel=1) as yard:
            running = [asyncio.create_task(yard.ask("POST", "/api/chat", TINY)) for dummy in range(3)]
            await until(lambda: yard.sidecar.admission.waiting == 2)
            assert (await yard.ask("POST", "/drain", listener="admin")).json() == {"draining": True, "working": 3}
            refused = await yard.ask("POST", "/v1/chat/completions", TINY)
            assert (refused.status, refused.header("Retry-After"), refused.header("Connection")) == (503, "1", "close")
            assert "error" in refused.json()
            assert await ready(yard) == (503, "draining")
            assert (await yard.ask("GET", "/livez")).status == 200
            assert not yard.task.done()
            go.set()
            assert [(await task).status for task in running] == [200, 200, 200]
            async with asyncio.timeout(2):
                await yard.task
            with pytest.raises(OSError):
                await yard.connect()

    run(test())


def test_a_drain_that_takes_too_long_is_over_all_the_same() -> None:
    async def hold(asked: Asked) -> None:
        await asked.gone.wait()

    async def test() -> float:
        async with scripted_ollama(hold) as ollama, sidecar_yard(ollama, drain_seconds=0.2) as yard:
            running = asyncio.create_task(yard.ask("POST", "/api/chat", TINY))
            await ollama.wait(1)
            begin = asyncio.get_running_loop().time()
            yard.sidecar.life.drain(leave=True)
            await yard.task
            took = asyncio.get_running_loop().time() - begin
            assert (await running).status == 503
            return took

    assert 0.19 <= run(test()) < 3.0


def test_idle_connections_of_clients_do_not_hold_up_the_end() -> None:
    async def test() -> float:
        async with scripted_ollama() as ollama, sidecar_yard(ollama) as yard:
            clients = [await yard.connect() for dummy in range(20)]
            body = json.dumps(TINY).encode()
            for client in clients[:10]:
                await client.send(
                    b"POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
                )
                assert (await client.answer()).status == 200
            begin = asyncio.get_running_loop().time()
            yard.sidecar.life.drain(leave=True)
            await yard.task
            took = asyncio.get_running_loop().time() - begin
            for client in clients:
                assert await client.ended()
                await client.close()
            return took

    assert run(test()) < 0.2
