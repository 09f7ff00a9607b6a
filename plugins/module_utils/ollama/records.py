# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed answers of Ollama's HTTP API. Fields that an older server leaves out get a neutral value; times are in seconds.

Source: the API's own types (ollama/ollama, api/types.go, v0.32): durations are nanoseconds and are left out when 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

NANOSECONDS = 1e9
FOREVER_YEARS = 50  # keep_alive -1 is stored as the longest duration: an expiry some 290 years ahead


def canonical_name(name: str) -> str:
    """The name as /api/tags spells it, for comparison: without the default namespace, with a tag, in one case."""
    short = name.strip().removeprefix("library/")
    return (short if ":" in short.rsplit("/", 1)[-1] else f"{short}:latest").casefold()


def canonical_digest(digest: str) -> str:
    """64 hex digits: the API gives digests bare, people write them with sha256: in front."""
    return digest.strip().lower().removeprefix("sha256:")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def items(body: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects in list `key` of an answer; a missing or null list is an empty one."""
    found = body.get(key)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


@dataclass(frozen=True)
class ModelTag:
    """One model on the server's disk (/api/tags). `size` in bytes, `digest` 64 hex digits of its manifest."""

    name: str
    digest: str
    size: int
    family: str
    parameter_size: str
    quantization: str

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> ModelTag:
        details = _mapping(item.get("details"))
        return cls(
            name=_text(item.get("name")) or _text(item.get("model")),
            digest=canonical_digest(_text(item.get("digest"))),
            size=_number(item.get("size")),
            family=_text(details.get("family")),
            parameter_size=_text(details.get("parameter_size")),
            quantization=_text(details.get("quantization_level")),
        )


@dataclass(frozen=True)
class LoadedModel:
    """One model in memory (/api/ps). `size` and `size_vram` in bytes, `expires_at` as RFC 3339 text."""

    name: str
    digest: str
    size: int
    size_vram: int
    context_length: int
    expires_at: str

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> LoadedModel:
        return cls(
            name=_text(item.get("name")) or _text(item.get("model")),
            digest=canonical_digest(_text(item.get("digest"))),
            size=_number(item.get("size")),
            size_vram=_number(item.get("size_vram")),
            context_length=_number(item.get("context_length")),
            expires_at=_text(item.get("expires_at")),
        )

    @property
    def gpu_ratio(self) -> float:
        """The share of the model in GPU memory, 0.0 to 1.0."""
        return round(min(self.size_vram / self.size, 1.0), 3) if self.size > 0 else 0.0

    @property
    def stays(self) -> bool:
        """True when it was loaded for good (keep_alive -1) and no idle time unloads it."""
        year = self.expires_at[:4]
        return year.isdigit() and int(year) > datetime.now(UTC).year + FOREVER_YEARS


@dataclass(frozen=True)
class ModelDetails:
    """What /api/show tells about a model; `capabilities` such as completion, embedding, vision, tools, thinking."""

    family: str
    parameter_size: str
    quantization: str
    capabilities: tuple[str, ...]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> ModelDetails:
        details = _mapping(body.get("details"))
        capabilities = body.get("capabilities")
        return cls(
            family=_text(details.get("family")),
            parameter_size=_text(details.get("parameter_size")),
            quantization=_text(details.get("quantization_level")),
            capabilities=tuple(map(_text, capabilities)) if isinstance(capabilities, list) else (),
        )

    @property
    def only_embeds(self) -> bool:
        return "embedding" in self.capabilities and "completion" not in self.capabilities


@dataclass(frozen=True)
class Generation:
    """A whole answer of /api/generate. The text is a model's and never to be trusted."""

    answer: str
    thinking: str
    done_reason: str
    answer_tokens: int
    answer_seconds: float
    load_seconds: float
    total_seconds: float

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Generation:
        return cls(
            answer=_text(body.get("response")),
            thinking=_text(body.get("thinking")),
            done_reason=_text(body.get("done_reason")),
            answer_tokens=_number(body.get("eval_count")),
            answer_seconds=_number(body.get("eval_duration")) / NANOSECONDS,
            load_seconds=_number(body.get("load_duration")) / NANOSECONDS,
            total_seconds=_number(body.get("total_duration")) / NANOSECONDS,
        )

    @property
    def tokens_per_second(self) -> float | None:
        """Generated tokens by the time spent on generating them; None when the server did not report it."""
        if not self.answer_tokens or not self.answer_seconds:
            return None
        return round(self.answer_tokens / self.answer_seconds, 1)


@dataclass(frozen=True)
class PullProgress:
    """One line of /api/pull. `digest`, `total` and `completed` (bytes) belong to the layer being fetched."""

    status: str
    digest: str
    total: int
    completed: int

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> PullProgress:
        return cls(
            status=_text(item.get("status")),
            digest=_text(item.get("digest")),
            total=_number(item.get("total")),
            completed=_number(item.get("completed")),
        )
