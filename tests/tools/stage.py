# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies the collection to where ansible-test wants it: <root>/ansible_collections/polycloud/ollama.

ansible-test refuses a link, so this is a copy, of what git tracks or would track and users get. Tests and benchmarks
stay out: they are ordinary Python, which ruff judges. The collections that ours depends on are linked beside the copy,
so that imports of them resolve. Links between files become files: antsibull-docs takes a linked action plugin for the
redirection of the module of the same name.
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
NOT_FOR_USERS = ("tests/", "benchmarks/", ".github/", ".ci/", ".config/", "molecule/")
# How ansible-test itself is set.
SETTINGS = ("tests/config.yml", "tests/sanity/")
# Read where the checkout is not a git repository, such as an unpacked archive.
NOT_SOURCE = {".git", ".build", "build", "__pycache__", "collections", "output", ".mypy_cache", ".ruff_cache"}


def source_files(checkout: Path = CHECKOUT) -> list[str]:
    """Return the paths of all source files, relative to the checkout."""
    if (checkout / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=checkout,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
        return sorted({name for name in listing if name and (checkout / name).is_file()})
    return sorted(_walk(checkout))


def _walk(checkout: Path) -> Iterable[str]:
    for folder, names, files in os.walk(checkout):
        names[:] = [name for name in names if name not in NOT_SOURCE and not name.startswith(".venv")]
        yield from (os.path.relpath(os.path.join(folder, name), checkout) for name in files)


def shipped(names: Iterable[str]) -> list[str]:
    """Return the files that users get, and ansible-test's settings."""
    return [name for name in names if name.startswith(SETTINGS) or not name.startswith(NOT_FOR_USERS)]


def copy_to(target: Path, names: Iterable[str], checkout: Path = CHECKOUT) -> None:
    """Make `target` hold exactly these files, keeping times and modes, and touching only what differs."""
    wanted = set(names)
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
    if copy.is_file():
        old, new = copy.stat(), source.stat()
        if (old.st_size, old.st_mtime_ns, old.st_mode) == (new.st_size, new.st_mtime_ns, new.st_mode):
            return
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, copy)


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
    copy_to(target, shipped(source_files()))
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
