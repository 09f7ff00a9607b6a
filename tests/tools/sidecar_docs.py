# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/guides/sidecar-reference.md from the sidecar itself: `python -m tests.tools.sidecar_docs`.

A test fails where the page is not what this makes.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "roles" / "image" / "files" / "sidecar"
PAGE = ROOT / "docs" / "guides" / "sidecar-reference.md"
FACTS = "ansible_collections.polycloud.ollama.plugins.module_utils.deployment.facts"
HEADER = """<!--
Copyright (c) 2026 polycloud.ollama contributors
GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
-->

# The sidecar's settings and metrics

Written by `python -m tests.tools.sidecar_docs` from the sidecar; change it there. [The guide](sidecar.md) says what
they are for.

## Settings

Each is an environment variable, and a key of the TOML file that `SIDECAR_CONFIG` names (`max_queued = 64`). The
environment wins. A deployment sets those given by "an option" itself, from its own options and their defaults. Those
given by "environment" go under `sidecar.environment`, the others under `secrets`.
"""
KINDS = (("SIDECAR_OURS", "an option"), ("SIDECAR_FREE", "environment"), ("SIDECAR_SECRET", "secrets"))


def page() -> str:
    """The whole page."""
    for place in (str(PACKAGE), str(ROOT / ".build")):
        if place not in sys.path:
            sys.path.insert(0, place)
    settings = importlib.import_module("ollama_sidecar.settings")
    return "\n".join(
        [
            HEADER,
            *_table(("Setting", "Default", "Given by", "What it is"), _settings(settings)),
            "",
            "## A key",
            "",
            *_table(("Field", "Default", "What it is"), _key(settings)),
            "",
            "## Metrics",
            "",
            *_table(("Metric", "Kind", "Labels", "What it is"), _metrics()),
            "",
        ]
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def _settings(settings: Any) -> list[tuple[str, ...]]:
    facts = importlib.import_module(FACTS)
    by = {name: told for group, told in KINDS for name in getattr(facts, group)}
    rows: list[tuple[str, ...]] = []
    for name, field in settings.Settings.model_fields.items():
        variable = f"{settings.PREFIX}{name.upper()}"
        rows.append((f"`{variable}`", _default(field.default), by[variable], str(field.description)))
    return rows


def _key(settings: Any) -> list[tuple[str, ...]]:
    return [
        (f"`{name}`", "needed" if field.is_required() else _default(field.default), str(field.description))
        for name, field in settings.Key.model_fields.items()
    ]


def _default(value: Any) -> str:
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if plain in ("", ()):
        return ""
    text = str(plain).lower() if isinstance(plain, bool) else str(plain)
    return f"`{text}`"


def _metrics() -> list[tuple[str, ...]]:
    """Of a sidecar with one model in memory; those of the process and of Python are Prometheus's own."""
    metrics = importlib.import_module("ollama_sidecar.metrics")
    monitor = importlib.import_module("ollama_sidecar.monitor")
    loaded = monitor.Loaded("m", "", "f", "q", 1, 1, "2026-01-01T00:00:00Z")
    state = metrics.State(up=True, loaded=(loaded,), queues={"m": (0, 0)})
    registry = metrics.Metrics(lambda: state, version="0").registry
    rows: list[tuple[str, ...]] = []
    for family in registry.collect():
        if family.name.startswith("ollama_"):
            names = {name for sample in family.samples for name in sample.labels if name != "le"}
            suffix = "_total" if family.type == "counter" else ""
            labels = ", ".join(f"`{name}`" for name in sorted(names or _labels(registry, family.name)))
            rows.append((f"`{family.name}{suffix}`", family.type, labels, family.documentation))
    return sorted(rows)


def _labels(registry: Any, name: str) -> tuple[str, ...]:
    """The labels of a metric that has counted nothing yet."""
    collector = registry._names_to_collectors.get(name)
    return tuple(getattr(collector, "_labelnames", ()))


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    print(os.path.relpath(PAGE))


if __name__ == "__main__":
    main()
