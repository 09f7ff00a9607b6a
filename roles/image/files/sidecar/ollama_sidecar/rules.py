# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the value of a setting must be where its type does not say it. Each raises ValueError, which quotes nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

ENDPOINT = "must be http://HOST:PORT or https://HOST:PORT"
REDIS = "must be redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS"
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened at
NAMESPACE = re.compile(r"[A-Za-z0-9._/#:-]{1,255}", re.ASCII)  # CloudWatch's rule
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT")
    return host.strip("[]"), int(port)


def apart(text: str, others: Mapping[str, str]) -> None:
    """A listener has a port of its own. others: those that are known to be right, by name."""
    dummy, port = address(text)
    for name, other in others.items():
        if port and other and address(other)[1] == port:
            raise ValueError(f"must have a port of its own, {name.upper()} has the same")


def upstream(text: str, listeners: Mapping[str, str]) -> None:
    """Ollama is on loopback, and is not the sidecar itself."""
    parts = urlsplit(text)
    if parts.scheme != "http" or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError("must be http://HOST:PORT")
    try:
        port = 80 if parts.port is None else parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("must have a port from 1 to 65535")
    host = parts.hostname or ""
    if not _loopback(host):
        raise ValueError("must be on loopback: Ollama has no login, so nothing else may reach it")
    for name, listener in listeners.items():
        at, its_port = address(listener) if listener else ("", 0)
        same = at in EVERYWHERE or at == host or ("localhost" in (at, host) and _loopback(at))
        if its_port == port and same:
            raise ValueError(f"must be Ollama's address, not that of {name.upper()}")


def _loopback(host: str) -> bool:
    """Whether a host is this machine. A name other than localhost is not looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def among(words: Iterable[str], known: Iterable[str]) -> None:
    """All words are known ones."""
    if set(words) - set(known):
        raise ValueError(f"must be among {', '.join(known)}")


def namespace(text: str) -> None:
    """A namespace that CloudWatch takes."""
    if text and not NAMESPACE.fullmatch(text):
        raise ValueError("must be 1 to 255 letters, digits and . _ / # : -")


def header(text: str) -> None:
    """The name of a header."""
    if not HEADER.fullmatch(text):
        raise ValueError("must be the name of a header")


def endpoint(text: str) -> None:
    """Where OTLP is taken."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable() or " " in text:
        raise ValueError(ENDPOINT)


def headers(text: str) -> dict[str, str]:
    """The headers of name=value,name=value, values percent-encoded."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        value = unquote(value.strip())
        if not equals or not HEADER.fullmatch(name.strip()) or not value.isprintable() or not value.isascii():
            raise ValueError("must be name=value,name=value with values percent-encoded")
        found[name.strip()] = value
    return found


def redis(text: str) -> None:
    """What the client of Redis can read; it reads a database that is no number as the first one."""
    from .cache_store import Store

    Store(text, ttl=1, most=1, wait=1.0, retry=1.0)
    if not re.fullmatch(r"/?[0-9]*", urlsplit(text).path, re.ASCII):
        raise ValueError(REDIS)


def keys(found: Iterable[Any]) -> None:
    """Each key has an id and a hash of its own."""
    problems = []
    ids, hashes = [key.id for key in found], [key.sha256 for key in found]
    if len(set(ids)) != len(ids):
        problems.append("two of them have the same id")
    if len(set(hashes)) != len(hashes):
        problems.append("two of them are the same key")
    if problems:
        raise ValueError("; ".join(problems))
