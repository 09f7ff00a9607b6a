# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates `sbom` and `signature`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import Refused
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.sbom import component

from .conftest import IMAGE, MODEL, Desk, bom

ELSEWHERE = {
    "name": "Team/Own:Q4_0",
    "digest": "sha256:" + "2" * 64,
    "registry": "https://models.example.org:5000",
    "license": "Gemma",
}


def written(desk: Desk) -> dict[str, Any]:
    return dict(json.loads((desk.evidence / "sbom.cdx.json").read_text()))


def test_the_models_are_components_below_the_image(desk: Desk) -> None:
    found = desk.judge("sbom", models=[MODEL, ELSEWHERE])
    assert (found["result"], found["components"], found["models"]) == ("passed", 3, 2)
    body = written(desk)
    assert body["metadata"]["component"]["name"] == IMAGE
    models = [part for part in body["components"] if part["type"] == "machine-learning-model"]
    assert [(part["group"], part["name"], part["version"]) for part in models] == [
        ("library", "gemma3", "1b"),
        ("Team", "Own", "Q4_0"),
    ]
    below = next(entry["dependsOn"] for entry in body["dependencies"] if entry["ref"] == "root")
    assert set(below) == {"bash", *(part["bom-ref"] for part in models)}
    assert "vulnerabilities" not in body


def test_the_sbom_is_cyclonedx(desk: Desk) -> None:
    desk.judge("sbom", models=[MODEL, ELSEWHERE])
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(written(desk))) is None


def test_a_model_says_where_it_is_from_what_it_is_and_its_licence() -> None:
    made = component(ELSEWHERE)
    place = "models.example.org%3A5000%2Fteam%2Fown"
    assert made["purl"] == f"pkg:oci/own@sha256%3A{'2' * 64}?repository_url={place}&tag=Q4_0"
    assert made["hashes"] == [{"alg": "SHA-256", "content": "2" * 64}]
    assert made["licenses"] == [{"license": {"name": "Gemma"}}]
    assert "licenses" not in component(MODEL)


def test_the_report_of_a_scan_is_converted_and_the_image_not_read_again(desk: Desk) -> None:
    desk.judge("scan")
    desk.judge("sbom")
    assert desk.called()[-1].startswith("convert --format cyclonedx")
    desk.judge("scan", mode="skip")
    desk.judge("sbom")
    assert desk.called()[-1].startswith("image --format cyclonedx")


@pytest.mark.parametrize("body", [{}, [], {**bom(), "components": None}, {**bom(), "metadata": {}}])
def test_an_sbom_that_is_none_is_a_failure(desk: Desk, body: Any) -> None:
    desk.put("cyclonedx.json", body)
    assert "Trivy wrote an SBOM that is none" in desk.judge("sbom")["why"]


def test_an_sbom_that_cannot_be_written_is_a_failure(desk: Desk) -> None:
    (desk.folder / "broken").touch()
    assert desk.judge("sbom")["why"] == "Trivy could not write the SBOM: FATAL broken"


def test_an_image_is_signed_once(desk: Desk) -> None:
    found = desk.judge("signature", key="cosign.key", password="right")
    assert (desk.changed, found["result"], found["image"]) == (True, "passed", IMAGE)
    assert desk.files() == {"gates.json", "signature.json", "cosign.pub"}
    assert (desk.evidence / "cosign.pub").read_text() == "PUBLIC\n"
    desk.judge("signature", key="cosign.key", password="right")
    assert not desk.changed
    assert sum(call.startswith("sign ") for call in desk.called()) == 1


def test_nothing_is_told_to_a_transparency_log_unless_that_is_wanted(desk: Desk) -> None:
    found = desk.judge("signature", key="cosign.key", password="right")
    sign = next(call for call in desk.called() if call.startswith("sign "))
    assert "--tlog-upload=false --use-signing-config=false" in sign
    assert found["limits"] == ["The signature is in no transparency log: it proves who signed, not when."]
    (desk.folder / "signed").unlink()
    (desk.folder / "calls").unlink()
    logged = desk.judge("signature", key="cosign.key", password="right", transparency_log=True)
    assert not any("tlog" in call for call in desk.called())
    assert logged["limits"] == []


def test_the_password_goes_through_the_environment_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    found = desk.judge("signature", key="cosign.key", password="wr0ng")
    assert found["result"] == "failed"
    assert "cosign cannot use the key (Error: ********: decryption failed). Is the password right" in found["why"]
    assert not any("wr0ng" in call for call in desk.called())
    monkeypatch.setenv("COSIGN_PASSWORD", "right")
    assert desk.judge("signature", key="cosign.key")["result"] == "passed"


def test_without_a_key_there_is_no_signature_and_that_is_told(desk: Desk) -> None:
    found = desk.judge("signature", command="/nowhere/cosign")
    assert (found["result"], found["why"]) == ("skipped", "There is no key to sign with.")


def test_a_key_of_a_cloud_is_given_as_it_is(desk: Desk) -> None:
    desk.judge("signature", key="awskms:///alias/x", password="right", validate_certs=False)
    assert "--key awskms:///alias/x" in desk.called()[1]
    assert desk.called()[-1].endswith(f"--allow-insecure-registry --allow-http-registry {IMAGE}")


def test_an_image_without_digest_is_not_signed(desk: Desk) -> None:
    with pytest.raises(Refused, match="must be given with its digest"):
        desk.judge("signature", key="cosign.key", image="registry.example.org/team/ollama:stable")
