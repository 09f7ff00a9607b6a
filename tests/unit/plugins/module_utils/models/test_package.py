# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The single file runs where there is nothing but Python, and is the same bytes each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models import package
from ansible_collections.polycloud.ollama.plugins.module_utils.models.package import MODULES, build_zipapp
from tests.helpers.registry import Registry

UTILS = Path(package.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "models.pyz"
    build_zipapp(path)
    return path


def run(program: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Without site packages, environment and checkout."""
    command = [sys.executable, "-I", "-S", str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"HOME": str(home)}, cwd=home, timeout=60)


def test_it_pulls_with_nothing_but_python(program: Path, remote: Registry, tmp_path: Path) -> None:
    digest = remote.add("library/tiny", "latest", b"weights" * 1000)
    done = run(program, "pull", "tiny", "--registry", remote.url, "--into", "models", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"tiny:latest {digest} 7002 (fetched 7.0 kB")
    done = run(program, "seed", "--from", "models", "--into", "volume", home=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(program, "verify", "--into", "volume", home=tmp_path)
    assert done.stdout == f"tiny:latest {digest} 7002 (good)\n"


def test_its_errors_are_one_line_too(program: Path, tmp_path: Path) -> None:
    done = run(program, "pull", "../../x", "--into", "models", home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    done = run(program, "pull", "x", "--login", "ecr", "--registry", "https://x.org", "--into", "m", home=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_it_can_be_started_by_its_name(program: Path, tmp_path: Path) -> None:
    assert os.access(program, os.X_OK)
    assert program.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_the_same_sources_give_the_same_bytes(program: Path, tmp_path: Path) -> None:
    build_zipapp(tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == program.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name != "docker"] == ["again.pyz"]


def test_it_holds_the_fetcher_and_nothing_else(program: Path) -> None:
    with ZipFile(program) as archive:
        assert archive.namelist() == ["__main__.py", *(f"polycloud_ollama/{module}" for module in MODULES)]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert list(MODULES) == sorted(MODULES)
    own = {f"models/{path.name}" for path in (UTILS / "models").glob("*.py")}
    assert own - set(MODULES) == {"models/package.py"}


def test_seeding_loads_no_network_code(program: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    code = (
        "import sys, runpy\n"
        f"sys.argv = [{str(program)!r}, 'seed', '--from', 'a', '--into', 'b']\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as done:\n    assert not done.code, done.code\n"
        "print([name for name in ('ssl', 'http.client', 'urllib.request', 'boto3') if name in sys.modules])\n"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.stdout == "[]\n", done.stderr
