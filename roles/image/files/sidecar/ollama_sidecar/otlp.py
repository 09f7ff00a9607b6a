# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics sent by OTLP over HTTP, in protobuf. All are cumulative, so one that is not delivered is in the next."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from . import rules
from .settings import Wrong

if TYPE_CHECKING:
    import aiohttp

LOG = logging.getLogger(__name__)
TRIES = 5
TIMEOUT = 10.0  # seconds of one try
LAST = 3.0  # seconds at the end of the process
LONGEST_PAUSE = 30.0
AGAIN = frozenset({429, 502, 503, 504})  # OTLP's own list of what is to be tried again
UNITS = {"seconds": "s", "bytes": "By", "ratio": "1", "celsius": "Cel", "watts": "W"}
# Sends a body with headers; the status and the seconds after which to try again (0 where nothing is said).
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, float]]]
Labels = tuple[tuple[str, str], ...]


class Exporter:
    """Sends the metrics of a registry. Raises Wrong where its package is missing; later failures are only logged."""

    def __init__(self, registry: CollectorRegistry, endpoint: str, headers: str = "", *, version: str = "") -> None:
        self._url = f"{endpoint.rstrip('/')}/v1/metrics"
        self._headers = {"Content-Type": "application/x-protobuf", **rules.headers(headers)}
        self._conversion = _Conversion(registry, version)

    async def run(self, seconds: float) -> None:
        """Send every so often until cancelled, and then once more."""
        import aiohttp

        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
            post = _poster(session)
            try:
                while True:
                    await asyncio.sleep(seconds)
                    await self.send(post, seconds)
            finally:
                await self.send(post, LAST)

    async def send(self, post: Post, seconds: float) -> bool:
        """Send once, with tries for at most so many seconds; whether it was taken. Never fails."""
        try:
            async with asyncio.timeout(seconds):
                status = await self._try(post, self._conversion.request())
        except TimeoutError:
            status = 0
        except Exception as error:  # noqa: BLE001 - metrics never harm serving
            LOG.warning("metrics could not be sent by OTLP: %s", type(error).__name__)
            return False
        if not 200 <= status < 300:
            LOG.warning("metrics were not taken by OTLP: %s", f"status {status}" if status else "no answer")
        return 200 <= status < 300

    async def _try(self, post: Post, body: bytes) -> int:
        """The last status; 0 where there was none."""
        status = 0
        for number in range(TRIES):
            try:
                status, pause = await post(self._url, self._headers, body)
            except (OSError, TimeoutError):
                status, pause = 0, 0.0
            if status and status not in AGAIN:
                return status
            if number < TRIES - 1:
                # Spread, so that many of us do not come back at the same moment.
                wait = pause or 2.0**number * random.uniform(0.5, 1.0)  # noqa: S311
                await asyncio.sleep(min(wait, LONGEST_PAUSE))
        return status


class _Conversion:
    """Makes requests of what Prometheus collects. Needs the package opentelemetry-proto."""

    def __init__(self, registry: CollectorRegistry, version: str) -> None:
        try:
            from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
            from opentelemetry.proto.metrics.v1 import metrics_pb2
        except ImportError:
            raise Wrong("SIDECAR_OTLP_ENDPOINT: the package opentelemetry-proto is not installed") from None
        self._service: Any = metrics_service_pb2
        self._metrics: Any = metrics_pb2
        self._registry = registry
        self._start = time.time_ns()
        self._resource = {
            "service.name": "ollama-sidecar",
            "service.version": version,
            "service.instance.id": str(uuid4()),
        }

    def request(self) -> bytes:
        """An ExportMetricsServiceRequest with all that is known now."""
        request = self._service.ExportMetricsServiceRequest()
        resource = request.resource_metrics.add()
        _attributes(resource.resource, tuple(self._resource.items()))
        scope = resource.scope_metrics.add()
        scope.scope.name = "ollama_sidecar"
        now = time.time_ns()
        for family in self._registry.collect():
            if family.type in ("counter", "gauge", "histogram", "info") and family.samples:
                self._add(scope.metrics.add(), family, now)
        body: bytes = request.SerializeToString()
        return body

    def _add(self, metric: Any, family: Metric, now: int) -> None:
        metric.name, metric.description = family.name, family.documentation
        metric.unit = UNITS.get(family.name.rpartition("_")[2], "")
        if family.type == "histogram":
            metric.histogram.aggregation_temporality = self._metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
            for labels, samples in _grouped(family.samples).items():
                self._histogram(metric.histogram.data_points.add(), labels, samples, now)
            return
        if family.type == "counter":
            metric.sum.is_monotonic = True
            metric.sum.aggregation_temporality = self._metrics.AGGREGATION_TEMPORALITY_CUMULATIVE
        points = metric.sum.data_points if family.type == "counter" else metric.gauge.data_points
        for sample in family.samples:
            point = points.add()
            _attributes(point, tuple(sample.labels.items()))
            point.as_double = sample.value
            point.time_unix_nano = now
            if family.type == "counter":
                point.start_time_unix_nano = self._start

    def _histogram(self, point: Any, labels: Labels, samples: list[Sample], now: int) -> None:
        _attributes(point, labels)
        point.start_time_unix_nano, point.time_unix_nano = self._start, now
        below = 0
        for sample in samples:
            if sample.name.endswith("_bucket"):
                bound, count = float(sample.labels["le"]), int(sample.value)
                point.bucket_counts.append(count - below)
                below = count
                if bound != float("inf"):
                    point.explicit_bounds.append(bound)
            elif sample.name.endswith("_count"):
                point.count = int(sample.value)
            elif sample.name.endswith("_sum"):
                point.sum = sample.value


def _grouped(samples: list[Sample]) -> dict[Labels, list[Sample]]:
    """The samples of each histogram, its buckets in their order."""
    found: dict[Labels, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[tuple((name, value) for name, value in sample.labels.items() if name != "le")].append(sample)
    return found


def _attributes(target: Any, labels: Labels) -> None:
    for name, value in labels:
        attribute = target.attributes.add()
        attribute.key, attribute.value.string_value = name, value


def _poster(session: aiohttp.ClientSession) -> Post:
    import aiohttp

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, float]:
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                after = answer.headers.get("Retry-After", "")
                return answer.status, float(after) if after.isascii() and after.isdigit() else 0.0
        except aiohttp.ClientError as error:
            raise ConnectionError(type(error).__name__) from None

    return post
