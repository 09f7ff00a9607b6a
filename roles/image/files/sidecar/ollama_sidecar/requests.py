# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client asks a model: read, judged, and cleared of what would disturb the other clients.

Ollama reads JSON with Go, which takes members of any case (`Keep_Alive`, `OPTIONS`, even a Kelvin sign for a k) and
merges those that come twice. Both are refused, so that what is judged here is what Ollama reads.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .reply import Reply
from .routes import Dialect, Kind, Route

# Members of `options` that make Ollama load the model anew when they differ (api.Runner; draft_num_predict since 0.30).
RELOADING = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
# Members beside them that do so too, or that pin or drop the model.
DISTURBING = ("keep_alive", "shift")
# Members that are read here or by Ollama to that effect.
READ = frozenset(
    {"model", "name", "stream", "stream_options", "options", "max_tokens", "max_output_tokens", *DISTURBING}
)
OPTIONS = frozenset({*RELOADING, "num_predict"})
# Where each API has the most tokens of an answer; Ollama's own have it in `options`.
TOKENS = {
    "/api/generate": "num_predict",
    "/api/chat": "num_predict",
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
    "/v1/messages": "max_tokens",
}
REGISTRY = "registry.ollama.ai"
# What a large body may hold: reading it holds up everybody, and an empty object of 3 bytes takes 64 in memory.
LARGE = 64 * 1024
MOST_OBJECTS = 200_000  # objects and lists: `{` and `[`, those in texts counted too
MOST_VALUES = 250_000  # commas


def _nothing() -> None:
    pass


@dataclass(slots=True)
class Asked:
    """A request to a model. model: canonical. body: what Ollama gets. data: the same, read; until `encode`.

    changed: by us. sent: to be called when the body is in memory no more.
    """

    model: str
    stream: bool
    data: dict[str, Any]
    body: bytes
    changed: bool = False
    sent: Callable[[], None] = _nothing

    def give(self) -> bytes:
        """The body, to the one who sends it: nothing else keeps it."""
        body, self.body = self.body, b""
        return body


def canonical(name: str) -> str:
    """A model's name as Ollama understands it: `tiny` is `tiny:latest`, and the case does not matter.

    As in internal/modelref/modelref.go and types/model/name.go (0.24.0): first `:local` is cut off, which says where it
    is; then `scheme://host/namespace/model:tag` is taken apart from its end, and the scheme does not matter.
    """
    short = name.strip().lower()
    rest, dummy, source = short.rpartition(":")
    if source.strip() == "local":
        short = rest
    parts = short.rsplit("/", 2)
    if len(parts) == 3:
        parts[0] = parts[0].split("://", 1)[-1]
        if parts[0] in ("", REGISTRY):
            del parts[0]
    if len(parts) == 2 and parts[0] == "library":
        del parts[0]
    return "/".join(parts) if ":" in parts[-1] else f"{'/'.join(parts)}:latest"


def read(route: Route, raw: bytes) -> Asked:
    """Read a request's body. Raises Reply."""
    if len(raw) > LARGE and (raw.count(b"{") + raw.count(b"[") > MOST_OBJECTS or raw.count(b",") > MOST_VALUES):
        raise Reply(413, f"the body has more than {MOST_OBJECTS} brackets or {MOST_VALUES} commas", "body")
    try:
        data = _DECODER.decode(raw.decode("utf-8"))
    except _Twice as error:
        raise Reply(400, f"the member {error} is there twice", "policy") from None
    except (ValueError, RecursionError):
        raise Reply(400, "the body is not a JSON object in UTF-8", "policy") from None
    if not isinstance(data, dict):
        raise Reply(400, "the body is not a JSON object in UTF-8", "policy")
    _exact(data, READ)
    model = data.get("model") or data.get("name")
    if not isinstance(model, str) or not 0 < len(model) <= 512:
        raise Reply(400, "model is required", "policy")
    return Asked(canonical(model), _streams(route, data), data, raw)


def tame(asked: Asked, route: Route, *, max_num_ctx: int, max_num_predict: int, keep: frozenset[str]) -> None:
    """Remove what makes Ollama load, keep or drop a model, and hold the rest within its limits. Raises Reply."""
    data = asked.data
    for name in DISTURBING:
        if name in data and name not in keep:
            del data[name]
            asked.changed = True
    options = data.get("options")
    if isinstance(options, dict):
        _tame_options(asked, options, max_num_ctx, keep)
    if max_num_predict:
        _limit_tokens(asked, route, max_num_predict)


def encode(asked: Asked) -> None:
    """Write the body anew where the request was changed, and forget what was read: it is as large. Raises Reply."""
    if asked.changed:
        try:
            asked.body = json.dumps(asked.data, separators=(",", ":"), allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise Reply(400, "the body has a number that is too large, or is nested too deep", "policy") from None
    asked.data = {}


def _tame_options(asked: Asked, options: dict[str, Any], max_num_ctx: int, keep: frozenset[str]) -> None:
    _exact(options, OPTIONS)
    wanted = options.get("num_ctx")
    for name in RELOADING:
        if name in options and name not in keep and not (name == "num_ctx" and max_num_ctx):
            del options[name]
            asked.changed = True
    if max_num_ctx and "num_ctx" in options and not _within(wanted, max_num_ctx):
        options["num_ctx"] = max_num_ctx
        asked.changed = True


def _limit_tokens(asked: Asked, route: Route, most: int) -> None:
    """Hold the length of an answer; 0 and what is below are Ollama's words for `without an end`, as is its default."""
    member = TOKENS.get(route.name)
    if member is None:
        return
    place = asked.data
    if route.dialect is Dialect.OLLAMA:
        if asked.data.get("options") is None:
            asked.data["options"] = {}
        place = asked.data["options"]
        if not isinstance(place, dict):
            return  # Ollama refuses it
    if not _within(place.get(member), most):
        place[member] = most
        asked.changed = True


def _within(value: Any, most: int) -> bool:
    """Go cuts a fraction off."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= most


def _streams(route: Route, data: dict[str, Any]) -> bool:
    """Ollama's own API streams unless told otherwise; the others stream when asked to."""
    if route.kind is not Kind.GENERATE:
        return False
    return data.get("stream") is not False if route.name.startswith("/api/") else data.get("stream") is True


class _Twice(ValueError):
    pass


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(name for name, number in Counter(name for name, dummy in pairs).items() if number > 1)
        raise _Twice(json.dumps(twice[:40]))
    return members


def _no_number(text: str) -> None:
    raise ValueError(text)


# json.loads would make one for each request.
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_number)


def _exact(data: dict[str, Any], names: frozenset[str]) -> None:
    """Refuse another spelling of a member that is judged."""
    for member in data:
        if member not in names and member.casefold() in names:
            raise Reply(400, f"write the member {member.casefold()} in lower case", "policy")
