# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines for CloudWatch follow its specification, and tell what happened since the lines before."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from ollama_sidecar.emf import MOST, Emf
from ollama_sidecar.metrics import Metrics, State
from ollama_sidecar.record import Record

UNITS = {"Seconds", "Bytes", "Count", "None"}
NUMBER = (int, float)
Dimensions = tuple[tuple[str, str], ...]


def dimensions(line: dict[str, Any]) -> Dimensions:
    (names,) = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    return tuple((name, line[name]) for name in names)


def follows_the_specification(text: str) -> None:
    """The rules of AWS for a document: its structure, and the limits on names, values, arrays and size."""
    assert len(text.encode()) <= 256 * 1024
    line = json.loads(text)
    assert set(line["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(line["_aws"]["Timestamp"], int)
    assert abs(line["_aws"]["Timestamp"] - time.time() * 1000) < 60_000
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert directive["Dimensions"]
        for names in directive["Dimensions"]:
            assert len(names) <= 30
            for name in names:
                assert 1 <= len(name) <= 250
                value = line[name]
                assert isinstance(value, str)
                assert value.strip()
                assert value.isascii()
                assert value.isprintable()
                assert len(value) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert set(metric) == {"Name", "Unit"}
            assert 1 <= len(metric["Name"]) <= 1024
            assert metric["Unit"] in UNITS
            is_a_value(line[metric["Name"]])


def is_a_value(value: Any) -> None:
    """A number, or numbers with how often each came and their statistic set."""
    if isinstance(value, dict):
        assert set(value) == {"Values", "Counts", "Min", "Max", "Count", "Sum"}
        assert 1 <= len(value["Values"]) == len(value["Counts"]) <= 100
        assert all(isinstance(number, NUMBER) for number in [*value["Values"], *value["Counts"]])
        assert sum(value["Counts"]) == value["Count"]
        assert value["Min"] == min(value["Values"])
        assert value["Max"] == max(value["Values"])
    else:
        assert isinstance(value, NUMBER)
        assert not isinstance(value, bool)


class Told:
    """Metrics and their lines."""

    def __init__(self) -> None:
        self.state = State(up=True, ready=True, queues={"a": (2, 1), "b": (1, 0)})
        self.metrics = Metrics(lambda: self.state)
        self.texts: list[str] = []
        self.emf = Emf(self.metrics.registry, "Polycloud/Ollama", self.texts.append)

    def request(self, model: str = "a", **changes: Any) -> None:
        record = Record("i", "POST", 0.0, route="/api/chat", model=model, status=200, stream=True, first=0.3, ended=3.0)
        record.prompt_tokens, record.output_tokens = 5, 10
        for name, value in changes.items():
            setattr(record, name, value)
        self.metrics.observe(record)

    def lines(self) -> dict[Dimensions, dict[str, Any]]:
        """What is told now, by dimensions."""
        self.texts.clear()
        self.emf.tell()
        for text in self.texts:
            follows_the_specification(text)
        found = [json.loads(text) for text in self.texts]
        assert len({dimensions(line) for line in found}) == len(found)
        return {dimensions(line): line for line in found}


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_counter_tells_what_was_added_since_the_line_before(told: Told) -> None:
    told.request()
    told.request("b", status=500)
    lines = told.lines()
    assert lines[()]["ollama_requests"] == 2
    assert lines[(("model", "a"),)]["ollama_requests"] == 1
    assert lines[(("model", "b"), ("code", "500"))]["ollama_requests"] == 1
    assert lines[()]["ollama_generated_tokens"] == 20
    told.request()
    lines = told.lines()
    assert lines[()]["ollama_requests"] == 1
    assert lines[(("model", "b"),)]["ollama_requests"] == 0


def test_a_duration_tells_what_fell_into_each_bucket(told: Told) -> None:
    told.request(ended=3.0)
    told.lines()
    for seconds in (0.03, 0.03, 3.0, 5000.0):
        told.request(ended=seconds)
    assert told.lines()[()]["ollama_request_duration_seconds"] == {
        "Values": [0.03, 3.84, 600.0],
        "Counts": [2, 1, 1],
        "Min": 0.03,
        "Max": 600.0,
        "Count": 4,
        "Sum": 5003.06,
    }
    assert "ollama_request_duration_seconds" not in told.lines()[()]


def test_a_gauge_tells_its_value_for_each_model_and_the_sum_of_all(told: Told) -> None:
    for _ in range(2):
        lines = told.lines()
        assert lines[()]["ollama_requests_in_flight"] == 3
        assert lines[(("model", "a"),)]["ollama_requests_in_flight"] == 2
        assert lines[()]["ollama_up"] == 1


def test_what_cannot_be_a_dimension_is_told_in_the_sum_alone(told: Told) -> None:
    for model in ("", "mod\u00e8le", "line\nbreak", "x" * 2000):
        told.request(model)
    lines = told.lines()
    assert lines[()]["ollama_requests"] == 4
    assert [found for found in lines if found and found[0][0] == "model" and found[0][1] not in ("a", "b")] == []


def test_a_line_too_long_for_a_log_driver_is_told_in_parts(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    told.request()
    whole = told.lines()[()]
    monkeypatch.setattr("ollama_sidecar.emf.MOST", 700)
    again = Told()
    again.request()
    again.emf.tell()
    parts = [json.loads(text) for text in again.texts if dimensions(json.loads(text)) == ()]
    assert len(parts) > 3
    for text in again.texts:
        follows_the_specification(text)
        assert len(text) <= 700
    names = [metric["Name"] for part in parts for metric in part["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert sorted(names) == sorted(metric["Name"] for metric in whole["_aws"]["CloudWatchMetrics"][0]["Metrics"])


def test_lines_stay_short_when_every_bucket_is_used(told: Told) -> None:
    for number in range(4000):
        told.request(f"m{number % 90}", ended=1.2345 ** (number % 35), first=1.2345 ** (number % 31), queued=number / 9)
    lines = told.lines()
    assert len(lines) > 100
    assert max(map(len, told.texts)) <= MOST


def test_the_last_moments_are_told_at_the_end(told: Told) -> None:
    async def run() -> None:
        task = asyncio.create_task(told.emf.run(60))
        await asyncio.sleep(0)
        told.request()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert json.loads(told.texts[0])["ollama_requests"] == 1


def test_lines_are_told_every_so_often(told: Told) -> None:
    async def run() -> None:
        task = asyncio.create_task(told.emf.run(0.01))
        while len(told.texts) < 3:
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
