# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m benchmarks [NAME ...]``: run benchmarks, write results.json and render RESULTS.md beside it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import b1_converge, b2_history, b3_inventory, b4_front, b7_drain, b9_image, b10_fetch, b11_cache
from benchmarks.harness import RESULTS, ROOT, Bench, wait_for_quiet, write_rows
from benchmarks.render import render

BENCHMARKS: dict[str, Callable[[Bench], None]] = {
    "B1": b1_converge.run,
    "B2": b2_history.run,
    "B3": b3_inventory.run,
    "B4": b4_front.run,
    "B7": b7_drain.run,
    "B9": b9_image.run,
    "B10": b10_fetch.run,
    "B11": b11_cache.run,
}
PAIRS, QUICK_PAIRS = 5, 1
QUICK_RESULTS = ROOT / "build" / "benchmarks" / "results.json"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="rounds of each comparison (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round, results in build/benchmarks")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for a quiet machine (default: 60)")
    parser.add_argument("--results", type=Path, help="the results file; RESULTS.md goes beside it")
    parsed = parser.parse_args(given)
    unknown = [name for name in parsed.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if parsed.pairs < 1:
        parser.error("--pairs must be at least 1")
    parsed.results = parsed.results or (QUICK_RESULTS if parsed.quick else RESULTS)
    parsed.pairs = QUICK_PAIRS if parsed.quick else parsed.pairs
    return parsed


def main() -> int:
    """Run and report; a target that is missed is a figure, not an error."""
    given = arguments()
    began = time.monotonic()
    for name in given.names or BENCHMARKS:
        wait_for_quiet(0 if given.quick else given.wait, say)
        with tempfile.TemporaryDirectory(prefix=f"polycloud-{name.lower()}-") as folder:
            bench = Bench(name, Path(folder), given.pairs, quick=given.quick, say=say)
            BENCHMARKS[name](bench)
        rows = write_rows(given.results, bench.rows)
        given.results.with_name("RESULTS.md").write_text(render(rows), "utf-8")
        for row in bench.rows:
            say(
                f"{row.id}  {row.metric} against {row.peer}: {row.ours} : {row.theirs}, ratio {row.ratio}, "
                f"target {row.target or 'none'}, held {row.held}"
            )
    say(f"{given.results} and RESULTS.md written after {time.monotonic() - began:.0f} s")
    return 0


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
