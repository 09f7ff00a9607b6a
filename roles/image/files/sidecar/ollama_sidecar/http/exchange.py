# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidecar needs of an HTTP engine, in two small interfaces, so that the engine can be replaced.

`Exchange` is one request of a client and its answer; `Upstream` sends a request to Ollama. Nothing outside this package
imports an HTTP library. Bodies are bytes; an empty `bytes` ends a body that is read piece by piece.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

Header = tuple[str, str]
Pieces = Callable[[], Awaitable[bytes]]


class TooLarge(Exception):
    """The client sent more than the limit."""


class BadBody(Exception):
    """The body cannot be read: it breaks the rules of HTTP (400), or nothing came for too long (408)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ClientGone(ConnectionError):
    """The client closed its connection, or took nothing for too long."""


class UpstreamError(Exception):
    """Ollama could not be asked, or its answer broke off. `sent`: the answer had begun."""

    def __init__(self, message: str, *, sent: bool = False, timed_out: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.timed_out = timed_out


async def gathered(piece: Pieces, limit: int, came: Callable[[int], None] | None = None) -> bytes:
    """All pieces until the empty one. came: is told the size of each. Raises TooLarge."""
    pieces: list[bytes] = []
    size = 0
    while data := await piece():
        if came is not None:
            came(len(data))
        size += len(data)
        if size > limit:
            raise TooLarge
        pieces.append(data)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Exchange(Protocol):
    """One request and its answer.

    target: path and query as the client sent them. headers: by any spelling of the name. peer: the client's IP address.
    """

    method: str
    target: str
    peer: str

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request."""

    async def body(self, limit: int, came: Callable[[int], None] | None = None) -> bytes:
        """The whole body. came: is told the size of each piece, and may raise. Raises TooLarge, BadBody, ClientGone."""

    async def piece(self) -> bytes:
        """The next piece of the body. Raises BadBody, ClientGone."""

    async def start(self, status: int, headers: Sequence[Header], *, close: bool = False, hold: bool = False) -> None:
        """Begin the answer. Without Content-Length it is chunked.

        close: end the connection after it. hold: what comes next is there already; the head is sent with it.
        """

    async def write(self, data: bytes) -> None:
        """Send a piece, waiting while the client is slow. Raises ClientGone."""

    def push(self, data: bytes) -> bool:
        """Send a piece without waiting. False when the client is slow: `drained` tells when to go on.

        An empty one only sends the head, where it is held.
        """

    async def drained(self) -> None:
        """Wait until the client has taken most of what was pushed. Raises ClientGone."""

    async def finish(self) -> None:
        """End the answer."""

    def abort(self) -> None:
        """Cut the connection, so that the client sees that the answer is not whole."""


Handler = Callable[[Exchange], Awaitable[None]]


class Answer(Protocol):
    """Ollama's answer, its body still to come."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Sequence[Header]:
        """The headers, as they came."""

    @property
    def ready(self) -> bool:
        """Whether `pump` will hand on something at once."""

    async def piece(self) -> bytes:
        """What has come since the last piece. Raises UpstreamError."""

    async def body(self, limit: int) -> bytes:
        """All that is left. Raises UpstreamError, also when it is more than `limit`."""

    async def pump(self, push: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]]) -> None:
        """Hand each piece to `push` in the moment in which it comes, and wait for `drained` when it says False.

        No task is woken for a piece, which halves the time that it takes. Raises UpstreamError.
        """

    def close(self) -> None:
        """Stop Ollama's work where it is not done, else keep the connection for the next request."""


class Upstream(Protocol):
    """Where Ollama is."""

    async def send(self, method: str, target: str, headers: Sequence[Header], body: bytes | Pieces) -> Answer:
        """Ask, and return when the head of the answer is there. Raises UpstreamError."""

    async def close(self) -> None:
        """Close the idle connections."""


class Listener(Protocol):
    """A server that listens. port: the real one where 0 was asked for."""

    port: int

    async def flushed(self, seconds: float) -> bool:
        """Wait until the clients have taken what was written, at most so long; whether they have."""

    async def close(self) -> None:
        """Close everything."""
