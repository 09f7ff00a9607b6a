# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each ended request is counted once, what is true now is read at the scrape, and labels stay few."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from ollama_sidecar.metrics import MODELS, REASONS, Metrics, State
from ollama_sidecar.record import Record
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

CHAT = {"model": "gemma3:1b", "endpoint": "/api/chat"}


@dataclass(frozen=True)
class Loaded:
    name: str = "gemma3:1b"
    family: str = "gemma3"
    quantization: str = "Q4_K_M"
    size: int = 1000
    size_vram: int = 750
    expires: str = "2026-11-22T10:00:00.123456789Z"


def a_record(**changes: object) -> Record:
    """A stream of 11 tokens: half a second in the queue, first piece after 1 s, 10 tokens in 2 s."""
    record = Record("id", "POST", 100.0, route="/api/chat", model="gemma3:1b", status=200, stream=True)
    record.queued, record.first, record.ended = 0.5, 101.0, 103.0
    record.prompt_tokens, record.output_tokens, record.load = 7, 11, 0.25
    return replace(record, **changes)  # type: ignore[arg-type]


@pytest.fixture
def state() -> dict[str, State]:
    return {"now": State()}


@pytest.fixture
def metrics(state: dict[str, State]) -> Metrics:
    return Metrics(lambda: state["now"], version="0.1.0")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_streamed_answer_is_counted_with_its_times_and_tokens(metrics: Metrics) -> None:
    metrics.observe(a_record())
    assert value(metrics, "ollama_requests_total", **CHAT, code="200") == 1
    assert value(metrics, "ollama_request_duration_seconds_sum", **CHAT) == 3
    assert value(metrics, "ollama_time_to_first_token_seconds_sum", **CHAT) == 1
    assert value(metrics, "ollama_time_per_output_token_seconds_sum", **CHAT) == pytest.approx(0.2)
    assert value(metrics, "ollama_queue_wait_seconds_sum", model="gemma3:1b") == 0.5
    assert value(metrics, "ollama_load_duration_seconds_sum", model="gemma3:1b") == 0.25
    assert value(metrics, "ollama_prompt_tokens_total", **CHAT) == 7
    assert value(metrics, "ollama_generated_tokens_total", **CHAT) == 11


def test_the_tokens_of_an_answer_that_several_may_get_are_counted_when_it_ends(metrics: Metrics) -> None:
    metrics.observe(a_record(shared=True, prompt_tokens=None, output_tokens=None, load=None))
    assert value(metrics, "ollama_prompt_tokens_total", **CHAT) == 0
    metrics.work(a_record(shared=True))
    metrics.observe(a_record(shared=True))
    assert value(metrics, "ollama_prompt_tokens_total", **CHAT) == 7
    assert value(metrics, "ollama_generated_tokens_total", **CHAT) == 11
    assert value(metrics, "ollama_load_duration_seconds_count", model="gemma3:1b") == 1
    assert value(metrics, "ollama_time_to_first_token_seconds_count", **CHAT) == 2


def test_an_answer_in_one_piece_has_no_time_to_its_first_token(metrics: Metrics) -> None:
    metrics.observe(a_record(stream=False))
    assert value(metrics, "ollama_time_to_first_token_seconds_count", **CHAT) == 0
    assert value(metrics, "ollama_time_per_output_token_seconds_count", **CHAT) == 0
    assert value(metrics, "ollama_generated_tokens_total", **CHAT) == 11


@pytest.mark.parametrize(
    ("change", "name", "labels"),
    [
        ({"rejected": "queue_full", "status": 503}, "ollama_requests_rejected_total", {"reason": "queue_full"}),
        ({"cache": "hit"}, "ollama_cache_hits_total", {}),
        ({"cache": "miss"}, "ollama_cache_misses_total", {}),
        ({"cache": "bypass"}, "ollama_cache_bypasses_total", {}),
        ({"disconnected": True, "status": 499}, "ollama_client_disconnects_total", CHAT),
        ({"broken": "upstream"}, "ollama_stream_errors_total", CHAT),
        ({"status": 499}, "ollama_requests_total", {**CHAT, "code": "499"}),
    ],
)
def test_what_befell_a_request_is_counted(
    metrics: Metrics, change: dict[str, object], name: str, labels: dict[str, str]
) -> None:
    metrics.observe(a_record())
    assert value(metrics, name, **labels) in (None, 0)
    metrics.observe(a_record(**change))
    assert value(metrics, name, **labels) == 1


def test_a_refused_request_does_not_make_the_durations_look_short(metrics: Metrics) -> None:
    metrics.observe(a_record(status=503, rejected="queue_full"))
    assert value(metrics, "ollama_request_duration_seconds_count", **CHAT) == 0
    assert value(metrics, "ollama_requests_total", **CHAT, code="503") == 1


def test_a_request_to_no_model_has_no_series_of_tokens(metrics: Metrics) -> None:
    metrics.observe(a_record(route="/api/tags", model=""))
    labels = {"model": "", "endpoint": "/api/tags"}
    assert value(metrics, "ollama_request_duration_seconds_count", **labels) == 1
    assert value(metrics, "ollama_prompt_tokens_total", **labels) is None


