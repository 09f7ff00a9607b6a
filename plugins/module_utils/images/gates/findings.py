# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Trivy's report says, and which of it is too bad. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...text import one_line

SEVERITIES = ("unknown", "low", "medium", "high", "critical")
END_OF_LIFE = "END-OF-LIFE"
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One thing found. kind: vulnerability, secret, misconfiguration or end-of-life. where: package or file."""

    kind: str
    id: str
    severity: str
    where: str
    fixed: str = ""

    @property
    def told(self) -> str:
        """In one line."""
        fixed = f", fixed in {self.fixed}" if self.fixed else ""
        return one_line(f"{self.id} ({self.kind}, {self.severity}) in {self.where}{fixed}", 160)


def operating_system(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Family, Name and EOSL of the image's operating system; empty where Trivy does not know it."""
    found = (report.get("Metadata") or {}).get("OS") or {}
    return found if found.get("Family") not in (None, "", "none") else {}


def findings(report: Mapping[str, Any], ignored: Sequence[str] = ()) -> list[Finding]:
    """Everything in a report, the worst first. Trivy itself has left out what is ignored, but for the end of life."""
    found = [finding for result in report.get("Results") or [] for finding in _of(result)]
    system = operating_system(report)
    if system.get("EOSL") and END_OF_LIFE not in ignored:
        name = f"{system.get('Family')} {system.get('Name', '')}".strip()
        found.append(Finding("end-of-life", END_OF_LIFE, "high", f"{name}, which gets no fixes any more"))
    return sorted(found, key=lambda finding: (-rank(finding.severity), finding.id, finding.where))


def _of(result: Mapping[str, Any]) -> list[Finding]:
    place = str(result.get("Target", ""))
    vulnerabilities = [
        Finding(
            "vulnerability",
            str(entry.get("VulnerabilityID")),
            _severity(entry),
            f"{entry.get('PkgName')} {entry.get('InstalledVersion')}",
            str(entry.get("FixedVersion") or ""),
        )
        for entry in result.get("Vulnerabilities") or []
    ]
    secrets = [
        Finding("secret", str(entry.get("RuleID")), _severity(entry), f"{place}:{entry.get('StartLine')}")
        for entry in result.get("Secrets") or []
    ]
    misconfigurations = [
        Finding("misconfiguration", str(entry.get("ID")), _severity(entry), f"{place}: {entry.get('Title')}")
        for entry in result.get("Misconfigurations") or []
        if entry.get("Status") == "FAIL"
    ]
    return vulnerabilities + secrets + misconfigurations


def _severity(entry: Mapping[str, Any]) -> str:
    return str(entry.get("Severity") or "unknown").lower()


def rank(severity: str) -> int:
    """How bad a severity is; one that we do not know is the worst."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def too_bad(found: Sequence[Finding], severity: str) -> list[Finding]:
    """What is as bad as `severity` or worse."""
    return [finding for finding in found if rank(finding.severity) >= rank(severity)]


def counts(found: Sequence[Finding]) -> dict[str, int]:
    """How many of each severity, the worst first; those that do not occur are left out."""
    return dict(sorted(Counter(finding.severity for finding in found).items(), key=lambda pair: -rank(pair[0])))


def why(bad: Sequence[Finding], severity: str) -> str:
    """The first findings, and how many there are."""
    if not bad:
        return ""
    more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return f"Trivy finds {len(bad)} of severity {severity} or worse: {'; '.join(f.told for f in bad[:SHOWN])}{more}"
