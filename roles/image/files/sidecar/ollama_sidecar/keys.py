# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: a key, a user that a trusted proxy has verified, or anybody where no keys are set."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import re
import secrets
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .reply import Reply, busy
from .requests import canonical
from .settings import Key

MINUTE = 60.0
LONGEST = 4096  # characters of a key that are looked at
ANYBODY = "-"
STRANGE = re.compile(r"[^\x21-\x7e]|~")  # the sign that is before a hash would let one pass for another
LONGEST_USER = 64


def digest(secret: str) -> str:
    """What is kept of a key. Keys are random and long, so one round is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new() -> tuple[str, str]:
    """A new key and its hash."""
    secret = f"pc-{secrets.token_urlsafe(32)}"
    return secret, digest(secret)


def user_id(user: str) -> str:
    """A user as log, queue and cache know one: printable ASCII, and never the same for two.

    Where that is not the whole name, the name's hash follows, so that who shares the readable part shares nothing else.
    """
    plain = STRANGE.sub("?", user)[:LONGEST_USER]
    return f"user:{plain}" if plain == user else f"user:{plain}~{digest(user)[:16]}"


@dataclass(slots=True)
class Client:
    """Somebody who may ask. models: canonical names, empty for all."""

    id: str
    sha256: str = "0" * 64
    models: frozenset[str] = frozenset()
    per_minute: int = 0
    concurrency: int = 0
    running: int = 0
    times: deque[float] = field(default_factory=deque)

    def allowed(self, model: str) -> bool:
        return not self.models or model in self.models

    def count(self, now: float) -> None:
        """Count a request. Raises Reply when this minute has had its number."""
        if not self.per_minute:
            return
        while self.times and now - self.times[0] >= MINUTE:
            self.times.popleft()
        if len(self.times) >= self.per_minute:
            wait = max(1, math.ceil(MINUTE - (now - self.times[0])))
            raise busy(429, f"more than {self.per_minute} requests in a minute", "rate", wait)
        self.times.append(now)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold one of the requests at once. Raises Reply when all are held."""
        if self.concurrency and self.running >= self.concurrency:
            raise busy(429, f"more than {self.concurrency} requests at once", "concurrency", 1)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


NOBODY = Client("")


class KeyRing:
    """The keys and the trusted proxies."""

    def __init__(self, keys: Sequence[Key], trusted: Sequence[str] = (), user_header: str = "") -> None:
        self._clients = {key.sha256: _client(key) for key in keys}
        self._trusted = [ipaddress.ip_network(network) for network in trusted]
        self._user_header = user_header
        self._anybody = Client(ANYBODY)

    def client(self, headers: Mapping[str, str], peer: str) -> Client:
        """Who asks. Raises Reply."""
        user = headers.get(self._user_header, "") if self._trusted else ""
        if user and self._trusts(peer):
            return Client(user_id(user))
        if not self._clients:
            if self._trusted:
                raise unauthorized()
            return self._anybody
        presented = _presented(headers)
        found = digest(presented)
        # The search is by the hash, of which a caller can choose no digit; the last word has a comparison of all digits
        # that takes the same time wherever they differ.
        client = self._clients.get(found, NOBODY)
        if not hmac.compare_digest(found, client.sha256) or not presented:
            raise unauthorized()
        return client

    def _trusts(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped  # a listener on :: sees IPv4 so
        return any(address in network for network in self._trusted)


def unauthorized() -> Reply:
    return Reply(401, "a valid key is required", "unauthorized", [("WWW-Authenticate", "Bearer")])


def presented_token(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer`, empty without one."""
    scheme, dummy, token = headers.get("Authorization", "").partition(" ")
    return token.strip()[:LONGEST] if scheme.lower() == "bearer" else ""


def _presented(headers: Mapping[str, str]) -> str:
    return presented_token(headers) or headers.get("X-Api-Key", "")[:LONGEST]


def _client(key: Key) -> Client:
    models = frozenset(canonical(model) for model in key.models)
    return Client(key.id, key.sha256, models, key.requests_per_minute, key.concurrency)
