# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball as a user gets it: built, installed into an empty project, used by its full name."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.helpers.tree import ROOT, load, module_names

pytestmark = pytest.mark.real
TESTS_AND_TOOLS = ("tests/", "benchmarks/", "molecule/", "requirements/", ".", "build/", "Makefile", "Jenkinsfile")
SETTINGS_OF_THE_CHECKOUT = ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "PYTHONPATH")


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built collection."""
    place = tmp_path_factory.mktemp("dist")
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", str(place)], cwd=ROOT, check=True)
    return next(place.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def project(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project with the collection installed; its dependencies come with the package `ansible`."""
    place = tmp_path_factory.mktemp("project")
    run(place, "ansible-galaxy", "collection", "install", str(tarball), "--no-deps", "--offline", "-p", "collections")
    return place


def run(place: Path, *command: str) -> str:
    """Run a command in the project, without any setting of the checkout; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS_OF_THE_CHECKOUT}
    environment = {**clean, "ANSIBLE_COLLECTIONS_PATH": str(place / "collections")}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_is_named_after_the_version(tarball: Path) -> None:
    assert tarball.name == f"polycloud-ollama-{load('galaxy.yml')['version']}.tar.gz"


def test_it_holds_what_users_run_and_read_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    assert {"README.md", "meta/runtime.yml", "CHANGELOG.rst", "COPYING"} <= set(names)
    assert {f"plugins/modules/{module}.py" for module in module_names()} - set(names) == set()
    assert [name for name in names if name.startswith(TESTS_AND_TOOLS)] == []


@pytest.mark.parametrize("module", module_names())
def test_an_installed_module_documents_itself(project: Path, module: str) -> None:
    assert f"polycloud.ollama.{module}" in run(project, "ansible-doc", "--type", "module", f"polycloud.ollama.{module}")


@pytest.mark.parametrize("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_a_playbook_is_found_by_its_full_name(project: Path, playbook: str) -> None:
    name = f"polycloud.ollama.{playbook}"
    assert "playbook:" in run(project, "ansible-playbook", "-i", "localhost,", "--syntax-check", name)
