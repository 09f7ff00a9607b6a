# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: break a run at one call, then ask again, and hold what is there against a run that nothing broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.faults.lab import NAMES_A_CALL, Call, Lab
from tests.faults.scenarios import Changes, Scenario

Broken = tuple[bool, dict[str, Any] | None]


def _rule(kind: str, times: int | None) -> Callable[[Lab, Call, Changes], Broken]:
    def run(lab: Lab, call: Call, asked: Changes) -> Broken:
        with lab.broken(call, kind, times) as rule:
            result = lab.run(fails=None, **asked)
        return rule.fired > 0, result

    return run


def _expired(lab: Lab, call: Call, asked: Changes) -> Broken:
    with lab.at(call, lambda: lab.sandbox.switch.set_credentials_expired(True, lab.cloud)) as acted:
        result = lab.run(fails=None, **asked)
    lab.sandbox.switch.set_credentials_expired(False)
    return bool(acted), result


def _down(lab: Lab, call: Call, asked: Changes) -> Broken:
    with lab.at(call, lambda: lab.sandbox.switch.set_down(lab.cloud, True)) as acted:
        result = lab.run(fails=None, **asked)
    lab.sandbox.switch.set_down(lab.cloud, False)
    return bool(acted), result


def _killed(lab: Lab, call: Call, asked: Changes) -> Broken:
    result = lab.run_killed(call, **asked)
    return result is None, result


# What may happen at a call. STOPPING ends a run there for good, ENDING ends most runs, PASSING is for the retries.
Fault = Callable[[Lab, Call, Changes], Broken]
STOPPING: dict[str, Fault] = {"error for good": _rule("error500", None), "killed": _killed}
ENDING: dict[str, Fault] = {
    "answer lost for good": _rule("reset_after", None),
    "credentials expire": _expired,
    "cloud goes down": _down,
}
PASSING: dict[str, Fault] = {"answer lost once": _rule("reset_after", 1), "throttled once": _rule("throttle", 1)}
FAULTS = {**STOPPING, **ENDING, **PASSING}
# Scenarios in which an update strategy of surge lets no moment pass without a good release.
UNINTERRUPTED = ("update", "bad release", "rollback")


def clean_run(lab: Lab, scenario: Scenario) -> list[Call]:
    """Run a scenario from its begin to its end without a fault; returns the calls of the run that was asked for."""
    scenario.prepare(lab)
    asked = scenario.ask(lab)
    lab.sandbox.log.clear()
    result = lab.run(fails=None, **asked)
    calls = lab.calls()
    settled = scenario.heal(lab, asked, not _failed(result))
    _judge_rest(lab, scenario, lab.run(check=True, **settled))
    return calls


def trial(lab: Lab, scenario: Scenario, call: Call, fault: str) -> bool:
    """Break a run at a call; AssertionError where it does not heal. False where the run never made that call."""
    scenario.prepare(lab)
    asked = scenario.ask(lab)
    good = [image for image in (lab.image, lab.previous, asked.get("image")) if image and "no-model" not in image]
    uninterrupted = lab.surge and scenario.name in UNINTERRUPTED
    with lab.watched(*good) as missed:
        acted, first = FAULTS[fault](lab, call, asked)
        if uninterrupted:
            assert any(lab.serves(image) for image in good), "nothing good serves after the failure"
    if first is not None and acted:
        _judge_first(first, call, fault, scenario)
    settled = scenario.heal(lab, asked, not _failed(first))
    again = lab.run(check=True, **settled)
    if uninterrupted:
        assert not missed, f"nothing ran at {missed[:3]} s"
    _judge_rest(lab, scenario, again)
    return acted


def _failed(result: dict[str, Any] | None) -> bool:
    return result is None or bool(result.get("failed"))


def _judge_first(first: dict[str, Any], call: Call, fault: str, scenario: Scenario) -> None:
    """A run that failed says at which call; what the client is to retry does not fail it."""
    if not first.get("failed"):
        return
    message = first["msg"]
    if fault in PASSING:
        assert scenario.name == "bad release", f"a passing fault ended the run: {message}"
        return
    assert NAMES_A_CALL.search(message) or scenario.name == "bad release", f"the error names no call: {message}"


def _judge_rest(lab: Lab, scenario: Scenario, again: dict[str, Any]) -> None:
    """Nothing is left to do, nothing is there twice or left over, the record is right."""
    assert not again["changed"], f"not converged: {again['plan']['changes']}"
    found = lab.settled_workloads(scenario.running)
    assert len(found) == scenario.running, f"{len(found)} workloads run: {[item.spec.image for item in found]}"
    there, wanted = lab.resources(), lab.expected(exists=scenario.exists)
    assert there == wanted, f"there is {there} where there should be {wanted}"
    deployment = again.get("deployment")
    if deployment is None or not scenario.running:
        return
    assert lab.serves(lab.image), "what runs does not answer"
    assert deployment["running"]
    assert lab.image in deployment["serving"]
    assert deployment["release"] == deployment["last_good"] != ""
