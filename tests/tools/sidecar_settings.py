# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of the sidecar's settings into its README: `python -m tests.tools.sidecar_settings`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "roles" / "image" / "files" / "sidecar"
README = PACKAGE / "README.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def table() -> str:
    """The settings and the members of a key, each with its default and its words."""
    sys.path.insert(0, str(PACKAGE))
    from ollama_sidecar.config_file import PREFIX
    from ollama_sidecar.settings import Key, Settings

    lines = ["| Variable | Default | What it is |", "|---|---|---|"]
    lines += [_line(f"{PREFIX}{name.upper()}", field) for name, field in Settings.model_fields.items()]
    lines += ["", "A key in `SIDECAR_KEYS` has:", "", "| Member | Default | What it is |", "|---|---|---|"]
    lines += [_line(name, field) for name, field in Key.model_fields.items()]
    return "\n".join(lines) + "\n"


def _line(name: str, field: Any) -> str:
    return f"| `{name}` | {_default(field)} | {field.description} |"


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.default
    secret = getattr(value, "get_secret_value", None)
    value = secret() if secret else value
    if value in ("", ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def written(text: str) -> str:
    """A README with the table in its place."""
    before, dummy, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
