# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness of the benchmarks: arithmetic, verdicts, merging. No test here looks at how long something takes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import harness
from benchmarks.harness import OURS, Bench, Measure, NotMeasured, Row, median, merge, ratio, read_rows, write_rows


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench("B9", tmp_path, pairs=5, say=lambda text: None)


def measure(seconds: float, calls: int = 0) -> Measure:
    return Measure(seconds=seconds, cpu_seconds=seconds, rss_mb=1.0, stdout=Path(), calls=calls)


def row(metric: str = "m", peer: str = "p", ours: float = 1.0, name: str = "B9") -> Row:
    return Row(id=name, metric=metric, peer=peer, ours=ours, theirs=2.0, ratio=0.5, target="ratio <= 1", held=True)


def test_the_median_is_the_middle_value_and_not_the_mean() -> None:
    assert median([9.0, 1.0, 2.0]) == 2.0
    assert median([1.0, 2.0, 4.0, 50.0]) == 3.0


@pytest.mark.parametrize(
    ("ours", "theirs", "share"), [(1.0, 4.0, 0.25), (None, 4.0, None), (1.0, None, None), (1.0, 0, None)]
)
def test_a_ratio_needs_both_figures(ours: float | None, theirs: float | None, share: float | None) -> None:
    assert ratio(ours, theirs) == share


@pytest.mark.parametrize(("ours", "held"), [(3.5, True), (3.6, False)])
def test_a_target_holds_up_to_its_limit(bench: Bench, ours: float, held: bool) -> None:
    bench.compare("wall", "peer", ours, 10.0, 0.35)
    assert [(found.ratio, found.held, found.target) for found in bench.rows] == [(ours / 10, held, "ratio <= 0.35")]


def test_a_peer_that_is_missing_has_neither_figure_nor_verdict(bench: Bench) -> None:
    bench.missing("wall", "terraform plan", "ratio <= 0.4", "terraform is not on PATH")
    (found,) = bench.rows
    assert (found.ours, found.theirs, found.ratio, found.held) == (None, None, None, None)
    assert found.reason == "terraform is not on PATH"


def test_sides_run_in_turn_and_each_round_notes_the_load(bench: Bench) -> None:
    order: list[str] = []

    def side(name: str) -> Measure:
        order.append(name)
        return measure(1.0)

    runs = bench.interleave({"a": lambda: side("a"), "b": lambda: side("b")}, 3)

    assert order == ["a", "b"] * 3
    assert {name: len(found) for name, found in runs.items()} == {"a": 3, "b": 3}
    assert len(bench.loads) == 3


def test_a_peer_that_fails_in_a_later_round_is_left_out_with_its_reason(bench: Bench) -> None:
    answers = iter([measure(1.0)])

    def peer() -> Measure:
        found = next(answers, None)
        if found is None:
            raise NotMeasured("it crashed")
        return found

    runs = bench.interleave({OURS: lambda: measure(2.0), "peer": peer}, 3)

    assert list(runs) == [OURS]
    assert len(runs[OURS]) == 3
    assert bench.failures == {"peer": "it crashed"}


def test_that_ours_fails_is_an_error_and_no_figure(bench: Bench) -> None:
    def broken() -> Measure:
        raise NotMeasured("exited with 2")

    with pytest.raises(RuntimeError, match="ours failed: exited with 2"):
        bench.interleave({OURS: broken}, 1)


def test_a_peer_that_fails_to_warm_up_is_noted_and_ours_may_not(bench: Bench) -> None:
    def broken() -> Measure:
        raise NotMeasured("it crashed")

    assert bench.warm_up("well", lambda: measure(1.0)) is True
    assert bench.warm_up("peer", broken) is False
    assert bench.failures == {"peer": "it crashed"}
    with pytest.raises(RuntimeError, match="ours failed: it crashed"):
        bench.warm_up(OURS, broken)


def test_a_command_is_measured_with_its_output(bench: Bench) -> None:
    found = bench.measure([sys.executable, "-c", "print('x' * 1_000_000, end='')"], {})
    assert found.megabytes == 1.0
    assert found.rss_mb > 1


def test_a_command_that_fails_says_what_it_printed(bench: Bench) -> None:
    with pytest.raises(NotMeasured, match=r"(?s)exited with 3: .*no such thing"):
        bench.measure([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"], {})


def test_a_command_that_hangs_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "COMMAND_SECONDS", 0.2)
    with pytest.raises(NotMeasured, match="exited with -9"):
        bench.measure([sys.executable, "-c", "import time; time.sleep(60)"], {})


def test_measured_commands_see_no_other_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "mine")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = harness.environment({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert {key for key in found if key.startswith(harness.LEFT_OUT)} - {"AWS_ENDPOINT_URL"} == {
        key for key in found if key.startswith("ANSIBLE_")
    }


def test_a_benchmark_that_ran_anew_replaces_all_of_its_rows_and_leaves_the_rest() -> None:
    existing = [asdict(row(ours=1.0)), asdict(row(metric="gone", ours=2.0)), asdict(row(name="B1", ours=3.0))]
    merged = merge(existing, [row(ours=9.0), row(metric="new", ours=4.0)])
    figures = [(found["id"], found["metric"], found["ours"]) for found in merged]
    assert figures == [("B1", "m", 3.0), ("B9", "m", 9.0), ("B9", "new", 4.0)]


def test_a_results_file_keeps_the_other_benchmarks(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    write_rows(path, [row(ours=1.0)])
    write_rows(path, [row(name="B8", metric="second")])
    assert [found["metric"] for found in read_rows(path)] == ["second", "m"]


def test_a_row_holds_what_a_reader_needs_to_judge_it(bench: Bench) -> None:
    bench.interleave({OURS: lambda: measure(1.0)}, 2)
    bench.compare("wall", "peer", 1.0, 4.0, 0.35, {"scope": ["a cluster"]})
    found = asdict(bench.rows[0])
    assert {"date", "cores", "load", "loads", "quiet", "versions", "detail", "pairs"} <= set(found)
    assert found["pairs"] == len(found["loads"]) == 2
    assert {"python", "ansible-core", "amazon.aws", "community.aws"} <= set(found["versions"])


@pytest.mark.parametrize(("average", "quiet"), [(1.5, True), (1.6, False)])
def test_two_cores_are_quiet_up_to_a_load_of_one_and_a_half(
    average: float, quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "cores", lambda: 2)
    assert harness.is_quiet(average) is quiet


def test_waiting_for_a_quiet_machine_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(harness, "load", lambda: 99.0)
    assert harness.wait_for_quiet(0, said.append) is False
    assert "the figures are marked" in said[0]
