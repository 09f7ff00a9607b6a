# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics: counted from the record of each ended request, and read from the parts of the sidecar at each scrape.

Labels are bounded here too, whatever a caller hands in: what is too much is `other`. Buckets are those of the
conventions of OpenTelemetry for generative AI, and longer ones past their last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from . import routes
from .record import Record

OTHER = "other"
MODELS, REASONS = 64, 32  # distinct values of a label
ENDPOINTS = frozenset(route.name for group in (routes.INFERENCE, routes.SHOW, routes.ADMIN) for route in group)
GENERATING = frozenset(route.name for route in routes.INFERENCE if route.kind is routes.Kind.GENERATE)
ASKING = GENERATING | {route.name for route in routes.INFERENCE if route.kind is routes.Kind.EMBED}
CODES = frozenset(int(status) for status in HTTPStatus) | {499}
DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 120, 300, 600)
FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300)
EACH_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
WAIT = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
LOAD = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 120, 300, 600)
WEIGHT = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)", re.ASCII)  # RFC 9110, 12.4.2
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class InMemory(Protocol):
    """A model that Ollama has in memory. Sizes are bytes; expires: RFC 3339, empty where unknown."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def quantization(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def size_vram(self) -> int: ...
    @property
    def expires(self) -> str: ...


@dataclass(frozen=True, slots=True)
class State:
    """What is true at the moment of a scrape.

    up: Ollama answers. ready: a prompt would be answered now. version: of Ollama. available: models on its disk.
    queues: requests that run and that wait, of each model. parallel, capacity: the limits of both.
    """

    up: bool = False
    ready: bool = False
    draining: bool = False
    version: str = ""
    available: int = 0
    loaded: Collection[InMemory] = ()
    queues: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    parallel: int = 1
    capacity: int = 0


class Metrics:
    """All metrics of one sidecar. state: read at each scrape; more: further collectors, such as that of the GPUs."""

    def __init__(self, state: Callable[[], State], *, version: str = "", more: Iterable[Collector] = ()) -> None:
        # The time of creation doubles the series, and nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._series = _Series(self.registry)
        self._children: dict[tuple[str, str], _Children] = {}
        self._models: set[str] = {OTHER, ""}
        self._reasons: set[str] = {OTHER}
        self.registry.register(_StateCollector(state, version))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        for collector in more:
            self.registry.register(collector)

    def observe(self, record: Record) -> None:
        """Count a request that has ended."""
        children = self._children.get((record.model, record.route)) or self._new(record.model, record.route)
        children.count(record.status)
        series = self._series
        if record.rejected:
            series.rejected.labels(_bounded(record.rejected, self._reasons, REASONS)).inc()
        if record.cache in series.cache:
            series.cache[record.cache].inc()
        if record.disconnected:
            children.disconnects.inc()
        if record.broken:
            children.broken.inc()
        if not record.rejected:
            children.measure(record)

    def work(self, record: Record) -> None:
        """Count the tokens of an answer that several may have got, when it has ended: it was made once."""
        children = self._children.get((record.model, record.route)) or self._new(record.model, record.route)
        children.work(record)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """Content type and text, in OpenMetrics where the scraper takes it."""
        open_text, text_plain = _weight(accept, "application/openmetrics-text"), _weight(accept, "text/plain")
        if open_text > 0 and open_text >= text_plain:
            text: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return openmetrics.CONTENT_TYPE_LATEST, text
        return TEXT, generate_latest(self.registry)

    def _new(self, model: str, route: str) -> _Children:
        """The series of a model and a route, kept under the names of both where these are bounded."""
        labels = (_bounded(model, self._models, MODELS), route if route in ENDPOINTS else OTHER)
        children = self._children.get(labels)
        if children is None:
            children = self._children[labels] = _Children(self._series, *labels)
        return children


def _weight(accept: str, kind: str) -> float:
    """How much a scraper wants a format, by the q of its Accept; 0 where it is not named.

    prometheus_client's own choice does not look at it.
    """
    most = 0.0
    for choice in accept.split(","):
        name, *parameters = (part.strip().lower() for part in choice.split(";"))
        if name == kind:
            given = [value.strip() for key, dummy, value in (part.partition("=") for part in parameters) if key == "q"]
            most = max(most, float(given[0]) if given and WEIGHT.fullmatch(given[0]) else 1.0)
    return most


class _Series:
    """The counters and histograms that requests fill."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"ollama_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"ollama_{name}_seconds", text, labels, registry=registry, buckets=buckets)

        where = ("model", "endpoint")
        self.requests = counter("requests_total", "Requests that ended, by the status the client got.", *where, "code")
        self.rejected = counter("requests_rejected_total", "Requests that the sidecar refused, by reason.", "reason")
        self.duration = histogram(
            "request_duration",
            "From the request to the end of the answer, of requests that were not refused.",
            DURATION,
            *where,
        )
        self.first = histogram(
            "time_to_first_token",
            "From the request to the first piece of a streamed answer, the wait in the queue included.",
            FIRST_TOKEN,
            *where,
        )
        self.each = histogram(
            "time_per_output_token", "Time for each token after the first of a streamed answer.", EACH_TOKEN, *where
        )
        self.wait = histogram("queue_wait", "How long a request waited for its place.", WAIT, "model")
        self.load = histogram(
            "load_duration", "How long Ollama took to hand out a runner, its own waiting included.", LOAD, "model"
        )
        self.prompt = counter("prompt_tokens_total", "Tokens of prompts, cached ones included.", *where)
        self.generated = counter("generated_tokens_total", "Tokens of answers.", *where)
        self.broken = counter("stream_errors_total", "Answers that had begun and did not end whole.", *where)
        self.disconnects = counter("client_disconnects_total", "Clients that went before the end.", *where)
        self.cache = {
            "hit": counter("cache_hits_total", "Answers that came from the cache."),
            "miss": counter("cache_misses_total", "Answers that could have come from the cache."),
            "bypass": counter("cache_bypasses_total", "Requests that the cache was not asked for."),
        }


