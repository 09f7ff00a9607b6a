# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ollama gets of a request, and what the client gets of the answer, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic  # the loop of uvloop counts milliseconds
from typing import Protocol

from .http.exchange import Answer, Exchange, Header
from .record import Record
from .usage import InjectedMeter, Meter

# What Ollama needs to know of a request; it gets no key, no cookie, no address and no Origin, which it would refuse.
PASSED_ON = ("Content-Type", "Accept", "User-Agent")
# They belong to one connection (RFC 9110, 7.6.1), or are written anew.
PASSED_NOT_BACK = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "date",
        "server",
        "x-request-id",
    }
)


def passed_on(exchange: Exchange) -> list[Header]:
    return [(name, exchange.headers[name]) for name in PASSED_ON if name in exchange.headers]


def back(headers: Sequence[Header], meter: Meter | None) -> list[Header]:
    """The headers that the client gets. A meter that takes something out changes the length."""
    dropped = PASSED_NOT_BACK
    for name, value in headers:
        if name.lower() == "connection":
            dropped |= {word.strip().lower() for word in value.split(",")}
    if isinstance(meter, InjectedMeter):
        dropped |= {"content-length"}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


class Target(Protocol):
    def push(self, data: bytes) -> bool: ...
    async def drained(self) -> None: ...


class Copy:
    """Hands an answer on as it comes. last: what was handed on last. counts: the bytes are those of the client."""

    __slots__ = ("_counts", "_exchange", "_meter", "_record", "last")

    def __init__(self, exchange: Target, record: Record, meter: Meter | None, *, counts: bool = True) -> None:
        self._exchange, self._record, self._meter, self._counts = exchange, record, meter, counts
        self.last = b""

    async def run(self, answer: Answer) -> None:
        if self._meter is None:
            await answer.pump(self._push, self._exchange.drained)
            return
        try:
            await answer.pump(self._push_measured, self._exchange.drained)
            if data := self._meter.finish():
                self._push(data)
        finally:
            record, meter = self._record, self._meter
            record.prompt_tokens, record.output_tokens, record.load = (
                meter.prompt_tokens,
                meter.output_tokens,
                meter.load,
            )
            if meter.error:
                record.broken = "error"

    def _push(self, piece: bytes) -> bool:
        if self._counts:
            self._record.bytes_out += len(piece)
        self.last = piece
        return self._exchange.push(piece)

    def _push_measured(self, piece: bytes) -> bool:
        record = self._record
        if record.first is None:
            record.first = monotonic()
        data = self._meter.feed(piece)  # type: ignore[union-attr] # there is one
        if not data:
            return self._exchange.push(data)
        if self._counts:
            record.bytes_out += len(data)
        self.last = data
        return self._exchange.push(data)
