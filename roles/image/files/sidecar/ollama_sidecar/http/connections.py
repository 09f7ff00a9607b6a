# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connections of a listener: how many there are, how long one may say nothing, and what aiohttp itself refuses."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import sys
import termios
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

LOG = logging.getLogger(__name__)
SERVER = "polycloud-ollama"
TELL_AGAIN = 60.0  # seconds between two lines of the log
TOO_MANY = "Too many headers received"  # aiohttp has no kind of error for it
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
# Is told the status and the peer of a request that cannot be read; gives the id under which it was logged.
Unreadable = Callable[[int, str], str]


class Connections(web.Server):
    """most: connections at once; one more is closed. patience: seconds that one may take for its first whole head, or
    to take what is left when it ends."""

    def __init__(self, handle: Handle, unreadable: Unreadable, *, most: int, patience: float, **given: Any) -> None:
        super().__init__(handle, handler_cancellation=True)
        self.unreadable = unreadable
        self.patience = patience
        self._most = most
        self._given = given
        self._open = self._turned_away = 0
        self._tell_at = 0.0

    def __call__(self) -> web.RequestHandler:
        return Line(self, loop=asyncio.get_running_loop(), **self._given)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self._open += 1
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self._open -= 1
        super().connection_lost(handler, exc)

    def full(self) -> bool:
        """Whether there are so many that a new one has to go."""
        if self._open < self._most:
            return False
        self._turned_away += 1
        now = asyncio.get_running_loop().time()
        if now >= self._tell_at:
            LOG.warning("closed %d new connections: there are %d already", self._turned_away, self._open)
            self._turned_away, self._tell_at = 0, now + TELL_AGAIN
        return True


class Line(web.RequestHandler):
    """One connection. asked: a whole head has come."""

    __slots__ = ("_connections", "_left", "_timer", "_wire", "asked")

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(connections, **given)
        self._connections = connections
        self.asked = False
        self._left = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        if self._connections.full():
            self._wire.set_protocol(asyncio.Protocol())
            self._wire.close()
            return
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """In place of aiohttp's own words, which quote the request."""
        if request.writer.output_size > 0:
            raise ConnectionError("another answer has begun")
        headers = {"Server": SERVER}
        if isinstance(exc, HttpProcessingError):
            status = 431 if isinstance(exc, LineTooLong) or exc.message == TOO_MANY else 400
            told = "the request cannot be read"
            headers["X-Request-Id"] = self._connections.unreadable(status, request.remote or "")
        else:
            self.log_exception("a request failed", exc_info=exc)
            told = "internal error"
        body = json.dumps({"error": told}).encode()
        answer = web.Response(status=status, body=body, headers=headers, content_type="application/json")
        answer.force_close()
        return answer

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(self._connections.patience, self._look)

    def _look(self) -> None:
        """Cut a client that asks nothing, or that has been told all and does not take it. aiohttp waits for both.

        One timer looks after the connection as a whole, since one for each request costs more.
        """
        before, self._left = self._left, untaken(self._wire) if self._wire.is_closing() else -1
        if not self.asked or 0 <= before <= self._left:
            self._wire.abort()
        else:
            self._look_later()


def untaken(transport: asyncio.WriteTransport | None) -> int:
    """Bytes that the client has not taken: ours, and the kernel's, which takes more only when a third is free."""
    if transport is None:
        return 0
    queued = bytearray(4)
    with suppress(OSError):
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + int.from_bytes(queued, sys.byteorder)
