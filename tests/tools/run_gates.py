# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the gates of `make test` and `make test-real`, the fast ones first, and counts what they found.

Each gate is a make target. Gates of one stage run side by side. A failed gate does not stop the others. The last line
is `N passed, N failed, N skipped`: a pytest gate counts its tests, any other gate counts as one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "build" / "test-results"
TAIL_LINES = 60


@dataclass(frozen=True)
class Gate:
    """One make target; `pytest` gates leave a junit file that names their tests."""

    target: str
    pytest: bool = False


SUITES: dict[str, tuple[tuple[Gate, ...], ...]] = {
    "test": (
        (Gate("yamllint"), Gate("ruff"), Gate("changelog-lint")),
        (Gate("types"), Gate("reuse")),
        (Gate("units", pytest=True),),
        (Gate("integration", pytest=True),),
        (Gate("ansible-lint"), Gate("docs-lint")),
        (Gate("sanity"),),
        (Gate("molecule"),),
        (Gate("importer"), Gate("docs")),
    ),
    "real": ((Gate("real-tests", pytest=True),), (Gate("sweep", pytest=True),)),
}


@dataclass(frozen=True)
class Outcome:
    """What a gate found; `skips` are pairs (test, reason), `failures` the names of what failed."""

    gate: Gate
    seconds: float
    passed: int
    failures: tuple[str, ...]
    skips: tuple[tuple[str, str], ...]
    output: str

    @property
    def verdict(self) -> str:
        """Return one line for the progress report."""
        counts = f"{self.passed} passed, {len(self.failures)} failed, {len(self.skips)} skipped"
        return ("FAILED" if self.failures else "ok") + (f" ({counts})" if self.gate.pytest else "")


def run_gate(gate: Gate) -> Outcome:
    """Run one make target and judge it by its exit code and, for pytest, by its junit file."""
    junit = RESULTS / f"{gate.target}.xml"
    junit.unlink(missing_ok=True)
    command = ["make", gate.target]
    if gate.pytest:
        command.append(f"PYTEST_ARGS=-q --junitxml={junit}")
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        errors="replace",
    )
    seconds = time.monotonic() - start
    (RESULTS / f"{gate.target}.log").write_text(done.stdout, encoding="utf-8")
    passed, failures, skips = read_junit(junit) if gate.pytest else (0, [], [])
    if done.returncode and not failures:
        failures = [f"{gate.target} (exit code {done.returncode})"]
    if not gate.pytest:
        passed = int(done.returncode == 0)
        write_junit(junit, gate, seconds, done)
    return Outcome(gate, seconds, passed, tuple(failures), tuple(skips), done.stdout)


def read_junit(path: Path) -> tuple[int, list[str], list[tuple[str, str]]]:
    """Return (number passed, names failed, [(name, reason) skipped]) of a junit file; nothing where there is none."""
    if not path.is_file():
        return 0, [], []
    verdicts: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for case in ElementTree.parse(path).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        name = f"{case.get('classname')}::{case.get('name')}"
        skip = case.find("skipped")
        # A test whose teardown fails stands there twice.
        if case.find("failure") is not None or case.find("error") is not None:
            verdicts[name] = "failed"
        elif skip is not None:
            verdicts.setdefault(name, "skipped")
            reasons[name] = skip.get("message") or "no reason given"
        else:
            verdicts.setdefault(name, "passed")
    failed = [name for name, verdict in verdicts.items() if verdict == "failed"]
    skipped = [(name, reasons[name]) for name, verdict in verdicts.items() if verdict == "skipped"]
    return len(verdicts) - len(failed) - len(skipped), failed, skipped


def write_junit(path: Path, gate: Gate, seconds: float, done: subprocess.CompletedProcess[str]) -> None:
    """Write the junit file of a gate that is not pytest: one test case."""
    suite = ElementTree.Element("testsuite", name=gate.target, tests="1", failures=str(int(done.returncode != 0)))
    case = ElementTree.SubElement(suite, "testcase", classname="gates", name=gate.target, time=f"{seconds:.1f}")
    if done.returncode:
        printable = "".join(sign for sign in done.stdout[-4000:] if sign.isprintable() or sign in "\n\t")
        ElementTree.SubElement(case, "failure", message=f"exit code {done.returncode}").text = printable
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def run_suite(stages: tuple[tuple[Gate, ...], ...]) -> Iterator[Outcome]:
    """Yield outcomes as gates end, stage by stage."""
    with ThreadPoolExecutor(max_workers=max(len(stage) for stage in stages)) as pool:
        for stage in stages:
            for future in as_completed([pool.submit(run_gate, gate) for gate in stage]):
                yield future.result()


def report(outcome: Outcome) -> None:
    """Print a line on a gate, and the end of its output where it failed."""
    print(f"{outcome.gate.target:<16} {outcome.seconds:7.1f} s  {outcome.verdict}", flush=True)
    if outcome.failures:
        tail = outcome.output.rstrip().splitlines()[-TAIL_LINES:]
        print("".join(f"    | {line}\n" for line in tail), end="", flush=True)


def totals(outcomes: list[Outcome]) -> dict[str, int]:
    """Add the counts up."""
    return {
        "passed": sum(outcome.passed for outcome in outcomes),
        "failed": sum(len(outcome.failures) for outcome in outcomes),
        "skipped": sum(len(outcome.skips) for outcome in outcomes),
    }


def closing_line(counts: dict[str, int]) -> str:
    """Return the line that ends every run."""
    return f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"


def summarise(suite: str, outcomes: list[Outcome], seconds: float) -> int:
    """Print failures, every skip with its reason and the totals; return the exit code."""
    counts = totals(outcomes)
    summary = {**counts, "seconds": round(seconds, 1)}
    (RESULTS / f"summary-{suite}.json").write_text(json.dumps(summary), encoding="utf-8")
    for name in (name for outcome in outcomes for name in outcome.failures):
        print(f"failed: {name}")
    for name, reason in (skip for outcome in outcomes for skip in outcome.skips):
        print(f"skipped: {name}: {reason}")
    print(f"Logs and junit files are in {RESULTS.relative_to(CHECKOUT)}/; {seconds:.0f} s in all.")
    print(closing_line(counts))
    return int(counts["failed"] > 0 or counts["passed"] == 0)


def print_overall() -> int:
    """Print the sum over the suites that ran, for CI; return the exit code."""
    summaries = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("summary-*.json"))]
    counts = {key: sum(summary[key] for summary in summaries) for key in ("passed", "failed", "skipped")}
    print(closing_line(counts))
    return int(counts["failed"] > 0 or counts["passed"] == 0)


def main() -> int:
    """Run one suite, or print the totals of those that ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=[*SUITES, "totals"])
    suite = parser.parse_args().suite
    if suite == "totals":
        return print_overall()
    RESULTS.mkdir(parents=True, exist_ok=True)
    os.environ.pop("MAKEFLAGS", None)
    start = time.monotonic()
    outcomes: list[Outcome] = []
    for outcome in run_suite(SUITES[suite]):
        report(outcome)
        outcomes.append(outcome)
    return summarise(suite, outcomes, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
