# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ollama has in memory: asked again and again, so that `ready` means that a prompt would be answered now."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .http.exchange import Upstream, UpstreamError
from .requests import canonical

LOG = logging.getLogger(__name__)
MOST = 8 * 1024 * 1024  # bytes of a list of models
TAGS_EVERY = 15.0  # seconds; a new model is known after that at the latest
LOOK = 5.0  # seconds that Ollama may take to tell what it has
PATIENCE = 3  # looks in a row that may take longer: a machine that works hard is slow, not gone
LONGEST = 60.0  # seconds between attempts to load a model that cannot be loaded
JSON = [("Content-Type", "application/json")]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory. Sizes are bytes; expires: as Ollama writes it (RFC 3339)."""

    name: str
    digest: str = ""
    family: str = ""
    quantization: str = ""
    size: int = 0
    size_vram: int = 0
    expires: str = ""


class Monitor:
    """Asks Ollama. models: canonical names that must be in memory."""

    def __init__(
        self, upstream: Upstream, models: Sequence[str], *, seconds: float, require_gpu: bool, warm_up: bool
    ) -> None:
        self._upstream = upstream
        self._models = tuple(models)
        self._seconds = seconds
        self._require_gpu = require_gpu
        self._warm_up = warm_up
        self._tags_at = float("-inf")
        # Ollama lists a model while it is still being loaded, so it counts from when an answer of ours says so.
        self._warm: set[str] = set()
        self._again: dict[str, tuple[float, float]] = {}  # when to try, and how long to wait after that
        self._slow = 0
        self.version = ""
        self.up = False
        self.loaded: dict[str, Loaded] = {}
        self.digests: dict[str, str] = {}  # of all models that Ollama has, by canonical name

    def problem(self) -> str:
        """Why Ollama is not ready; empty when it is."""
        if not self.up:
            return "Ollama does not answer"
        for name in self._models:
            loaded = self.loaded.get(name)
            if loaded is None or (self._warm_up and name not in self._warm):
                return f"{name} is not in memory"
            if self._require_gpu and loaded.size_vram <= 0:
                return f"{name} is not in the memory of a GPU"
        return ""

    async def run(self) -> None:
        """Ask until cancelled; load what is missing."""
        while True:
            await self.look()
            for name in self._due():
                await self._load(name)
                await self.look()
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """Ask once."""
        try:
            async with asyncio.timeout(LOOK):
                await self._look()
            self.up, self._slow = True, 0
        except TimeoutError:
            self._slow += 1
            if self._slow >= PATIENCE:
                self._gone("it is too slow")
        except UpstreamError as error:
            self._gone(str(error))
        except (ValueError, AttributeError, TypeError, RecursionError):
            self._gone("its answer has no meaning")

    async def _look(self) -> None:
        if not self.version or not self.up:
            self.version = str((await self._get("/api/version")).get("version", ""))
        listed = (await self._get("/api/ps")).get("models") or []
        now = asyncio.get_running_loop().time()
        if now - self._tags_at >= TAGS_EVERY or any(canonical(_name(entry)) not in self.digests for entry in listed):
            tags = (await self._get("/api/tags")).get("models") or []
            self.digests = {canonical(_name(entry)): str(entry.get("digest", "")) for entry in tags}
            self._tags_at = now
        self.loaded = {canonical(_name(entry)): _loaded(entry) for entry in listed}
        self._warm &= self.loaded.keys()

    def _gone(self, why: str) -> None:
        if self.up:
            LOG.warning("Ollama does not answer: %s", why)
        self.up = False

    def _due(self) -> list[str]:
        """The models to load now."""
        if not self._warm_up or not self.up:
            return []
        now = asyncio.get_running_loop().time()
        return [name for name in self._models if name not in self._warm and self._again.get(name, (0.0, 0))[0] <= now]

    async def _load(self, name: str) -> None:
        """Let Ollama load a model for good. One that only embeds refuses to generate."""
        LOG.info("loading %s", name)
        try:
            status, said = await self._post("/api/generate", {"model": name, "keep_alive": -1, "stream": False})
            if status == 400:
                status, said = await self._post("/api/embed", {"model": name, "keep_alive": -1, "input": ""})
        except UpstreamError as error:
            status, said = 0, str(error)
        if status == 200:
            self._warm.add(name)
            self._again.pop(name, None)
            return
        LOG.warning("%s could not be loaded: status %s, %s", name, status, said[:200])
        wait = self._again.get(name, (0.0, self._seconds))[1]
        self._again[name] = (asyncio.get_running_loop().time() + wait, min(LONGEST, 2 * wait))

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._upstream.send("GET", path, (), b"")
        try:
            raw = await answer.body(MOST)
        finally:
            answer.close()
        body = json.loads(raw) if answer.status == 200 else None
        if not isinstance(body, dict):
            raise ValueError(f"{path} has status {answer.status} and no object")
        return body

    async def _post(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        answer = await self._upstream.send("POST", path, JSON, json.dumps(body).encode())
        try:
            return answer.status, (await answer.body(MOST)).decode("utf-8", "replace")
        finally:
            answer.close()


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("model") or entry.get("name") or "")


def _loaded(entry: dict[str, Any]) -> Loaded:
    details = entry.get("details") or {}
    return Loaded(
        canonical(_name(entry)),
        str(entry.get("digest", "")),
        str(details.get("family", "")),
        str(details.get("quantization_level", "")),
        int(entry.get("size", 0)),
        int(entry.get("size_vram", 0)),
        str(entry.get("expires_at", "")),
    )
