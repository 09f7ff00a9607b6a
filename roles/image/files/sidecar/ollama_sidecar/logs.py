# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process says of itself: lines of JSON on standard error. An error is told by its kind and place only.

The text of an exception may quote what a client sent, a prompt or a key. So it is never written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FRAMES = 8  # of a traceback, the innermost


def told(error: BaseException | None) -> str:
    """The kind of an error and the lines it came from: `ValueError at proxy.py:12 _pass, requests.py:3 read`."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    where = ", ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {where}" if where else type(error).__name__


class Lines(logging.Formatter):
    """A line of JSON for each message."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = told(record.exc_info[1])
        return json.dumps(line, separators=(",", ":"))


def set_up() -> None:
    """Send every message to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # asyncio names what runs long with its arguments.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """In place of asyncio's own handler, which writes the text of the exception."""
    error = context.get("exception")
    logging.getLogger(__name__).error("%s: %s", context.get("message", "an error in the loop"), told(error))
