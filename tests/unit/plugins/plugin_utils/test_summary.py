# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of targets, summed up for a person and for a program."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.plugin_utils.summary import (
    NEVER_REACHED,
    run_report,
    summary_table,
    target_outcome,
)

PLAN = {
    "summary": "1 to update",
    "changed": True,
    "changes": [],
    "notes": ["update strategy in_place: outage expected"],
}
FACTS = {
    "serving": "registry.example.com/team/ollama:0.24.0@sha256:" + "ab" * 32 + " (release chat:7)",
    "release": "chat:7",
    "running": True,
    "endpoints": ["http://10.0.1.17:11434"],
    "resources": {"service": "arn"},
    "rolled_back": False,
    "outage_seconds": None,
}
DEPLOYED = {"changed": True, "plan": PLAN, "seconds": 2.0, "deployment": FACTS}
PROBED = {"results": [{"answer": "ready\nsteady", "tokens_per_second": 61.5, "seconds": 0.25}]}


def outcome(target: str = "chat-use1", **more: Any) -> dict[str, Any]:
    """Return the outcome of a good deployment, or of what is given."""
    given = {"results": {"deploy": DEPLOYED, "validate": PROBED}, "platform": "ecs", **more}
    return target_outcome(given.pop("results"), target=target, **given)


def test_a_good_target_is_healthy_and_says_what_serves_and_what_it_answered() -> None:
    found = outcome()
    assert (found["ok"], found["health"], found["changed"]) == (True, "healthy", True)
    assert (found["answer"], found["tokens_per_second"]) == ("ready steady", 61.5)
    assert found["seconds"] == 2.2
    assert found["release"] == "chat:7"
    assert found["plans"] == {"deploy": PLAN}


def test_the_answer_of_the_deployment_itself_counts_where_nothing_was_asked_afterwards() -> None:
    proven = {**DEPLOYED, "deployment": {**FACTS, "answer": "ready"}}
    assert outcome(results={"deploy": proven})["health"] == "healthy"
    assert outcome(results={"deploy": DEPLOYED})["health"] == "running"


@pytest.mark.parametrize(
    ("facts", "health"),
    [
        ({**FACTS, "running": False}, "stopped"),
        ({**FACTS, "running": False, "resources": {}}, "not deployed"),
        ({}, "not deployed"),
    ],
)
def test_what_does_not_run_is_stopped_or_not_there(facts: dict[str, Any], health: str) -> None:
    assert outcome(results={"deploy": {**DEPLOYED, "deployment": facts}})["health"] == health


def test_a_plan_promises_nothing_about_health() -> None:
    assert outcome(check=True)["health"] == "planned"


def test_a_target_is_changed_when_one_of_its_steps_is() -> None:
    steps = {"storage": {"changed": True, "plan": PLAN}, "deploy": {**DEPLOYED, "changed": False}}
    found = outcome(results=steps)
    assert found["changed"]
    assert list(found["plans"]) == ["storage", "deploy"]


def test_a_failed_module_tells_what_it_knew() -> None:
    rolled_back = {**DEPLOYED, "deployment": {**FACTS, "rolled_back": True, "outage_seconds": 2.5}, "msg": "it is bad"}
    found = outcome(failure={**rolled_back, "failed": True, "task": "Deploy"})
    assert (found["ok"], found["health"], found["error"], found["task"]) == (
        False,
        "rolled back",
        "it is bad",
        "Deploy",
    )
    assert (found["serving"], found["outage_seconds"]) == (FACTS["serving"], 2.5)


def test_a_bad_first_release_leaves_nothing_to_go_back_to() -> None:
    removed = {**DEPLOYED, "deployment": {**FACTS, "rolled_back": True, "running": False}, "msg": "it is bad"}
    assert outcome(failure=removed)["health"] == "failed"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ({"msg": "one\ntwo"}, "one two"),
        ({"argument_errors": ["name is missing", "image is missing"], "msg": "x"}, "name is missing; image is missing"),
        ({"msg": "One or more items failed", "results": [{"msg": "good"}, {"failed": True, "msg": "bad"}]}, "bad"),
        ({"unreachable": True}, "it failed without a message"),
    ],
)
def test_the_error_is_one_line_wherever_it_comes_from(failure: dict[str, Any], error: str) -> None:
    assert outcome(results={}, failure=failure)["error"] == error


