# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A collector gets what Prometheus would, and one that is down or hostile harms nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import web
from ollama_sidecar import otlp
from ollama_sidecar.metrics import DURATION, Metrics, State
from ollama_sidecar.otlp import Exporter
from ollama_sidecar.record import Record
from ollama_sidecar.settings import Wrong
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

HERE = "http://127.0.0.1:4318"


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(lambda: State(up=True, queues={"m": (2, 0)}), version="0.1.0")
    for seconds in (0.03, 3.0, 5000.0):
        record = Record("i", "POST", 0.0, route="/api/chat", model="m", status=200, ended=seconds, prompt_tokens=5)
        metrics.observe(record)
    return metrics


def a_post(*answers: Any) -> tuple[Callable[..., Any], list[tuple[str, dict[str, str], bytes]]]:
    """A poster that answers so, and what it was given. An exception is raised."""
    given: list[tuple[str, dict[str, str], bytes]] = []
    left = list(answers)

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, float]:
        given.append((url, dict(headers), body))
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    return post, given


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which took time."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(otlp.asyncio, "sleep", sleep)
    return found


def decoded(body: bytes) -> dict[str, Any]:
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def labels(point: Any) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in point.attributes}


def sent(metrics: Metrics) -> bytes:
    post, given = a_post((200, 0.0))
    assert asyncio.run(Exporter(metrics.registry, HERE, version="0.1.0").send(post, 5))
    return given[0][2]


def test_a_counter_is_a_monotonic_cumulative_sum(metrics: Metrics) -> None:
    requests = decoded(sent(metrics))["ollama_requests"].sum
    assert (requests.is_monotonic, requests.aggregation_temporality) == (True, AGGREGATION_TEMPORALITY_CUMULATIVE)
    (point,) = requests.data_points
    assert labels(point) == {"model": "m", "endpoint": "/api/chat", "code": "200"}
    assert point.as_double == 3
    assert 0 <= point.time_unix_nano - point.start_time_unix_nano < 60e9
    assert abs(point.time_unix_nano - time.time_ns()) < 60e9


def test_a_histogram_keeps_its_buckets_each_counted_alone(metrics: Metrics) -> None:
    duration = decoded(sent(metrics))["ollama_request_duration_seconds"]
    assert duration.unit == "s"
    assert duration.description
    (point,) = duration.histogram.data_points
    assert labels(point) == {"model": "m", "endpoint": "/api/chat"}
    assert (point.count, point.sum) == (3, 5003.03)
    assert list(point.explicit_bounds) == list(DURATION)
    assert len(point.bucket_counts) == len(DURATION) + 1
    assert {index: count for index, count in enumerate(point.bucket_counts) if count} == {2: 1, 9: 1, len(DURATION): 1}


def test_a_gauge_is_a_gauge_and_the_sender_is_named(metrics: Metrics) -> None:
    body = sent(metrics)
    (point,) = decoded(body)["ollama_requests_in_flight"].gauge.data_points
    assert (labels(point), point.as_double) == ({"model": "m"}, 2)
    resource = labels(ExportMetricsServiceRequest.FromString(body).resource_metrics[0].resource)
    assert (resource["service.name"], resource["service.version"]) == ("ollama-sidecar", "0.1.0")
    assert resource["service.instance.id"]


def test_nothing_that_prometheus_would_get_is_missing(metrics: Metrics) -> None:
    wanted = {family.name for family in metrics.registry.collect() if family.samples}
    assert set(decoded(sent(metrics))) == wanted


def test_a_real_collector_gets_it_with_the_headers_that_were_given(metrics: Metrics) -> None:
    got: list[tuple[str, str, str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.path, request.content_type, request.headers.get("X-Key", ""), await request.read()))
        return web.Response()

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/base/v1/metrics", take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        exporter = Exporter(metrics.registry, f"http://127.0.0.1:{port}/base/", "x-key=a%20b%2C, x-other=1")
        task = asyncio.create_task(exporter.run(0.02))
        while not got:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await runner.cleanup()

    asyncio.run(run())
    assert got[0][:3] == ("/base/v1/metrics", "application/x-protobuf", "a b,")
    assert decoded(got[0][3])["ollama_requests"].sum.data_points[0].as_double == 3
    assert len(got) >= 2  # the last one at the end


def test_a_collector_that_is_busy_or_away_is_tried_again(metrics: Metrics, pauses: list[float]) -> None:
    post, given = a_post((503, 7.0), (429, 900.0), ConnectionRefusedError(), (200, 0.0))
    assert asyncio.run(Exporter(metrics.registry, HERE).send(post, 60))
    assert len(given) == 4
    assert pauses[:2] == [7.0, otlp.LONGEST_PAUSE]
    assert 2 <= pauses[2] <= 4
    assert len({body for dummy, dummy, body in given}) == 1


def test_it_gives_up_after_some_tries(metrics: Metrics, pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    post, given = a_post(*[(503, 0.0)] * 9)
    assert not asyncio.run(Exporter(metrics.registry, HERE).send(post, 60))
    assert len(given) == otlp.TRIES == len(pauses) + 1
    assert caplog.messages == ["metrics were not taken by OTLP: status 503"]


@pytest.mark.parametrize("answer", [(400, 0.0), (401, 9.0), (302, 0.0)])
def test_what_will_not_get_better_is_not_tried_again(
    metrics: Metrics, pauses: list[float], answer: tuple[int, float]
) -> None:
    post, given = a_post(answer)
    assert not asyncio.run(Exporter(metrics.registry, HERE).send(post, 60))
    assert (len(given), pauses) == (1, [])


def test_nothing_that_goes_wrong_comes_out(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    post, dummy = a_post(RuntimeError("secret"))
    assert not asyncio.run(Exporter(metrics.registry, HERE).send(post, 5))
    assert caplog.messages == ["metrics could not be sent by OTLP: RuntimeError"]


def test_a_collector_that_hangs_holds_nothing_up(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    async def post(*dummy: Any) -> tuple[int, float]:
        await asyncio.sleep(60)
        return 200, 0.0

    begin = time.monotonic()
    assert not asyncio.run(Exporter(metrics.registry, HERE).send(post, 0.05))
    assert time.monotonic() - begin < 5
    assert caplog.messages == ["metrics were not taken by OTLP: no answer"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b"", "no answer"),
        (b"nonsense\r\n\r\n", "no answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""),
        (b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "status 307"),
    ],
)
def test_a_real_server_that_misbehaves_is_only_logged(
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    said: bytes,
    message: str,
) -> None:
    monkeypatch.setattr(otlp, "LAST", 0.2)
    heads: list[bytes] = []

    async def misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readline())
        writer.write(said)
        await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(misbehave, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(Exporter(metrics.registry, f"http://127.0.0.1:{port}").run(0.3))
        while len(heads) < 1 or (message and not caplog.messages):
            await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()

    asyncio.run(run())
    assert set(caplog.messages) == ({f"metrics were not taken by OTLP: {message}"} if message else set())
    assert set(heads) == {b"POST /v1/metrics HTTP/1.1\r\n"}


def test_the_missing_package_is_told_at_the_start(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.metrics.v1", None)
    with pytest.raises(Wrong, match="SIDECAR_OTLP_ENDPOINT: the package opentelemetry-proto is not installed"):
        Exporter(metrics.registry, HERE)
