# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts together: metrics, access log, CloudWatch lines and the cache, on real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ollama_sidecar import __main__ as command
from ollama_sidecar import access_log, app
from ollama_sidecar.record import Record

from tests.helpers.redis_stub import redis_stub
from tests.helpers.scripted_ollama import Asked, scripted_ollama, stream
from tests.helpers.sidecar_process import sidecar_process
from tests.helpers.sidecar_yard import Answer, Client, Yard, request, run, sidecar_yard, until
from tests.helpers.tree import ROOT

TINY = {"model": "tiny"}
PROMPT = "the-prompt-of-a-client"
LAST = b'{"model":"tiny","done":true,"total_duration":5,"load_duration":2000000,"prompt_eval_count":3,"eval_count":2}\n'
NDJSON = [b'{"response":"a","done":false}\n', b'{"response":"b","done":false}\n', LAST]
FIXED = {"model": "tiny", "prompt": PROMPT, "options": {"temperature": 0}}


async def scraped(yard: Yard) -> dict[str, float]:
    """The series of the metrics listener."""
    text = (await yard.ask("GET", "/metrics", listener="metrics")).body.decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, dummy, value in lines}


def test_a_request_is_in_the_metrics_with_its_tokens() -> None:
    async def test() -> dict[str, float]:
        async with scripted_ollama(stream(NDJSON)) as ollama, sidecar_yard(ollama, models=("tiny",)) as yard:
            await until(lambda: not yard.sidecar.monitor.problem())
            await yard.ask("POST", "/api/generate", TINY)
            await yard.ask("POST", "/api/generate", {"model": "unknown"})
            await yard.record(2)
            return await scraped(yard)

    found = run(test())
    labels = '{endpoint="/api/generate",model="tiny:latest"}'
    assert found['ollama_requests_total{code="200",endpoint="/api/generate",model="tiny:latest"}'] == 1
    assert found['ollama_requests_total{code="404",endpoint="/api/generate",model="other"}'] == 1
    assert found[f"ollama_prompt_tokens_total{labels}"] == 3
    assert found[f"ollama_generated_tokens_total{labels}"] == 2
    assert found[f"ollama_time_to_first_token_seconds_count{labels}"] == 1
    assert found["ollama_up"] == found["ollama_ready"] == 1
    assert found["ollama_draining"] == 0
    assert found['ollama_model_size_bytes{model="tiny:latest"}'] == 1000
    assert found['ollama_requests_rejected_total{reason="model"}'] == 1


def test_what_runs_and_what_waits_is_in_the_metrics() -> None:
    async def test() -> dict[str, float]:
        go = asyncio.Event()

        async def hold(asked: Asked) -> None:
            await go.wait()
            asked.write(stream(NDJSON))

        async with scripted_ollama(hold) as ollama, sidecar_yard(ollama, num_parallel=2, max_queued=7) as yard:
            running = [asyncio.create_task(yard.ask("POST", "/api/chat", TINY)) for dummy in range(5)]
            await until(lambda: yard.sidecar.admission.waiting == 3)
            found = await scraped(yard)
            go.set()
            await asyncio.gather(*running)
            return found

    found = run(test())
    assert found['ollama_requests_in_flight{model="tiny:latest"}'] == 2
    assert found['ollama_requests_queued{model="tiny:latest"}'] == 3
    assert (found["ollama_requests_parallel_limit"], found["ollama_queue_capacity"]) == (2, 7)


def test_an_ollama_that_is_gone_has_nothing_in_memory() -> None:
    async def test() -> dict[str, float]:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, poll_seconds=60) as yard:
            assert 'ollama_model_size_bytes{model="tiny:latest"}' in await scraped(yard)
            yard.sidecar.monitor.up = False
            return await scraped(yard)

    found = run(test())
    assert found["ollama_up"] == found["ollama_ready"] == 0
    assert [name for name in found if name.startswith(("ollama_model_loaded", "ollama_model_size"))] == []


