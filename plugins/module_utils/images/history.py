# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moves of the tag C(stable), as C(promote.json) in an evidence folder keeps them, the last one at the end.

C({"moves": [{"action": "promote | fallback", "at", "repository", "tag", "from", "to", "evidence": [...]}]}).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from .evidence import BadEvidence, moment, no_twin, read_bounded

FALLBACK = "fallback"


def taken_back(path: Path, digest: str) -> datetime | None:
    """When an image was last taken back by a fallback, None if it never was. Raises BadEvidence for another file."""
    if not path.exists():
        return None
    times = [
        moment(str(move.get("at")), path.name)
        for move in moves_in(read_bounded(path), path.name)
        if move.get("action") == FALLBACK and move.get("from") == digest
    ]
    return max(times, default=None)


def moves_in(raw: bytes | str, source: str) -> list[dict[str, Any]]:
    """The moves in the text of a C(promote.json). Raises BadEvidence."""
    try:
        body = json.loads(raw, object_pairs_hook=no_twin)
    except (ValueError, RecursionError):
        body = None
    moves = body.get("moves") if isinstance(body, dict) else None
    if not isinstance(moves, list) or not all(isinstance(move, dict) for move in moves):
        raise BadEvidence(
            f"{source} does not tell which moves of the tag there were.",
            hint="Look at it, then move it away to begin anew; images taken back are then forgotten.",
        )
    return moves
