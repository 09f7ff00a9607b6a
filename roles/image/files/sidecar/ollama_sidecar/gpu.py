# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs that this container sees, by NVIDIA's own library (NVML); without library or driver there are none."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

LOG = logging.getLogger(__name__)
GAUGES = {
    "utilization_ratio": "Part of the time in which a kernel ran.",
    "memory_used_bytes": "Memory in use.",
    "memory_total_bytes": "Memory of the GPU.",
    "temperature_celsius": "Temperature of the GPU.",
    "power_watts": "Power that the GPU draws.",
}


def collectors(load: Callable[[], Any] | None = None) -> list[Collector]:
    """The collector of the GPUs, or none; says once which. load: imports the library."""
    try:
        library = (load or _load)()
    except ImportError:
        LOG.info("no GPU metrics: nvidia-ml-py is not installed")
        return []
    try:
        library.nvmlInit()
        count = int(library.nvmlDeviceGetCount())
    except library.NVMLError as error:
        LOG.info("no GPU metrics: %s", error)
        return []
    if not count:
        LOG.info("no GPU metrics: there is no GPU")
        return []
    LOG.info("GPU metrics of %d GPUs", count)
    return [GpuCollector(library, count)]


class GpuCollector(Collector):
    """Reads each GPU at the scrape. What one cannot tell, or one that is lost, is left out."""

    def __init__(self, library: Any, count: int) -> None:
        self._library = library
        self._count = count

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(f"ollama_gpu_{name}", text, labels=["gpu", "uuid"]) for name, text in GAUGES.items()
        }
        for number in range(self._count):
            for name, value, uuid in self._read(number):
                families[name].add_metric([str(number), uuid], value)
        yield from families.values()

    def _read(self, number: int) -> Iterator[tuple[str, float, str]]:
        library = self._library
        try:
            handle = library.nvmlDeviceGetHandleByIndex(number)
            uuid = str(library.nvmlDeviceGetUUID(handle))
        except library.NVMLError:
            return
        readings: dict[str, Callable[[], float]] = {
            "utilization_ratio": lambda: library.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
            "memory_used_bytes": lambda: library.nvmlDeviceGetMemoryInfo(handle).used,
            "memory_total_bytes": lambda: library.nvmlDeviceGetMemoryInfo(handle).total,
            "temperature_celsius": lambda: library.nvmlDeviceGetTemperature(handle, library.NVML_TEMPERATURE_GPU),
            "power_watts": lambda: library.nvmlDeviceGetPowerUsage(handle) / 1000,  # milliwatts
        }
        for name, read in readings.items():
            try:
                yield name, float(read()), uuid
            except library.NVMLError:
                continue  # under MIG there is no utilization


def _load() -> Any:
    return importlib.import_module("pynvml")