def test_embeddings_have_tokens_of_the_prompt_alone(metrics: Metrics) -> None:
    metrics.observe(a_record(route="/api/embed", stream=False))
    labels = {"model": "gemma3:1b", "endpoint": "/api/embed"}
    assert value(metrics, "ollama_prompt_tokens_total", **labels) == 7
    assert value(metrics, "ollama_generated_tokens_total", **labels) is None


def test_what_is_true_now_is_read_at_the_scrape(metrics: Metrics, state: dict[str, State]) -> None:
    assert value(metrics, "ollama_up") == 0
    state["now"] = State(
        up=True, ready=True, version="0.24.0", loaded=[Loaded()], queues={"gemma3:1b": (2, 3)}, parallel=4, capacity=64
    )
    assert value(metrics, "ollama_up") == value(metrics, "ollama_ready") == 1
    assert value(metrics, "ollama_build_info", version="0.1.0", ollama_version="0.24.0") == 1
    assert value(metrics, "ollama_requests_in_flight", model="gemma3:1b") == 2
    assert value(metrics, "ollama_requests_queued", model="gemma3:1b") == 3
    assert value(metrics, "ollama_requests_parallel_limit") == 4
    assert value(metrics, "ollama_queue_capacity") == 64
    assert value(metrics, "ollama_model_loaded", model="gemma3:1b", family="gemma3", quantization="Q4_K_M") == 1
    assert value(metrics, "ollama_model_size_bytes", model="gemma3:1b") == 1000
    assert value(metrics, "ollama_model_vram_bytes", model="gemma3:1b") == 750
    assert value(metrics, "ollama_gpu_offload_ratio", model="gemma3:1b") == 0.75
    assert value(metrics, "ollama_model_expires_timestamp_seconds", model="gemma3:1b") == pytest.approx(
        1795341600.123456
    )
    state["now"] = State(up=True)
    assert value(metrics, "ollama_gpu_offload_ratio", model="gemma3:1b") is None


@pytest.mark.parametrize("expires", ["", "soon", "0001-01-01T00:00:00Z"])
def test_a_model_that_never_leaves_has_no_time_of_leaving(expires: str) -> None:
    metrics = Metrics(lambda: State(loaded=[Loaded(expires=expires, size=0)]))
    assert value(metrics, "ollama_model_expires_timestamp_seconds", model="gemma3:1b") is None
    assert value(metrics, "ollama_gpu_offload_ratio", model="gemma3:1b") is None


def test_a_caller_cannot_make_labels_without_number(metrics: Metrics) -> None:
    for number in range(300):
        name = f'\n"{number}\U0001f600'
        refused = name if number % 2 else ""
        metrics.observe(a_record(model=name, route=name, rejected=refused, status=number * 7 - 5))
    seen: dict[str, set[str]] = {}
    for family in families(metrics.render()[1].decode()):
        for sample in family.samples:
            for label, found in sample.labels.items():
                seen.setdefault(label, set()).add(found)
    assert len(seen["model"]) <= MODELS
    assert len(seen["reason"]) <= REASONS
    assert len(seen["endpoint"]) <= 22
    assert len(seen["code"]) <= 64
    assert "other" in seen["model"]


def test_what_is_told_past_the_bound_is_still_counted(metrics: Metrics) -> None:
    for number in range(MODELS + 10):
        metrics.observe(a_record(model=f"m{number}"))
    counted = [
        sample.value
        for family in families(metrics.render()[1].decode())
        for sample in family.samples
        if sample.name == "ollama_requests_total"
    ]
    assert sum(counted) == MODELS + 10


@pytest.mark.parametrize(
    ("accept", "is_open"),
    [
        ("application/openmetrics-text", True),
        ("text/plain;q=0.5, application/openmetrics-text;version=1.0.0", True),
        ("application/openmetrics-text;q=0,text/plain", False),
        ("application/openmetrics-text; q=0.000", False),
        ("application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.5", False),
        ("Application/OpenMetrics-Text;Q=0.6,text/plain;q=0.5", True),
        ("application/openmetrics-text;q=much", True),
        ("application/openmetrics-textual", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_a_scraper_says_how_much_it_wants_each_format(metrics: Metrics, accept: str, is_open: bool) -> None:
    assert metrics.render(accept)[0].startswith("application/openmetrics-text") is is_open


def test_a_scraper_gets_the_format_that_it_takes(metrics: Metrics) -> None:
    metrics.observe(a_record())
    kind, text = metrics.render("text/html,*/*;q=0.1")
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    plain = {family.name for family in families(text.decode())}
    kind, text = metrics.render("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")
    assert {family.name for family in open_families(text.decode())} == plain
    assert {"ollama_requests", "process_resident_memory_bytes", "python_info"} <= plain
    assert not [name for name in plain if name.endswith("_created")]
