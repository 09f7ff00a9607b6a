# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request, safely: redirects by rule, credentials for one origin only, bounded answers. No retries here.

Nothing of a URL's query is ever shown: a redirect to a storage service carries its signature there.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from http.client import HTTPException
from ipaddress import ip_address
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request

from ..text import one_line
from .errors import ModelError, SourceUnreachable, UnsafeRedirect
from .wire import TimedHTTPHandler, TimedHTTPSHandler, TimedResponse

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
# A public registry of models reads the client's version from it; the word before the slash is ours.
USER_AGENT = "polycloud.ollama/0.1"
DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


def origin_of(url: str) -> Origin:
    """(scheme, host, port). Raises ModelError for what is not an http(s) URL with a host, or holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    host = (parts.hostname or "").lower()
    if parts.scheme not in DEFAULT_PORTS or not host or "@" in parts.netloc:
        raise ModelError("A URL must be http://host[:port][/path] or https://..., without user and password.")
    # http.client refuses control characters too, but shows the whole URL.
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ModelError(f"The URL for {one_line(host, 80)} holds a character that cannot be sent.")
    return parts.scheme, host, port or DEFAULT_PORTS[parts.scheme]


def is_loopback(host: str) -> bool:
    """True if a host is this machine, judged by its name alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Answer:
    """An answer whose body is read piece by piece. Use it as a context manager: it holds a connection."""

    def __init__(self, response: TimedResponse, host: str, redirected: bool, timeout: float) -> None:
        self.status = int(response.status)
        self.headers = response.headers
        self.host = host
        self.redirected = redirected
        self._response = response
        self._timeout = timeout

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._response.close()

    def some(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; empty at the end. Raises SourceUnreachable."""
        try:
            return self._response.some(limit)
        except (OSError, HTTPException, ValueError) as error:
            raise unreachable(self.host, error) from None

    def read(self, limit: int) -> bytes:
        """The whole body, or the first `limit` + 1 bytes of a larger one. Takes at most four time-outs."""
        deadline = time.monotonic() + 4 * self._timeout
        pieces: list[bytes] = []
        missing = limit + 1
        while missing > 0:
            piece = self.some(missing)
            if not piece:
                break
            pieces.append(piece)
            missing -= len(piece)
            if time.monotonic() > deadline:
                raise SourceUnreachable(f"{self.host} answers too slowly.")
        body = b"".join(pieces)
        if len(body) < min(limit + 1, self.length() or 0):
            raise SourceUnreachable(f"{self.host} cut off its answer.")
        return body

    def length(self) -> int | None:
        """Content-Length in bytes, None where it is not told."""
        value = self.headers.get("Content-Length", "")
        return int(value) if value.isdigit() and len(value) < 19 else None


class Transport:
    """`insecure` permits plain http to other machines and certificates that nobody vouches for.

    `ca_file`: PEM file of the authorities to trust instead of the system's. `timeout`: longest silence in seconds.
    """

    def __init__(self, *, insecure: bool = False, ca_file: str | None = None, timeout: float = 30.0) -> None:
        self.insecure = insecure
        self._ca_file = ca_file
        self._timeout = timeout
        self._secure_opener: OpenerDirector | None = None
        self._plain_opener = _opener(TimedHTTPHandler())

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        authorization: str = "",
        data: bytes | None = None,
        method: str | None = None,
        redirects: int = MAX_REDIRECTS,
    ) -> Answer:
        """Send GET (POST with `data`, or `method`) and return the answer whatever its status, redirects followed.

        `authorization` goes to the origin of `url` alone, and no more once a redirect has left it.
        Raises SourceUnreachable, UnsafeRedirect, ModelError.
        """
        home = origin_of(url)
        trusted = True
        for hop in range(redirects + 1):
            origin = origin_of(url)
            self._check(origin)
            trusted = trusted and origin == home
            sent = dict(headers or {})
            if authorization and trusted:
                sent["Authorization"] = authorization
            response = self._send(url, origin, sent, data, method)
            if response.status not in REDIRECTS:
                return Answer(response, origin[1], hop > 0, self._timeout)
            target = response.headers.get("Location", "")
            response.close()
            url = _next(url, target, origin)
        raise UnsafeRedirect(f"{home[1]} redirects more than {redirects} times.", hint="Check the registry's address.")

    def _check(self, origin: Origin) -> None:
        scheme, host, dummy = origin
        if scheme == "http" and not self.insecure and not is_loopback(host):
            raise UnsafeRedirect(
                f"{one_line(host, 120)} would be asked over plain http.", hint="Use https, or allow it with --insecure."
            )

    def _send(
        self, url: str, origin: Origin, headers: Mapping[str, str], data: bytes | None, method: str | None
    ) -> TimedResponse:
        opener = self._plain_opener if origin[0] == "http" else self._secure()
        # Compressed, the bytes would not be those that were counted and hashed.
        everything = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        try:
            request = Request(url, data, everything, method=method)  # noqa: S310 - origin_of lets http and https through
            response: Any = opener.open(request, timeout=self._timeout)
        except (OSError, HTTPException, ValueError) as error:
            raise unreachable(origin[1], error) from None
        found: TimedResponse = response
        return found

    def _secure(self) -> OpenerDirector:
        if self._secure_opener is None:
            try:
                context = ssl.create_default_context(cafile=self._ca_file)
            except (OSError, ValueError) as error:
                raise ModelError(f"The file of authorities cannot be used: {one_line(str(error), 120)}.") from None
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._secure_opener = _opener(TimedHTTPSHandler(context))
        return self._secure_opener


def _opener(handler: TimedHTTPHandler | TimedHTTPSHandler) -> OpenerDirector:
    # Without the usual handlers of errors and redirects: every status comes back, and redirects are followed above.
    opener = OpenerDirector()
    for each in (ProxyHandler(), handler):
        opener.add_handler(each)
    return opener


def _next(url: str, target: str, origin: Origin) -> str:
    """The URL that a redirect leads to. Raises UnsafeRedirect."""
    try:
        joined = urljoin(url, target)
        scheme = origin_of(joined)[0]
    except (ModelError, ValueError):
        raise UnsafeRedirect(f"{one_line(origin[1], 120)} redirects to what is not an http(s) URL.") from None
    if not target:
        raise UnsafeRedirect(f"{one_line(origin[1], 120)} redirects to nowhere.")
    if origin[0] == "https" and scheme == "http":
        raise UnsafeRedirect(
            f"{one_line(origin[1], 120)} redirects from https to http.", hint="The registry's storage must use https."
        )
    return joined


def unreachable(host: str, error: Exception) -> SourceUnreachable:
    """The error for a connection that failed, with the host and the reason but nothing of the URL."""
    reason = getattr(error, "reason", None) or error
    text = one_line(str(reason), 120) if isinstance(reason, OSError) else type(reason).__name__
    unknown = isinstance(reason, ssl.SSLCertVerificationError)
    hint = "Give its authority with --ca-file." if unknown else ""
    found = SourceUnreachable(
        f"{one_line(host, 120)} gave no whole answer: {text or type(reason).__name__}.", hint=hint
    )
    found.final = unknown
    return found
