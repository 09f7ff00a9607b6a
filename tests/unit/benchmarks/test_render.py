# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RESULTS.md says what results.json holds, and no more."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.harness import RESULTS
from benchmarks.render import render

ROW: dict[str, Any] = {
    "id": "B1",
    "metric": "wall seconds",
    "peer": "stock modules",
    "ours": 2.316,
    "theirs": 1234.5,
    "ratio": 0.459,
    "target": "ratio <= 0.35",
    "held": False,
    "reason": "",
    "pairs": 5,
    "date": "2026-01-02",
    "cores": 2,
    "load": 0.4,
    "loads": [0.4],
    "quiet": True,
    "versions": {"python": "3.12.1", "terraform": "1.11.4"},
    "detail": {},
}


def test_a_row_shows_figures_target_and_verdict() -> None:
    assert "| wall seconds | stock modules | 2.32 | 1,234 | 0.46 | ratio <= 0.35 | **no** |" in render([ROW])


def test_whole_numbers_have_no_decimals() -> None:
    assert "| 4 | 1,004 | 0.00 |" in render([{**ROW, "ours": 4.0, "theirs": 1004, "ratio": 0.004}])


def test_a_peer_that_was_not_measured_shows_dashes_and_the_first_line_of_the_reason() -> None:
    page = render([{**ROW, "ours": None, "theirs": None, "ratio": None, "held": None, "reason": "not on PATH\nstack"}])
    assert "| - | - | - | ratio <= 0.35 | not measured |" in page
    assert "wall seconds, stock modules: not on PATH" in page
    assert "stack" not in page


def test_a_figure_without_a_target_has_no_verdict() -> None:
    assert "| 2.32 | 1,234 | 0.46 |  | - |" in render([{**ROW, "target": "", "held": None}])


def test_a_loaded_machine_is_marked() -> None:
    assert "others were computing" not in render([ROW])
    assert "load average before the first one 7.5 (**others were computing" in render(
        [{**ROW, "load": 7.5, "quiet": False}]
    )


def test_figures_taken_ahead_of_other_processes_say_so() -> None:
    assert "SCHED_FIFO" not in render([ROW])
    assert "load average before the first one 0.4; all sides ran ahead of other processes (SCHED_FIFO)." in render(
        [{**ROW, "ahead": True}]
    )


def test_date_cores_versions_and_scope_are_said_once() -> None:
    scoped = {**ROW, "detail": {"scope": ["cluster", "service"], "latency_ms": 80}}
    page = render([scoped, {**scoped, "peer": "terraform plan"}])
    assert page.count("Scope on all sides: cluster, service. 80 ms added to each call.") == 1
    assert page.count("2026-01-02, 2 cores, 5 interleaved rounds, load average before the first one 0.4.") == 1
    assert page.count("Versions: python 3.12.1, terraform 1.11.4.") == 1


def test_a_cell_cannot_break_the_table() -> None:
    assert "| a \\| b c |" in render([{**ROW, "metric": "a | b\nc"}])


def test_a_benchmark_of_a_later_issue_gets_its_own_section() -> None:
    page = render([{**ROW, "id": "B7"}, ROW])
    assert page.index("## B1: a converge") < page.index("## B7")


def test_the_tenth_benchmark_comes_behind_the_ninth() -> None:
    page = render([{**ROW, "id": name} for name in ("B10", "B9", "B1")])
    assert page.index("## B1:") < page.index("## B9:") < page.index("## B10:")


def test_the_page_in_the_repository_is_the_one_of_its_results() -> None:
    rows = json.loads(RESULTS.read_text("utf-8"))
    assert RESULTS.with_name("RESULTS.md").read_text("utf-8") == render(rows)
    assert {row["id"] for row in rows} >= {"B1", "B2", "B3", "B9", "B10"}
