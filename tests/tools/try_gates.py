# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows each gate something that it must refuse, in a copy of the tree, and fails when a gate lets it pass.

A case is a folder tests/bad/<gate>/<case>/ with
  files/    laid over the copy,
  append/   files whose text is put at the end of files of the same name (optional),
  expect    a regular expression: what the gate must say, so that it fails for the right reason,
  args      arguments for make, one per line (optional),
  env       NAME=value lines (optional).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.tools.stage import CHECKOUT, copy_to, source_files

BAD = CHECKOUT / "tests" / "bad"
AT_ONCE = 2
TAIL = 3000


def cases(gate: str | None) -> list[Path]:
    """Return the folders of all cases, or of one gate's."""
    return sorted(path.parent for path in BAD.glob(f"{gate or '*'}/*/expect"))


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file that may be missing."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def spoil(copy: Path, case: Path) -> None:
    """Put what the case holds into the copy."""
    if (case / "files").is_dir():
        shutil.copytree(case / "files", copy, dirs_exist_ok=True)
    for extra in (path for path in (case / "append").rglob("*") if path.is_file()):
        target = copy / extra.relative_to(case / "append")
        target.write_text(target.read_text(encoding="utf-8") + extra.read_text(encoding="utf-8"), encoding="utf-8")


def make_gate(copy: Path, case: Path) -> subprocess.CompletedProcess[str]:
    """Run the case's gate in the copy, with this checkout's environment."""
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "CI"}}
    environment = inherited | dict(line.split("=", 1) for line in lines_of(case / "env"))
    command = ["make", case.parent.name, f"VENV={Path(sys.prefix)}", *lines_of(case / "args")]
    return subprocess.run(
        command,
        cwd=copy,
        env=environment,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
    )


def try_case(case: Path) -> str:
    """Return what is wrong with the gate, or nothing when it refused the case for the expected reason."""
    with tempfile.TemporaryDirectory(prefix="polycloud-bad-") as folder:
        copy = Path(folder) / "ollama"
        copy.mkdir()
        copy_to(copy, [name for name in source_files() if not name.startswith("tests/bad/")])
        subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
        spoil(copy, case)
        done = make_gate(copy, case)
    expected = (case / "expect").read_text(encoding="utf-8").strip()
    if done.returncode == 0:
        return f"the gate passed\n{done.stdout[-TAIL:]}"
    if not re.search(expected, done.stdout):
        return f"the gate failed, but did not say {expected!r}\n{done.stdout[-TAIL:]}"
    return ""


def timed(case: Path) -> tuple[Path, float, str]:
    """Try a case and take its time."""
    start = time.monotonic()
    problem = try_case(case)
    return case, time.monotonic() - start, problem


def main() -> int:
    """Try all cases, or those of one gate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gate", nargs="?")
    found = cases(parser.parse_args().gate)
    wrong = 0
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        for case, seconds, problem in pool.map(timed, found):
            wrong += bool(problem)
            verdict = "NOT REFUSED" if problem else "refused"
            print(f"{case.relative_to(BAD)!s:<40} {seconds:6.1f} s  {verdict}", flush=True)
            print("".join(f"    | {line}\n" for line in problem.splitlines()), end="", flush=True)
    print(f"{len(found) - wrong} of {len(found)} bad fixtures were refused")
    return int(wrong > 0 or not found)


if __name__ == "__main__":
    sys.exit(main())
