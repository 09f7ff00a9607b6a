# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built tarball, installed into an empty project: its playbook runs with documented variables alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.adapters import aci_args, container_apps_args, ecs_args
from tests.helpers.tree import load
from tests.integration.conftest import ROOT, inventory_of, run_playbook, variables
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
SETTINGS_OF_THE_CHECKOUT = ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "PYTHONPATH")


def galaxy(*arguments: str, folder: Path) -> None:
    """Run `ansible-galaxy collection` in a folder, where alone it looks for what is installed already."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS_OF_THE_CHECKOUT}
    environment = {**clean, "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections")}
    command = [sys.executable, "-m", "ansible.cli.galaxy", "collection", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project with the collection installed from its tarball."""
    galaxy("build", "--output-path", str(tmp_path), folder=ROOT)
    tarball = next(tmp_path.glob("polycloud-ollama-*.tar.gz"))
    project = tmp_path / "project"
    project.mkdir()
    # Without the galaxy server: the dependencies come with the package `ansible`.
    galaxy("install", str(tarball), "--no-deps", "--offline", "-p", "collections", folder=project)
    return project


def documented() -> set[str]:
    """Return every variable that the roles document."""
    entries = [load(f"roles/{role}/meta/argument_specs.yml") for role in ("common", "storage", "deploy", "validate")]
    return {name for entry in entries for spec in entry["argument_specs"].values() for name in spec["options"]}


def test_an_empty_project_deploys_to_every_platform(clouds: Sandbox, project: Path) -> None:
    platforms = {"ecs": ecs_args, "aci": aci_args, "container_apps": container_apps_args}
    hosts = {name: variables(name, describe(clouds)) for name, describe in platforms.items()}
    assert {name for host in hosts.values() for name in host} <= documented()

    settings = {"ANSIBLE_COLLECTIONS_PATH": str(project / "collections"), "PYTHONPATH": ""}
    run = run_playbook(
        "polycloud.ollama.site", folder=project, inventory=inventory_of(project, hosts), settings=settings
    )
    assert run.code == 0, run.output
    assert set(run.of_targets("health").values()) == {"healthy"}
    assert str(ROOT / "roles") not in run.output
