# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test engine speaks Ollama's wire format, as Ollama's own source (routes.go, types.go) has it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import engine
from tests.sandbox.engine_models import FOREVER_SECONDS, ApiError, Engine, model_size, parse_keep_alive, parse_models
from tests.sandbox.runtime import ProcessRuntime, Workload, WorkloadSpec

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "ab" * 32
LOADED = {"name", "model", "size", "size_vram", "digest", "details", "expires_at", "context_length"}
ON_DISK = {"name", "model", "modified_at", "size", "digest", "details"}
TIMINGS = {
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
}


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    runtime = ProcessRuntime(tmp_path_factory.mktemp("engine"))
    environment = {
        "POLYCLOUD_MODELS": f"gemma3:1b@sha256:{DIGEST}, llama3.2",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_CONTEXT_LENGTH": "8192",
    }
    workload = runtime.start(WorkloadSpec("ollama:1", environment, runtime.allocate_address("ecs"), gpu=True))
    while not workload.healthy():
        assert workload.alive(), workload.log()
        time.sleep(0.01)
    yield workload
    runtime.close()


def call(ollama: Workload, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    status, answer = ollama.http(method, path, body, timeout=5)
    return status, json.loads(answer)


def lines(ollama: Workload, path: str, body: Any) -> list[dict[str, Any]]:
    status, answer = ollama.http("POST", path, body, timeout=5)
    assert status == 200
    return [json.loads(line) for line in answer.splitlines()]


def test_the_server_and_its_version_answer_get_and_head(ollama: Workload) -> None:
    assert ollama.http("GET", "/") == (200, b"Ollama is running")
    assert ollama.http("HEAD", "/") == (200, b"")
    status, answer = call(ollama, "GET", "/api/version")
    assert status == 200
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer["version"])


def test_the_models_are_those_of_the_environment_with_their_digests(ollama: Workload) -> None:
    models = call(ollama, "GET", "/api/tags")[1]["models"]
    assert [model["name"] for model in models] == ["gemma3:1b", "llama3.2:latest"]
    assert models[0]["digest"] == DIGEST
    assert re.fullmatch(r"[0-9a-f]{64}", models[1]["digest"])
    assert set(models[0]) == ON_DISK


def test_generate_streams_by_default_and_ends_with_timings(ollama: Workload) -> None:
    *parts, last = lines(ollama, "/api/generate", {"model": "gemma3:1b", "prompt": "Hello there"})
    assert all(part["done"] is False and part["response"] for part in parts)
    assert (last["done"], last["done_reason"], last["response"]) == (True, "stop", "")
    assert set(last) >= TIMINGS
    assert last["prompt_eval_count"] == 2
    assert last["eval_count"] == len(parts)
    assert last["total_duration"] >= last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]


def test_without_streaming_the_same_text_comes_in_one_object(ollama: Workload) -> None:
    request = {"model": "gemma3:1b", "prompt": "Hello there"}
    streamed = "".join(part["response"] for part in lines(ollama, "/api/generate", request))
    status, answer = call(ollama, "POST", "/api/generate", {**request, "stream": False})
    assert (status, answer["response"], answer["done"]) == (200, streamed, True)
    assert set(answer) >= TIMINGS
    assert (
        call(ollama, "POST", "/api/generate", {**request, "prompt": "Else", "stream": False})[1]["response"] != streamed
    )


def test_num_predict_limits_the_answer(ollama: Workload) -> None:
    request = {"model": "gemma3:1b", "prompt": "Hello", "options": {"num_predict": 2}, "stream": False}
    answer = call(ollama, "POST", "/api/generate", request)[1]
    assert (answer["eval_count"], answer["done_reason"]) == (2, "length")


