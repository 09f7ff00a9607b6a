# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 to Ollama on the parser of httptools: a pool of connections, pieces handed on as they come.

aiohttp's client took 60 % of the sidecar's time for each request; this one takes a tenth of it (benchmarks/RESULTS.md).
It speaks to one server on this machine, so it knows no TLS, no proxy, no redirect and no compression.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast

import httptools

from .exchange import Answer, Header, Pieces, UpstreamError

MANY = 256 * 1024  # bytes that wait for a slow client before Ollama's connection is read no further
IDLE = 32  # connections kept
END = b""


class Connection(asyncio.Protocol):
    """One connection; it answers one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._keep = False
        self._headless = False
        self.headers: list[Header] = []
        self.status = 0
        self.started = False
        self.complete = False
        self.lost = False
        self.last = 0.0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.last = self._loop.time()
        if self._parser is None:
            self.abort()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.abort()
        except httptools.HttpParserError:
            self.abort()
        self._wake()

    def eof_received(self) -> None:
        # An answer without a length ends here; the parser knows whether it may.
        if self._parser is not None and self.started and not self.complete and self._ends_with_connection():
            self.complete = True

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        parser = cast(httptools.HttpResponseParser, self._parser)
        self.status = parser.get_status_code()
        if self.status < 200:
            return
        self._keep = parser.should_keep_alive()
        self.started = True
        if self._headless:
            self.complete = True

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting > MANY and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self.complete = True

    # What the pool and the answer call.

    @property
    def reusable(self) -> bool:
        return self.complete and self._keep and not self.lost and not self._headless

    async def request(self, head: bytes, body: bytes | Pieces, *, headless: bool) -> None:
        """Send a request; the answer of an earlier one is over."""
        self._parser = httptools.HttpResponseParser(self)
        self._headless, self.started, self.complete = headless, False, False
        self._pieces.clear()
        self._waiting = 0
        self.last = self._loop.time()
        if isinstance(body, bytes):
            self._write(head + body)
            return
        self._write(head)
        while piece := await body():
            self._write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await self._writable.wait()
            if self.lost:
                break
        self._write(b"0\r\n\r\n")

    async def head(self, seconds: float) -> None:
        """Wait for the head of the answer. Raises UpstreamError."""
        while not self.started:
            self._still_there()
            await self._wait(seconds)

    async def piece(self, seconds: float) -> bytes:
        """What has come; empty at the end. Raises UpstreamError."""
        while not self._pieces:
            if self.complete:
                return END
            self._still_there()
            await self._wait(seconds)
        data = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._paused and self._transport is not None and not self.lost:
            self._paused = False
            self._transport.resume_reading()
        return data

    def abort(self) -> None:
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def _still_there(self) -> None:
        if self.lost:
            raise UpstreamError("Ollama closed the connection.", sent=self.started)

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, dummy in self.headers}
        return not names & {"content-length", "transfer-encoding"}

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, seconds: float) -> None:
        """Until something came. Raises UpstreamError after `seconds` in which nothing did."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(self.last + seconds, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        if not (self._pieces or self.complete or self.started or self.lost) or self._silent(seconds):
            raise UpstreamError(f"Ollama sent nothing for {seconds:g} seconds.", sent=self.started, timed_out=True)

    def _silent(self, seconds: float) -> bool:
        nothing = not (self._pieces or self.complete or self.lost)
        return nothing and self._loop.time() - self.last >= seconds


class PooledAnswer:
    """The answer on a connection of the pool."""

    def __init__(self, pool: PooledUpstream, connection: Connection) -> None:
        self._pool = pool
        self._connection = connection
        self.status = connection.status
        self.headers: Sequence[Header] = connection.headers

    async def piece(self) -> bytes:
        return await self._connection.piece(self._pool.silence)

    async def body(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await self.piece():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise UpstreamError(f"Ollama's answer is larger than {limit} bytes.", sent=True)
        return b"".join(pieces)

    def close(self) -> None:
        self._pool.give_back(self._connection)


class PooledUpstream:
    """Ollama at `host` and `port`. silence: seconds in which nothing may come before a request is given up."""

    def __init__(self, host: str, port: int, *, connect: float = 5.0, silence: float = 600.0) -> None:
        self._host, self._port, self._connect = host, port, connect
        self._idle: list[Connection] = []
        self.silence = silence

    async def send(self, method: str, target: str, headers: Sequence[Header], body: bytes | Pieces) -> Answer:
        head = _head(method, target, headers, body)
        while True:
            connection, fresh = await self._take()
            try:
                await connection.request(head, body, headless=method == "HEAD")
                await connection.head(self.silence)
                return PooledAnswer(self, connection)
            except UpstreamError as error:
                connection.abort()
                # A kept connection may have been closed while the request was on its way.
                if fresh or error.timed_out or not isinstance(body, bytes):
                    raise
            except BaseException:
                connection.abort()
                raise

    def give_back(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < IDLE:
            self._idle.append(connection)
        else:
            connection.abort()

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    async def _take(self) -> tuple[Connection, bool]:
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                return connection, False
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect):
                dummy, connection = await loop.create_connection(Connection, self._host, self._port)
        except (OSError, TimeoutError) as error:
            raise UpstreamError(f"Ollama cannot be reached: {type(error).__name__}.") from None
        return connection, True


def _head(method: str, target: str, headers: Sequence[Header], body: bytes | Pieces) -> bytes:
    """The request's head. Ollama on loopback answers only to the name localhost."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if not isinstance(body, bytes):
        lines.append("Transfer-Encoding: chunked")
    elif body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(lines)
    if "\n" in text.replace("\r\n", "") or "\r" in text.replace("\r\n", ""):
        raise UpstreamError("The request has a line break in its head.")
    return f"{text}\r\n\r\n".encode("latin-1", "replace")