def test_the_process_writes_a_line_for_each_request_and_metrics_for_cloudwatch_and_no_prompt() -> None:
    async def test() -> list[dict[str, Any]]:
        given = {"EMF_NAMESPACE": "Ollama", "EMF_SECONDS": "3600", "MODELS": "tiny"}
        async with scripted_ollama(stream(NDJSON)) as ollama, sidecar_process(ollama.url, **given) as process:
            client = Client(*await asyncio.open_connection("127.0.0.1", process.port))
            await client.send(request("POST", "/api/generate", FIXED, {"Authorization": "Bearer a-secret-key"}))
            assert (await client.answer()).whole
            await client.close()
            process.send_signal(15)
            assert await process.wait() == 0
            assert PROMPT not in process.said()
            assert "a-secret-key" not in process.said()
            return [json.loads(line) for line in process.said().splitlines()]

    lines = run(test())
    (access,) = [line for line in lines if line.get("type") == "access"]
    assert (access["status"], access["route"], access["model"]) == (200, "/api/generate", "tiny:latest")
    assert (access["prompt_tokens"], access["output_tokens"]) == (3, 2)
    told = [line for line in lines if "_aws" in line]
    assert any(line.get("ollama_generated_tokens") == 2 for line in told)


def test_settings_of_otlp_are_checked_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIDECAR_OTLP_ENDPOINT", "collector:4318")
    assert command.main(["check"]) == 2
    assert "SIDECAR_OTLP_ENDPOINT: must be" in capsys.readouterr().err


def test_a_monitor_that_dies_ends_the_sidecar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with scripted_ollama() as ollama, sidecar_yard(ollama, poll_seconds=0.01) as yard:

            async def broken() -> None:
                raise LookupError(PROMPT)

            monkeypatch.setattr(yard.sidecar.monitor, "look", broken)
            async with asyncio.timeout(5):
                await yard.task

    run(test())
    assert "monitor has ended: LookupError at" in caplog.text
    assert PROMPT not in caplog.text


def cached(script: Any, test: Any, **given: Any) -> Any:
    """Run a test with a cache. test: takes the yard."""

    async def body() -> Any:
        async with (
            redis_stub() as stub,
            scripted_ollama(script) as ollama,
            sidecar_yard(ollama, cache_url=stub.url, models=("tiny",), **given) as yard,
        ):
            await until(lambda: not yard.sidecar.monitor.problem())
            await until(lambda: yard.sidecar._cache.store.up)
            return await test(yard)

    return run(body())


async def twice(
    yard: Yard, body: Any, target: str = "/api/generate", headers: Any = None
) -> tuple[Answer, Answer, int]:
    """The same asked twice; the two answers, and how often Ollama was asked."""
    first = await yard.ask("POST", target, body)
    await asyncio.sleep(0.05)
    second = await yard.ask("POST", target, body, headers)
    return first, second, len(yard.ollama.asked)


def test_an_answer_without_chance_is_asked_once_and_replayed_as_it_came() -> None:
    async def test(yard: Yard) -> None:
        first, second, asked = await twice(yard, FIXED)
        assert asked == 1
        assert (first.header("X-Cache"), second.header("X-Cache")) == ("miss", "hit")
        assert first.body == second.body == b"".join(NDJSON)
        assert second.header("Content-Type") == "application/x-ndjson"
        records = [await yard.record(1), await yard.record(2)]
        assert [record.cache for record in records] == ["miss", "hit"]
        assert [record.output_tokens for record in records] == [2, None]
        assert [record.bytes_out for record in records] == [len(first.body)] * 2
        assert records[0].first is not None

    cached(stream(NDJSON), test)


@pytest.mark.parametrize(
    ("body", "headers", "asked", "how"),
    [
        ({"model": "tiny", "prompt": "a"}, {}, 2, ""),
        (FIXED, {"X-Cache": "bypass"}, 2, "bypass"),
        (FIXED, {"Cache-Control": "no-cache"}, 2, "miss"),
        ({**FIXED, "model": "unknown"}, {}, 2, ""),
    ],
)
def test_what_is_not_for_the_cache_reaches_ollama(body: Any, headers: Any, asked: int, how: str) -> None:
    async def test(yard: Yard) -> None:
        found = await twice(yard, body, headers=headers)
        assert (found[2], found[1].header("X-Cache")) == (asked, how)

    cached(stream(NDJSON), test, allowed_models=("tiny", "unknown"))


def test_a_client_that_asks_for_usage_and_one_that_does_not_have_answers_of_their_own() -> None:
    delta = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n\n'
    done = b"data: [DONE]\n\n"
    body = {"model": "tiny", "messages": [{"role": "user", "content": "a"}], "temperature": 0, "stream": True}

    async def test(yard: Yard) -> None:
        for dummy in range(2):
            plain = await yard.ask("POST", "/v1/chat/completions", body)
            asking = {**body, "stream_options": {"include_usage": True}}
            full = await yard.ask("POST", "/v1/chat/completions", asking)
            assert plain.body == delta + done
            assert full.body == delta + usage + done
            await asyncio.sleep(0.05)
        assert len(yard.ollama.asked) == 2

    cached(stream([delta, usage, done], "text/event-stream"), test)


