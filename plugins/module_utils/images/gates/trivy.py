# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trivy: which one it is, its database of vulnerabilities, and how it is asked, so that no other setting weakens it."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .facts import COMPROMISED_TRIVY, INSTALL, MINIMUM_TRIVY
from .tool import CannotJudge, Done, Places, Tool, document, find, numbers, version_in

# Where databases and registries are, and logins; all other TRIVY_* could make it overlook something.
KEPT_SETTINGS = frozenset(
    "TRIVY_" + name
    for name in (
        "CACHE_DIR",
        "CHECKS_BUNDLE_REPOSITORY",
        "DB_REPOSITORY",
        "JAVA_DB_REPOSITORY",
        "PASSWORD",
        "REGISTRY_TOKEN",
        "USERNAME",
    )
)
# How its own build writes its version into the program.
_BUILT_AS = re.compile(rb"trivy/pkg/version/app\.ver=(\d+\.\d+\.\d+)")
_UPDATED_AT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z")


@dataclass(frozen=True)
class Database:
    """The database of vulnerabilities. updated: in UTC. note: why it could not be renewed, empty where it could."""

    updated: datetime
    note: str = ""


@dataclass(frozen=True)
class Source:
    """What is scanned: an archive made by `docker save`, else an image in its registry."""

    archive: str
    image: str
    validate_certs: bool = True

    @property
    def arguments(self) -> list[str]:
        """Options of `trivy image`."""
        if self.archive:
            return ["--input", self.archive]
        return ["--image-src", "remote", *([] if self.validate_certs else ["--insecure"]), self.image]


@dataclass(frozen=True)
class Trivy:
    """A Trivy that may be trusted."""

    tool: Tool
    version: str
    cache: tuple[str, ...]

    def run(self, *arguments: str) -> Done:
        """Run a command of it, without talking to its maker about newer releases or about us."""
        quiet = ["--no-progress", "--skip-version-check", "--disable-telemetry"] if arguments[0] == "image" else []
        return self.tool.run(*arguments, *quiet, *self.cache)

    def database(self, *, update: bool, now: datetime, days: int) -> Database:
        """The database, renewed first where `update` says so. Raises CannotJudge where it is missing or too old."""
        fetch = " ".join(["trivy image --download-db-only", *self.cache])
        note = ""
        if update:
            done = self.run("image", "--download-db-only")
            note = f"The database could not be renewed: {done.said}" if done.code else ""
        about = document(self.run("version", "--format", "json").output, "trivy").get("VulnerabilityDB") or {}
        found = _UPDATED_AT.fullmatch(str(about.get("UpdatedAt", "")))
        hint = f"`{fetch}` fetches it; its folder can be carried to a machine without network."
        if not found:
            raise CannotJudge("Trivy's vulnerability database is missing.", hint=f"{note} {hint}".strip())
        updated = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
        if now - updated > timedelta(days=days):
            raise CannotJudge(
                f"Trivy's vulnerability database is of {found[1][:10]}, older than {days} days.",
                hint=f"{note} {hint}".strip(),
            )
        return Database(updated, note)


def open_trivy(command: str, cache: str, places: Places) -> Trivy:
    """Find Trivy. One that is known to be compromised is refused before it runs. Raises CannotJudge."""
    path = find(command, "trivy")
    refuse_compromised(version_inside(path))
    tool = Tool(path, places, without=withheld(os.environ))
    version = version_in(tool.run("--version").output)
    refuse_compromised(version)
    if numbers(version) < MINIMUM_TRIVY:
        raise CannotJudge(f"Trivy {version or 'of unknown version'} is too old.", hint=INSTALL["trivy"])
    return Trivy(tool, version, ("--cache-dir", cache) if cache else ())


def withheld(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Names in the environment that Trivy is not to see."""
    return tuple(name for name in environment if name.startswith("TRIVY_") and name not in KEPT_SETTINGS)


def version_inside(path: Path) -> str:
    """The version that the build of Trivy wrote into the file; empty where it did not."""
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = _BUILT_AS.search(content)
            return found[1].decode() if found else ""
    except (OSError, ValueError):
        return ""


def refuse_compromised(version: str) -> None:
    """Raise CannotJudge where a release carried malware."""
    if version in COMPROMISED_TRIVY:
        raise CannotJudge(
            f"Trivy {version} was published with malware ({COMPROMISED_TRIVY[version]}).",
            hint=f"Remove it, and renew every credential that it could reach. {INSTALL['trivy']}",
        )
