# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates of the role `image` with the real hadolint, Trivy and cosign.

Vulnerabilities are decided on a database that the test makes: one mild planted CVE, and where a test says so a bad one.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from tests.helpers.image_yard import HARDENED, HOME, Built, Container, Yard
from tests.helpers.modules import run_module
from tests.helpers.scanners import Advisory, key_pair, scanner, scanning, trivy_database

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]

MILD = Advisory("CVE-2099-0002", "tar", "LOW")
BAD = Advisory("CVE-2099-0001", "bash", "CRITICAL", fixed="99:1")
PASSWORD = "s3cret-of-the-key"
TODAY = datetime.now(UTC).date()
TOKEN = "AKIA" + "Q3EGRIBBKSR4ONJ7"  # in two parts, so that it is no secret of this file


@pytest.fixture(scope="module")
def given(yard: Yard) -> dict[str, Any]:
    """Variables of a build with all gates, whose folders are of this module."""
    place = yard.folder / "gates"
    private, _public = key_pair(place / "keys", PASSWORD)
    return {
        **scanning(trivy_database(place / "cache", MILD)),
        "image_repository": f"{yard.images.host}/team/gated",
        "image_evidence_folder": str(place / "evidence"),
        "image_models": [{**yard.variables["image_models"][0], "license": "Apache-2.0"}],
        "image_cosign_command": scanner("cosign"),
        "image_cosign_key": private,
        "image_cosign_password": PASSWORD,
    }


@pytest.fixture(scope="module")
def gated(yard: Yard, given: dict[str, Any]) -> Built:
    """The image that went through all gates."""
    return yard.build(**given)


def evidence(given: dict[str, Any], name: str = "gates.json") -> dict[str, Any]:
    return dict(json.loads((Path(given["image_evidence_folder"]) / name).read_text()))


def gates(given: dict[str, Any]) -> dict[str, Any]:
    return dict(evidence(given)["gates"])


def elsewhere(given: dict[str, Any], name: str, **change: Any) -> dict[str, Any]:
    """Another image, with another label, repository and evidence; without a key."""
    own = {
        "image_repository": given["image_repository"] + f"-{name}",
        "image_labels": {"org.example.case": name},
        "image_evidence_folder": given["image_evidence_folder"] + f"-{name}",
        "image_cosign_key": "",
    }
    return {**given, **own, **change}


def pushed(yard: Yard, given: dict[str, Any]) -> bool:
    """Whether the repository has any image."""
    done = subprocess.run(
        ["curl", "--silent", f"{yard.images.url}/v2/{given['image_repository'].partition('/')[2]}/tags/list"],
        capture_output=True,
        text=True,
        check=True,
    )
    return bool(json.loads(done.stdout).get("tags"))


def verify(key: Path, reference: str) -> subprocess.CompletedProcess[str]:
    command = [scanner("cosign"), "verify", "--key", str(key), "--insecure-ignore-tlog=true", reference]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_one_command_builds_scans_signs_pushes_and_tells_the_digest(
    yard: Yard, gated: Built, given: dict[str, Any]
) -> None:
    assert gated.result["reference"] in gated.output.rpartition("Tell the image")[2]
    assert gated.result["gates"] == dict.fromkeys(["lint", "scan", "sbom", "signature"], "passed")
    found = gates(given)
    assert {name: gate["tool_version"] for name, gate in found.items()} == {
        "lint": "2.15.1",
        "scan": "0.74.0",
        "sbom": "0.74.0",
        "signature": "3.1.3",
    }
    assert found["scan"]["counts"] == {"low": 1}
    assert found["scan"]["database_date"].startswith(str(TODAY)[:8])
    assert PASSWORD not in gated.output
    container = Container(yard.docker, gated.result["reference"], *HARDENED, HOME)
    try:
        assert container.ask()["done"]
    finally:
        container.stop()


