# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RESULTS.md from the rows of results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

INTRODUCTION = """# Benchmark results

Written by `make bench` from `results.json`; do not edit. Ours and each peer run in turn (A, B, A, B, …) on one machine
against the same emulated cloud, the same canned pages, the same engine or the same registry; figures are medians unless
said otherwise. A peer that is not installed, or that fails on the emulator, has no figure and counts for nobody. An
emulator answers faster than a cloud: ratios say more than seconds.
"""
TITLES = {
    "B1": "B1: a converge that changes nothing",
    "B2": "B2: calls against the length of the history",
    "B3": "B3: inventory",
    "B4": "B4: what stands in front of Ollama",
    "B7": "B7: a stop while answers stream",
    "B9": "B9: the image",
    "B10": "B10: fetching a model",
    "B11": "B11: the cache",
}
VERDICTS = {True: "yes", False: "**no**", None: "not measured"}
COLUMNS = ("What", "Peer", "Ours", "Theirs", "Ratio", "Target", "Held")
Row = Mapping[str, Any]


def render(rows: Sequence[Row]) -> str:
    """The whole page."""
    ordered = sorted(rows, key=lambda row: order(row["id"]))
    sections = [_section(name, list(group)) for name, group in groupby(ordered, key=lambda row: str(row["id"]))]
    return "\n".join([INTRODUCTION, *sections])


def order(name: str) -> tuple[int, str]:
    """Sorts B10 behind B9."""
    return len(name), name


def _section(name: str, rows: list[Row]) -> str:
    lines = [f"## {TITLES.get(name, name)}", ""]
    lines += [_line(COLUMNS), _line(("---",) * len(COLUMNS))]
    lines += [_line(_cells(row)) for row in rows]
    lines += [""] + [f"- {note}" for note in _notes(rows)] + [""]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    figures = [_figure(row[key]) for key in ("ours", "theirs", "ratio")]
    return (row["metric"], row["peer"], *figures, row["target"], VERDICTS[row["held"]] if row["target"] else "-")


def _figure(value: float | None) -> str:
    """A figure with three digits that count."""
    if value is None:
        return "-"
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _notes(rows: list[Row]) -> list[str]:
    """What was compared, why something is missing, when and on what it was measured; each said once."""
    notes = [
        f"Scope on all sides: {', '.join(row['detail']['scope'])}. {row['detail']['latency_ms']} ms added to each call."
        for row in rows
        if "scope" in row["detail"]
    ]
    notes += [f"{row['metric']}, {row['peer']}: {_first_line(row['reason'])}" for row in rows if row["reason"]]
    notes += [_machine(row) for row in rows]
    notes += [f"Versions: {_versions(row)}." for row in rows]
    return list(dict.fromkeys(notes))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0]


def _machine(row: Row) -> str:
    pairs = f"{row['pairs']} interleaved rounds" if row["pairs"] else "one run each"
    marked = "" if row["quiet"] else " (**others were computing: read the ratios, and with care**)"
    if row.get("ahead"):
        marked += "; all sides ran ahead of other processes (SCHED_FIFO)"
    return f"{row['date']}, {row['cores']} cores, {pairs}, load average before the first one {row['load']}{marked}."


def _versions(row: Row) -> str:
    return ", ".join(f"{name} {number}" for name, number in row["versions"].items())
