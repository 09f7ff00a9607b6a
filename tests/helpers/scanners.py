# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real hadolint, Trivy and cosign, and a small database for Trivy, for tests marked `real`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.modules import ROOT

BUILT = ROOT / ".build" / "scanners"
SCHEMA = 2  # of Trivy's database
RELEASE = "debian 12"  # of the base in containers.py


@dataclass(frozen=True)
class Advisory:
    """A vulnerability of a Debian source package. severity: as Trivy writes it. fixed: empty where nobody fixed it."""

    id: str
    package: str
    severity: str
    fixed: str = ""


def hadolint() -> str:
    """The linter, which the development requirements bring."""
    return str(Path(sys.executable).parent / "hadolint")


def scanner(name: str) -> str:
    """A program of `make scanners`; the test is skipped where it was not built."""
    program = BUILT / name
    if not program.is_file():
        pytest.skip(f"there is no real {name}: `make scanners` builds it (Go, some minutes)")
    return str(program)


def trivy_database(cache: Path, *advisories: Advisory, updated: str = "") -> Path:
    """Write a database into a cache folder of Trivy; updated: a day, today where it is empty."""
    severities = ("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL")
    entries: list[dict[str, Any]] = []
    for found in advisories:
        fixed = {"FixedVersion": found.fixed} if found.fixed else {}
        about = {
            "Title": f"planted in {found.package}",
            "Severity": found.severity,
            "VendorSeverity": {"debian": severities.index(found.severity)},
        }
        entries.append({"buckets": [RELEASE, found.package], "key": found.id, "value": fixed})
        entries.append({"buckets": ["vulnerability"], "key": found.id, "value": about})
    folder = cache / "db"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trivy.db").unlink(missing_ok=True)
    command = [scanner("trivydb"), str(folder / "trivy.db")]
    subprocess.run(command, input=json.dumps(entries), text=True, check=True)
    now = f"{updated}T00:00:00Z" if updated else datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    dates = {"NextUpdate": "2999-01-01T00:00:00Z", "UpdatedAt": now, "DownloadedAt": now}
    (folder / "metadata.json").write_text(json.dumps({"Version": SCHEMA, **dates}))
    return cache


def key_pair(folder: Path, password: str) -> tuple[str, str]:
    """A private and a public key of cosign's."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [scanner("cosign"), "generate-key-pair", "--output-key-prefix", "key"]
    subprocess.run(command, cwd=folder, env={"COSIGN_PASSWORD": password}, check=True, capture_output=True)
    return str(folder / "key.key"), str(folder / "key.pub")


def scanning(cache: Path) -> dict[str, Any]:
    """Variables of a build that is scanned with the database in `cache`, and has an SBOM."""
    given = {"image_scan_command": scanner("trivy"), "image_scan_cache": str(cache), "image_scan_update": False}
    return {"image_scan": "enforce", "image_sbom": "enforce", **given}
