# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runner of the gates counts honestly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools import run_gates, try_gates
from tests.tools.run_gates import Gate, Outcome

JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="no"/></testcase>
<testcase classname="a" name="broken"><error message="no"/></testcase>
<testcase classname="a" name="bad"><error message="its teardown failed too"/></testcase>
<testcase classname="a" name="idle"><skipped message="no engine here"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for results, and a checkout whose Makefile the test writes."""
    monkeypatch.setattr(run_gates, "CHECKOUT", tmp_path)
    monkeypatch.setattr(run_gates, "RESULTS", tmp_path)
    return tmp_path


def outcome(passed: int = 1, failures: tuple[str, ...] = (), skips: tuple[tuple[str, str], ...] = ()) -> Outcome:
    """Return an outcome with these counts."""
    return Outcome(Gate("units", pytest=True), 0.1, passed, failures, skips, "")


def test_a_junit_file_is_counted_by_what_became_of_each_test(tmp_path: Path) -> None:
    (tmp_path / "units.xml").write_text(JUNIT, encoding="utf-8")
    passed, failed, skipped = run_gates.read_junit(tmp_path / "units.xml")
    assert (passed, failed, skipped) == (1, ["a::bad", "a::broken"], [("a::idle", "no engine here")])


def test_a_gate_that_ends_well_counts_one(results: Path) -> None:
    (results / "Makefile").write_text("fine:\n\t@echo fine\n", encoding="utf-8")
    done = run_gates.run_gate(Gate("fine"))
    assert (done.passed, done.failures) == (1, ())
    assert run_gates.read_junit(results / "fine.xml") == (1, [], [])


def test_a_gate_that_ends_badly_counts_as_failed_and_keeps_its_output(results: Path) -> None:
    (results / "Makefile").write_text("bad:\n\t@echo what went wrong; exit 3\n", encoding="utf-8")
    done = run_gates.run_gate(Gate("bad"))
    assert (done.passed, done.failures) == (0, ("bad (exit code 2)",))
    assert "what went wrong" in (results / "bad.log").read_text(encoding="utf-8")
    assert run_gates.read_junit(results / "bad.xml")[1] == ["gates::bad"]


def test_a_pytest_gate_that_dies_before_its_junit_file_counts_as_failed(results: Path) -> None:
    (results / "Makefile").write_text("units:\n\t@exit 4\n", encoding="utf-8")
    (results / "units.xml").write_text(JUNIT.replace("failure", "system-out"), encoding="utf-8")
    done = run_gates.run_gate(Gate("units", pytest=True))
    assert (done.passed, done.failures) == (0, ("units (exit code 2)",))


def test_the_last_line_is_the_totals_and_each_skip_is_told_with_its_reason(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [outcome(passed=4, skips=(("a::idle", "no engine here"),)), outcome(passed=1, failures=("a::bad",))]
    assert run_gates.summarise("test", outcomes, 1.0) == 1
    printed = capsys.readouterr().out.splitlines()
    assert "skipped: a::idle: no engine here" in printed
    assert "failed: a::bad" in printed
    assert printed[-1] == "5 passed, 1 failed, 1 skipped"


def test_a_run_in_which_nothing_passed_is_a_failed_run(results: Path) -> None:
    assert run_gates.summarise("test", [outcome(passed=0)], 1.0) == 1
    assert run_gates.summarise("test", [outcome(passed=1)], 1.0) == 0


def test_the_totals_of_ci_are_the_sum_of_all_suites(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_gates.summarise("test", [outcome(passed=4)], 1.0)
    run_gates.summarise("real", [outcome(passed=2, failures=("a::bad",))], 1.0)
    assert run_gates.print_overall() == 1
    assert capsys.readouterr().out.splitlines()[-1] == "6 passed, 1 failed, 0 skipped"


def test_each_gate_has_a_bad_fixture_that_it_must_refuse() -> None:
    gates = {gate.target for stages in run_gates.SUITES.values() for stage in stages for gate in stage}
    assert gates - {case.parent.name for case in try_gates.cases(None)} == set()
