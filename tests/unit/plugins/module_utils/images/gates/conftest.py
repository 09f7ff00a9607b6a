# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for the tools of the gates: programs that write what a real one would, and note how they were called."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.options import ARGSPEC, judge
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.tool import Places

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
BUILD = "b" * 64
MODEL = {"name": "gemma3:1b", "digest": "1" * 64}
IMAGE = "registry.example.org/team/ollama@sha256:" + "2" * 64
TRIVY = """#!/bin/sh
echo "$*" >>"{folder}/calls"
env | grep '^TRIVY_' >>"{folder}/environment" || :
case "$1" in
  --version) echo "Version: {version}"; exit 0;;
  version) cat "{folder}/about.json"; exit 0;;
esac
[ "$2" = --download-db-only ] && {{ [ -e "{folder}/online" ] && exit 0; echo 'FATAL no such host' >&2; exit 1; }}
[ -e "{folder}/broken" ] && {{ echo 'FATAL broken' >&2; exit 1; }}
while [ $# -gt 0 ]; do case "$1" in --output) shift; out=$1;; --format) shift; form=$1;; esac; shift; done
[ -e "{folder}/silent" ] || cp "{folder}/$form.json" "$out"
"""
HADOLINT = """#!/bin/sh
[ "$1" = --version ] && {{ echo 'Haskell Dockerfile Linter 2.15.1'; exit 0; }}
cat "{folder}/lint.json"
"""
COSIGN = """#!/bin/sh
echo "$*" >>"{folder}/calls"
echo "$COSIGN_PASSWORD" >>"{folder}/passwords"
case "$1" in
  version) echo "GitVersion: v{version}";;
  public-key) [ "$COSIGN_PASSWORD" = right ] || {{ echo "Error: $COSIGN_PASSWORD: decryption failed" >&2; exit 1; }}
    echo PUBLIC;;
  verify) [ -e "{folder}/signed" ] || {{ echo 'Error: no signatures found' >&2; exit 1; }}
    echo '[{{"critical": {{}}}}]';;
  sign) : >"{folder}/signed";;
esac
"""


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str, str]:
    """Run a command, as the module does."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


class Desk:
    """A folder with tools, and one for evidence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.evidence = folder / "evidence"
        self.evidence.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\n")
        self.lint([])
        self.database("2026-11-22T06:00:00.123456789Z")
        self.report()
        self.put("cyclonedx.json", bom())

    @property
    def places(self) -> Places:
        return Places(self.evidence, self.folder, run)

    def put(self, name: str, body: Any) -> None:
        (self.folder / name).write_text(json.dumps(body))

    def program(self, name: str, text: str, **values: str) -> str:
        path = self.folder / name
        path.write_text(text.format(folder=self.folder, **values))
        path.chmod(0o755)
        return str(path)

    def lint(self, found: list[dict[str, Any]]) -> None:
        self.put("lint.json", found)
        self.program("hadolint", HADOLINT)

    def database(self, updated: str | None) -> None:
        about: dict[str, Any] = {"Version": "0.74.0"}
        self.put("about.json", about | ({"VulnerabilityDB": {"UpdatedAt": updated}} if updated else {}))

    def report(self, *results: Mapping[str, Any], image_id: str = "sha256:id", **system: Any) -> None:
        metadata = {"ImageID": image_id, "OS": {"Family": "debian", "Name": "12.15", **system}}
        self.put("json.json", {"Metadata": metadata, "Results": list(results)})

    def called(self) -> list[str]:
        calls = self.folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def judge(self, gate: str, **given: Any) -> dict[str, Any]:
        """Let the module's code judge; what gates.json then tells of the gate."""
        programs = {
            "lint": lambda: str(self.folder / "hadolint"),
            "scan": lambda: self.program("trivy", TRIVY, version="0.74.0"),
            "sbom": lambda: self.program("trivy", TRIVY, version="0.74.0"),
            "signature": lambda: self.program("cosign", COSIGN, version="3.1.3"),
        }
        params: dict[str, Any] = {name: option.get("default") for name, option in ARGSPEC.items()}
        params |= {"gate": gate, "build": BUILD, "evidence": str(self.evidence), "command": programs[gate]()}
        params |= {"dockerfile": str(self.folder / "Dockerfile"), "image": IMAGE, "update": False, **given}
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        self.changed, found = judge(params, scratch, run, NOW)
        body = json.loads((self.evidence / "gates.json").read_text())
        assert body["build"] == params["build"]
        assert body["gates"][gate] == json.loads(json.dumps(found))
        return found

    def files(self) -> set[str]:
        return {path.name for path in self.evidence.iterdir()}


def bom() -> dict[str, Any]:
    """An SBOM as Trivy writes it, in short."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"bom-ref": "root", "type": "container", "name": "image.tar"}},
        "components": [{"bom-ref": "bash", "type": "library", "name": "bash"}],
        "dependencies": [{"ref": "bash", "dependsOn": []}, {"ref": "root", "dependsOn": ["bash"]}],
        "vulnerabilities": [{"id": "CVE-2099-0001"}],
    }


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
