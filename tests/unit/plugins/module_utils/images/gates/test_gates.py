# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gates have in common: modes, gates.json, tools that are missing or not to be trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError, Refused
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.facts import COMPROMISED_TRIVY
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.tool import CannotJudge, Tool
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.trivy import (
    KEPT_SETTINGS,
    open_trivy,
    withheld,
)

from .conftest import TRIVY, Desk

DL3002 = {"level": "warning", "code": "DL3002", "line": 8, "message": "Last USER should not be root"}
DL3059 = {"level": "info", "code": "DL3059", "line": 9, "message": "Multiple consecutive RUN"}


def test_what_is_milder_than_the_threshold_passes(desk: Desk) -> None:
    desk.lint([DL3059])
    assert desk.judge("lint", severity="warning")["result"] == "passed"
    found = desk.judge("lint", severity="info")
    assert (found["result"], found["findings"]) == ("failed", 1)


def test_the_worst_finding_is_told_with_its_line(desk: Desk) -> None:
    desk.lint([DL3059, DL3002])
    found = desk.judge("lint")
    assert found["why"] == "hadolint finds 2 problem(s) in the Dockerfile; line 8: DL3002 Last USER should not be root"
    assert json.loads((desk.evidence / "dockerfile-lint.json").read_text()) == [DL3059, DL3002]


def test_a_level_that_is_new_to_us_is_not_let_through(desk: Desk) -> None:
    desk.lint([{**DL3002, "level": "fatal"}])
    assert desk.judge("lint", severity="error")["result"] == "failed"


def test_a_gate_that_is_not_passed_warns_where_that_is_wanted(desk: Desk) -> None:
    desk.lint([DL3002])
    assert desk.judge("lint", mode="warn")["result"] == "warned"


def test_a_gate_that_is_switched_off_says_so(desk: Desk) -> None:
    found = desk.judge("lint", mode="skip", command="/nowhere/hadolint")
    assert (found["result"], found["why"]) == ("skipped", "The gate is switched off.")


@pytest.mark.parametrize("gate", ["lint", "scan", "sbom", "signature"])
def test_a_missing_tool_is_a_failure_that_says_what_to_install(desk: Desk, gate: str) -> None:
    found = desk.judge(gate, command="/nowhere/tool", key="cosign.key")
    assert found["result"] == "failed"
    assert "is missing: there is no program /nowhere/tool. Install" in found["why"]


def test_a_tool_that_answers_nonsense_is_a_failure(desk: Desk) -> None:
    (desk.folder / "lint.json").write_text("Segmentation fault")
    assert "did not answer in JSON: Segmentation fault" in desk.judge("lint")["why"]


def test_gates_of_one_build_are_kept_together_and_those_of_another_are_removed(desk: Desk) -> None:
    desk.judge("lint")
    desk.judge("scan")
    assert set(json.loads((desk.evidence / "gates.json").read_text())["gates"]) == {"lint", "scan"}
    (desk.evidence / "image.json").write_text("{}")
    desk.judge("lint", build="another")
    assert set(json.loads((desk.evidence / "gates.json").read_text())["gates"]) == {"lint"}
    assert desk.files() == {"gates.json", "dockerfile-lint.json", "image.json"}


def test_what_a_gate_left_before_is_removed_where_it_leaves_nothing_now(desk: Desk) -> None:
    desk.judge("scan")
    assert "scan.json" in desk.files()
    desk.judge("scan", mode="skip")
    assert desk.files() == {"gates.json"}


def test_a_spoilt_gates_json_is_begun_anew(desk: Desk) -> None:
    (desk.evidence / "gates.json").write_text('{"build": 1, "gates": [')
    assert desk.judge("lint")["result"] == "passed"


def test_a_severity_of_another_gate_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="lint knows no severity critical"):
        desk.judge("lint", severity="critical")


@pytest.mark.parametrize("version", COMPROMISED_TRIVY)
def test_a_compromised_trivy_is_refused_before_it_runs(desk: Desk, version: str) -> None:
    # As the linker's flags stand in the program.
    built = f"{TRIVY}\n# -X github.com/aquasecurity/trivy/pkg/version/app.ver={version}\n"
    trivy = desk.program("trivy", built, version="0.74.0")
    with pytest.raises(CannotJudge, match="GHSA-69fq-xp46-6x23.*renew every credential"):
        open_trivy(trivy, "", desk.places)
    assert desk.called() == []


@pytest.mark.parametrize(
    ("version", "told"),
    [
        *((version, "published with malware") for version in COMPROMISED_TRIVY),
        ("0.69.3", r"is too old\. Install Trivy 0\.70"),
        ("", "of unknown version is too old"),
    ],
)
def test_a_compromised_or_old_trivy_is_refused_by_what_it_says(desk: Desk, version: str, told: str) -> None:
    with pytest.raises(CannotJudge, match=told):
        open_trivy(desk.program("trivy", TRIVY, version=version), "", desk.places)


def test_no_setting_in_the_environment_makes_trivy_overlook_anything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TRIVY_SEVERITY", "TRIVY_IGNORE_UNFIXED", "TRIVY_SKIP_DIRS", "TRIVY_DB_REPOSITORY"):
        monkeypatch.setenv(name, "x")
    desk.judge("scan")
    assert set((desk.folder / "environment").read_text().split()) == {"TRIVY_DB_REPOSITORY=x"}
    assert withheld(dict.fromkeys([*KEPT_SETTINGS, "PATH", "TRIVY_NEW"], "")) == ("TRIVY_NEW",)


def test_a_secret_is_in_nothing_that_a_tool_says(desk: Desk) -> None:
    tool = Tool(Path("/bin/sh"), desk.places, {"WORD": "hush"}, secrets=("hush", ""))
    done = tool.run("-c", 'echo "$WORD"; echo "Error: \x1b[1m$WORD" >&2; exit 1')
    assert (done.said, done.code) == ("Error: ********", 1)
    assert tool.run("-c", 'echo "$WORD"').said == "********"


def test_a_tool_that_cannot_start_is_told(desk: Desk) -> None:
    (desk.folder / "tool").write_text("")
    with pytest.raises(PolycloudError, match="tool cannot be started"):
        Tool(desk.folder / "tool", desk.places).run()


def test_evidence_without_a_folder_is_refused(desk: Desk) -> None:
    desk.evidence.rmdir()
    with pytest.raises(Refused, match="does not exist"):
        desk.judge("lint")
