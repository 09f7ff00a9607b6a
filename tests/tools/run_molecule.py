# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the molecule scenarios one after the other, and believes a green one only when its verify step left a proof.

molecule reports success for an inventory without hosts, where nothing ran. So each scenario's verify writes the names
of the hosts that it looked at into `MOLECULE_PROOF`, and an empty or missing proof is a failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SCENARIOS = CHECKOUT / "molecule"
PROOFS = CHECKOUT / "build" / "molecule"


def scenarios() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))


def run(scenario: str) -> str:
    """Run one scenario; return what is wrong with it, or nothing."""
    proof = PROOFS / f"{scenario}.hosts"
    proof.unlink(missing_ok=True)
    environment = {**os.environ, "MOLECULE_PROOF": str(proof)}
    done = subprocess.run(["molecule", "test", "--scenario-name", scenario], cwd=CHECKOUT, env=environment, check=False)
    if done.returncode:
        return f"exit code {done.returncode}"
    if not proof.is_file() or not proof.read_text(encoding="utf-8").split():
        return "verify looked at no host (it left no proof)"
    return ""


def main() -> int:
    """Run the named scenarios, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*")
    names = parser.parse_args().scenario or scenarios()
    if not names:
        print("there is no molecule scenario")
        return 1
    PROOFS.mkdir(parents=True, exist_ok=True)
    wrong = {name: problem for name in names if (problem := run(name))}
    for name, problem in wrong.items():
        print(f"molecule scenario {name}: {problem}")
    print(f"{len(names) - len(wrong)} of {len(names)} scenarios passed")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
