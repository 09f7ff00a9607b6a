# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `lint`: hadolint on the Dockerfile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...text import one_line
from .tool import CannotJudge, Places, Tool, document, find, version_in
from .verdict import LINT, Verdict

# The mildest first; what a rule is not to be told as is left out by hadolint itself.
LEVELS = ("style", "info", "warning", "error")


def lint(command: str, dockerfile: Path, level: str, places: Places) -> Verdict:
    """Judge a Dockerfile; what is as bad as `level` or worse makes it fail. Writes dockerfile-lint.json.

    Raises CannotJudge.
    """
    hadolint = Tool(find(command, "hadolint"), places)
    settings = places.scratch / "hadolint.yaml"
    # Else it takes settings of the user, which may switch rules off.
    settings.write_text("ignored: []\n", encoding="utf-8")
    version = version_in(hadolint.run("--version").output)
    done = hadolint.run("--config", str(settings), "--no-fail", "--no-color", "--format", "json", str(dockerfile))
    if done.code:
        raise CannotJudge(f"hadolint failed: {done.said}")
    found = document(done.output, "hadolint")
    (places.evidence / LINT).write_text(done.output.rstrip() + "\n", encoding="utf-8")
    worse = [rule for rule in found if rank(rule) >= LEVELS.index(level)]
    return Verdict(
        not worse, why(worse), "hadolint", version, (LINT,), details={"severity": level, "findings": len(worse)}
    )


def rank(rule: dict[str, Any]) -> int:
    """How bad a finding is; a level that we do not know is the worst."""
    level = str(rule.get("level", ""))
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)


def why(worse: Sequence[dict[str, Any]]) -> str:
    """The first finding, and how many there are."""
    if not worse:
        return ""
    first = max(worse, key=rank)
    told = one_line(f"line {first.get('line')}: {first.get('code')} {first.get('message')}", 200)
    return f"hadolint finds {len(worse)} problem(s) in the Dockerfile; {told}"
