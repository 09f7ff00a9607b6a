# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user lets pass, for a reason and until a day, in the format of Trivy's ignore file. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ...errors import Refused
from ...text import one_line

# An id says by itself what it is of.
KINDS = ("vulnerabilities", "misconfigurations", "secrets")


def refuse_unjustified(ignored: Sequence[Mapping[str, Any]], today: date) -> None:
    """Raise Refused for an entry without a reason or a day, and for one whose day has come. today: in UTC."""
    for entry in ignored:
        name = one_line(str(entry["id"]), 60)
        try:
            expires = date.fromisoformat(str(entry["expires"]))
        except ValueError:
            raise Refused(f"The ignored finding {name} must expire on a day such as 2026-12-31.") from None
        if not str(entry["reason"] or "").strip():
            raise Refused(f"The ignored finding {name} needs a reason.")
        if expires <= today:
            raise Refused(
                f"The ignored finding {name} expired on {expires}.",
                hint="Fix it, or judge it anew and set a later day.",
            )


def ignore_file(ignored: Sequence[Mapping[str, Any]]) -> str:
    """The file as Trivy reads it. Texts are quoted as JSON, which is YAML; a day must not be quoted."""
    entries = "".join(_entry(entry) for entry in ignored)
    return "".join(f"{kind}:\n{entries}" if entries else f"{kind}: []\n" for kind in KINDS)


def _entry(entry: Mapping[str, Any]) -> str:
    owner = f" (owner: {entry['owner']})" if entry.get("owner") else ""
    lines = [
        f"  - id: {json.dumps(str(entry['id']))}",
        f"    expired_at: {date.fromisoformat(str(entry['expires']))}",
        f"    statement: {json.dumps(str(entry['reason']) + owner)}",
        *([f"    paths: {json.dumps(list(entry['paths']))}"] if entry.get("paths") else []),
    ]
    return "".join(f"{line}\n" for line in lines)