def test_many_who_ask_the_same_at_once_take_one_place() -> None:
    async def test(yard: Yard) -> None:
        answers = await asyncio.gather(*(yard.ask("POST", "/api/generate", FIXED) for dummy in range(20)))
        assert [answer.body for answer in answers] == [b"".join(NDJSON)] * 20
        assert (len(yard.ollama.asked), yard.ollama.most) == (1, 1)
        assert yard.sidecar.admission.running == yard.sidecar.life.working == 0

    cached(stream(NDJSON), test, num_parallel=1, max_queued=0)


async def two_that_share(yard: Yard) -> tuple[Client, asyncio.Task[Answer]]:
    """The first that asks, and another one that waits for the same answer."""
    first = await yard.connect()
    await first.send(request("POST", "/api/generate", FIXED))
    await yard.ollama.wait(1)
    second = asyncio.create_task(yard.ask("POST", "/api/generate", FIXED))
    await until(lambda: yard.sidecar.life.working == 2)
    await asyncio.sleep(0.02)
    return first, second


def test_the_first_may_go_and_the_others_still_get_the_answer() -> None:
    go = asyncio.Event()

    async def hold(asked: Asked) -> None:
        await go.wait()
        asked.write(stream(NDJSON))

    async def test(yard: Yard) -> None:
        first, second = await two_that_share(yard)
        first.reset()
        await yard.record(1)
        go.set()
        assert (await second).body == b"".join(NDJSON)
        assert len(yard.ollama.asked) == 1

    cached(hold, test)


TOKENS = '_tokens_total{endpoint="/api/generate",model="tiny:latest"}'


@pytest.mark.parametrize("stays", [True, False])
def test_the_tokens_of_an_answer_that_two_get_are_counted_once_whoever_stays(
    stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = asyncio.Event()
    late: list[Record] = []
    monkeypatch.setattr(access_log.AccessLog, "work", lambda log, record: late.append(record))

    async def hold(asked: Asked) -> None:
        await go.wait()
        asked.write(stream(NDJSON))

    async def test(yard: Yard) -> None:
        first, second = await two_that_share(yard)
        if not stays:
            first.reset()
            await yard.record(1)
        go.set()
        assert (await second).whole
        await yard.record(2)
        assert (await yard.ask("POST", "/api/generate", FIXED)).header("X-Cache") == "hit"
        found = await scraped(yard)
        assert (found[f"ollama_prompt{TOKENS}"], found[f"ollama_generated{TOKENS}"]) == (3, 2)
        # In the log they are in the first one's line, or in one of their own where that has been written.
        assert [(record.prompt_tokens, record.output_tokens) for record in late] == ([] if stays else [(3, 2)])

    cached(hold, test, access_log=True)


def test_the_tokens_of_an_answer_that_nobody_waits_for_are_those_that_were_told() -> None:
    async def told(asked: Asked) -> None:
        asked.write(stream(NDJSON)[:-5])
        await asked.gone.wait()

    async def test(yard: Yard) -> None:
        client = await yard.connect()
        await client.send(request("POST", "/api/generate", FIXED))
        await client.reader.readuntil(b'"done":true')
        client.reset()
        await yard.record(1)
        await until(lambda: not yard.sidecar._cache._tasks)
        found = await scraped(yard)
        assert found[f"ollama_generated{TOKENS}"] in (0, 2)

    cached(told, test)


async def moved(yard: Yard, method: str, target: str) -> None:
    """Operators let the name mean another model."""
    yard.ollama.digest = "f" * 64 if yard.ollama.digest != "f" * 64 else "0" * 64
    await yard.ask(method, target, {"source": "other", "destination": "tiny"}, listener="admin")


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/api/pull"), ("POST", "/api/create"), ("POST", "/api/copy"), ("DELETE", "/api/delete")],
)
def test_a_name_that_operators_moved_has_no_answers_of_the_model_before(method: str, target: str) -> None:
    async def test(yard: Yard) -> None:
        await yard.ask("POST", "/api/generate", FIXED)
        await asyncio.sleep(0.05)
        assert (await yard.ask("POST", "/api/generate", FIXED)).header("X-Cache") == "hit"
        await moved(yard, method, target)
        assert (await yard.ask("POST", "/api/generate", FIXED)).header("X-Cache") != "hit"
        # Long before it would have been looked at.
        await until(lambda: yard.sidecar.monitor.digest("tiny:latest") == yard.ollama.digest)

    cached(stream(NDJSON), test, poll_seconds=30.0)


