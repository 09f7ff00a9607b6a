# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate found, and the file gates.json that keeps what all gates of one build found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

SUMMARY = "gates.json"
LINT, SCAN, SBOM, SIGNATURE, KEY = "dockerfile-lint.json", "scan.json", "sbom.cdx.json", "signature.json", "cosign.pub"
IGNORES = "trivyignore.yaml"
EVERY = (LINT, SCAN, SBOM, SIGNATURE, KEY, IGNORES)
ENFORCE, WARN, SKIP = "enforce", "warn", "skip"
PASSED, FAILED, WARNED, SKIPPED = "passed", "failed", "warned", "skipped"


@dataclass(frozen=True)
class Verdict:
    """What a gate found. why: for a person, empty where there is nothing to say. evidence: names of files.

    changed: whether something outside of the evidence folder was changed. details: more for gates.json.
    """

    passed: bool
    why: str = ""
    tool: str = ""
    version: str = ""
    evidence: tuple[str, ...] = ()
    changed: bool = False
    skipped: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)

    def result(self, mode: str) -> str:
        """The word for gates.json."""
        if self.skipped:
            return SKIPPED
        if self.passed:
            return PASSED
        return FAILED if mode == ENFORCE else WARNED


def entry(verdict: Verdict, mode: str, now: datetime) -> dict[str, Any]:
    """What gates.json says of a gate. now: in UTC."""
    return {
        "mode": mode,
        "result": verdict.result(mode),
        "why": verdict.why,
        "tool": verdict.tool,
        "tool_version": verdict.version,
        "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "evidence": list(verdict.evidence),
        **verdict.details,
    }


def recorded(folder: Path, build: str) -> dict[str, Any]:
    """What gates found in this build so far, by their names; nothing where the folder is of another build."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        gates = summary["gates"] if summary["build"] == build else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: found for name, found in gates.items() if isinstance(found, dict)} if isinstance(gates, dict) else {}


def record(folder: Path, build: str, gate: str, found: Mapping[str, Any]) -> None:
    """Put what a gate found into gates.json. Evidence of another build, and what it left before, is removed."""
    gates = recorded(folder, build)
    stale = gates.get(gate, {}).get("evidence", ()) if gates else EVERY
    for name in set(EVERY) & set(stale) - set(found["evidence"]):
        (folder / name).unlink(missing_ok=True)
    body = {"build": build, "gates": {**gates, gate: dict(found)}}
    draft = folder / f"{SUMMARY}.new"
    draft.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / SUMMARY)
