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
            if loaded is None:
                return f"{name} is not in memory"
            if self._require_gpu and loaded.size_vram <= 0:
                return f"{name} is not in the memory of a GPU"
        return ""

    async def run(self) -> None:
        """Ask until cancelled; load what is missing."""
        while True:
            await self.look()
            for name in self._missing():
                await self._load(name)
                await self.look()
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """Ask once."""
        try:
            if not self.version or not self.up:
                self.version = str((await self._get("/api/version")).get("version", ""))
            listed = (await self._get("/api/ps")).get("models") or []
            now = asyncio.get_running_loop().time()
            if now - self._tags_at >= TAGS_EVERY or any(
                canonical(_name(entry)) not in self.digests for entry in listed
            ):
                tags = (await self._get("/api/tags")).get("models") or []
                self.digests = {canonical(_name(entry)): str(entry.get("digest", "")) for entry in tags}
                self._tags_at = now
            self.loaded = {canonical(_name(entry)): _loaded(entry) for entry in listed}
            self.up = True
        except (UpstreamError, ValueError, AttributeError, TypeError) as error:
            if self.up:
                LOG.warning("Ollama does not answer: %s", error)
            self.up = False

    def _missing(self) -> list[str]:
        wanted = self._models if self._warm_up and self.up else ()
        return [name for name in wanted if name not in self.loaded]

    async def _load(self, name: str) -> None:
        """Let Ollama load a model for good. One that only embeds refuses to generate."""
        LOG.info("loading %s", name)
        try:
            status, said = await self._post("/api/generate", {"model": name, "keep_alive": -1, "stream": False})
            if status == 400:
                status, said = await self._post("/api/embed", {"model": name, "keep_alive": -1, "input": ""})
        except UpstreamError as error:
            status, said = 0, str(error)
        if status != 200:
            LOG.warning("%s could not be loaded: status %s, %s", name, status, said[:200])

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