@pytest.mark.parametrize("behind", [True, False])
def test_an_answer_of_a_model_whose_name_is_moved_meanwhile_is_not_kept(behind: bool) -> None:
    """Else it would be found when the name is moved back."""
    go = asyncio.Event()

    async def hold(asked: Asked) -> None:
        if asked.target == "/api/generate":
            await go.wait()
        asked.write(stream(NDJSON))

    async def test(yard: Yard) -> None:
        before = yard.ollama.digest
        asking = asyncio.create_task(yard.ask("POST", "/api/generate", FIXED))
        await yard.ollama.wait(1)
        if behind:
            yard.ollama.digest = "f" * 64
        else:  # there and back
            await moved(yard, "POST", "/api/copy")
            yard.ollama.digest = before
            await moved(yard, "POST", "/api/copy")
            yard.ollama.digest = before
        go.set()
        assert (await asking).whole
        await until(lambda: not yard.sidecar._cache._tasks)
        yard.ollama.digest = before
        await until(lambda: yard.sidecar.monitor.digest("tiny:latest") == before)
        assert (await yard.ask("POST", "/api/generate", FIXED)).header("X-Cache") == "miss"

    cached(hold, test, poll_seconds=30.0)


def test_a_name_that_is_moved_behind_the_sidecars_back_is_seen_by_the_next_look() -> None:
    async def test(yard: Yard) -> None:
        await yard.ask("POST", "/api/generate", FIXED)
        await asyncio.sleep(0.05)
        yard.ollama.digest = "f" * 64
        await until(lambda: yard.sidecar.monitor.digest("tiny:latest") == "f" * 64, 1.0)
        assert (await yard.ask("POST", "/api/generate", FIXED)).header("X-Cache") == "miss"

    cached(stream(NDJSON), test, poll_seconds=0.05)


def test_a_refusal_of_a_place_is_told_through_the_cache_too() -> None:
    async def hold(asked: Asked) -> None:
        await asked.gone.wait()

    async def test(yard: Yard) -> None:
        running = asyncio.create_task(yard.ask("POST", "/api/generate", {**FIXED, "prompt": "b"}))
        await yard.ollama.wait(1)
        refused = await yard.ask("POST", "/api/generate", FIXED)
        assert (refused.status, refused.header("Retry-After") != "") == (503, True)
        assert (await yard.record(1)).rejected == "queue_full"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    cached(hold, test, num_parallel=1, max_queued=0)


def test_an_answer_that_breaks_off_is_told_through_the_cache_too_and_not_kept() -> None:
    async def broken_off(asked: Asked) -> None:
        asked.write(stream(NDJSON)[:-30])
        await asyncio.sleep(0.01)
        asked.reset()

    async def test(yard: Yard) -> None:
        first, second, asked = await twice(yard, FIXED)
        assert asked == 2
        for answer in (first, second):
            assert not answer.whole
            assert b'{"error":' in answer.body

    cached(broken_off, test)


def test_keys_do_not_see_each_others_answers() -> None:
    keys = tuple({"id": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in ("one", "two"))

    async def test(yard: Yard) -> None:
        for name in ("one", "two", "one"):
            answer = await yard.ask("POST", "/api/generate", FIXED, {"X-Api-Key": name})
            assert answer.whole
            await asyncio.sleep(0.05)
        assert len(yard.ollama.asked) == 2

    cached(stream(NDJSON), test, keys=keys)


def test_the_sidecar_has_the_version_of_the_collection() -> None:
    galaxy = yaml.safe_load((Path(ROOT) / "galaxy.yml").read_text(encoding="utf-8"))
    assert galaxy["version"] == app.VERSION


def test_another_ollama_is_not_answered_for_by_the_one_before() -> None:
    async def test(yard: Yard) -> None:
        await yard.ask("POST", "/api/generate", FIXED)
        await asyncio.sleep(0.05)
        yard.sidecar.monitor.version = "0.99.0"
        assert (await yard.ask("POST", "/api/generate", FIXED)).header("X-Cache") == "miss"

    cached(stream(NDJSON), test)
