# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official clients of Ollama and OpenAI, through the sidecar, with a real Ollama behind it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import ollama
import openai
import pytest

from tests.helpers.real_ollama import RealOllama
from tests.helpers.recorder import Recorder, recording
from tests.helpers.sidecar_process import sidecar_process
from tests.helpers.sidecar_yard import run

pytestmark = pytest.mark.real
TINY, PROMPT = "tiny:latest", "the capital of France"
MESSAGES: list[Any] = [{"role": "user", "content": PROMPT}]
OPTIONS = {"temperature": 0, "seed": 1, "num_predict": 8}
KEEP = {"MODELS": TINY, "ALLOW_SHOW": "true", "NUM_PARALLEL": "2"}
# What differs from one answer to the next of the same request.
MASKED = re.compile(
    rb'"(created_at|created|id|total_duration|load_duration|prompt_eval_duration|eval_duration)":("[^"]*"|\d+)'
)


class Wire(httpx.AsyncHTTPTransport):
    """Keeps the bytes that a client gets."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[bytearray] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        kept = bytearray()
        self.got.append(kept)
        stream: Any = response.stream

        class Kept(httpx.AsyncByteStream):
            async def __aiter__(self) -> Any:
                async for piece in stream:
                    kept.extend(piece)
                    yield piece

            async def aclose(self) -> None:
                await stream.aclose()

        response.stream = Kept()
        return response


Call = Callable[[ollama.AsyncClient, openai.AsyncOpenAI], Awaitable[Any]]


async def all_of(stream: Any) -> list[Any]:
    return [piece async for piece in await stream]


CALLS: dict[str, Call] = {
    "ollama generate": lambda a, b: a.generate(TINY, PROMPT, options=OPTIONS),
    "ollama generate stream": lambda a, b: all_of(a.generate(TINY, PROMPT, options=OPTIONS, stream=True)),
    "ollama chat": lambda a, b: a.chat(TINY, MESSAGES, options=OPTIONS),
    "ollama chat stream": lambda a, b: all_of(a.chat(TINY, MESSAGES, options=OPTIONS, stream=True)),
    "ollama embed": lambda a, b: a.embed(TINY, [PROMPT, "another"]),
    "ollama embeddings": lambda a, b: a.embeddings(TINY, PROMPT),
    "ollama show": lambda a, b: a.show(TINY),
    "openai chat": lambda a, b: b.chat.completions.create(
        model=TINY, messages=MESSAGES, temperature=0, seed=1, max_tokens=8
    ),
    "openai chat stream": lambda a, b: all_of(
        b.chat.completions.create(model=TINY, messages=MESSAGES, temperature=0, seed=1, max_tokens=8, stream=True)
    ),
    "openai chat stream with usage": lambda a, b: all_of(
        b.chat.completions.create(
            model=TINY,
            messages=MESSAGES,
            temperature=0,
            seed=1,
            max_tokens=8,
            stream=True,
            stream_options={"include_usage": True},
        )
    ),
    "openai completions": lambda a, b: b.completions.create(
        model=TINY, prompt=PROMPT, temperature=0, seed=1, max_tokens=8
    ),
    "openai completions stream": lambda a, b: all_of(
        b.completions.create(model=TINY, prompt=PROMPT, temperature=0, seed=1, max_tokens=8, stream=True)
    ),
    "openai embeddings": lambda a, b: b.embeddings.create(model=TINY, input=PROMPT, encoding_format="float"),
    "openai responses": lambda a, b: b.responses.create(model=TINY, input=PROMPT, temperature=0, max_output_tokens=8),
    "openai responses stream": lambda a, b: all_of(
        b.responses.create(model=TINY, input=PROMPT, temperature=0, max_output_tokens=8, stream=True)
    ),
    "openai models": lambda a, b: all_of_models(b),
}


async def all_of_models(client: openai.AsyncOpenAI) -> list[str]:
    return [model.id async for model in client.models.list()]


async def called(url: str, call: Call) -> tuple[Any, bytes]:
    """What the client made of the answer, and the bytes it got."""
    wire = Wire()
    async with httpx.AsyncClient(transport=wire, timeout=120) as http:
        native = ollama.AsyncClient(host=url, timeout=120)
        native._client._transport = wire
        compatible = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", http_client=http, max_retries=0)
        found = await call(native, compatible)
    return found, b"".join(wire.got)


def shown(found: Any) -> Any:
    """An answer of a client as plain values."""
    if isinstance(found, list):
        return [shown(item) for item in found]
    return found.model_dump(mode="json") if hasattr(found, "model_dump") else found


def masked(raw: bytes) -> bytes:
    # Identifiers come in the middle of events too: resp_, msg_, chatcmpl-, cmpl-.
    raw = re.sub(rb"\b(resp|msg|chatcmpl|cmpl|rs|fc|item)[-_][0-9a-zA-Z_]+", b"ID", raw)
    raw = re.sub(rb'"(completed_at)":\d+', rb'"\1":0', raw)
    return MASKED.sub(rb'"\1":0', raw)


@pytest.fixture(scope="module")
def answers(real_ollama: RealOllama) -> dict[str, Any]:
    """For each call, through the sidecar: the client's view, its bytes, Ollama's bytes, what Ollama was asked; and the
    client's view and bytes without it."""

    async def one(recorder: Recorder, url: str, call: Call) -> tuple[Any, bytes, bytes, bytes]:
        before = len(recorder.seen)
        found, got = await called(url, call)
        async with asyncio.timeout(10):
            while len(recorder.seen) == before and b'"object":"list","data":[{"id"' not in got:
                await asyncio.sleep(0.005)
        seen = recorder.seen[before:]
        return found, got, b"".join(item.body for item in seen), b"".join(item.asked for item in seen)

    async def all_calls() -> dict[str, Any]:
        results = {}
        async with recording(real_ollama.url) as recorder, sidecar_process(recorder.url, **KEEP) as process:
            await process.ready()
            for name, call in CALLS.items():
                proxied = await one(recorder, f"http://127.0.0.1:{process.port}", call)
                direct = await called(real_ollama.url, call)
                results[name] = (*proxied, *direct)
        return results

    return run(all_calls())


