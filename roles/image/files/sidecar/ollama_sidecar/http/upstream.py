# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 to Ollama on the parser of httptools: a pool of connections, pieces handed on as they come.

aiohttp's client costs a request 1.7 times the CPU time (docs/decisions/0019-sidecar-http.md).
It speaks to one server on this machine, so it knows no TLS, no proxy, no redirect and no compression.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import httptools

from .exchange import Answer, Header, Pieces, TooLarge, UpstreamError, gathered

MANY = 256 * 1024  # bytes that wait for a slow client before Ollama's connection is read no further
LARGE = 256 * 1024  # bytes of a body that is not copied to go with its head
IDLE = 32  # connections kept
END = b""
Push = Callable[[bytes], bool]


class Connection(asyncio.Protocol):
    """One connection; it answers one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._push: Push | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silence = 0.0
        self._silent = False
        self._keep = False
        self._whole = False  # the request was sent to its end
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
            self._wake()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.abort()
        except httptools.HttpParserError:
            self.abort()
        if self._push is None or self.complete or self._paused or self.lost:
            self._wake()

    def eof_received(self) -> None:
        # An answer without a length ends here; the parser knows whether it may.
        if self._parser is not None and self.started and not self.complete and self._ends_with_connection():
            self.complete = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._unwatch()
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.complete:
            raise UpstreamError("There is more than one answer.")
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
        if self._push is not None and not self._pieces:
            if not self._push(data):
                self._hold()
            return
        self._pieces.append(data)
        self._waiting += len(data)
        if self._waiting > MANY:
            self._hold()

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self.complete = True

    # What the pool and the answer call.

    @property
    def reusable(self) -> bool:
        return self.complete and self._keep and self._whole and not self.lost and not self._headless

    def quiet(self) -> bool:
        """Whether a connection that rests can be asked: the kernel knows of an end, or of words, before the loop."""
        if self.lost or self._transport is None or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def rest(self) -> None:
        """Forget the request; what comes from now on was not asked for."""
        self._unwatch()
        self._parser = self._push = None
        self._pieces.clear()
        self._go_on()

    @property
    def ready(self) -> bool:
        """Whether something came that was not handed on."""
        return bool(self._pieces)

    async def request(self, head: bytes, body: bytes | Pieces, *, headless: bool, silence: float) -> None:
        """Send a request; the answer of an earlier one is over. silence: seconds in which something must come."""
        self._parser = httptools.HttpResponseParser(self)
        self._headless, self.started, self.complete = headless, False, False
        self._pieces.clear()
        self._push = None
        self._waiting = 0
        self._unwatch()
        self._silence = silence
        self._watch_anew()
        self._whole = isinstance(body, bytes)
        if isinstance(body, bytes):
            if len(body) <= LARGE:
                self._write(head + body)
            else:
                self._write(head)
                self._write(body)
            return
        self._write(head)
        while piece := await body():
            self._watch_anew()  # it was the client's turn
            self._write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await self._writable.wait()
            if self.lost or self.started or self._silent:
                return
        self._watch_anew()
        self._write(b"0\r\n\r\n")
        self._whole = True

    async def head(self) -> None:
        """Wait for the head of the answer. Raises UpstreamError."""
        while not self.started:
            await self._more()

    async def piece(self) -> bytes:
        """What has come; empty at the end. Raises UpstreamError."""
        while not self._pieces:
            if self.complete:
                self._unwatch()
                return END
            await self._more()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._go_on()
        return data

    async def pump(self, push: Push, drained: Callable[[], Awaitable[None]]) -> None:
        """As `Answer.pump`."""
        pieces, self._pieces, self._waiting = self._pieces, [], 0
        self._push = push
        full = False
        for data in pieces:
            full = not push(data)
        while True:
            if full or self._paused:
                await drained()
                self._go_on()
            if self.complete:
                break
            await self._more()
            full = False
        self._unwatch()

    def abort(self) -> None:
        self.lost = True
        self._unwatch()
        if self._transport is not None:
            self._transport.abort()

    def _hold(self) -> None:
        """Read no further."""
        if not self._paused and self._transport is not None and not self.lost:
            self._paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        if self._paused and self._transport is not None and not self.lost:
            self.last = self._loop.time()
            self._transport.resume_reading()
        self._paused = False

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, dummy in self.headers}
        return not names & {"content-length", "transfer-encoding"}

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _more(self) -> None:
        """Wait until something came. Raises UpstreamError."""
        if self.lost:
            raise UpstreamError("Ollama closed the connection.", sent=self.started)
        if self._silent:
            message = f"Ollama sent nothing for {self._silence:g} seconds."
            raise UpstreamError(message, sent=self.started, timed_out=True)
        self._waiter = self._loop.create_future()
        await self._waiter

    def _watch(self) -> None:
        """Look whether Ollama has gone silent: one timer for a request, since one for each piece costs more."""
        wait = self.last + self._silence - self._loop.time()
        if self._paused:
            wait = self._silence  # it is the client that is slow
        if wait > 0:
            self._timer = self._loop.call_later(wait, self._watch)
        else:
            self._timer, self._silent = None, True
            self._writable.set()
            self._wake()

    def _watch_anew(self) -> None:
        self.last = self._loop.time()
        self._silent = False
        if self._timer is None:
            self._watch()

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class PooledAnswer:
    """The answer on a connection of the pool."""

    def __init__(self, pool: PooledUpstream, connection: Connection) -> None:
        self._pool = pool
        self._connection = connection
        self._closed = False
        self.status = connection.status
        self.headers: Sequence[Header] = connection.headers
        self.piece = connection.piece
        self.pump = connection.pump

    @property
    def ready(self) -> bool:
        return self._connection.ready

    async def body(self, limit: int) -> bytes:
        try:
            return await gathered(self.piece, limit)
        except TooLarge:
            raise UpstreamError(f"Ollama's answer is larger than {limit} bytes.", sent=True) from None

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._pool.give_back(self._connection)


class PooledUpstream:
    """Ollama at `host` and `port`. silence: seconds in which nothing may come before a request is given up."""

    def __init__(self, host: str, port: int, *, connect: float = 5.0, silence: float = 600.0) -> None:
        self._host, self._port, self._connect = host, port, connect
        self._idle: list[Connection] = []
        self._silence = silence

    async def send(self, method: str, target: str, headers: Sequence[Header], body: bytes | Pieces) -> Answer:
        head = _head(method, target, headers, body)
        kept = self._take()
        try:
            return await self._ask(kept or await self._open(), method, head, body)
        except UpstreamError as error:
            # The connection may have been closed while the request was on its way, or by the request: Ollama must not
            # do twice what it has begun to do.
            if kept is None or error.timed_out or method not in ("GET", "HEAD") or body != b"":
                raise
        await self.close()
        return await self._ask(await self._open(), method, head, body)

    async def _ask(self, connection: Connection, method: str, head: bytes, body: bytes | Pieces) -> Answer:
        try:
            await connection.request(head, body, headless=method == "HEAD", silence=self._silence)
            await connection.head()
            return PooledAnswer(self, connection)
        except BaseException:
            connection.abort()
            raise

    def give_back(self, connection: Connection) -> None:
        if connection.reusable and len(self._idle) < IDLE:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.abort()

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    def _take(self) -> Connection | None:
        """A kept connection that Ollama has not closed, as after a restart."""
        while self._idle:
            connection = self._idle.pop()
            if connection.quiet():
                return connection
            connection.abort()
        return None

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect):
                dummy, connection = await loop.create_connection(Connection, self._host, self._port)
        except (OSError, TimeoutError) as error:
            timed_out = isinstance(error, TimeoutError)
            message = f"Ollama cannot be reached: {type(error).__name__}."
            raise UpstreamError(message, timed_out=timed_out) from None
        return connection


def _head(method: str, target: str, headers: Sequence[Header], body: bytes | Pieces) -> bytes:
    """The request's head. Ollama on loopback answers only to the name localhost."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if not isinstance(body, bytes):
        lines.append("Transfer-Encoding: chunked")
    elif body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    text = "\r\n".join(lines)
    if text.count("\n") >= len(lines) or text.count("\r") >= len(lines):
        raise UpstreamError("The request has a line break in its head.")
    return f"{text}\r\n\r\n".encode("latin-1", "replace")
