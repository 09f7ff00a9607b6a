# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the test engine knows: models on disk and in memory, names, durations, tokens. No HTTP here.

Standard library only, and little of it, because every workload imports it at its start.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

LOAD_SECONDS = 0.01
DEFAULT_KEEP_ALIVE = 300.0
DEFAULT_CONTEXT_LENGTH = 4096
# Ollama writes "for ever" as the largest duration in nanoseconds, about 292 years.
FOREVER_SECONDS = 9.2e9
EMBEDDING_LENGTH = 16
WORDS = ("sandbox", "answers", "arrive", "in", "a", "fixed", "order", "so", "that", "tests", "can", "compare", "them")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

Json = dict[str, Any]


class ApiError(Exception):
    """An error answer: HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def full_name(name: str) -> str:
    """Return a model name with its tag; Ollama's default tag is ``latest``."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def model_digest(name: str) -> str:
    """Return the 64 hex digits that stand for a model's manifest."""
    return hashlib.sha256(full_name(name).encode()).hexdigest()


def model_size(name: str) -> int:
    """Return a size in bytes that follows the parameter count in the tag, about 0.6 bytes for a parameter."""
    found = re.search(r"(\d+(?:\.\d+)?)([bm])", full_name(name).rpartition(":")[2])
    billions = float(found[1]) * (1.0 if found[2] == "b" else 1e-3) if found else 1.0
    return int(billions * 600_000_000) + 100_000_000


def only_embeds(name: str) -> bool:
    """Say whether a model makes embeddings and nothing else; its name tells, as in ``nomic-embed-text``."""
    return "embed" in name


def parse_models(text: str) -> dict[str, str]:
    """Read ``name[@sha256:hex],...`` into {full name: hex digest}."""
    models = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, digest = entry.partition("@")
        models[full_name(name)] = digest.rpartition(":")[2] or model_digest(name)
    return models


def parse_keep_alive(value: object) -> float:
    """Read a keep-alive (seconds, or a Go duration such as ``1h30m``) into seconds; negative is for ever."""
    if isinstance(value, (int, float)):
        seconds = float(value)
    else:
        text = str(value).strip()
        parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", text)
        if re.fullmatch(r"-?\d+(\.\d*)?", text):
            seconds = float(text)
        elif parts and "".join(map("".join, parts)) == text.lstrip("+-"):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in parts) * (-1 if text[0] == "-" else 1)
        else:
            raise ApiError(400, f'time: invalid duration "{text}"')
    return FOREVER_SECONDS if seconds < 0 else seconds


def details(name: str) -> Json:
    """Return the ``details`` object of a model."""
    family = name.rpartition("/")[2].partition(":")[0]
    billions = (model_size(name) - 100_000_000) / 600_000_000
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": f"{billions:.1f}B",
        "quantization_level": "Q4_0",
    }


def timestamp(seconds: float) -> str:
    """Return a time in RFC 3339, UTC."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class Engine:
    """The models that exist, and those that are loaded. Thread safe."""

    def __init__(self, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.faults = frozenset(settings.get("faults", ()))
        self.gpu = bool(settings.get("gpu")) and "no-gpu" not in self.faults
        self.load_seconds = float(settings.get("slow_seconds", 20)) if "slow" in self.faults else LOAD_SECONDS
        self.token_seconds = float(settings.get("token_ms", 1)) / 1000
        self.keep_alive = parse_keep_alive(environment.get("OLLAMA_KEEP_ALIVE") or DEFAULT_KEEP_ALIVE)
        self.context_length = int(environment.get("OLLAMA_CONTEXT_LENGTH") or 0) or DEFAULT_CONTEXT_LENGTH
        self.slots = threading.Semaphore(int(environment.get("OLLAMA_NUM_PARALLEL") or 0) or 1)
        self.models = {} if "no-model" in self.faults else parse_models(environment.get("POLYCLOUD_MODELS", ""))
        self.started_at = time.time()
        self._lock = threading.Lock()
        self._load_lock = threading.Lock()
        self._loaded: dict[str, tuple[float, float]] = {}

    def require(self, body: Json) -> str:
        """Return the full name of the model that a request names; 400 without a name, 404 where it is missing."""
        name = body.get("model") or body.get("name") or ""
        if not isinstance(name, str) or not name:
            raise ApiError(400, "model is required")
        if full_name(name) not in self.models:
            raise ApiError(404, f"model '{name}' not found")
        return full_name(name)

    def load(self, name: str, keep_alive: object = None) -> int:
        """Load a model unless it is resident, renew its time, and return the nanoseconds that this took.

        Without a ``keep_alive`` the model keeps the one that it was last given.
        """
        begun = time.monotonic_ns()
        wanted = None if keep_alive is None else parse_keep_alive(keep_alive)
        with self._load_lock:
            if name not in self.loaded():
                time.sleep(self.load_seconds)
            with self._lock:
                kept = self._loaded[name][0] if name in self._loaded else self.keep_alive
                seconds = kept if wanted is None else wanted
                self._loaded[name] = (seconds, time.time() + seconds)
        return time.monotonic_ns() - begun

    def unload(self, name: str) -> None:
        """Drop a model from memory."""
        with self._lock:
            self._loaded.pop(name, None)

    def loaded(self) -> dict[str, float]:
        """Return {full name: time of unloading}, without the models whose time is over."""
        with self._lock:
            self._loaded = {name: entry for name, entry in self._loaded.items() if entry[1] > time.time()}
            return {name: until for name, (_, until) in self._loaded.items()}

    def pull(self, name: str) -> Iterator[Json]:
        """Yield the progress of a pull; names with ``missing`` in them are in no registry."""
        yield {"status": "pulling manifest"}
        if "missing" in name:
            yield {"error": "pull model manifest: file does not exist"}
            return
        digest, total = model_digest(name), model_size(name)
        for completed in (0, total // 2, total):
            yield {
                "status": f"pulling {digest[:12]}",
                "digest": f"sha256:{digest}",
                "total": total,
                "completed": completed,
            }
        for status in ("verifying sha256 digest", "writing manifest"):
            yield {"status": status}
        self.models[full_name(name)] = digest
        yield {"status": "success"}

    def answer(self, model: str, prompt: str, limit: int) -> Iterator[str]:
        """Yield the tokens that answer a prompt, one per ``token_seconds``; a negative limit is none.

        Waits first for one of the OLLAMA_NUM_PARALLEL slots, and holds it until the last token.
        """
        with self.slots:
            for token in self._tokens(model, prompt)[: limit if limit >= 0 else None]:
                time.sleep(self.token_seconds)
                yield token

    def _tokens(self, model: str, prompt: str) -> list[str]:
        if "wrong-answer" in self.faults:
            return []
        seed = hashlib.sha256(f"{model}\n{prompt}".encode()).digest()
        return [f"{seed[0]:02x}{seed[1]:02x}", *(f" {WORDS[byte % len(WORDS)]}" for byte in seed[2:10])]


def vector(text: str) -> list[float]:
    """Return the embedding of a text: a unit vector that depends on the text only."""
    digest = hashlib.sha256(text.encode()).digest()[:EMBEDDING_LENGTH]
    length = sum(byte * byte for byte in digest) ** 0.5
    return [byte / length for byte in digest]
