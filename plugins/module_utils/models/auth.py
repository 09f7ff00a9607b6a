# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a registry is answered when it says 401: basic, or a token from the place that its challenge names.

The challenge comes from the registry, so it cannot be trusted with where a password is sent: the realm must be on the
registry's own host or one that shares its parent domain, over https unless it is this machine (compare CVE-2025-51471).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from ..text import one_line
from .credentials import Credentials, scrub
from .errors import LoginRefused, ModelError, SourceError
from .limits import RETRIED
from .transport import Origin, Transport, is_loopback, origin_of

MAX_TOKEN_ANSWER = 1024 * 1024  # bytes
# Second-level domains under which strangers register theirs (with a country behind: co.uk).
SHARED = ("ac", "co", "com", "edu", "gov", "net", "org")

_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCOPE = re.compile(r"repository:[a-z0-9._/-]+:pull", re.ASCII)
HINT = "Give credentials by environment variables or a docker config.json (see --help)."


@dataclass(frozen=True)
class Challenge:
    """One WWW-Authenticate header."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def read_challenge(header: str) -> Challenge:
    """The scheme and parameters of a WWW-Authenticate header; what is missing is empty."""
    scheme, dummy, rest = header.strip().partition(" ")
    found = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest[:4096])}
    return Challenge(scheme.lower(), found.get("realm", ""), found.get("service", ""), found.get("scope", ""))


def may_ask(realm: str, registry: Origin) -> bool:
    """True if credentials for `registry` may go to the token service `realm`."""
    try:
        scheme, host, dummy = origin_of(realm)
    except ModelError:
        return False
    if scheme != "https" and not is_loopback(host):
        return False
    parent = _parent(registry[1])
    return host in (registry[1], parent) or host.endswith(f".{parent}")


def _parent(host: str) -> str:
    """The domain above a host; the host itself for an address or where above it is everybody's."""
    labels = host.split(".")
    if ":" in host or labels[-1].isdigit() or len(labels) < 3:
        return host
    if len(labels) == 3 and labels[1] in SHARED and len(labels[2]) == 2:
        return host
    return ".".join(labels[1:])


class Authorizer:
    """Keeps what a registry wants to see in Authorization, one value for each scope. Safe for several threads."""

    def __init__(self, registry: Origin, credentials: Credentials, transport: Transport) -> None:
        self._registry = registry
        self._credentials = credentials
        self._transport = transport
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        self._tokens: set[str] = set()

    def __repr__(self) -> str:
        return f"Authorizer({self._registry[1]})"

    def header(self, scope: str) -> str:
        """The header for a request, empty as long as the registry did not ask for one."""
        with self._lock:
            if self._credentials.token:
                return f"Bearer {self._credentials.token}"
            return self._known.get(scope, "")

    def scrub(self, text: str) -> str:
        """`text` without credentials and tokens."""
        with self._lock:
            return scrub(text, (*self._credentials.secrets(), *self._tokens))

    def renew(self, scope: str, refused: str, headers: Sequence[str]) -> str:
        """What to send after a 401 to a request with the header `refused`. Raises LoginRefused.

        headers: the answer's WWW-Authenticate headers.
        """
        with self._lock:
            current = self._known.get(scope, "")
            if current and current != refused:
                return current  # another thread was faster
            challenges = [read_challenge(header) for header in headers]
            bearer = next((each for each in challenges if each.scheme == "bearer" and each.realm), None)
            if self._credentials.token:
                raise self._refused("does not accept the token")
            if bearer is not None:
                self._known[scope] = f"Bearer {self._token(bearer, scope)}"
            elif any(each.scheme == "basic" for each in challenges) and self._credentials.basic:
                if refused:
                    raise self._refused("does not accept the username and password")
                self._known[scope] = self._credentials.basic
            else:
                raise self._refused("wants a login")
            return self._known[scope]

    def _token(self, challenge: Challenge, scope: str) -> str:
        if not may_ask(challenge.realm, self._registry):
            raise LoginRefused(
                f"{self._registry[1]} wants its tokens to be fetched elsewhere, which is not done: "
                "the token service must be https and on its own host or domain.",
                hint="Give a token yourself, in POLYCLOUD_REGISTRY_TOKEN.",
            )
        asked = {"service": challenge.service, "scope": challenge.scope if _SCOPE.fullmatch(challenge.scope) else scope}
        url, data, authorization = challenge.realm, None, self._credentials.basic
        if self._credentials.refresh_token:
            asked.update(
                grant_type="refresh_token", refresh_token=self._credentials.refresh_token, client_id="polycloud"
            )
            data = urlencode(asked).encode()
        else:
            url += ("&" if "?" in url else "?") + urlencode(asked)
        # No redirects: what they would leak is the one thing to keep.
        with self._transport.open(url, authorization=authorization, data=data, redirects=0) as answer:
            if answer.status in RETRIED:
                raise SourceError("fetching a token", answer.status, "", f"{self._registry[1]}'s token service is busy")
            if answer.status != 200:
                raise self._refused(f"gave no token (its token service answered {answer.status})")
            token = token_in(answer.read(MAX_TOKEN_ANSWER))
        if not token:
            raise self._refused("gave no token (its token service sent something else)")
        self._tokens.add(token)
        return token

    def _refused(self, what: str) -> LoginRefused:
        return LoginRefused(f"{one_line(self._registry[1], 120)} {what}.", hint=HINT)


def token_in(raw: bytes, *keys: str) -> str:
    """The token in a token service's JSON, empty where there is none that can be sent."""
    if len(raw) > MAX_TOKEN_ANSWER:
        return ""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return ""
    for key in keys or ("token", "access_token"):
        token = body.get(key) if isinstance(body, dict) else None
        if isinstance(token, str) and token and token.isascii() and token.isprintable() and " " not in token:
            return token
    return ""
