# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `scan`: what it lets through, when it cannot judge, what it tells Trivy."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import Refused
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.ignores import (
    ignore_file,
    refuse_unjustified,
)
from tests.helpers.tree import load

from .conftest import NOW, Desk

CVE = {
    "VulnerabilityID": "CVE-2099-0001",
    "PkgName": "bash",
    "InstalledVersion": "5.2",
    "FixedVersion": "99:1",
    "Severity": "HIGH",
}
PACKAGES = {"Target": "image.tar (debian 12)", "Class": "os-pkgs", "Vulnerabilities": [CVE]}
SECRET = {"Target": "/etc/key", "Secrets": [{"RuleID": "private-key", "Severity": "HIGH", "StartLine": 3}]}
ROOT = {"ID": "DS-0002", "Severity": "HIGH", "Status": "FAIL", "Title": "root"}
CONFIG = {"Target": "Dockerfile", "Misconfigurations": [ROOT, {**ROOT, "ID": "DS-0001", "Status": "PASS"}]}
ENTRY = {"id": "CVE-2099-0001", "reason": "not called", "expires": "2026-12-31"}


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (PACKAGES, "CVE-2099-0001 (vulnerability, high) in bash 5.2, fixed in 99:1"),
        (SECRET, "private-key (secret, high) in /etc/key:3"),
        (CONFIG, "DS-0002 (misconfiguration, high) in Dockerfile: root"),
    ],
)
def test_each_kind_of_finding_is_told(desk: Desk, result: dict[str, Any], told: str) -> None:
    desk.report(result)
    found = desk.judge("scan")
    assert (found["result"], found["counts"]) == ("failed", {"high": 1})
    assert found["why"] == f"Trivy finds 1 of severity high or worse: {told}"


def test_what_is_milder_than_the_threshold_passes_and_is_counted(desk: Desk) -> None:
    desk.report(PACKAGES)
    found = desk.judge("scan", severity="critical")
    assert (found["result"], found["counts"]) == ("passed", {"high": 1})


def test_a_severity_that_is_new_to_us_is_not_let_through(desk: Desk) -> None:
    desk.report({**PACKAGES, "Vulnerabilities": [{**CVE, "Severity": "APOCALYPTIC"}]})
    assert desk.judge("scan", severity="critical")["result"] == "failed"


def test_of_many_findings_the_worst_are_told(desk: Desk) -> None:
    many = [{**CVE, "VulnerabilityID": f"CVE-2099-000{number}"} for number in range(2, 9)]
    desk.report({**PACKAGES, "Vulnerabilities": [*many, {**CVE, "Severity": "CRITICAL"}]})
    why = desk.judge("scan")["why"]
    assert why.startswith("Trivy finds 8 of severity high or worse: CVE-2099-0001 (vulnerability, critical)")
    assert why.endswith("; and 3 more")


@pytest.mark.parametrize("system", [{}, {"OS": {}}, {"OS": {"Family": "none"}}])
def test_an_operating_system_that_trivy_does_not_know_is_not_passed(desk: Desk, system: dict[str, Any]) -> None:
    desk.put("json.json", {"Metadata": {"ImageID": "sha256:id", **system}, "Results": []})
    assert "does not know the operating system" in desk.judge("scan")["why"]


def test_an_operating_system_without_fixes_is_a_finding_that_can_be_ignored(desk: Desk) -> None:
    desk.report(EOSL=True)
    assert "END-OF-LIFE (end-of-life, high) in debian 12.15, which gets no fixes" in desk.judge("scan")["why"]
    assert desk.judge("scan", ignore=[{**ENTRY, "id": "END-OF-LIFE"}])["result"] == "passed"


def test_a_missing_database_is_not_passed_and_the_command_that_fetches_it_is_told(desk: Desk) -> None:
    desk.database(None)
    why = desk.judge("scan", cache=str(desk.folder / "cache"))["why"]
    assert f"database is missing. `trivy image --download-db-only --cache-dir {desk.folder}/cache` fetches it" in why
    assert not any("--format json --output" in call for call in desk.called())
    assert "no such host" in desk.judge("scan", update=True)["why"]


def test_an_old_database_is_not_passed(desk: Desk) -> None:
    desk.database("2026-11-15T09:00:00Z")
    assert "of 2026-11-15, older than 7 days" in desk.judge("scan")["why"]
    assert desk.judge("scan", database_days=8)["result"] == "passed"


def test_a_database_that_cannot_be_renewed_but_is_young_is_used_and_that_is_told(desk: Desk) -> None:
    found = desk.judge("scan", update=True)
    assert found["result"] == "passed"
    assert found["limits"] == ["The database could not be renewed: FATAL no such host"]