@pytest.mark.parametrize(
    ("places", "region"),
    [
        ([{"region": "us-east-1"}, {"region": "eu-west-1"}], "us-east-1"),
        ([{"region": ""}, {"location": "westus3"}], "westus3"),
        (["not a dictionary", None], ""),
    ],
)
def test_the_region_is_the_first_that_is_known(places: list[Any], region: str) -> None:
    assert outcome(places=places)["region"] == region


@pytest.mark.parametrize(
    ("failures", "status"), [((None, None), "ok"), ((None, {"msg": "x"}), "partial"), (({"msg": "x"},) * 2, "failed")]
)
def test_the_status_tells_whether_all_some_or_none_are_good(failures: tuple[Any, Any], status: str) -> None:
    outcomes = [outcome(name, failure=failure) for name, failure in zip("ab", failures, strict=True)]
    assert run_report(outcomes, targets=["a", "b"])["status"] == status


def test_a_target_without_outcome_has_failed_and_keeps_its_place() -> None:
    report = run_report([outcome("b")], targets=["a", "b"])
    assert report["status"] == "partial"
    assert [(target["target"], target["error"]) for target in report["targets"]] == [("a", NEVER_REACHED), ("b", "")]


def test_the_table_has_a_row_for_each_target_and_ends_with_the_status() -> None:
    failed = outcome("b", results={}, failure={"msg": "the quota is 0"})
    lines = summary_table(run_report([outcome("a"), failed], targets=["a", "b"]))
    assert lines[0].split() == ["TARGET", "PLATFORM", "REGION", "HEALTH", "CHANGED", "SECONDS", "ANSWER", "SERVING"]
    assert lines[1].split()[:4] == ["a", "ecs", "?", "healthy"]
    assert lines[1].endswith("ollama:0.24.0@sha256:abababababab (release chat:7)")
    assert lines[-2:] == ["b: the quota is 0", "partial: 1 of 2 targets ok, 1 changed"]


def test_a_plan_is_told_with_its_notes_and_without_a_promise() -> None:
    lines = summary_table(run_report([outcome("a", check=True)], targets=["a"], check=True))
    assert "a: plan of deploy: 1 to update" in lines
    assert "a: update strategy in_place: outage expected" in lines
    assert lines[-1] == "ok: 1 of 1 targets ok, 1 would change"


def test_a_plan_tells_in_one_line_what_the_platform_does_not_give_of_the_hardening() -> None:
    rows = [("user", True), ("read_only_root", False), ("image_size", None)]
    plan = {**PLAN, "hardening": [{"measure": name, "met": met, "detail": ""} for name, met in rows]}
    steps = {"deploy": {**DEPLOYED, "plan": plan}}
    told = summary_table(run_report([outcome("a", results=steps, check=True)], targets=["a"], check=True))
    assert "a: hardening not given: read only root, image size" in told
    after = summary_table(run_report([outcome("a", results=steps)], targets=["a"]))
    assert not [line for line in after if "hardening" in line]


def test_an_outage_and_a_deferred_change_are_told_after_a_run_too() -> None:
    notes = {**PLAN, "notes": ["deferred: it takes effect at start", "needs a spare GPU"]}
    deploy = {**DEPLOYED, "plan": notes, "deployment": {**FACTS, "outage_seconds": 3.0}}
    lines = summary_table(run_report([outcome("a", results={"deploy": deploy})], targets=["a"]))
    assert lines[2:4] == ["a: deferred: it takes effect at start", "a: outage of 3.0 s"]


def test_what_a_model_or_a_cloud_says_cannot_forge_a_line() -> None:
    hostile = {"results": [{"answer": "\x1b[2Jok\nb  ecs  healthy", "seconds": 0.1}]}
    lines = summary_table(
        run_report([outcome(results={"deploy": DEPLOYED, "validate": hostile})], targets=["chat-use1"])
    )
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)
