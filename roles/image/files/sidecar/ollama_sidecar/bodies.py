# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of all requests together is in memory.

They are read before they wait for a place, so the queue is no bound.
"""

from __future__ import annotations

from .http.exchange import Exchange, TooLarge
from .reply import busy

SMALL = 64 * 1024  # bytes that the connection may hold anyway
SECONDS = 1  # of Retry-After


class Bodies:
    """held: bytes that are in memory now. most: of them, at most."""

    def __init__(self, most: int) -> None:
        self.held = 0
        self.most = most


class Share:
    """What one request has of it, until the block ends or `release` is called."""

    __slots__ = ("_bodies", "_size")

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._size = 0

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.release()

    async def read(self, exchange: Exchange, limit: int) -> bytes:
        """The body. Raises TooLarge, BadBody, ClientGone, and Reply where there is no room.

        A length that is told is believed only to refuse it: who says much and sends little takes nothing from others.
        """
        told = exchange.headers.get("Content-Length", "")
        if told:
            length = int(told)
            if length > limit:
                raise TooLarge
            self._fits(length)
            if length <= SMALL:
                raw = await exchange.body(limit)
                self._take(len(raw))
                return raw
        return await exchange.body(limit, self._take)

    def release(self) -> None:
        """The body is in memory no more."""
        self._bodies.held -= self._size
        self._size = 0

    def _take(self, size: int) -> None:
        self._fits(size)
        self._bodies.held += size
        self._size += size

    def _fits(self, size: int) -> None:
        if self._bodies.held + size > self._bodies.most:
            raise busy(503, "the requests of all clients take too much memory", "bodies", SECONDS)
