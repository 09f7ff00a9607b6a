# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pipeline, executed in Groovy: its sections, its approval, its locks, and what runs with which parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.tree import ROOT
from tests.unit.jenkins.pipeline import Call, execute, missing_programs

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(missing_programs()), reason=f"Groovy needs {' and '.join(missing_programs())} on PATH"),
]

JENKINSFILE = ROOT / "Jenkinsfile"
CHOICES = {"INVENTORY": "inventory/example", "LIMIT": ""}
BODIES = {"steps", "stages", "parallel", "matrix"}
# The sections of the declarative syntax, by what they stand in.
SECTIONS = {
    "pipeline": {"agent", "options", "parameters", "environment", "triggers", "tools", "stages", "post"},
    "stage": {"agent", "options", "environment", "when", "input", "tools", "post", *BODIES},
    "stages": {"stage"},
    "parallel": {"stage"},
    "post": {"always", "success", "failure", "unstable", "aborted", "fixed", "changed", "unsuccessful", "cleanup"},
}
CHANGING = {"make deploy", "make rollback", "make stop", "make start", "make teardown"}


@pytest.fixture(scope="module")
def checking() -> Call:
    """The pipeline as it runs by default."""
    return execute(JENKINSFILE, CHECK_ONLY=True, **CHOICES)


@pytest.fixture(scope="module")
def applying() -> Call:
    """The pipeline when the plan is to be applied."""
    return execute(JENKINSFILE, CHECK_ONLY=False, **CHOICES)


def stages(pipeline: Call) -> dict[str, Call]:
    """Return all stages by name."""
    return {str(stage.args[0]): stage for stage in pipeline.calls("stage")}


def runs(stage: Call) -> bool:
    """Tell whether the conditions of a stage let it run."""
    when = stage.child("when")
    return when is None or all(call.value for call in when.calls("expression"))


def steps(pipeline: Call, name: str) -> list[Call]:
    """Return all calls of a step."""
    return pipeline.calls(name)


def test_sections_are_those_of_the_declarative_syntax(applying: Call) -> None:
    wrong = [
        (call.name, child.name)
        for call in applying.walk()
        if call.name in SECTIONS
        for child in call.children
        if child.name not in SECTIONS[call.name]
    ]
    assert wrong == []


def test_each_stage_has_exactly_one_body(applying: Call) -> None:
    found = {name: [child.name for child in stage.children] for name, stage in stages(applying).items()}
    assert [name for name, children in found.items() if len(BODIES.intersection(children)) != 1] == []


def test_checking_is_the_default(checking: Call) -> None:
    defaults = {call.args[0]["name"]: call.args[0].get("defaultValue") for call in checking.calls("booleanParam")}
    assert defaults["CHECK_ONLY"] is True


@pytest.mark.parametrize(("run", "expected"), [("checking", {"Plan"}), ("applying", {"Plan", "Approve", "Deploy"})])
def test_only_the_plan_runs_unless_someone_asked_for_more(
    run: str, expected: set[str], request: pytest.FixtureRequest
) -> None:
    pipeline: Call = request.getfixturevalue(run)
    top = pipeline.child("stages")
    assert top is not None
    assert {str(stage.args[0]) for stage in top.children if runs(stage)} == expected


def test_the_plan_changes_nothing_and_is_archived(applying: Call) -> None:
    plan = stages(applying)["Plan"]
    lines = [str(call.args[0]) for call in steps(plan, "sh")]
    assert lines == ["make setup", "CLOUD=aws make plan", "CLOUD=azure make plan"]
    assert steps(plan, "archiveArtifacts")


def test_the_approval_shows_the_plan_and_holds_no_executor(applying: Call) -> None:
    approve = stages(applying)["Approve"]
    question = approve.calls("input")[0]
    assert approve.calls("agent")[0].args == ("none",)
    assert "content of build/plan/aws.txt" in str(question.calls("message")[0].args)
    assert "content of build/plan/azure.txt" in str(question.calls("message")[0].args)
    assert question.calls("submitter")
    assert approve.calls("when")[0].calls("beforeInput")[0].args == (True,)
    assert approve.calls("timeout")


def test_what_changes_a_cloud_comes_after_the_approval(applying: Call) -> None:
    order = list(stages(applying))
    lines = {name: {str(call.args[0]) for call in steps(stage, "sh")} for name, stage in stages(applying).items()}
    changing = [name for name, called in lines.items() if called & CHANGING]
    assert changing
    assert all(order.index(name) > order.index("Approve") for name in changing)


@pytest.mark.parametrize("cloud", ["AWS", "Azure"])
def test_each_cloud_is_deployed_in_its_own_lock_and_limit(applying: Call, cloud: str) -> None:
    stage = stages(applying)[cloud]
    assert "parallel" in stage.path
    assert stage.calls("lock")[0].args[0]["resource"]["interpolated"].endswith(cloud.lower())
    assert stage.calls("lock")[0].path[-1] == "options"
    assert stage.calls("environment")[0].children[0].args == ("CLOUD", cloud.lower())
    lines = [str(call.args[0]) for call in steps(stage, "sh")]
    assert lines == ["make setup", "make deploy", "make validate", "make rollback"]


@pytest.mark.parametrize("cloud", ["AWS", "Azure"])
def test_a_release_that_stops_answering_is_rolled_back(applying: Call, cloud: str) -> None:
    rollback = [call for call in steps(stages(applying)[cloud], "sh") if call.args[0] == "make rollback"]
    assert [call.path[-4:-2] for call in rollback] == [("post", "failure")]
    assert all(f"stage Validate {cloud}" in call.path for call in rollback)


def test_steps_that_reach_a_cloud_have_credentials_and_no_other_step_has(applying: Call) -> None:
    reaching = CHANGING | {"make validate", "CLOUD=aws make plan", "CLOUD=azure make plan"}
    for call in steps(applying, "sh"):
        assert ("withCredentials" in call.path) == (call.args[0] in reaching), call


def test_shell_lines_are_plain_strings(applying: Call) -> None:
    assert [call for call in steps(applying, "sh") if not isinstance(call.args[0], str)] == []


def test_a_misspelt_section_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "Jenkinsfile"
    wrong.write_text(JENKINSFILE.read_text(encoding="utf-8").replace("stages {", "stagez {", 1), encoding="utf-8")
    pipeline = execute(wrong, CHECK_ONLY=True, **CHOICES)
    assert {child.name for child in pipeline.children} - SECTIONS["pipeline"] == {"stagez"}


def test_a_file_that_is_no_groovy_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "Jenkinsfile"
    wrong.write_text(JENKINSFILE.read_text(encoding="utf-8") + "\n}", encoding="utf-8")
    with pytest.raises(AssertionError, match="could not run"):
        execute(wrong, CHECK_ONLY=True, **CHOICES)
