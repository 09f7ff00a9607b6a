# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A molecule run is believed only with a proof of hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools import run_molecule

LEAVES_PROOF = 'echo "target-1" > "$MOLECULE_PROOF"'
LEAVES_EMPTY_PROOF = 'echo > "$MOLECULE_PROOF"'


@pytest.fixture
def molecule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the program molecule; the test writes what it does."""
    monkeypatch.setattr(run_molecule, "PROOFS", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "molecule"


def script(program: Path, body: str) -> None:
    """Make the stand-in do this."""
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)


def test_a_run_that_looked_at_hosts_is_good(molecule: Path) -> None:
    script(molecule, LEAVES_PROOF)
    assert run_molecule.run("deploy") == ""


@pytest.mark.parametrize("body", ["exit 0", LEAVES_EMPTY_PROOF])
def test_a_green_run_without_hosts_is_not_believed(molecule: Path, body: str) -> None:
    script(molecule, body)
    assert "no host" in run_molecule.run("deploy")


def test_an_old_proof_does_not_count(molecule: Path) -> None:
    script(molecule, LEAVES_PROOF)
    assert run_molecule.run("deploy") == ""
    script(molecule, "exit 0")
    assert "no host" in run_molecule.run("deploy")


def test_a_red_run_is_red(molecule: Path) -> None:
    script(molecule, f"{LEAVES_PROOF}; exit 1")
    assert run_molecule.run("deploy") == "exit code 1"