def test_the_signature_is_of_our_key_and_of_no_other(gated: Built, given: dict[str, Any], tmp_path: Path) -> None:
    ours = Path(given["image_evidence_folder"]) / "cosign.pub"
    assert ours.read_text() == Path(given["image_cosign_key"]).with_suffix(".pub").read_text()
    done = verify(ours, gated.result["reference"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["critical"]["image"]["docker-manifest-digest"] == gated.result["digest"]
    other = key_pair(tmp_path, "other")[1]
    assert verify(Path(other), gated.result["reference"]).returncode != 0


def test_the_sbom_lists_the_packages_and_the_models_and_is_cyclonedx(gated: Built, given: dict[str, Any]) -> None:
    body = evidence(given, "sbom.cdx.json")
    version = SchemaVersion.from_version(body["specVersion"])
    assert make_schemabased_validator(OutputFormat.JSON, version).validate_str(json.dumps(body)) is None
    model = given["image_models"][0]
    listed = [part for part in body["components"] if part["type"] == "machine-learning-model"]
    assert [(part["name"], part["version"], part["hashes"][0]["content"]) for part in listed] == [
        ("tiny", "latest", model["digest"])
    ]
    assert listed[0]["licenses"] == [{"license": {"name": "Apache-2.0"}}]
    assert {"bash", "github.com/ollama/ollama"} <= {part["name"] for part in body["components"]}
    assert body["metadata"]["component"]["name"].endswith(gated.result["tag"])


def test_the_same_inputs_again_change_nothing_and_are_not_scanned_again(
    yard: Yard, gated: Built, given: dict[str, Any]
) -> None:
    before = [yard.images.requests(method) for method in ("POST", "PUT", "PATCH")]
    scanned = gates(given)["scan"]["scanned"]
    again = yard.build(**given)
    assert (again.changed, again.result) == (0, gated.result)
    assert gates(given)["scan"]["scanned"] == scanned
    assert [yard.images.requests(method) for method in ("POST", "PUT", "PATCH")] == before


def test_an_image_of_the_registry_is_scanned_where_its_evidence_is_lost(
    yard: Yard, gated: Built, given: dict[str, Any]
) -> None:
    place = given["image_evidence_folder"] + "-fresh"
    again = yard.build(**{**given, "image_evidence_folder": place})
    assert (again.changed, again.result) == (0, gated.result)
    assert {path.name for path in Path(place).iterdir()} == {
        *("Dockerfile", "cosign.pub", "dockerfile-lint.json", "gates.json", "image.json"),
        *("sbom.cdx.json", "scan.json", "signature.json", "trivyignore.yaml"),
    }


def test_an_image_of_the_registry_that_got_a_vulnerability_is_given_to_nobody(
    yard: Yard, gated: Built, given: dict[str, Any]
) -> None:
    cache = trivy_database(yard.folder / "gates" / "later", MILD, BAD)
    later = yard.attempt(**{**given, "image_scan_cache": str(cache)})
    assert later.code != 0
    assert BAD.id in later.output
    assert "Tell the image" not in later.output


def test_a_planted_vulnerability_is_not_pushed_unless_it_is_ignored_for_a_reason(
    yard: Yard, given: dict[str, Any]
) -> None:
    case = elsewhere(given, "bad")
    case["image_scan_cache"] = str(trivy_database(yard.folder / "gates" / "bad", MILD, BAD))
    refused = yard.attempt(**case)
    assert refused.code != 0
    assert f"{BAD.id} (vulnerability, critical) in bash" in refused.output
    assert "fixed in 99:1" in refused.output
    assert not pushed(yard, case)
    assert refused.result == {}
    assert {name: gate["result"] for name, gate in gates(case).items()} == {"lint": "passed", "scan": "failed"}
    assert not list(yard.folder.glob("work/image.tar"))
    entry = {"id": BAD.id, "reason": "bash is not called", "owner": "ada", "expires": str(TODAY + timedelta(days=30))}
    assert yard.build(**case, image_scan_ignore=[entry]).result["gates"]["scan"] == "passed"
    assert gates(case)["scan"]["policy"]["ignore"] == [entry]
    assert pushed(yard, case)
    suppressed = evidence(case, "scan.json")["Results"][0]["ExperimentalModifiedFindings"]
    assert suppressed[0]["Statement"] == "bash is not called (owner: ada)"


def test_an_ignored_finding_whose_day_has_come_is_refused_before_anything_is_built(
    yard: Yard, given: dict[str, Any]
) -> None:
    case = elsewhere(given, "expired")
    entry = {"id": BAD.id, "reason": "none", "expires": str(TODAY)}
    refused = yard.attempt(**case, image_scan_ignore=[entry])
    assert refused.code != 0
    assert "judge it anew" in refused.output
    assert not Path(case["image_evidence_folder"]).exists()


def test_a_missing_database_fails_closed_and_warns_where_that_is_wanted(yard: Yard, given: dict[str, Any]) -> None:
    case = elsewhere(given, "no-database", image_scan_cache=str(yard.folder / "gates" / "nothing"))
    refused = yard.attempt(**case)
    assert refused.code != 0
    assert f"trivy image --download-db-only --cache-dir {case['image_scan_cache']}" in refused.output
    assert not pushed(yard, case)
    warned = yard.build(**case | {"image_scan": "warn"})
    assert "database is missing" in warned.output.rpartition("WARNING")[2]
    assert warned.result["gates"] == {"lint": "passed", "scan": "warned", "sbom": "passed", "signature": "skipped"}


def test_a_missing_scanner_fails_closed(yard: Yard, given: dict[str, Any]) -> None:
    case = elsewhere(given, "no-trivy", image_scan_command="no-such-trivy")
    refused = yard.attempt(**case)
    assert refused.code != 0
    assert "Install Trivy" in refused.output
    assert not pushed(yard, case)


def test_a_planted_secret_is_found_and_not_pushed(yard: Yard, given: dict[str, Any]) -> None:
    folder = yard.folder / "gates" / "leaking"
    (folder / "bin").mkdir(parents=True)
    leaking = folder / "bin" / "ollama"
    leaking.write_text(f'#!/bin/sh\nAWS_ACCESS_KEY_ID="{TOKEN}"\necho "client version is 0.24.0"\n')
    leaking.chmod(0o755)
    case = elsewhere(given, "secret", image_ollama_folder=str(folder))
    refused = yard.attempt(**case)
    assert refused.code != 0
    assert "aws-access-key-id (secret, critical) in /usr/bin/ollama:2" in refused.output
    assert TOKEN not in refused.output
    assert TOKEN not in (Path(case["image_evidence_folder"]) / "scan.json").read_text()
    assert not pushed(yard, case)


def test_an_image_that_runs_as_root_is_a_misconfiguration(yard: Yard, gated: Built, given: dict[str, Any]) -> None:
    dockerfile = (Path(given["image_evidence_folder"]) / "Dockerfile").read_text() + "USER 0:0\n"
    # A variable of the command line takes the place of the one that the role sets.
    case = elsewhere(given, "root", image_dockerfile=dockerfile, image_lint="warn")
    refused = yard.attempt(**case)
    assert refused.code != 0
    assert "DL3002" in refused.output
    assert "(misconfiguration, high)" in refused.output
    assert gates(case)["lint"]["result"] == "warned"
    assert not pushed(yard, case)


def test_a_dockerfile_that_breaks_a_rule_is_refused_before_it_is_built(
    yard: Yard, gated: Built, given: dict[str, Any]
) -> None:
    dockerfile = (Path(given["image_evidence_folder"]) / "Dockerfile").read_text() + "USER 0:0\n"
    case = elsewhere(given, "lint", image_dockerfile=dockerfile)
    images = set(yard.docker.run("images", "--all", "--quiet").stdout.split())
    refused = yard.attempt(**case)
    assert refused.code != 0
    assert "DL3002" in refused.output
    assert set(yard.docker.run("images", "--all", "--quiet").stdout.split()) == images
    assert evidence_list(case)[0]["code"] == "DL3002"


def evidence_list(given: dict[str, Any]) -> list[dict[str, Any]]:
    return list(json.loads((Path(given["image_evidence_folder"]) / "dockerfile-lint.json").read_text()))


def test_a_push_whose_signature_failed_is_signed_by_the_next_run(yard: Yard, given: dict[str, Any]) -> None:
    case = elsewhere(given, "unsigned", image_cosign_key=given["image_cosign_key"])
    refused = yard.attempt(**case | {"image_cosign_password": "wrong"})
    assert refused.code != 0
    assert "cosign cannot use the key" in refused.output
    signed = yard.build(**case)
    assert signed.changed == 1
    assert verify(Path(case["image_evidence_folder"]) / "cosign.pub", signed.result["reference"]).returncode == 0


def test_an_old_database_is_as_good_as_none(yard: Yard, given: dict[str, Any], tmp_path: Path, gated: Built) -> None:
    old = trivy_database(yard.folder / "gates" / "old", MILD, updated="2026-01-01")
    asked = {"gate": "scan", "build": "x", "evidence": str(tmp_path), "image": gated.result["reference"]}
    trivy = {"command": given["image_scan_command"], "cache": str(old), "update": False}
    result = run_module("container_image_gate", {**asked, **trivy})
    assert result["failed"]
    assert "of 2026-01-01, older than 7 days" in result["msg"]
