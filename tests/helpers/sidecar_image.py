# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the sidecar, built by the role with all gates, for tests marked `real`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.image_yard import Built, Yard
from tests.helpers.scanners import Advisory, key_pair, scanner, scanning, trivy_database

PASSWORD = "s3cret-of-the-key"


@pytest.fixture(scope="session")
def sidecar_builds(yard: Yard) -> Yard:
    """A description of the sidecar's image alone, with all gates."""
    place = yard.folder / "sidecar"
    ollama = ("image_repository", "image_ollama_version", "image_ollama_folder", "image_base", "image_payload")
    kept = {name: value for name, value in yard.variables.items() if name not in ollama}
    own = {
        "image_sidecar_repository": f"{yard.images.host}/team/sidecar",
        "image_sidecar_base": yard.variables["image_base"],
        "image_sidecar_python": "3.11",
        "image_evidence_folder": str(place / "evidence"),
        "image_cosign_command": scanner("cosign"),
        "image_cosign_key": key_pair(place / "keys", PASSWORD)[0],
        "image_cosign_password": PASSWORD,
    }
    scan = scanning(trivy_database(place / "cache", Advisory("CVE-2099-0002", "tar", "LOW")))
    return replace(yard, variables={**kept, **own, **scan})


def sidecar_evidence(sidecar_builds: Yard, name: str) -> Any:
    """One file of the evidence of its build."""
    return json.loads((Path(sidecar_builds.variables["image_evidence_folder"]) / "sidecar" / name).read_text())


@pytest.fixture(scope="session")
def sidecar_image(sidecar_builds: Yard) -> Built:
    """The image, built once for all tests."""
    return replace(sidecar_builds.build(), result=sidecar_evidence(sidecar_builds, "sidecar.json"))
