# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP connections whose answers have a deadline.

The time-out of a socket is about its silence: a server that sends a byte of a header, or of the frame around a chunk,
now and then is never silent and never gets anywhere.
"""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from ssl import SSLContext
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

HEADER_TIMEOUTS = 4  # the whole header comes in so many time-outs


class _Timed(io.RawIOBase):
    """The bytes of a socket, until `deadline` (time.monotonic())."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, silence: float) -> None:
        self._raw = raw
        self._sock = sock
        self._silence = silence
        self.deadline = time.monotonic() + HEADER_TIMEOUTS * silence

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(min(self._silence, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class TimedResponse(HTTPResponse):
    """An answer that is read by `some`."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._silence = sock.gettimeout() or 0.0
        self._timed = _Timed(self.fp.detach(), sock, self._silence)
        self.fp = io.BufferedReader(self._timed)

    def some(self, limit: int) -> bytes:
        """The next bytes of the body, at most `limit`; empty at the end. One of them comes within the time-out."""
        self._timed.deadline = time.monotonic() + self._silence
        return bytes(self.read1(limit))


class _Connection(HTTPConnection):
    response_class = TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = TimedResponse


class TimedHTTPHandler(HTTPHandler):
    """For urllib: http whose answers are TimedResponses."""

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_Connection, request)


class TimedHTTPSHandler(HTTPSHandler):
    """For urllib: https whose answers are TimedResponses."""

    def __init__(self, context: SSLContext) -> None:
        super().__init__(context=context)
        self._ours = context

    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, request, context=self._ours)
