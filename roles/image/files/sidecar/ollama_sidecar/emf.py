# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics for CloudWatch: lines of its Embedded Metric Format among the log, from which CloudWatch Logs takes metrics.

Counters are told as what was added since the line before, durations as the middle of each bucket with its count, as
the exporter of AWS for OpenTelemetry tells histograms. Each set of dimensions is a line of its own: all together, by
model, and so on. A custom metric costs by the month for each set of dimension values, so only few of them are told.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

# The specification allows 1 MB, earlier 256 KB, and the log driver of Docker that CloudWatch is behind cuts at 256 KB.
# Others cut at 16 KB.
MOST = 16_000
VALUES = 100  # in an array
LABEL = 1024  # characters of a dimension's value, all of them printable ASCII

ALL: tuple[str, ...] = ()
MODEL = ("model",)
BY_MODEL = (ALL, MODEL)
# name: unit, the labels by which it is told.
TOLD: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "ollama_requests": ("Count", (ALL, MODEL, ("model", "code"))),
    "ollama_requests_rejected": ("Count", (ALL, ("reason",))),
    "ollama_prompt_tokens": ("Count", BY_MODEL),
    "ollama_generated_tokens": ("Count", BY_MODEL),
    "ollama_stream_errors": ("Count", BY_MODEL),
    "ollama_client_disconnects": ("Count", BY_MODEL),
    "ollama_cache_hits": ("Count", (ALL,)),
    "ollama_cache_misses": ("Count", (ALL,)),
    "ollama_request_duration_seconds": ("Seconds", BY_MODEL),
    "ollama_time_to_first_token_seconds": ("Seconds", BY_MODEL),
    "ollama_time_per_output_token_seconds": ("Seconds", BY_MODEL),
    "ollama_queue_wait_seconds": ("Seconds", BY_MODEL),
    "ollama_load_duration_seconds": ("Seconds", BY_MODEL),
    "ollama_up": ("None", (ALL,)),
    "ollama_ready": ("None", (ALL,)),
    "ollama_requests_in_flight": ("Count", BY_MODEL),
    "ollama_requests_queued": ("Count", BY_MODEL),
    "ollama_model_vram_bytes": ("Bytes", (MODEL,)),
    "ollama_gpu_offload_ratio": ("None", (MODEL,)),
    "ollama_gpu_utilization_ratio": ("None", (("gpu",),)),
    "ollama_gpu_memory_used_bytes": ("Bytes", (("gpu",),)),
}
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    unit: str
    value: float | dict[str, Any]


class Emf:
    """The lines of one registry. write: takes a line of ASCII."""

    def __init__(self, registry: CollectorRegistry, namespace: str, write: Callable[[str], None]) -> None:
        self._registry = registry
        self._namespace = namespace
        self._write = write
        self._before: dict[tuple[str, Dimensions, str], float] = {}

    async def run(self, seconds: float) -> None:
        """Write every so often until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(seconds)
                self.tell()
        finally:
            self.tell()

    def tell(self) -> None:
        """Write what has happened since the last time."""
        moment = int(time.time() * 1000)
        lines: dict[Dimensions, list[_Value]] = defaultdict(list)
        for family in self._registry.collect():
            if family.name in TOLD:
                unit, groups = TOLD[family.name]
                for labels in groups:
                    for dimensions, value in self._values(family, labels):
                        lines[dimensions].append(_Value(family.name, unit, value))
        for dimensions, values in lines.items():
            for line in self._lines(moment, dimensions, values):
                self._write(line)

    def _values(self, family: Metric, labels: tuple[str, ...]) -> Iterator[tuple[Dimensions, float | dict[str, Any]]]:
        """The value for each set of values of the labels, summed over all other labels."""
        sums: dict[Dimensions, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for sample in family.samples:
            dimensions = tuple((label, sample.labels.get(label, "")) for label in labels)
            if all(_allowed(value) for dummy, value in dimensions):
                part = sample.labels.get("le") or sample.name.removeprefix(family.name)
                sums[dimensions][part] += sample.value
        for dimensions, parts in sums.items():
            if family.type == "gauge":
                yield dimensions, parts[""]
                continue
            added = self._added(family.name, dimensions, parts)
            if family.type == "counter":
                yield dimensions, added["_total"]
            elif added["_count"]:
                yield dimensions, _distribution(added)

    def _added(self, name: str, dimensions: Dimensions, parts: Mapping[str, float]) -> dict[str, float]:
        """What each part has grown by since the last time."""
        added = {}
        for part, value in parts.items():
            key = (name, dimensions, part)
            added[part] = value - self._before.get(key, 0.0)
            self._before[key] = value
        return added

    def _lines(self, moment: int, dimensions: Dimensions, values: list[_Value]) -> Iterator[str]:
        """The values as a line, or as several where one would be too long."""
        line = self._line(moment, dimensions, values)
        if len(line) <= MOST or len(values) == 1:
            yield line
            return
        half = len(values) // 2
        yield from self._lines(moment, dimensions, values[:half])
        yield from self._lines(moment, dimensions, values[half:])

    def _line(self, moment: int, dimensions: Dimensions, values: list[_Value]) -> str:
        directive = {
            "Namespace": self._namespace,
            "Dimensions": [[label for label, dummy in dimensions]],
            "Metrics": [{"Name": value.name, "Unit": value.unit} for value in values],
        }
        line: dict[str, Any] = {"_aws": {"Timestamp": moment, "CloudWatchMetrics": [directive]}, "type": "metrics"}
        line.update(dimensions)
        line.update({value.name: value.value for value in values})
        return json.dumps(line, separators=(",", ":"))


def _allowed(value: str) -> bool:
    return bool(value.strip()) and value.isascii() and value.isprintable() and len(value) <= LABEL


def _distribution(added: Mapping[str, float]) -> dict[str, Any]:
    """What fell into each bucket, at the bucket's middle; past the last bound at that bound."""
    bounds = sorted((float(part), count) for part, count in added.items() if not part.startswith("_"))
    values: list[float] = []
    counts: list[int] = []
    below, seen = 0.0, 0.0
    for bound, count in bounds:
        if count > seen:
            values.append(below if math.isinf(bound) else round((below + bound) / 2, 6))
            counts.append(int(count - seen))
        below, seen = bound, count
    return {
        "Values": values[:VALUES],
        "Counts": counts[:VALUES],
        "Min": values[0],
        "Max": values[-1],
        "Count": int(added["_count"]),
        "Sum": round(added["_sum"], 6),
    }
