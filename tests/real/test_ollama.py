# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Ollama: our modules work on it, and the sandbox's test engine answers with the same fields and types."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.helpers.engines import Engines
from tests.helpers.modules import run_module
from tests.helpers.real_ollama import RealOllama

pytestmark = pytest.mark.real
TINY, EMULATED = "tiny:latest", "gemma3:1b"
# Left out by Ollama when they are zero or empty, so a fast or empty answer may lack them.
OMITTED = {"load_duration", "prompt_eval_duration", "eval_duration", "parent_model", "context"}


def call(url: str, path: str, body: Any = None) -> tuple[int, str, bytes]:
    """Status, content type and body of one request."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def shape(value: Any) -> Any:
    """A JSON value with its types in place of its values; of a list the shape of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in OMITTED}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


@pytest.fixture
def pair(real_ollama: RealOllama, engines: Engines) -> dict[str, tuple[str, str]]:
    """URL and model of both sides, the model in memory."""
    sides = {"real": (real_ollama.url, TINY), "sandbox": (engines.url(gpu=False), EMULATED)}
    for url, model in sides.values():
        assert call(url, "/api/generate", {"model": model, "keep_alive": -1})[0] == 200
    return sides


def both(pair: dict[str, tuple[str, str]], path: str, body: dict[str, Any] | None = None) -> list[tuple[int, str, Any]]:
    """The answers of both sides: status, content type, and the JSON of each line."""
    answers = []
    for url, model in pair.values():
        given = None if body is None else {"model": model, **body}
        status, content, raw = call(url, path, given)
        lines = [line.removeprefix(b"data: ") for line in raw.splitlines() if line.strip()]
        answers.append((status, content, [json.loads(line) for line in lines if line != b"[DONE]"]))
    return answers


@pytest.mark.parametrize("path", ["/api/version", "/api/tags", "/api/ps", "/v1/models"])
def test_the_test_engine_tells_the_same_about_itself_and_its_models(
    pair: dict[str, tuple[str, str]], path: str
) -> None:
    (status, content, lines), (ours, our_content, our_lines) = both(pair, path)
    assert (status, content) == (ours, our_content)
    assert shape(lines) == shape(our_lines)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"prompt": "hello", "options": {"num_predict": 8, "temperature": 0}}),
        (
            "/api/chat",
            {"messages": [{"role": "user", "content": "hello"}], "options": {"num_predict": 8, "temperature": 0}},
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_test_engine_answers_a_prompt_with_the_same_fields(
    pair: dict[str, tuple[str, str]], path: str, body: dict[str, Any], stream: bool
) -> None:
    (status, content, lines), (ours, our_content, our_lines) = both(pair, path, {**body, "stream": stream})
    assert (status, content) == (ours, our_content)
    assert shape(lines[0]) == shape(our_lines[0])
    assert shape(lines[-1]) == shape(our_lines[-1])


@pytest.mark.parametrize("stream", [False, True])
def test_the_test_engine_answers_openai_clients_with_the_same_fields(
    pair: dict[str, tuple[str, str]], stream: bool
) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 8, "temperature": 0, "stream": stream}
    (status, content, lines), (ours, our_content, our_lines) = both(pair, "/v1/chat/completions", body)
    assert (status, content) == (ours, our_content)
    assert shape(lines[0]) == shape(our_lines[0])
    assert shape(lines[-1]) == shape(our_lines[-1])


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat", "/api/show", "/v1/chat/completions"])
def test_a_missing_model_is_refused_in_the_same_words(pair: dict[str, tuple[str, str]], path: str) -> None:
    body = {"model": "no-such-model", "prompt": "x", "messages": [{"role": "user", "content": "x"}]}
    (status, content, lines), (ours, our_content, our_lines) = both(pair, path, body)
    assert (status, content) == (ours, our_content)
    assert lines == our_lines


def test_the_probe_gets_an_answer_of_a_model_that_it_brought_into_memory(real_ollama: RealOllama) -> None:
    call(real_ollama.url, "/api/generate", {"model": TINY, "keep_alive": 0})
    probe = {"url": real_ollama.url, "model": TINY, "digest": real_ollama.packed.digest, "timeout": 60}
    result = run_module("ollama_probe", probe)
    assert not result.get("failed"), result
    assert result["resident"]
    assert result["answer"]
    assert result["tokens_per_second"] > 0


def test_the_probe_says_that_the_gpu_is_not_in_use(real_ollama: RealOllama) -> None:
    result = run_module("ollama_probe", {"url": real_ollama.url, "model": TINY, "require_gpu": True, "timeout": 5})
    assert result["failed"]
    assert "GPU" in result["msg"]


def test_the_model_module_loads_and_unloads_and_says_when_nothing_is_to_do(real_ollama: RealOllama) -> None:
    def module(state: str) -> dict[str, Any]:
        result = run_module("ollama_model", {"url": real_ollama.url, "name": "tiny", "state": state})
        assert not result.get("failed"), result
        return result

    module("unloaded")
    assert module("loaded")["changed"]
    assert not module("loaded")["changed"]
    assert module("unloaded")["model"] == {**module("present")["model"], "resident": False}
    found = run_module("ollama_model_info", {"url": real_ollama.url})
    assert [model["digest"] for model in found["models"]] == [real_ollama.packed.digest]
