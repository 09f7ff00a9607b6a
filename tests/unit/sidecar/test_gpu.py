# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs are told where NVIDIA's library sees some; else there is nothing but one line in the log."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from ollama_sidecar import gpu
from ollama_sidecar.metrics import Metrics, State


class Lost(Exception):
    """What NVML raises."""


def fails(*dummy: object) -> None:
    raise Lost("Driver Not Loaded")


class Library:
    """NVML with so many GPUs. broken: the functions that fail."""

    NVMLError = Lost
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, count: int = 1, broken: tuple[str, ...] = ()) -> None:
        self._count = count
        self.broken = set(broken)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in self.broken:
            return fails
        return super().__getattribute__(name)

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self._count

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return f"GPU-{handle}"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(gpu=40)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=3 * 2**30, total=80 * 2**30)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        return 61

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return 350_500


def told(library: Library) -> dict[str, float]:
    metrics = Metrics(State, more=gpu.collectors(lambda: library))
    names = (f"ollama_gpu_{name}" for name in gpu.GAUGES)
    found = {name: metrics.registry.get_sample_value(name, {"gpu": "0", "uuid": "GPU-0"}) for name in names}
    return {name.removeprefix("ollama_gpu_"): value for name, value in found.items() if value is not None}


ALL = {
    "utilization_ratio": 0.4,
    "memory_used_bytes": 3 * 2**30,
    "memory_total_bytes": 80 * 2**30,
    "temperature_celsius": 61,
    "power_watts": 350.5,
}


def test_a_gpu_tells_its_load_memory_temperature_and_power_in_base_units() -> None:
    assert told(Library()) == ALL


def test_what_a_gpu_cannot_tell_is_left_out() -> None:
    rest = {name: value for name, value in ALL.items() if name != "utilization_ratio"}
    assert told(Library(broken=("nvmlDeviceGetUtilizationRates",))) == rest


def test_a_gpu_that_is_lost_while_we_run_takes_nothing_else_with_it() -> None:
    library = Library()
    metrics = Metrics(State, more=gpu.collectors(lambda: library))
    library.broken.add("nvmlDeviceGetHandleByIndex")
    assert b"\nollama_up 0.0" in metrics.render()[1]
    assert b"\nollama_gpu_power_watts{" not in metrics.render()[1]


def without() -> Any:
    raise ImportError


@pytest.mark.parametrize(
    "load",
    [
        without,
        lambda: Library(broken=("nvmlInit",)),
        lambda: Library(broken=("nvmlDeviceGetCount",)),
        lambda: Library(0),
    ],
)
def test_without_a_gpu_there_is_one_line_in_the_log_and_nothing_else(
    load: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert gpu.collectors(load) == []
    assert [message.startswith("no GPU metrics: ") for message in caplog.messages] == [True]


def test_this_machine_is_asked_by_the_real_library() -> None:
    pytest.importorskip("pynvml")
    assert all(isinstance(collector, gpu.GpuCollector) for collector in gpu.collectors())
