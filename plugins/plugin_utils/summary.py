# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each target, as data and as a table. Pure: no call, no clock, no Ansible.

An outcome is a dictionary: `target`, `platform`, `region`, `ok`, `health`, `changed`, `serving`, `release`, `answer`,
`tokens_per_second`, `seconds`, `endpoints`, `rolled_back`, `outage_seconds`, `plans` (by step), `error`, `task`.
A report is `{"status": "ok | partial | failed", "run", "check", "at", "changed", "targets": [outcome, …]}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.polycloud.ollama.plugins.module_utils.text import one_line

Result = Mapping[str, Any]
Outcome = dict[str, Any]

SHORT, LONG = 200, 2000
NEVER_REACHED = "the run ended before this target was done; see the output of the run"
STEPS = ("storage", "deploy")
COLUMNS = {
    "TARGET": 40,
    "PLATFORM": 20,
    "REGION": 20,
    "HEALTH": 20,
    "CHANGED": 7,
    "SECONDS": 8,
    "ANSWER": 24,
    "SERVING": 80,
}
REGISTRY_AND_DIGEST = re.compile(r"^\S*/|(?<=@sha256:.{12})[0-9a-f]+")


def target_outcome(
    results: Mapping[str, Result],
    *,
    target: str,
    platform: str = "",
    places: Sequence[Any] = (),
    failure: Result | None = None,
    check: bool = False,
) -> Outcome:
    """Sum up the results of a target's steps (`storage`, `deploy`, `validate`; empty for a step that did not run).

    places: where the region is looked for, in that order, as C(region) or C(location) of a dictionary.
    failure: the result of the task that failed, with the task's name as `task`. A deployment module that fails returns
    what it knows, so the failure then stands for the step `deploy`.
    """
    failed = dict(failure or {})
    deploy: Result = failed if "deployment" in failed else results.get("deploy") or {}
    validate = _probe(results.get("validate") or {})
    facts: Result = deploy.get("deployment") or {}
    steps = {"storage": results.get("storage") or {}, "deploy": deploy}
    return {
        "target": target,
        "platform": platform,
        "region": _region(places),
        "ok": not failed,
        "health": _health(deploy, facts, validate, failed, check),
        "changed": any(bool(step.get("changed")) for step in steps.values()),
        "serving": facts.get("serving") or "",
        "release": facts.get("release") or "",
        "answer": one_line(str(validate.get("answer") or facts.get("answer") or ""), SHORT),
        "tokens_per_second": validate.get("tokens_per_second") or facts.get("tokens_per_second"),
        "seconds": round(sum(float(step.get("seconds") or 0) for step in (*steps.values(), validate)), 1),
        "endpoints": list(facts.get("endpoints") or []),
        "rolled_back": bool(facts.get("rolled_back") or failed.get("rolled_back")),
        "outage_seconds": facts.get("outage_seconds"),
        "plans": {name: dict(step["plan"]) for name, step in steps.items() if step.get("plan")},
        "error": _error(failed) if failed else "",
        "task": str(failed.get("task") or ""),
    }


def _region(places: Sequence[Any]) -> str:
    """Return the first region that is known. The places are a user's variables, so anything may stand there."""
    known = (str(place.get("region") or place.get("location") or "") for place in places if isinstance(place, Mapping))
    return next(filter(None, known), "")


def _probe(result: Result) -> Result:
    """Return the first answer of a probe that ran once for each endpoint, with the seconds of all."""
    items = result.get("results")
    if items is None:
        return result
    return {**items[0], "seconds": sum(float(item.get("seconds") or 0) for item in items)} if items else {}


def _health(deploy: Result, facts: Result, validate: Result, failed: Result, check: bool) -> str:
    if failed:
        # A first release that was bad is removed again: nothing serves.
        return "rolled back" if facts.get("rolled_back") and facts.get("running") else "failed"
    if check:
        return "planned"
    if validate.get("answer") or (facts.get("answer") and facts.get("running")):
        return "healthy"
    if not facts:
        return "not deployed"
    if facts.get("running"):
        return "running"
    return "stopped" if facts.get("resources") else "not deployed"


def _error(failed: Result) -> str:
    """Return the sentence that says why, from a module, a loop or the validation of role arguments."""
    if failed.get("argument_errors"):
        text = "; ".join(str(error) for error in failed["argument_errors"])
    else:
        items = [item for item in failed.get("results") or [] if item.get("failed") or item.get("unreachable")]
        text = str((items or [failed])[0].get("msg") or "it failed without a message")
    return one_line(text, LONG)


def run_report(
    outcomes: Iterable[Outcome], *, targets: Sequence[str], run: str = "", check: bool = False, at: str = ""
) -> dict[str, Any]:
    """Put the outcomes together, in the order of `targets`; a target without outcome has failed."""
    by_name = {outcome["target"]: outcome for outcome in outcomes}
    lost: Result = {"msg": NEVER_REACHED}
    found = [by_name.get(name) or target_outcome({}, target=name, failure=lost) for name in targets]
    good = sum(outcome["ok"] for outcome in found)
    return {
        "status": "ok" if good == len(found) else "partial" if good else "failed",
        "run": run,
        "check": check,
        "at": at,
        "changed": sum(outcome["changed"] for outcome in found),
        "targets": found,
    }


def summary_table(report: Mapping[str, Any]) -> list[str]:
    """Lay a report out as lines for a person: one row a target, what will change, what failed and what serves now."""
    targets: list[Outcome] = list(report["targets"])
    rows = [tuple(COLUMNS), *(_row(outcome) for outcome in targets)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for outcome in targets:
        lines += [f"{outcome['target']}: {line}" for line in _remarks(outcome, bool(report.get("check")))]
    good = sum(outcome["ok"] for outcome in targets)
    changed = f"{report['changed']} {'would change' if report.get('check') else 'changed'}"
    return [*lines, f"{report['status']}: {good} of {len(targets)} targets ok, {changed}"]


def _row(outcome: Outcome) -> tuple[str, ...]:
    cells = (
        outcome["target"],
        outcome["platform"] or "?",
        outcome["region"] or "?",
        outcome["health"],
        "yes" if outcome["changed"] else "no",
        f"{outcome['seconds']:.1f}",
        outcome["answer"] or "-",
        REGISTRY_AND_DIGEST.sub("", outcome["serving"]) or "-",
    )
    return tuple(one_line(str(cell), limit) for cell, limit in zip(cells, COLUMNS.values(), strict=True))


def _remarks(outcome: Outcome, check: bool) -> list[str]:
    plans: Mapping[str, Result] = outcome["plans"]
    lines = [f"plan of {step}: {plans[step].get('summary', '')}" for step in STEPS if check and step in plans]
    notes = [note for plan in plans.values() for note in plan.get("notes") or []]
    lines += [one_line(str(note), SHORT) for note in notes if check or str(note).startswith("deferred")]
    measures = [row for plan in plans.values() for row in plan.get("hardening") or []]
    gaps = ", ".join(str(row["measure"]).replace("_", " ") for row in measures if row["met"] is not True)
    lines += [f"hardening not given: {gaps}"] if check and gaps else []
    if outcome["outage_seconds"] is not None:
        lines.append(f"outage of {outcome['outage_seconds']:.1f} s")
    if outcome["error"]:
        lines.append(outcome["error"])
    return lines
