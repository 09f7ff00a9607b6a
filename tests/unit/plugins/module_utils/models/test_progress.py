# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress is a bar for a person and a few lines for a log."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.models.progress import (
    Meter,
    Snapshot,
    bar_on,
    line,
    readable,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_fast_fetch_gives_a_line_for_each_tenth() -> None:
    told: list[str] = []
    meter = Meter(1000, told.append, clock=Clock())
    for dummy in range(1000):
        meter.add(1)
    assert len(told) == 10
    assert "1.0 kB of 1.0 kB (100 %)" in told[-1]


def test_a_slow_fetch_gives_a_line_each_five_seconds() -> None:
    told: list[str] = []
    clock = Clock()
    meter = Meter(10**9, told.append, clock=clock)
    for second in range(60):
        clock.now = float(second)
        meter.add(1_000_000)
    assert len(told) == 11
    assert told[0] == ": 6.0 MB of 1.00 GB (0 %), 1.2 MB/s, 13 min left"


def test_a_terminal_gets_snapshots_instead_of_lines() -> None:
    told: list[str] = []
    shots: list[Snapshot] = []
    clock = Clock()
    meter = Meter(100, told.append, shots.append, clock=clock)
    for second in range(1, 101):
        clock.now = second / 100
        meter.add(1)
    assert not told
    assert 9 <= len(shots) <= 12
    assert shots[-1].done == shots[-1].total == 100


def test_the_bar_redraws_one_line_and_ends_it() -> None:
    stream = io.StringIO()
    show = bar_on(stream)
    show(Snapshot("tiny", 50, 100, 10.0, 5.0))
    show(Snapshot("tiny", 100, 100, 10.0, 0.0))
    first, second = stream.getvalue().removesuffix("\n").split("\r")[1:]
    assert first == "[############............] tiny: 50 B of 100 B (50 %), 10 B/s, 5 s left"
    assert second.startswith("[########################] tiny: 100 B of 100 B (100 %)")
    assert len(second) >= len(first)


def test_bytes_that_must_come_again_are_received_twice_and_done_once() -> None:
    told: list[str] = []
    meter = Meter(100, told.append, clock=Clock())
    meter.add(100)
    meter.retract(100)
    meter.add(100)
    assert meter.received == 200
    assert "(100 %)" in told[-1]


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.floats(0, 1e12), st.none() | st.floats(0, 1e9))
def test_any_snapshot_can_be_shown(done: int, total: int, rate: float, left: float | None) -> None:
    stream = io.StringIO()
    bar_on(stream)(Snapshot("tiny", done, total, rate, left))
    assert line(Snapshot("tiny", done, total, rate, left)).isprintable()


def test_sizes_are_readable() -> None:
    assert [readable(size) for size in (0, 999, 1500, 815_000_000, 40e9)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "815.0 MB",
        "40.00 GB",
    ]
