# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests reach Ollama. What is not listed is refused.

Paths are Ollama's own (server/routes.go, 0.24.0). A path that is not written exactly so (encoded, doubled slashes,
dots, another case) is no route: nothing is decoded or cleaned up, so nothing can mean one thing here and another there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a route is for, which decides how it is treated."""

    GENERATE = "generate"  # a model answers, as a stream or at once
    EMBED = "embed"  # a model answers, never as a stream
    READ = "read"  # no model works
    ADMIN = "admin"  # changes models or tells of the machine
    HEALTH = "health"  # answered here
    DRAIN = "drain"
    METRICS = "metrics"


class Dialect(Enum):
    """How errors, streams and token counts are written."""

    OLLAMA = "ollama"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class Route:
    """One path. name: the label in metrics."""

    name: str
    methods: tuple[str, ...]
    kind: Kind
    dialect: Dialect = Dialect.OLLAMA
    prefix: bool = False  # one more segment follows


class Refused(Exception):
    """No such route here. status: 404 or 405."""

    def __init__(self, status: int, message: str, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.allow = allow


OPENAI, ANTHROPIC = Dialect.OPENAI, Dialect.ANTHROPIC
INFERENCE = (
    Route("/api/generate", ("POST",), Kind.GENERATE),
    Route("/api/chat", ("POST",), Kind.GENERATE),
    Route("/api/embed", ("POST",), Kind.EMBED),
    Route("/api/embeddings", ("POST",), Kind.EMBED),
    Route("/v1/chat/completions", ("POST",), Kind.GENERATE, OPENAI),
    Route("/v1/completions", ("POST",), Kind.GENERATE, OPENAI),
    Route("/v1/responses", ("POST",), Kind.GENERATE, OPENAI),
    Route("/v1/embeddings", ("POST",), Kind.EMBED, OPENAI),
    Route("/v1/messages", ("POST",), Kind.GENERATE, ANTHROPIC),
    Route("/v1/models", ("GET",), Kind.READ, OPENAI),
    Route("/v1/models/", ("GET",), Kind.READ, OPENAI, prefix=True),
    Route("/api/tags", ("GET", "HEAD"), Kind.READ),
    Route("/api/version", ("GET", "HEAD"), Kind.READ),
    Route("/", ("GET", "HEAD"), Kind.READ),
)
# Editors and chat front ends ask for these; they tell templates and the machine's memory, so they are switched on.
SHOW = (
    Route("/api/show", ("POST",), Kind.READ),
    Route("/api/ps", ("GET",), Kind.READ),
)
ADMIN = (
    Route("/api/show", ("POST",), Kind.ADMIN),
    Route("/api/ps", ("GET",), Kind.ADMIN),
    Route("/api/pull", ("POST",), Kind.ADMIN),
    Route("/api/push", ("POST",), Kind.ADMIN),
    Route("/api/create", ("POST",), Kind.ADMIN),
    Route("/api/copy", ("POST",), Kind.ADMIN),
    Route("/api/delete", ("DELETE",), Kind.ADMIN),
    Route("/api/blobs/", ("POST", "HEAD"), Kind.ADMIN, prefix=True),
)
HEALTH = (
    Route("/livez", ("GET", "HEAD"), Kind.HEALTH),
    Route("/readyz", ("GET", "HEAD"), Kind.HEALTH),
)
DRAIN = (Route("/drain", ("GET", "POST"), Kind.DRAIN),)
METRICS = (Route("/metrics", ("GET",), Kind.METRICS),)
# What follows a prefix: a model's name or a digest.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-")
LONGEST = 256


def dialect(target: str) -> Dialect:
    """Whose words a client of this path reads, also where the path is no route."""
    path = target.partition("?")[0]
    if not path.startswith("/v1/"):
        return Dialect.OLLAMA
    return ANTHROPIC if f"{path}/".startswith("/v1/messages/") else OPENAI


class Router:
    """The routes of one listener."""

    def __init__(self, *groups: tuple[Route, ...]) -> None:
        routes = [route for group in groups for route in group]
        self._exact = {route.name: route for route in routes if not route.prefix}
        self._prefixes = [route for route in routes if route.prefix]

    def match(self, method: str, target: str) -> Route:
        """The route of a request. Raises Refused."""
        path = target.partition("?")[0]
        route = self._exact.get(path) or self._below(path)
        if route is None:
            raise Refused(404, "not found")
        if method not in route.methods:
            raise Refused(405, "method not allowed", route.methods)
        return route

    def _below(self, path: str) -> Route | None:
        for route in self._prefixes:
            rest = path[len(route.name) :] if path.startswith(route.name) else ""
            if rest and len(rest) <= LONGEST and _PLAIN.issuperset(rest) and rest != "." and ".." not in rest:
                return route
        return None


def public(*, show: bool = False) -> Router:
    """What clients reach."""
    return Router(INFERENCE, SHOW if show else (), HEALTH, DRAIN)


def admin() -> Router:
    """What the machine's own operators reach."""
    return Router(ADMIN, INFERENCE, HEALTH, DRAIN, METRICS)


def metrics() -> Router:
    """What the monitoring reaches."""
    return Router(HEALTH, METRICS)
