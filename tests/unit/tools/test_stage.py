# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The copy of the checkout that ansible-test works on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tools.stage import copy_to, shipped, source_files

SOURCES = [".gitignore", "galaxy.yml", "plugins/modules/one.py", "tests/bad/units/case/expect"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with source, a bad fixture and things that are not source."""
    root = tmp_path / "checkout"
    for name in (*SOURCES[1:], ".venv/lib/x.py", "build/out.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")
    (root / ".gitignore").write_text(".venv*/\nbuild/\n", encoding="utf-8")
    return root


def files_below(root: Path) -> set[str]:
    """Return the names of all files below a folder."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_source_files_are_those_that_git_does_not_ignore(checkout: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True)
    assert source_files(checkout) == SOURCES


def test_without_git_the_same_files_are_found_by_looking(checkout: Path) -> None:
    assert source_files(checkout) == SOURCES


def test_users_get_no_tests_but_ansible_test_gets_its_settings() -> None:
    assert shipped(["galaxy.yml", "tests/unit/test_one.py", "tests/config.yml"]) == ["galaxy.yml", "tests/config.yml"]


def test_the_copy_holds_what_is_shipped(checkout: Path, tmp_path: Path) -> None:
    copy_to(tmp_path / "copy", shipped(source_files(checkout)), checkout)
    assert files_below(tmp_path / "copy") == {".gitignore", "galaxy.yml", "plugins/modules/one.py"}


def test_a_second_copy_follows_changes_and_removals(checkout: Path, tmp_path: Path) -> None:
    copy_to(tmp_path / "copy", shipped(source_files(checkout)), checkout)
    (checkout / "galaxy.yml").write_text("changed", encoding="utf-8")
    (checkout / "plugins/modules/one.py").unlink()
    copy_to(tmp_path / "copy", shipped(source_files(checkout)), checkout)
    assert files_below(tmp_path / "copy") == {".gitignore", "galaxy.yml"}
    assert (tmp_path / "copy" / "galaxy.yml").read_text(encoding="utf-8") == "changed"
    assert not (tmp_path / "copy" / "plugins").exists()


def test_a_link_to_a_file_becomes_a_file(checkout: Path, tmp_path: Path) -> None:
    (checkout / "plugins/modules/two.py").symlink_to("one.py")
    copy_to(tmp_path / "copy", source_files(checkout), checkout)
    copy = tmp_path / "copy" / "plugins/modules/two.py"
    assert not copy.is_symlink()
    assert copy.read_text(encoding="utf-8") == "plugins/modules/one.py"


def test_what_ansible_test_wrote_stays(checkout: Path, tmp_path: Path) -> None:
    kept = tmp_path / "copy" / "tests" / "output" / "report.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept", encoding="utf-8")
    copy_to(tmp_path / "copy", source_files(checkout), checkout)
    assert kept.is_file()
