# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what the environment holds: Python, Ansible, libraries and collections, and where they came from."""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

from tests.tools.stage import site_packages

PACKAGES = ("ansible", "ansible-core", "boto3", "azure-identity", "azure-mgmt-core")
COLLECTIONS = ("amazon.aws", "community.aws", "azure.azcollection")


def collection_version(root: Path, name: str) -> str | None:
    """Return the version in a collection's manifest under `root`, or None where it is not installed there."""
    manifest = root / "ansible_collections" / Path(*name.split(".")) / "MANIFEST.json"
    if not manifest.is_file():
        return None
    return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])


def table(galaxy: Path | None) -> list[tuple[str, str, str]]:
    """Return rows of (what, version, where from)."""
    rows = [("python", platform.python_version(), "")]
    rows += [(name, version(name), "locked package") for name in PACKAGES]
    for name in COLLECTIONS:
        fetched = collection_version(galaxy, name) if galaxy else None
        rows.append(
            (
                name,
                fetched or collection_version(site_packages(), name) or "missing",
                "galaxy server" if fetched else "package ansible",
            )
        )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxy", type=Path, help="folder into which collections were installed from a galaxy server")
    for what, number, origin in table(parser.parse_args().galaxy):
        print(f"  {what:<20} {number:<12} {origin}".rstrip())


if __name__ == "__main__":
    main()