def test_chat_answers_with_a_message(ollama: Workload) -> None:
    request = {"model": "gemma3:1b", "messages": [{"role": "user", "content": "Hello"}]}
    *parts, last = lines(ollama, "/api/chat", request)
    text = "".join(part["message"]["content"] for part in parts)
    assert last["message"] == {"role": "assistant", "content": ""}
    assert call(ollama, "POST", "/api/chat", {**request, "stream": False})[1]["message"]["content"] == text


def test_a_request_without_prompt_loads_and_keep_alive_0_unloads(ollama: Workload) -> None:
    assert call(ollama, "POST", "/api/generate", {"model": "llama3.2"})[1]["done_reason"] == "load"
    assert "llama3.2:latest" in loaded(ollama)
    assert call(ollama, "POST", "/api/generate", {"model": "llama3.2", "keep_alive": 0})[1]["done_reason"] == "unload"
    assert "llama3.2:latest" not in loaded(ollama)


def loaded(ollama: Workload) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in call(ollama, "GET", "/api/ps")[1]["models"]}


def test_ps_shows_where_the_model_is_and_for_how_long(ollama: Workload) -> None:
    call(ollama, "POST", "/api/generate", {"model": "gemma3:1b"})
    model = loaded(ollama)["gemma3:1b"]
    assert set(model) == LOADED
    assert model["size_vram"] == model["size"]
    assert model["context_length"] == 8192
    assert model["expires_at"].startswith("23"), "keep alive -1 lies centuries ahead"


def test_a_missing_model_is_a_404_in_ollamas_and_in_openais_shape(ollama: Workload) -> None:
    for path in ("/api/generate", "/api/chat", "/api/show", "/api/embed"):
        assert call(ollama, "POST", path, {"model": "none"}) == (404, {"error": "model 'none' not found"})
    status, answer = call(ollama, "POST", "/v1/chat/completions", {"model": "none"})
    assert (status, set(answer["error"])) == (404, {"message", "type", "param", "code"})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/tags", {}, 405),
        ("GET", "/api/nothing", None, 404),
        ("POST", "/api/generate", {}, 400),
        ("POST", "/api/generate", [], 400),
        ("POST", "/api/generate", {"model": "gemma3:1b", "keep_alive": "soon"}, 400),
    ],
)
def test_what_ollama_refuses_is_refused(ollama: Workload, method: str, path: str, body: Any, status: int) -> None:
    assert ollama.http(method, path, body)[0] == status


