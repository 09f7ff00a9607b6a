# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies the collection to where ansible-test and galaxy-importer want it: <root>/ansible_collections/polycloud/ollama.

ansible-test refuses a link, so this is a copy, of the files that git tracks or would track. The collections that ours
depends on are linked beside it, so that imports of them resolve.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STAGE = CHECKOUT / ".build" / "staged"
NEIGHBOURS = ("amazon", "azure", "community")
# Made to be refused by the gates.
LEFT_OUT = ("tests/bad/",)
# Read where the checkout is not a git repository, such as an unpacked archive.
NOT_SOURCE = {".git", ".build", "build", "__pycache__", "collections", "output", ".mypy_cache", ".ruff_cache"}


def source_files(checkout: Path = CHECKOUT) -> list[str]:
    """Return the paths of all source files, relative to the checkout."""
    if (checkout / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=checkout, check=True, capture_output=True, text=True,
        ).stdout.split("\0")
        return sorted({name for name in listing if name and (checkout / name).is_file()})
    return sorted(_walk(checkout))


def _walk(checkout: Path) -> Iterable[str]:
    for folder, names, files in os.walk(checkout):
        names[:] = [name for name in names if name not in NOT_SOURCE and not name.startswith(".venv")]
        yield from (os.path.relpath(os.path.join(folder, name), checkout) for name in files)


def copy_to(target: Path, names: Iterable[str], checkout: Path = CHECKOUT) -> None:
    """Make `target` hold exactly these files, keeping times, modes and links, and touching only what differs."""
    wanted = {name for name in names if not name.startswith(LEFT_OUT)}
    for stale in (path for path in target.rglob("*") if path.is_file() or path.is_symlink()):
        name = stale.relative_to(target).as_posix()
        if name not in wanted and not name.startswith((".git/", "tests/output/")):
            stale.unlink()
    for name in wanted:
        _copy(checkout / name, target / name)
    for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
        if ".git" not in folder.parts and not any(folder.iterdir()):
            folder.rmdir()


def _copy(source: Path, copy: Path) -> None:
    if not source.is_symlink() and copy.is_file() and not copy.is_symlink():
        old, new = copy.stat(), source.stat()
        if (old.st_size, old.st_mtime_ns, old.st_mode) == (new.st_size, new.st_mtime_ns, new.st_mode):
            return
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    shutil.copy2(source, copy, follow_symlinks=False)


def site_packages() -> Path:
    """Return the folder whose `ansible_collections` came with the package `ansible`."""
    spec = importlib.util.find_spec("ansible")
    if spec is None or spec.origin is None:
        raise SystemExit("ansible is not installed in this environment: run `make setup`")
    return Path(spec.origin).parents[1]


def stage(root: Path = STAGE) -> Path:
    """Bring the copy under `root` up to date and return its path."""
    collections = root / "ansible_collections"
    target = collections / "polycloud" / "ollama"
    target.mkdir(parents=True, exist_ok=True)
    copy_to(target, source_files())
    # ansible-test asks git which files count; without an own repository it would ask ours, which ignores this place.
    if (CHECKOUT / ".git").exists() and not (target / ".git").exists():
        subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    for neighbour in NEIGHBOURS:
        link = collections / neighbour
        place = site_packages() / "ansible_collections" / neighbour
        if link.is_symlink() and link.readlink() != place:
            link.unlink()
        if not link.is_symlink():
            link.symlink_to(place)
    return target


def main() -> None:
    """Stage, or print where the installed collections are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site-packages", action="store_true", help="print the folder of the installed collections")
    parser.add_argument("--root", type=Path, default=STAGE, help="where to stage (default: .build/staged)")
    arguments = parser.parse_args()
    print(site_packages() if arguments.site_packages else stage(arguments.root))


if __name__ == "__main__":
    main()
