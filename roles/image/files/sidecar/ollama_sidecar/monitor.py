# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ollama has in memory: asked again and again, so that `ready` means that a prompt would be answered now."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .http.exchange import Upstream, UpstreamError
from .record import Record
from .requests import canonical

LOG = logging.getLogger(__name__)
MOST = 8 * 1024 * 1024  # bytes of a list of models
TAGS_EVERY = 15.0  # seconds; a new model is known after that at the latest, where no cache must know it earlier
# Requests of operators after which a name may mean another model.
CHANGING = frozenset({"/api/pull", "/api/create", "/api/copy", "/api/delete"})
LOOK = 5.0  # seconds that Ollama may take to tell what it has
PATIENCE = 3  # looks in a row that may take longer: a machine that works hard is slow, not gone
LONGEST = 60.0  # seconds between attempts to load a model that cannot be loaded
# Seconds after the last request to the model that took the place of a required one. Between two turns of a conversation
# passes less, mostly; Ollama itself drops a model after five minutes, and then nothing would be in memory.
QUIET = 60.0
JSON = [("Content-Type", "application/json")]
ODD = (ValueError, AttributeError, TypeError, RecursionError)  # what reading an answer without meaning raises


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
    """Asks Ollama. Names are canonical.

    models: must be in memory. others: clients may ask them besides; where one of these takes the place of a model that
    was in memory, the replica is as ready as before, since Ollama changes them as they are asked. The required one is
    loaded again when nobody wants the other any more: at once, the two would throw each other out again and again.

    tags_every: seconds between two looks at the digests; 0 is each look. A name that was moved behind the sidecar's
    back so means the old model for `seconds` at most, and one that `changed` tells of for no time at all.
    asked: the models of the requests that run or wait now.
    """

    def __init__(
        self,
        upstream: Upstream,
        models: Sequence[str],
        *,
        seconds: float,
        require_gpu: bool,
        warm_up: bool,
        others: Collection[str] = (),
        tags_every: float = TAGS_EVERY,
        asked: Callable[[], Set[str]] = frozenset,
    ) -> None:
        self._upstream = upstream
        self._models = tuple(models)
        self._others = frozenset(others) - frozenset(models)
        self._seconds = seconds
        self._require_gpu = require_gpu
        self._warm_up = warm_up
        self._asked = asked
        self._tags_every = tags_every
        self._tags_at = float("-inf")
        self._changes = self._read = 0  # how often names may have changed, and how often they had when they were read
        self._stir = asyncio.Event()
        # Ollama lists a model while it is still being loaded, so it counts from when an answer of ours says so.
        self._warm: set[str] = set()
        self._displaced: set[str] = set()
        self._loading = ""
        self._others_at = float("-inf")  # when one of the others was last asked
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
            if name in self._displaced:
                continue
            loaded = self.loaded.get(name)
            if loaded is None or name not in self._warm:
                return f"{name} is not in memory"
            if self._require_gpu and loaded.size_vram <= 0:
                return f"{name} is not in the memory of a GPU"
        return ""

    def remark(self) -> str:
        """What is not as it should be although Ollama is ready; empty when all is."""
        return "; ".join(f"{name} made room for another model" for name in self._models if name in self._displaced)

    def digest(self, name: str) -> str:
        """What a model's name means; empty where that is not known, or may just have changed."""
        return self.digests.get(name, "") if self._read == self._changes else ""

    def changed(self) -> None:
        """Names may mean other models from now on: what is known of them holds no more until it was read anew."""
        self._changes += 1
        self._stir.set()

    def pin(self, name: str) -> Callable[[], Awaitable[bool]]:
        """What asks Ollama later whether the name has meant the same all the time since; False where nobody knows."""
        digest, changes = self.digest(name), self._changes

        async def still() -> bool:
            try:
                async with asyncio.timeout(LOOK):
                    found = await self._tags()
            except (TimeoutError, UpstreamError, *ODD):
                return False
            return bool(digest) and changes == self._changes and found.get(name) == digest

        return still

    def observe(self, record: Record) -> None:
        """A request has ended: hear which model clients want."""
        if record.model in self._others and not record.rejected:
            self._others_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Ask until cancelled; load what is missing."""
        while True:
            await self.look()
            for name in self._due():
                await self._load_and_look(name)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._stir.wait()
            self._stir.clear()

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
        except ODD:
            self._gone("its answer has no meaning")

    async def _look(self) -> None:
        if not self.version or not self.up:
            self.version = str((await self._get("/api/version")).get("version", ""))
        listed = (await self._get("/api/ps")).get("models") or []
        now, changes = asyncio.get_running_loop().time(), self._changes
        known = self._read == changes and all(canonical(_name(entry)) in self.digests for entry in listed)
        if not known or now - self._tags_at >= self._tags_every:
            self.digests = await self._tags()
            self._tags_at, self._read = now, changes
        self.loaded = {canonical(_name(entry)): _loaded(entry) for entry in listed}
        self._judge(now)

    async def _tags(self) -> dict[str, str]:
        """The digests of all models that Ollama has."""
        tags = (await self._get("/api/tags")).get("models") or []
        return {canonical(_name(entry)): str(entry.get("digest", "")) for entry in tags}

    def _judge(self, now: float) -> None:
        """Which models are warm, and which made room for one that clients wanted instead."""
        # What an Ollama had that has ended since says nothing of this one.
        before = (self._warm | self._displaced) & self.digests.keys() if self.up else set()
        self._warm &= self.loaded.keys()
        if not self._warm_up:
            self._warm |= self.loaded.keys() & set(self._models)
        # While one leaves and another comes, nothing may be listed; while one comes, it is listed but not warm.
        coming = self._asked() - self.loaded.keys()
        crowded = bool(coming & self._others) or any(
            name in self._others and self._serves(loaded) for name, loaded in self.loaded.items()
        )
        back = self._displaced & (self.loaded.keys() | coming | {self._loading})
        gone = {name for name in self._models if name in before - self.loaded.keys()} if crowded else set()
        for name in sorted(gone - self._displaced):
            LOG.info("%s made room for another model that clients may ask", name)
            self._others_at = now
        self._displaced = ((back & before) | gone) - self._warm

    def _serves(self, loaded: Loaded) -> bool:
        return loaded.size_vram > 0 or not self._require_gpu

    def _gone(self, why: str) -> None:
        if self.up:
            LOG.warning("Ollama does not answer: %s", why)
        self.up = False
        self._displaced.clear()

    def _due(self) -> list[str]:
        """The models to load now."""
        if not self._warm_up or not self.up:
            return []
        now = asyncio.get_running_loop().time()
        busy = self._displaced - self.loaded.keys()
        if not self._asked() and now - self._others_at >= QUIET:
            busy = set()
        cold = [name for name in self._models if name not in self._warm and name not in busy]
        return [name for name in cold if self._again.get(name, (0.0, 0))[0] <= now]

    async def _load_and_look(self, name: str) -> None:
        """Load a model, and go on looking meanwhile: that may take minutes."""
        loading = asyncio.ensure_future(self._load(name))
        self._loading = name
        try:
            while not (await asyncio.wait({loading}, timeout=self._seconds))[0]:
                await self.look()
        finally:
            loading.cancel()
            self._loading = ""
        # A look that began before may not have seen it.
        if loading.result():
            self._warm.add(name)
        self._displaced.discard(name)
        await self.look()

    async def _load(self, name: str) -> bool:
        """Let Ollama load a model for good; whether it did. One that only embeds refuses to generate."""
        LOG.info("loading %s", name)
        try:
            status, said = await self._post("/api/generate", {"model": name, "keep_alive": -1, "stream": False})
            if status == 400:
                status, said = await self._post("/api/embed", {"model": name, "keep_alive": -1, "input": ""})
        except UpstreamError as error:
            status, said = 0, str(error)
        if status == 200:
            self._again.pop(name, None)
            return True
        LOG.warning("%s could not be loaded: status %s, %s", name, status, said[:200])
        wait = self._again.get(name, (0.0, self._seconds))[1]
        self._again[name] = (asyncio.get_running_loop().time() + wait, min(LONGEST, 2 * wait))
        return False

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
