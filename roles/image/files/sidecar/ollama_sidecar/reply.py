# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the sidecar's own, in the words of the API that was asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .http.exchange import Exchange, Header
from .routes import Dialect

JSON = "application/json; charset=utf-8"
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_TYPES |= {413: "invalid_request_error", 405: "invalid_request_error", 429: "rate_limit_error"}


class Reply(Exception):
    """An answer instead of Ollama's. reason: for metrics and log; empty where it is no refusal."""

    def __init__(self, status: int, message: str, reason: str = "", headers: Sequence[Header] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.headers = headers


def busy(status: int, message: str, reason: str, seconds: int) -> Reply:
    """Come again in so many seconds."""
    return Reply(status, message, reason, [("Retry-After", str(seconds))])


def error_body(dialect: Dialect, status: int, message: str) -> dict[str, Any]:
    """The shape that clients of this API read."""
    kind = _TYPES.get(status, "api_error")
    if dialect is Dialect.OPENAI:
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}
    if dialect is Dialect.ANTHROPIC:
        return {"type": "error", "error": {"type": kind, "message": message}}
    return {"error": message}


def error_line(dialect: Dialect, message: str, last: bytes) -> bytes:
    """What is written into a stream that broke off after it had begun. last: what the client got last."""
    body = json.dumps(error_body(dialect, 502, message), separators=(",", ":")).encode()
    if dialect is Dialect.OLLAMA:
        # Clients read each line as JSON, an empty one too.
        return body + b"\n" if not last or last.endswith(b"\n") else b"\n" + body + b"\n"
    event = b"event: error\n" if dialect is Dialect.ANTHROPIC else b""
    return b"\n\n" + event + b"data: " + body + b"\n\n"


async def send_json(exchange: Exchange, status: int, body: Any, headers: Sequence[Header] = ()) -> int:
    """Send an object; the number of bytes of its body."""
    return await send_bytes(exchange, status, json.dumps(body, separators=(",", ":")).encode(), JSON, headers)


async def send_bytes(
    exchange: Exchange, status: int, body: bytes, content_type: str, headers: Sequence[Header] = ()
) -> int:
    """Send a body that is known; the number of its bytes."""
    # What the client has not sent yet is not waited for.
    close = status in (408, 413, 503)
    told = [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers]
    await exchange.start(status, told, close=close, hold=True)
    if exchange.method != "HEAD":
        await exchange.write(body)
    await exchange.finish()
    return len(body)
