# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `scan`: Trivy on an image, for vulnerabilities, secrets and misconfigurations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import findings as read
from .ignores import ignore_file, refuse_unjustified
from .tool import CannotJudge, Places, document
from .trivy import Database, Source, Trivy, open_trivy
from .verdict import IGNORES, PASSED, SCAN, Verdict

EVERY = ",".join(severity.upper() for severity in read.SEVERITIES)
EMBEDDED = "Misconfigurations are judged by the rules inside of Trivy, not by newer ones, since nothing was downloaded."
SKIPPED = "Not looked into: "


@dataclass(frozen=True)
class Policy:
    """What passes. fixed_only: what nobody has fixed yet passes. skip: folders that are not looked into."""

    severity: str
    fixed_only: bool = False
    ignore: tuple[Mapping[str, Any], ...] = ()
    skip: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """For gates.json, and to compare with it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return plain


@dataclass(frozen=True)
class Setting:
    """How Trivy is run. update: whether it may download. days: how old its database may be. image_id: where known."""

    command: str
    cache: str
    update: bool
    days: int
    image_id: str = ""


def scan(source: Source, policy: Policy, setting: Setting, places: Places, now: datetime) -> Verdict:
    """Judge an image; writes scan.json into the evidence folder. places.before: what gates.json says of the last scan.

    An image that passed by the same rules, Trivy and database is not scanned again. Raises CannotJudge, Refused.
    """
    refuse_unjustified(policy.ignore, now.date())
    trivy = open_trivy(setting.command, setting.cache, places)
    database = trivy.database(update=setting.update, now=now, days=setting.days)
    about = {
        "policy": policy.as_data(),
        "database_date": database.updated.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "limits": limits(database, policy, update=setting.update),
    }
    if holds(places.before, {**about, "tool_version": trivy.version}, setting.image_id, places.evidence):
        kept = {name: places.before[name] for name in ("image_id", "counts", "scanned")}
        return Verdict(True, "", "trivy", trivy.version, (SCAN, IGNORES), details={**about, **kept})
    (places.evidence / SCAN).unlink(missing_ok=True)
    report = _report(trivy, source, policy, places.evidence, update=setting.update)
    found = read.findings(report, [str(entry["id"]) for entry in policy.ignore])
    about["image_id"] = str((report.get("Metadata") or {}).get("ImageID", ""))
    about["counts"] = read.counts(found)
    about["scanned"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    why = _unknown_system(report) or read.why(read.too_bad(found, policy.severity), policy.severity)
    return Verdict(not why, why, "trivy", trivy.version, (SCAN, IGNORES), details=about)


def holds(before: Mapping[str, Any], about: Mapping[str, Any], image_id: str, folder: Path) -> bool:
    """Whether the last scan passed the image `image_id`, and a new one could find nothing else."""
    same = all(before.get(name) == about[name] for name in ("policy", "database_date", "tool_version"))
    passed = before.get("result") == PASSED and "counts" in before and "scanned" in before
    return same and passed and bool(image_id) and before.get("image_id") == image_id and (folder / SCAN).is_file()


def limits(database: Database, policy: Policy, *, update: bool) -> list[str]:
    """What the scan does not do, in sentences."""
    told = [database.note] if database.note else []
    if not update:
        told.append(EMBEDDED)
    if policy.skip:
        told.append(SKIPPED + ", ".join(policy.skip))
    return told


def arguments(source: Source, policy: Policy, ignores: Path, report: Path, *, update: bool) -> list[str]:
    """The command line of a scan. Every option that decides is given, so that no setting does."""
    offline = [] if update else ["--offline-scan", "--skip-check-update", "--skip-java-db-update"]
    skip = [option for folder in policy.skip for option in ("--skip-dirs", folder.lstrip("/"))]
    return [
        *("image", "--format", "json", "--output", str(report), "--list-all-pkgs", "--show-suppressed"),
        *("--scanners", "vuln,secret,misconfig", "--image-config-scanners", "secret,misconfig"),
        *("--severity", EVERY, f"--ignore-unfixed={str(policy.fixed_only).lower()}", "--ignorefile", str(ignores)),
        *("--exit-code", "0", "--skip-db-update", "--timeout", "1h"),
        *skip,
        *offline,
        *source.arguments,
    ]


def _report(trivy: Trivy, source: Source, policy: Policy, folder: Path, *, update: bool) -> dict[str, Any]:
    ignores = folder / IGNORES
    ignores.write_text(ignore_file(policy.ignore), encoding="utf-8")
    report = folder / SCAN
    done = trivy.run(*arguments(source, policy, ignores, report, update=update))
    if done.code or not report.is_file():
        report.unlink(missing_ok=True)
        raise CannotJudge(f"Trivy failed: {done.said}")
    found = document(report.read_text(encoding="utf-8"), "trivy")
    if not isinstance(found, dict):
        raise CannotJudge("Trivy wrote a report that is none.")
    return found


def _unknown_system(report: Mapping[str, Any]) -> str:
    if read.operating_system(report):
        return ""
    return "Trivy does not know the operating system of the image, so it looked for no vulnerability of its packages."


def ignores_of(given: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Entries as the options of the module give them, without what was not given."""
    return tuple({name: value for name, value in entry.items() if value not in (None, "", [])} for entry in given)
