# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other supported line: ansible-core 2.19 on Python 3.11 where this run has 3.12 or later, or the reverse."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.helpers.tree import ROOT

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1500)]
OTHER = "3.12" if sys.version_info < (3, 12) else "3.11"
CORE = {"3.11": "2.19.", "3.12": "2.21."}[OTHER]
ENVIRONMENT = f".build/venv-{OTHER}"


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with the other environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST", "VENV"))}
    return subprocess.run(
        ["make", *arguments, f"VENV={ENVIRONMENT}", f"PYTHON={OTHER}"],
        cwd=ROOT,
        env=inherited,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


@pytest.fixture(scope="module")
def other_environment() -> str:
    """The environment of the other line, installed from the same lock file; returns what it holds."""
    found = subprocess.run(["tests/tools/find-python.sh", OTHER], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"Python {OTHER} is not on this machine")
    done = make("setup")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_lock_file_brings_the_other_ansible(other_environment: str) -> None:
    assert f"python               {OTHER}." in other_environment
    assert f"ansible-core         {CORE}" in other_environment


@pytest.mark.usefixtures("other_environment")
def test_the_unit_tests_pass_there() -> None:
    done = make("units", "PYTEST_ARGS=-q")
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.usefixtures("other_environment")
def test_ansible_test_sanity_passes_there() -> None:
    done = make("sanity")
    assert done.returncode == 0, done.stdout[-6000:]