def test_pull_reports_its_progress_and_delete_removes_the_model(ollama: Workload) -> None:
    progress = lines(ollama, "/api/pull", {"model": "gemma3:270m"})
    assert progress[0] == {"status": "pulling manifest"}
    assert progress[-1] == {"status": "success"}
    layers = [step for step in progress if "total" in step]
    assert [layer["completed"] for layer in layers] == [0, layers[0]["total"] // 2, layers[0]["total"]]
    assert call(ollama, "POST", "/api/show", {"model": "gemma3:270m"})[1]["details"]["family"] == "gemma3"
    assert ollama.http("DELETE", "/api/delete", {"model": "gemma3:270m"})[0] == 200
    assert ollama.http("DELETE", "/api/delete", {"model": "gemma3:270m"})[0] == 404


def test_a_failed_pull_is_an_error_line_after_a_200_or_a_500_without_streaming(ollama: Workload) -> None:
    error = {"error": "pull model manifest: file does not exist"}
    assert lines(ollama, "/api/pull", {"model": "missing:1b"})[-1] == error
    assert call(ollama, "POST", "/api/pull", {"model": "missing:1b", "stream": False}) == (500, error)


def test_embeddings_are_unit_vectors_that_depend_on_the_text(ollama: Workload) -> None:
    answer = call(ollama, "POST", "/api/embed", {"model": "gemma3:1b", "input": ["one", "two", "one"]})[1]
    one, two, again = answer["embeddings"]
    assert one == again != two
    assert sum(value * value for value in one) == pytest.approx(1)


def test_an_embedding_model_refuses_to_generate(ollama: Workload) -> None:
    call(ollama, "POST", "/api/pull", {"model": "nomic-embed-text", "stream": False})
    status, answer = call(ollama, "POST", "/api/generate", {"model": "nomic-embed-text", "prompt": "Hello"})
    assert (status, answer) == (400, {"error": '"nomic-embed-text" does not support generate'})
    assert call(ollama, "POST", "/api/embed", {"model": "nomic-embed-text", "input": "Hello"})[0] == 200


def test_openai_routes_list_models_and_answer_plainly_or_as_events(ollama: Workload) -> None:
    assert call(ollama, "GET", "/v1/models")[1]["data"][0]["id"] == "gemma3:1b"
    request = {"model": "gemma3:1b", "messages": [{"role": "user", "content": "Hello"}]}
    answer = call(ollama, "POST", "/v1/chat/completions", request)[1]
    assert answer["usage"]["total_tokens"] == 1 + answer["usage"]["completion_tokens"]
    _, events = ollama.http("POST", "/v1/chat/completions", {**request, "stream": True}, timeout=5)
    *chunks, done = [event.removeprefix("data: ") for event in events.decode().split("\n\n") if event]
    assert done == "[DONE]"
    text = "".join(json.loads(chunk)["choices"][0]["delta"]["content"] for chunk in chunks)
    assert text == answer["choices"][0]["message"]["content"]


def test_a_keep_alive_is_a_number_of_seconds_or_a_go_duration() -> None:
    given = [0, 90, "90", "1h30m", "250ms", "1.5s", -1, "-1m"]
    assert [parse_keep_alive(value) for value in given] == [
        0,
        90,
        90,
        5400,
        0.25,
        1.5,
        FOREVER_SECONDS,
        FOREVER_SECONDS,
    ]
    for wrong in ("", "soon", "5 m", "m5"):
        with pytest.raises(ApiError, match="invalid duration"):
            parse_keep_alive(wrong)


def test_a_model_leaves_memory_when_its_time_is_over_and_keeps_the_time_it_was_given() -> None:
    models = Engine({}, {"POLYCLOUD_MODELS": "a", "OLLAMA_KEEP_ALIVE": "50ms"})
    models.load("a:latest")
    assert "a:latest" in models.loaded()
    time.sleep(0.08)
    assert models.loaded() == {}
    models.load("a:latest", -1)
    models.load("a:latest")
    assert models.loaded()["a:latest"] > time.time() + 1e9


def test_the_size_follows_the_parameters_and_names_without_a_tag_are_latest() -> None:
    assert model_size("gemma3:270m") < model_size("gemma3:1b") < model_size("registry.test:5000/library/llama2:13b")
    assert set(parse_models("a, ,registry.test:5000/b@sha256:12")) == {"a:latest", "registry.test:5000/b:latest"}


@pytest.mark.parametrize(("slots", "waits"), [("1", True), ("2", False)])
def test_a_request_waits_while_all_parallel_slots_are_taken(slots: str, waits: bool) -> None:
    models = Engine({"token_ms": 0}, {"POLYCLOUD_MODELS": "a", "OLLAMA_NUM_PARALLEL": slots})
    first = models.answer("a:latest", "x", -1)
    next(first)
    second_begins = threading.Event()

    def take_second() -> None:
        next(models.answer("a:latest", "x", 1))
        second_begins.set()

    thread = threading.Thread(target=take_second)
    thread.start()
    assert second_begins.wait(0.1 if waits else 5) is not waits
    first.close()
    thread.join(5)
    assert second_begins.is_set()


def test_the_engine_needs_the_standard_library_only() -> None:
    """It runs with -S, so an import of anything else would break every workload."""
    program = f"import sys; sys.path.append({str(ROOT)!r}); import tests.sandbox.engine; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in modules.stdout.split()}
    assert imported - set(sys.stdlib_module_names) <= {"tests", "__main__"}
    assert engine.VERSION >= "0.17.1"
