# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that comes from outside (a server, a model, a cloud), made safe to show to a person."""

from __future__ import annotations

import unicodedata


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` as one printable line of at most `limit` characters.

    Control characters, line separators and invisible format characters (zero width, bidirectional overrides) become
    spaces and runs of spaces become one, so that the text cannot move the cursor, forge a log line or hide a word.
    """
    # A hostile answer may be megabytes long: the part that can be shown is all that is worth looking at.
    head = text[: limit * 8]
    shown = "".join(" " if unicodedata.category(char)[0] == "C" or char.isspace() else char for char in head)
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
