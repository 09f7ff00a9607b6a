# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line of JSON for each request, which holds no request up and is not cut by another."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest
from ollama_sidecar import access_log
from ollama_sidecar.access_log import AccessLog, Output
from ollama_sidecar.record import Record


@dataclass
class Pipe:
    reading: int
    writing: int

    def read(self) -> bytes:
        """All that was written."""
        os.close(self.writing)
        self.writing = -1
        pieces = []
        while piece := os.read(self.reading, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = Pipe(*os.pipe())
    yield ends
    for end in (ends.reading, ends.writing):
        if end >= 0:
            os.close(end)


def written(pipe: Pipe, *records: Record, late: bool = False) -> list[dict[str, Any]]:
    async def run() -> None:
        output = Output(pipe.writing)
        log = AccessLog(output)
        for record in records:
            (log.work if late else log.observe)(record)
        output.close()

    asyncio.run(run())
    return [json.loads(line) for line in pipe.read().decode().splitlines()]


def a_record() -> Record:
    record = Record("req-1", "POST", 100.0, route="/api/chat", model="tiny:latest", key="team-a", peer="10.0.0.7")
    record.status, record.stream, record.queued, record.first, record.ended = 200, True, 0.0125, 100.5, 103.25
    record.bytes_in, record.bytes_out, record.prompt_tokens, record.output_tokens, record.load = 90, 4000, 7, 11, 0.25
    return record


def test_a_request_is_one_line_with_its_times_in_milliseconds(pipe: Pipe) -> None:
    (line,) = written(pipe, a_record())
    moment = datetime.fromisoformat(line.pop("time"))
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=30)
    assert line == {
        "type": "access",
        "id": "req-1",
        "method": "POST",
        "route": "/api/chat",
        "model": "tiny:latest",
        "key": "team-a",
        "peer": "10.0.0.7",
        "status": 200,
        "stream": True,
        "duration_ms": 3250.0,
        "queued_ms": 12.5,
        "first_ms": 500.0,
        "load_ms": 250.0,
        "prompt_tokens": 7,
        "output_tokens": 11,
        "bytes_in": 90,
        "bytes_out": 4000,
    }


def test_what_befell_a_request_is_told(pipe: Pipe) -> None:
    refused = Record("a", "POST", 0.0, status=503, rejected="queue_full")
    cut = Record("b", "POST", 0.0, status=200, broken="upstream", disconnected=True, cache="miss")
    first, second = written(pipe, refused, cut)
    assert first["rejected"] == "queue_full"
    assert "disconnected" not in first
    assert "prompt_tokens" not in first
    assert (second["broken"], second["disconnected"], second["cache"]) == ("upstream", True, "miss")


def test_tokens_that_came_after_the_line_of_their_request_are_a_line_of_their_own(pipe: Pipe) -> None:
    (line,) = written(pipe, Record("nobody-waited", "POST", 0.0), a_record(), late=True)
    assert line.pop("time")
    assert line == {
        "type": "tokens",
        "id": "req-1",
        "route": "/api/chat",
        "key": "team-a",
        "model": "tiny:latest",
        "prompt_tokens": 7,
        "output_tokens": 11,
    }


def test_the_time_is_written_as_rfc_3339_says() -> None:
    log = AccessLog(Output(os.open(os.devnull, os.O_WRONLY)))
    assert log._time(1_795_341_600.0009) == "2026-11-22T10:00:00.000Z"
    assert log._time(1_795_341_600.9999) == "2026-11-22T10:00:00.999Z"
    assert log._time(1_795_341_601.05) == "2026-11-22T10:00:01.050Z"


def test_a_hostile_word_stays_in_its_line(pipe: Pipe) -> None:
    record = a_record()
    record.model = record.peer = 'x"\n{"type":"access"}\r\u2028\ud800'
    (line,) = written(pipe, record)
    assert line["model"] == record.model


def test_all_of_a_record_is_in_the_line_or_left_out_on_purpose() -> None:
    told = {"id", "method", "route", "model", "key", "peer", "status", "stream", "cache", "rejected", "broken"}
    measured = {"began", "ended", "queued", "first", "load", "prompt_tokens", "output_tokens", "bytes_in", "bytes_out"}
    assert {field.name for field in fields(Record)} == told | measured | {"dialect", "disconnected", "shared"}


def test_lines_come_by_themselves_soon(pipe: Pipe) -> None:
    async def run() -> bytes:
        output = Output(pipe.writing)
        output.line("one")
        output.line("two")
        begin = monotonic()
        found = await asyncio.to_thread(os.read, pipe.reading, 100)
        assert monotonic() - begin < 20 * access_log.EVERY
        output.close()
        return found

    assert asyncio.run(run()) == b"one\ntwo\n"


def test_a_log_driver_that_hangs_holds_up_no_request(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST", 300_000)
    monkeypatch.setattr(access_log, "PATIENCE", 0.05)
    monkeypatch.setattr(access_log, "EVERY", 0.01)

    async def run() -> Output:
        output = Output(pipe.writing)
        longest = 0.0
        for _ in range(40):
            begin = monotonic()
            for _ in range(20):
                output.line("x" * 999)
            await asyncio.sleep(0.01)
            longest = max(longest, monotonic() - begin)
        assert longest < 1
        begin = monotonic()
        output.close()
        assert monotonic() - begin < 1
        return output

    output = asyncio.run(run())
    # The pipe took some, MOST waited, the rest is gone.
    assert 400 <= output.dropped <= 500
    rest = b""
    while rest.count(b"\n") < 800 - output.dropped:
        rest += os.read(pipe.reading, 1 << 16)
    assert set(rest.split(b"\n")) == {b"x" * 999, b""}


def test_what_was_dropped_is_told_once(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access_log, "MOST", -1)

    async def run() -> None:
        output = Output(pipe.writing)
        output.line("x")
        output.flush()
        output.flush()
        output.close()

    asyncio.run(run())
    assert caplog.messages == ["1 lines of the log were dropped: standard output is too slow"]


def test_nobody_reads_and_nothing_breaks() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    async def run() -> None:
        output = Output(writing)
        output.line("x")
        output.close()

    asyncio.run(run())
    os.close(writing)
