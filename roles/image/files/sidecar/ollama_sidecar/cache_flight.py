# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to Ollama for all who ask the same at the same time, and its answer handed to each of them as it comes.

A flight belongs to nobody: its question is asked in a task of its own, which goes on while anyone waits for it, so the
client that came first may go. Up to `most` bytes of an answer are held, of a larger one what the slowest still needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .cache_entry import is_stream
from .http.exchange import Header, TooLarge, UpstreamError, gathered

PATIENCE = 10.0  # seconds in which one client's slowness may hold up the others
CUT = "The client reads too slowly."


class Flight:
    """An answer on its way. What asks Ollama calls `start` once, then `push` and `drained`; readers read.

    shared: others may still join. over: the answer is whole. error: why there will be no whole one. kept: it came from
    the cache, not from Ollama.
    """

    def __init__(self, most: int, close: Callable[[Flight], None]) -> None:
        self._most = most
        self._close = close
        self._waiters: list[asyncio.Future[None]] = []
        self._size = 0  # bytes of the pieces that are in memory
        self._freed = 0  # pieces that are not
        self.readers: set[Reader] = set()
        self.task: asyncio.Task[None] | None = None
        self.pieces: list[bytes] = []
        self.status = 0
        self.headers: Sequence[Header] = ()
        self.stream = False
        self.shared = True
        self.over = False
        self.kept = False
        self.error: BaseException | None = None

    # What asks Ollama calls these.

    def start(self, status: int, headers: Sequence[Header]) -> None:
        """The head of the answer, as clients get it."""
        self.status, self.headers = status, headers
        content_type, length = _described(headers)
        self.stream = is_stream(content_type)
        if status != 200 or length > self._most:
            self.alone()
        self.wake()

    def push(self, piece: bytes) -> bool:
        """A piece of the answer, as clients get it. False when `drained` tells when to go on."""
        if not piece:
            return True  # to a reader it would be the end
        self.pieces.append(piece)
        self._size += len(piece)
        if self.shared and self._size > self._most:
            self.alone()
        self.wake()
        return self.shared or self._size <= self._most

    async def drained(self) -> None:
        """Wait until the slowest reader has taken most of a large answer; one that does not read at all is cut."""
        while not self._room():
            changed = self.changed()
            try:
                async with asyncio.timeout(PATIENCE):
                    await changed
            except TimeoutError:
                self._cut()

    # What makes and ends the flight calls these.

    def alone(self) -> None:
        """Nobody may join any more, and who has read nothing yet must ask by themselves."""
        self.shared = False
        self._close(self)

    def land(self, error: BaseException | None = None) -> None:
        """The end."""
        self.over, self.error = error is None, error
        self.wake()

    def changed(self) -> asyncio.Future[None]:
        """Done at the next change."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        return future

    def wake(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def left(self, reader: Reader) -> None:
        """A reader went. When it was the last, Ollama's work is stopped."""
        self.readers.discard(reader)
        if not self.readers and not self.over:
            self.alone()
            if self.task is not None:
                self.task.cancel()
        self.wake()

    def _room(self) -> bool:
        slowest = min((reader.at for reader in self.readers), default=len(self.pieces))
        for index in range(self._freed, slowest):
            self._size -= len(self.pieces[index])
            self.pieces[index] = b""
        self._freed = max(self._freed, slowest)
        return self._size <= self._most

    def _cut(self) -> None:
        """Give up those who hold up others."""
        if any(reader.at == len(self.pieces) for reader in self.readers):
            for reader in [reader for reader in self.readers if reader.at == self._freed]:
                reader.cut = True
                self.readers.discard(reader)
            self.wake()


class Reader:
    """The answer of a flight for one client: an `Answer`. first: its coming made the flight.

    how: hit or miss.
    """

    def __init__(self, flight: Flight, *, first: bool) -> None:
        self._flight = flight
        self._first = first
        self.at = 0
        self.cut = False
        flight.readers.add(self)

    @property
    def how(self) -> str:
        return "miss" if self._first and not self._flight.kept else "hit"

    @property
    def status(self) -> int:
        return self._flight.status

    @property
    def headers(self) -> Sequence[Header]:
        return self._flight.headers

    @property
    def ready(self) -> bool:
        return self.at < len(self._flight.pieces)

    async def head(self) -> bool:
        """Wait for the answer's head; False: ask Ollama yourself. Raises, to the first only, what asking raised.

        A stream is read along as it comes. Any other answer is waited for, so that its failure is nobody else's.
        """
        flight = self._flight
        while not flight.over:
            if flight.error is not None:
                if self._first:
                    raise flight.error
                return False
            if self._first:
                if flight.status:
                    return True
            elif not flight.shared:
                return False
            elif flight.status and flight.stream:
                return True
            await flight.changed()
        return True

    async def piece(self) -> bytes:
        """The next piece, with the boundaries it came in; empty at the end. Raises UpstreamError."""
        flight = self._flight
        while self.at >= len(flight.pieces) or self.cut:
            if self.cut:
                raise UpstreamError(CUT, sent=True, timed_out=True)
            if flight.over:
                return b""
            if flight.error is not None:
                raise self._told(flight.error)
            await flight.changed()
        piece = flight.pieces[self.at]
        self.at += 1
        if not flight.shared:
            flight.wake()
        return piece

    async def body(self, limit: int) -> bytes:
        """All that is left. Raises UpstreamError, also when it is more than `limit`."""
        try:
            return await gathered(self.piece, limit)
        except TooLarge:
            raise UpstreamError(f"The answer is larger than {limit} bytes.", sent=True) from None

    async def pump(self, push: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]]) -> None:
        """Hand each piece to `push`, and wait for `drained` when it says False. Raises UpstreamError."""
        while piece := await self.piece():
            if not push(piece):
                await drained()

    def _told(self, error: BaseException) -> BaseException:
        """What went wrong in the middle; a fault of another's `fetch` is to us an answer that broke off."""
        known = self._first or isinstance(error, UpstreamError)
        return error if known else UpstreamError("The answer broke off.", sent=True)

    def close(self) -> None:
        """The client has read all, or went."""
        self._flight.left(self)


def _described(headers: Sequence[Header]) -> tuple[str, int]:
    """Content type, and length where it is told."""
    named = {name.lower(): value for name, value in headers}
    length = named.get("content-length", "")
    return named.get("content-type", ""), int(length) if length.isdigit() else 0