class _Children:
    """The series of one model and route: looked up once. Those of tokens are there for routes that ask a model."""

    __slots__ = ("_codes", "_labels", "_requests", "_tokens", "broken", "disconnects", "duration")

    def __init__(self, series: _Series, model: str, endpoint: str) -> None:
        self._labels = (model, endpoint)
        self._requests = series.requests
        self._codes: dict[int, Counter] = {}
        self.duration = series.duration.labels(model, endpoint)
        self.broken = series.broken.labels(model, endpoint)
        self.disconnects = series.disconnects.labels(model, endpoint)
        self._tokens = _Tokens(series, model, endpoint) if model and endpoint in ASKING else None

    def count(self, status: int) -> None:
        child = self._codes.get(status)
        if child is None:
            known = status in CODES
            child = self._requests.labels(*self._labels, str(status) if known else OTHER)
            if known:
                self._codes[status] = child
        child.inc()

    def measure(self, record: Record) -> None:
        """Durations and tokens of a request that was let in."""
        self.duration.observe(record.duration)
        if self._tokens is not None:
            self._tokens.measure(record)
            if not record.shared:
                self._tokens.work(record)

    def work(self, record: Record) -> None:
        if self._tokens is not None:
            self._tokens.work(record)


class _Tokens:
    """What is known of a request to a model besides."""

    __slots__ = ("each", "first", "generated", "load", "prompt", "wait")

    def __init__(self, series: _Series, model: str, endpoint: str) -> None:
        self.wait = series.wait.labels(model)
        self.load = series.load.labels(model)
        self.prompt = series.prompt.labels(model, endpoint)
        answers = endpoint in GENERATING
        self.first = series.first.labels(model, endpoint) if answers else None
        self.each = series.each.labels(model, endpoint) if answers else None
        self.generated = series.generated.labels(model, endpoint) if answers else None

    def measure(self, record: Record) -> None:
        """What the client had of it."""
        self.wait.observe(record.queued)
        if self.first is None or self.each is None:
            return
        if record.stream and record.first is not None:
            self.first.observe(record.first - record.began)
            each = record.each_token
            if each is not None:
                self.each.observe(each)

    def work(self, record: Record) -> None:
        """What Ollama did for it."""
        if record.prompt_tokens:
            self.prompt.inc(record.prompt_tokens)
        if record.load is not None:
            self.load.observe(record.load)
        if self.generated is not None and record.output_tokens:
            self.generated.inc(record.output_tokens)


class _StateCollector(Collector):
    """Gauges that are read, not kept."""

    def __init__(self, state: Callable[[], State], version: str) -> None:
        self._state = state
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask for a state that is not there yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        build = GaugeMetricFamily(
            "ollama_build_info", "Versions of the sidecar and of Ollama.", labels=["version", "ollama_version"]
        )
        build.add_metric([self._version, state.version], 1)
        yield build
        for name, text, value in (
            ("up", "Whether Ollama answers.", state.up),
            ("ready", "Whether a prompt would be answered now.", state.ready),
            ("draining", "Whether new requests are refused because the sidecar stops.", state.draining),
            ("models_available", "Models that Ollama has on its disk.", state.available),
            ("requests_parallel_limit", "Requests of a model that may run at once.", state.parallel),
            ("queue_capacity", "Requests of a model that may wait.", state.capacity),
        ):
            yield GaugeMetricFamily(f"ollama_{name}", text, value=float(value))
        yield from _queues(state.queues)
        yield from _loaded(state.loaded)


def _queues(queues: Mapping[str, tuple[int, int]]) -> Iterator[Metric]:
    running = GaugeMetricFamily("ollama_requests_in_flight", "Requests that Ollama works on.", labels=["model"])
    waiting = GaugeMetricFamily("ollama_requests_queued", "Requests that wait for a place.", labels=["model"])
    for model, (runs, waits) in list(queues.items())[:MODELS]:
        running.add_metric([model], runs)
        waiting.add_metric([model], waits)
    yield running
    yield waiting


def _loaded(models: Collection[InMemory]) -> Iterator[Metric]:
    def gauge(name: str, text: str, *more: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"ollama_{name}", text, labels=["model", *more])

    loaded = gauge("model_loaded", "Models in memory.", "family", "quantization")
    size = gauge("model_size_bytes", "Memory that a model takes.")
    vram = gauge("model_vram_bytes", "Memory of GPUs that a model takes.")
    ratio = gauge("gpu_offload_ratio", "Part of a model that is in the memory of GPUs.")
    expires = gauge("model_expires_timestamp_seconds", "When a model leaves memory if nobody asks it.")
    for model in list(models)[:MODELS]:
        loaded.add_metric([model.name, model.family, model.quantization], 1)
        size.add_metric([model.name], model.size)
        vram.add_metric([model.name], model.size_vram)
        if model.size:
            ratio.add_metric([model.name], model.size_vram / model.size)
        moment = _timestamp(model.expires)
        if moment is not None:
            expires.add_metric([model.name], moment)
    yield from (loaded, size, vram, ratio, expires)


def _timestamp(text: str) -> float | None:
    """Seconds of a time as Go writes it; None where it is none, such as year 0001 for never set."""
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return seconds if seconds > 0 else None


def _bounded(value: str, known: set[str], most: int) -> str:
    """The value while there are few of them, else `other`."""
    if value in known:
        return value
    if len(known) >= most:
        return OTHER
    known.add(value)
    return value