def test_what_a_scan_without_network_does_not_do_is_told(desk: Desk) -> None:
    found = desk.judge("scan", skip_folders=["/opt/models"])
    assert found["limits"][0].startswith("Misconfigurations are judged by the rules inside of Trivy")
    assert found["limits"][1] == "Not looked into: /opt/models"
    assert found["database_date"] == "2026-11-22T06:00:00Z"
    call = desk.called()[-1]
    assert {"--offline-scan", "--skip-check-update", "--skip-java-db-update"} <= set(call.split())
    assert "--skip-dirs opt/models" in call


def test_everything_that_decides_is_on_the_command_line(desk: Desk) -> None:
    desk.judge("scan", archive="image.tar", fixed_only=True)
    call = desk.called()[-1]
    assert "--scanners vuln,secret,misconfig --image-config-scanners secret,misconfig" in call
    assert "--severity UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL --ignore-unfixed=true --ignorefile" in call
    assert "--input /" in call


def test_an_image_of_a_registry_is_read_there(desk: Desk) -> None:
    desk.judge("scan", validate_certs=False)
    assert "--image-src remote --insecure registry.example.org/team/ollama@sha256:" in desk.called()[-1]


def test_a_scan_that_breaks_off_is_not_passed_and_leaves_no_old_report(desk: Desk) -> None:
    desk.judge("scan")
    (desk.folder / "broken").touch()
    found = desk.judge("scan")
    assert (found["result"], found["why"]) == ("failed", "Trivy failed: FATAL broken")
    assert desk.files() == {"gates.json"}


def test_a_report_of_an_earlier_scan_is_not_taken_for_one_that_was_not_written(desk: Desk) -> None:
    desk.judge("scan")
    (desk.folder / "silent").touch()
    assert desk.judge("scan")["result"] == "failed"


def scans(desk: Desk) -> int:
    return sum("--format json --output" in call for call in desk.called())


def test_the_same_image_is_not_scanned_twice_with_the_same_rules_and_database(desk: Desk) -> None:
    first = desk.judge("scan", image_id="sha256:id")
    assert desk.judge("scan", image_id="sha256:id") == first
    assert scans(desk) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"image_id": "sha256:other"},
        {"image_id": None},
        {"severity": "low"},
        {"fixed_only": True},
        {"ignore": [ENTRY]},
        {"build": "another"},
    ],
)
def test_another_image_or_rule_is_scanned(desk: Desk, change: dict[str, Any]) -> None:
    desk.judge("scan", image_id="sha256:id")
    desk.judge("scan", **{"image_id": "sha256:id", **change})
    assert scans(desk) == 2


def test_a_newer_database_or_a_lost_report_is_scanned_with(desk: Desk) -> None:
    desk.judge("scan", image_id="sha256:id")
    desk.database("2026-11-22T08:00:00Z")
    desk.judge("scan", image_id="sha256:id")
    (desk.evidence / "scan.json").unlink()
    desk.judge("scan", image_id="sha256:id")
    assert scans(desk) == 3


def test_a_scan_that_was_not_passed_is_repeated(desk: Desk) -> None:
    desk.report(PACKAGES)
    assert desk.judge("scan", image_id="sha256:id", mode="warn")["result"] == "warned"
    assert desk.judge("scan", image_id="sha256:id")["result"] == "failed"


def test_the_ignore_file_is_read_by_yaml_as_it_was_meant() -> None:
    hostile = 'no"\n  - id: CVE-1\nsecrets: []'
    entry = {**ENTRY, "reason": hostile, "owner": "ada", "paths": ["usr/**"]}
    read = yaml.safe_load(ignore_file([entry]))
    wanted = {
        "id": "CVE-2099-0001",
        "expired_at": date(2026, 12, 31),
        "statement": f"{hostile} (owner: ada)",
        "paths": ["usr/**"],
    }
    kinds = ("vulnerabilities", "misconfigurations", "secrets")
    assert read == {kind: [wanted] for kind in kinds}
    assert yaml.safe_load(ignore_file([])) == {kind: [] for kind in kinds}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"expires": "2026-11-22"}, "expired on 2026-11-22"),
        ({"expires": "soon"}, "must expire on a day"),
        ({"expires": "2026-02-31"}, "must expire on a day"),
        ({"reason": " "}, "needs a reason"),
    ],
)
def test_an_entry_without_reason_or_time_is_refused_whatever_the_mode(
    desk: Desk, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(Refused, match=told):
        desk.judge("scan", mode="warn", ignore=[{**ENTRY, **change}])
    refuse_unjustified([ENTRY], NOW.date())


def test_the_role_takes_the_options_of_the_module() -> None:
    role = load("roles/image/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(role["image_scan_ignore"]["options"]) == {"id", "reason", "expires", "owner", "paths"}
    assert json.dumps(role["image_scan"]["choices"]) == json.dumps(["enforce", "warn", "skip"])
