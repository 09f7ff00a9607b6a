# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests always get the same answer, and the name under which that answer is kept.

Deterministic are embeddings, and answers that are drawn without chance: at temperature 0, or from a seed. Each API has
these elsewhere: `options` in Ollama's own, at the top in OpenAI's; /v1/responses and /v1/messages know no seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from .routes import Dialect, Kind, Route

FORMAT = 1  # of the key and of what is kept under it; another number never finds what an older sidecar wrote
PREFIX = "polycloud:ollama:"
# Where each API has what the model is to answer. Without it, a request loads or unloads a model and must reach Ollama.
CONTENT = {
    "/api/generate": "prompt",
    "/api/chat": "messages",
    "/api/embed": "input",
    "/api/embeddings": "prompt",
    "/v1/chat/completions": "messages",
    "/v1/completions": "prompt",
    "/v1/responses": "input",
    "/v1/embeddings": "input",
    "/v1/messages": "messages",
}
SEEDED = frozenset({"/v1/chat/completions", "/v1/completions"})
# They change the model's residency, or mean another request's result.
STATEFUL = ("keep_alive", "context", "previous_response_id", "conversation")
TOOLS = ("tools", "functions")
CALLS = frozenset({"tool_use", "tool_result", "function_call", "function_call_output"})
# A JSON schema: the order of its properties is the order in which the model writes them.
ORDERED = ("format", "response_format", "text")
# llama.cpp takes a seed as 32 bits, and all of them set as `any`; Ollama takes -1 as that.
ANY_SEED = 2**32 - 1


class Use(Enum):
    """What a client allows. NEITHER: its answer is not taken from the cache, nor kept there."""

    BOTH = "both"
    WRITE = "write"
    NEITHER = "neither"


def use(headers: Mapping[str, str]) -> Use:
    """What the request's headers say.

    `X-Cache: bypass` and `Cache-Control: no-store` mean NEITHER; `Cache-Control: no-cache` and `max-age=0` mean WRITE:
    Ollama is asked, and its answer takes the place of the one that was kept.
    """
    if headers.get("X-Cache", "").strip().lower() == "bypass":
        return Use.NEITHER
    control = headers.get("Cache-Control", "")
    if not control:
        return Use.BOTH
    words = {word.strip().lower() for word in control.split(",")}
    if "no-store" in words:
        return Use.NEITHER
    return Use.WRITE if words & {"no-cache", "max-age=0"} else Use.BOTH


def cacheable(route: Route, body: Mapping[str, Any]) -> bool:
    """Whether the answer to this request is always the same, and nothing else than the answer is wanted of it.

    body: the request after policy, read from JSON. Images are part of it, as bytes are; tools, and turns in which one
    was called, are not: what they stand for is outside of the model.
    """
    content = body.get(CONTENT.get(route.name, ""))
    if not content or any(body.get(name) is not None for name in STATEFUL):
        return False
    if route.kind is Kind.EMBED:
        return True
    if any(body.get(name) for name in TOOLS) or any(body.get(name) not in (None, 1) for name in ("n", "best_of")):
        return False
    return _drawn_without_chance(route, body) and not _calls(content)


def key(digest: str, route: Route, body: Mapping[str, Any], tenant: str, scope: str = "") -> str:
    """The name of the answer to a cacheable request; empty where there is none.

    Equal for requests that mean the same: the order of members, `0` and `0.0`, null and absent, a default of `stream`
    and the spelling of the model's name do not count. digest: of the model, so that one that was pulled anew never gets
    an old answer; empty where it is not known. tenant: the id of the key; an answer is never shared between two. scope:
    what else an answer depends on, such as Ollama's version.
    """
    if not digest:
        return ""
    try:
        plain = _plain({name: value for name, value in body.items() if name not in ("model", "stream", *ORDERED)})
        stream = _stream(route, body.get("stream"))
        if not stream:
            plain.pop("stream_options", None)
        head = json.dumps([FORMAT, scope, tenant, digest, route.name, stream, plain], sort_keys=True)
        tail = json.dumps([[name, body[name]] for name in ORDERED if body.get(name) is not None])
    except (_Unclear, RecursionError):
        return ""
    # No text of JSON has a line break in it, so the two cannot be divided elsewhere.
    return PREFIX + hashlib.sha256(f"{head}\n{tail}".encode()).hexdigest()


class _Unclear(Exception):
    """What Ollama reads here depends on more than what is compared."""


def _drawn_without_chance(route: Route, body: Mapping[str, Any]) -> bool:
    native = route.dialect is Dialect.OLLAMA
    place = body.get("options") if native else body
    if not isinstance(place, Mapping):
        return False
    if _number(place.get("temperature")) == 0:
        return True
    seed = _number(place.get("seed"))
    return (native or route.name in SEEDED) and seed is not None and 0 <= seed < ANY_SEED and seed == int(seed)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _calls(content: Any) -> bool:
    """Whether a turn of the conversation calls a tool or answers one."""
    if not isinstance(content, list):
        return False
    for turn in content:
        if not isinstance(turn, dict):
            continue
        if turn.get("tool_calls") or turn.get("type") in CALLS:
            return True
        parts = turn.get("content")
        if isinstance(parts, list) and any(isinstance(part, dict) and part.get("type") in CALLS for part in parts):
            return True
    return False


def _stream(route: Route, value: Any) -> bool:
    """Ollama's own API streams unless told otherwise; embeddings never do."""
    if route.kind is Kind.EMBED:
        return False
    if value is None:
        return route.dialect is Dialect.OLLAMA
    if not isinstance(value, bool):
        raise _Unclear
    return value


def _plain(value: Any) -> Any:
    """The same value in one spelling.

    Go takes members of any case, and of `content` and `Content` the last: sorted, these would be one request.
    """
    if isinstance(value, dict):
        for name in value:
            if not name.isascii() or name != name.lower():
                raise _Unclear
        return {name: _plain(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [item if isinstance(item, str) else _plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
