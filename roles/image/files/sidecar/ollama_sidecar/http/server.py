# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server that clients reach, on aiohttp's low-level server: a well-kept parser faces the network."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from aiohttp import web
from aiohttp.http import StreamWriter
from multidict import CIMultiDict

from .connections import SERVER, Connections, Line, Unreadable, untaken
from .exchange import BadBody, ClientGone, Exchange, Handler, Header, TooLarge, gathered

LOG = logging.getLogger(__name__)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PIECE = 64 * 1024
LINE = 8190  # bytes of a request line and of a header, aiohttp's own limit
MANY = 64 * 1024  # bytes that wait for a slow client before no more are taken, the transport's own high water
LOOK_AGAIN = 0.01  # seconds
LINGER = 2.0  # seconds in which the rest of a refused body is read
RESET = struct.pack("ii", 1, 0)  # close with RST


class NoValues(logging.Filter):
    """aiohttp's words may quote a request, its key too: only the kind of mistake is told."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        record.msg, record.args = "the server failed: %s", (kind.__name__ if kind else "unknown",)
        record.exc_info = record.exc_text = None
        return True


LOG.addFilter(NoValues())


class _Response(web.StreamResponse):
    """Its head is sent with the first piece where that is there already: each write wakes the client."""

    _send_headers_immediately = False


class AiohttpExchange:
    """An Exchange over aiohttp's request."""

    def __init__(self, request: web.BaseRequest, patience: float) -> None:
        self._request = request
        self._patience = patience
        self._expects = request.version >= (1, 1) and request.headers.get("Expect", "").lower() == "100-continue"
        self._chunked = False
        self._head_waits = False
        self.response: web.StreamResponse | None = None
        self.method = request.method
        # As it was sent: policy judges what Ollama would get.
        self.target = request.raw_path
        self.peer = request.remote or ""

    @property
    def headers(self) -> Mapping[str, str]:
        return self._request.headers

    async def body(self, limit: int, came: Callable[[int], None] | None = None) -> bytes:
        length = self._request.content_length
        if length is not None and length > limit:
            raise TooLarge
        if not self._request.body_exists:
            return b""
        return await gathered(self.piece, limit, came)

    async def piece(self) -> bytes:
        content = self._request.content
        try:
            if self._expects:
                self._expects = False
                if not content.is_eof():
                    await self._request.writer.write(CONTINUE)
                    self._request.writer.output_size = 0
            if content.is_eof():
                return content.read_nowait()
            async with asyncio.timeout(self._patience):
                return await content.readany()
        except TimeoutError:
            raise BadBody(408, "the body did not come in time") from None
        except web.RequestPayloadError:
            raise BadBody(400, "the body is not what its headers say") from None
        except ConnectionError as error:
            raise ClientGone from error

    async def start(self, status: int, headers: Sequence[Header], *, close: bool = False, hold: bool = False) -> None:
        response = _Response(status=status, headers=CIMultiDict(headers))
        self.response = response
        response.headers.setdefault("Server", SERVER)
        if "Content-Length" not in response.headers and self._request.version >= (1, 1) and not _bodiless(self, status):
            response.enable_chunked_encoding()
            self._chunked = True
        if close:
            response.force_close()
        await self._sent(response.prepare(self._request))
        self._head_waits = hold
        if hold:
            return
        try:
            self._request.writer.send_headers()
        except ConnectionError as error:
            raise ClientGone from error

    async def write(self, data: bytes) -> None:
        try:
            await cast(web.StreamResponse, self.response).write(data)
        except ConnectionError as error:
            raise ClientGone from error

    def push(self, data: bytes) -> bool:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return True  # the handler is about to be cancelled
        if self._head_waits:
            self._head_waits = False
            _at_once(cast(StreamWriter, self._request.writer).write(data, drain=False))
        elif data:
            transport.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
        return transport.get_write_buffer_size() < MANY

    async def drained(self) -> None:
        left = untaken(self._request.transport)
        # A task, since aiohttp's future must not be cancelled: the next wait would get it again.
        draining = asyncio.ensure_future(self._sent(self._request.writer.drain()))
        try:
            while not (await asyncio.wait({draining}, timeout=self._patience))[0]:
                before, left = left, untaken(self._request.transport)
                if left >= before:
                    self.abort()
                    raise ClientGone
            draining.result()
        finally:
            draining.cancel()
        if self._request.transport is None:
            raise ClientGone

    async def finish(self) -> None:
        await self._sent(cast(web.StreamResponse, self.response).write_eof())

    def abort(self) -> None:
        transport = self._request.transport
        if transport is None:
            return
        response = self.response
        if response is not None and not self._chunked and "Content-Length" not in response.headers:
            # For a client of HTTP/1.0 the end of the connection is the end of the answer, unless it is reset.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        transport.abort()

    async def _sent(self, sending: Any) -> None:
        try:
            await sending
        except ConnectionError as error:
            raise ClientGone from error


def _at_once(sending: Coroutine[Any, Any, None]) -> None:
    """Run what never waits."""
    with suppress(StopIteration):
        sending.send(None)


def _bodiless(exchange: Exchange, status: int) -> bool:
    return exchange.method == "HEAD" or status in (204, 304)


class AiohttpListener:
    """A Listener; `serve` makes it."""

    def __init__(self, server: Connections, sockets: asyncio.Server, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._sockets = sockets
        self.port = int(sockets.sockets[0].getsockname()[1])

    async def flushed(self, seconds: float) -> bool:
        now = asyncio.get_running_loop().time
        end, left, moved = now() + seconds, 0, now()
        while waits := sum(untaken(connection.transport) for connection in self._server.connections):
            if waits != left:
                left, moved = waits, now()
            if now() >= end or now() - moved >= self._patience:
                return False
            await asyncio.sleep(LOOK_AGAIN)
        return True

    async def close(self) -> None:
        self._sockets.close()
        self._server.pre_shutdown()
        await self._server.shutdown(timeout=0.1)


async def serve(
    handler: Handler,
    host: str,
    port: int,
    *,
    backlog: int = 1024,
    patience: float = 60.0,
    most: int = 4096,
    unreadable: Unreadable = lambda status, peer: "",
) -> AiohttpListener:
    """Listen, and call `handler` for each request; it is cancelled when its client goes.

    patience: seconds in which a client that has to send or to take something does not do so. most: connections at once.
    unreadable: is told of what is no request.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        cast(Line, request.protocol).asked = True
        exchange = AiohttpExchange(request, patience)
        try:
            await handler(exchange)
        except ClientGone:
            exchange.abort()
        if exchange.response is None:
            exchange.abort()
            return web.Response(status=500)
        return exchange.response

    server = Connections(
        handle,
        unreadable,
        most=most,
        patience=patience,
        access_log=None,
        logger=LOG,
        keepalive_timeout=75.0,
        lingering_time=LINGER,
        max_line_size=LINE,
        max_field_size=LINE,
        auto_decompress=False,
        read_bufsize=PIECE,
    )
    sockets = await asyncio.get_running_loop().create_server(server, host, port, backlog=backlog, reuse_address=True)
    return AiohttpListener(server, sockets, patience)