@pytest.mark.parametrize("name", [name for name in CALLS if name != "openai models"])
def test_a_client_gets_the_bytes_that_ollama_sent(answers: dict[str, Any], name: str) -> None:
    got, sent, asked = answers[name][1:4]
    assert got
    if name in ("openai chat stream", "openai completions stream"):
        assert json.loads(asked)["stream_options"] == {"include_usage": True}
        events = sent.split(b"\n\n")
        kept = [event for event in events if b'"choices":[]' not in event]
        assert len(events) - len(kept) == 1  # the usage that only the sidecar asked for
        sent = re.sub(rb',"usage":\{[^{}]*\}', b"", b"\n\n".join(kept))
    assert got == sent


@pytest.mark.parametrize("name", list(CALLS))
def test_an_answer_is_the_same_with_the_sidecar_and_without(answers: dict[str, Any], name: str) -> None:
    found, got, dummy, dummy, direct, direct_got = answers[name]
    assert masked(got) == masked(direct_got)
    assert masked(json.dumps(shown(found), separators=(",", ":")).encode()) == masked(
        json.dumps(shown(direct), separators=(",", ":")).encode()
    )


def test_metrics_count_the_tokens_that_the_clients_were_told(real_ollama: RealOllama) -> None:
    async def test() -> tuple[int, int, str, str]:
        async with sidecar_process(real_ollama.url, **KEEP) as process:
            await process.ready()
            url = f"http://127.0.0.1:{process.port}"
            told = await ollama.AsyncClient(host=url).generate(TINY, PROMPT, options=OPTIONS)
            wire = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none")
            await all_of(wire.chat.completions.create(model=TINY, messages=MESSAGES, max_tokens=5, stream=True))
            await wire.close()
            lines = [json.loads(line) for line in process.said().splitlines()]
            for dummy in range(100):
                lines = [json.loads(line) for line in process.said().splitlines()]
                if sum(line.get("type") == "access" for line in lines) == 2:
                    break
                await asyncio.sleep(0.05)
            first, second = [line for line in lines if line.get("type") == "access"]
            assert (first["prompt_tokens"], first["output_tokens"]) == (told.prompt_eval_count, told.eval_count)
            return second["prompt_tokens"], second["output_tokens"], process.said(), PROMPT

    prompt, output, said, words = run(test())
    assert prompt > 0
    assert 1 <= output <= 5
    assert words not in said


def test_clients_read_refusals_in_their_own_words(real_ollama: RealOllama) -> None:
    async def test() -> None:
        async with sidecar_process(
            real_ollama.url, **KEEP, KEYS='[{"id":"one","sha256":"' + "0" * 64 + '"}]'
        ) as process:
            url = f"http://127.0.0.1:{process.port}"
            with pytest.raises(ollama.ResponseError, match="a valid key is required"):
                await ollama.AsyncClient(host=url).generate(TINY, PROMPT)
            with pytest.raises(ollama.ResponseError, match="not found"):
                await ollama.AsyncClient(host=url).delete(TINY)
            wire = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
            with pytest.raises(openai.AuthenticationError):
                await wire.chat.completions.create(model=TINY, messages=MESSAGES)
            await wire.close()

    run(test())


def test_a_model_that_was_dropped_behind_the_sidecars_back_is_loaded_again(real_ollama: RealOllama) -> None:
    async def test() -> None:
        async with sidecar_process(real_ollama.url, **KEEP) as process:
            await process.ready()
            async with httpx.AsyncClient() as client:
                body = {"model": TINY, "keep_alive": 0}
                assert (await client.post(f"{real_ollama.url}/api/generate", json=body)).status_code == 200
                names = [TINY]
                for expected in ([], [TINY]):
                    async with asyncio.timeout(30):
                        while names != expected:
                            loaded = (await client.get(f"{real_ollama.url}/api/ps")).json()["models"]
                            names = [model["name"] for model in loaded]
                await process.ready()

    run(test())
