# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready means that a prompt would be answered now, by a model in memory, on the GPU where one is required."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from ollama_sidecar import monitor as module
from ollama_sidecar.http.exchange import UpstreamError
from ollama_sidecar.monitor import Monitor

TINY = "tiny:latest"
GONE = "Ollama does not answer"
NOT_IN_MEMORY = f"{TINY} is not in memory"


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status, self._body = status, body

    async def body(self, limit: int) -> bytes:
        return self._body if isinstance(self._body, bytes) else json.dumps(self._body).encode()

    def close(self) -> None:
        pass


class Ollama:
    """What the monitor sees. loaded: name and bytes in the memory of a GPU."""

    def __init__(self, *models: str) -> None:
        self.models = list(models)
        self.loaded: dict[str, int] = {}
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.down = self.hung = False
        self.embed_only: set[str] = set()
        self.broken: set[str] = set()
        self.vram = 7
        self.odd: Any = None
        self.slow_load: asyncio.Event | None = None

    async def send(self, method: str, target: str, headers: Any, body: Any) -> Any:
        given = json.loads(body) if body else {}
        self.asked.append((method, target, given))
        if self.down:
            raise UpstreamError("Ollama cannot be reached: ConnectionRefusedError.")
        if self.hung:
            await asyncio.Event().wait()
        if self.odd is not None:
            return Answer(200, self.odd)
        if target == "/api/version":
            return Answer(200, {"version": "0.24.0"})
        if target == "/api/tags":
            return Answer(200, {"models": [{"name": name, "digest": f"digest of {name}"} for name in self.models]})
        if target == "/api/ps":
            return Answer(200, {"models": [{"model": name, "size_vram": vram} for name, vram in self.loaded.items()]})
        return await self._load(target, given["model"])

    async def _load(self, target: str, name: str) -> Answer:
        if name in self.embed_only and target == "/api/generate":
            return Answer(400, {"error": "does not support generate"})
        if name in self.broken:
            return Answer(500, {"error": "llama runner process has terminated"})
        # Ollama lists what it is still loading.
        self.loaded.setdefault(name, self.vram)
        if self.slow_load is not None:
            await self.slow_load.wait()
        return Answer(200, {"done": True})

    @property
    def loads(self) -> list[tuple[str, dict[str, Any]]]:
        return [(target, given) for method, target, given in self.asked if method == "POST"]


def watch(ollama: Ollama, *models: str, gpu: bool = False, warm_up: bool = True) -> Monitor:
    upstream: Any = ollama
    return Monitor(upstream, models, seconds=0.001, require_gpu=gpu, warm_up=warm_up)


async def until(monitor: Monitor, problem: str) -> None:
    async with asyncio.timeout(5):
        while monitor.problem() != problem:
            await asyncio.sleep(0)


def running(test: Any) -> None:
    """Run a test while the monitor runs. test: takes Ollama and the monitor."""

    async def run() -> None:
        ollama = Ollama(TINY)
        monitor = watch(ollama, TINY, gpu=True)
        task = asyncio.create_task(monitor.run())
        try:
            await test(ollama, monitor)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_a_model_is_loaded_for_good_and_then_ready() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        assert monitor.problem() == GONE
        await until(monitor, "")
        assert ollama.loads == [("/api/generate", {"model": TINY, "keep_alive": -1, "stream": False})]
        assert monitor.version == "0.24.0"
        assert monitor.digests == {TINY: f"digest of {TINY}"}
        assert monitor.loaded[TINY].size_vram == 7

    running(test)


def test_a_model_that_is_listed_while_it_is_loaded_is_not_ready() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        ollama.slow_load = asyncio.Event()
        await until(monitor, NOT_IN_MEMORY)
        while not ollama.loaded:
            await asyncio.sleep(0)
        await monitor.look()
        assert TINY in monitor.loaded
        assert monitor.problem() == NOT_IN_MEMORY
        ollama.slow_load.set()
        await until(monitor, "")

    running(test)


def test_a_model_that_was_dropped_is_loaded_again() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        await until(monitor, "")
        ollama.slow_load = asyncio.Event()
        ollama.loaded.clear()
        await until(monitor, NOT_IN_MEMORY)
        ollama.slow_load.set()
        await until(monitor, "")
        assert len(ollama.loads) == 2

    running(test)


def test_a_gpu_that_is_lost_is_seen_and_so_is_its_return() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        await until(monitor, "")
        ollama.loaded[TINY] = 0
        await until(monitor, f"{TINY} is not in the memory of a GPU")
        ollama.loaded[TINY] = 5
        await until(monitor, "")

    running(test)


def test_ollama_may_end_and_come_back_with_nothing_in_memory() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        await until(monitor, "")
        ollama.down = True
        await until(monitor, GONE)
        ollama.loaded.clear()
        ollama.down = False
        await until(monitor, "")
        assert len(ollama.loads) == 2
        assert [target for dummy, target, dummy in ollama.asked].count("/api/version") >= 2

    running(test)


def test_without_a_gpu_required_the_memory_of_the_machine_is_enough() -> None:
    async def test() -> None:
        ollama = Ollama(TINY)
        ollama.loaded = {TINY: 0}
        monitor = watch(ollama, TINY, warm_up=False)
        await monitor.look()
        assert monitor.problem() == ""
        ollama.loaded = {}
        await monitor.look()
        assert monitor.problem() == NOT_IN_MEMORY
        assert ollama.loads == []

    asyncio.run(test())


def test_without_models_ollama_itself_is_enough() -> None:
    async def test() -> None:
        monitor = watch(Ollama())
        await monitor.look()
        assert monitor.problem() == ""

    asyncio.run(test())


def test_a_model_that_only_embeds_is_loaded_by_an_embedding() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        ollama.embed_only = {TINY}
        await until(monitor, "")
        assert [target for target, dummy in ollama.loads] == ["/api/generate", "/api/embed"]

    running(test)


def test_a_model_that_cannot_be_loaded_is_tried_less_and_less() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        ollama.broken = {TINY}
        async with asyncio.timeout(5):
            while len(ollama.asked) < 400:
                await asyncio.sleep(0.001)
        assert 3 <= len(ollama.loads) <= 12
        assert monitor.problem() == NOT_IN_MEMORY
        ollama.broken = set()
        await until(monitor, "")

    running(test)


def test_a_look_that_takes_too_long_makes_nobody_unready_until_it_happens_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        monkeypatch.setattr(module, "LOOK", 0.001)
        ollama = Ollama(TINY)
        monitor = watch(ollama)
        monkeypatch.setattr(module, "LOOK", 1.0)
        await monitor.look()
        monkeypatch.setattr(module, "LOOK", 0.001)
        ollama.hung = True
        for dummy in range(module.PATIENCE - 1):
            await monitor.look()
            assert monitor.problem() == ""
        await monitor.look()
        assert monitor.problem() == GONE
        ollama.hung = False
        monkeypatch.setattr(module, "LOOK", 1.0)
        await monitor.look()
        assert monitor.problem() == ""

    asyncio.run(test())


@pytest.mark.parametrize(
    "odd",
    [b"", b"not json", b"[]", b"null", b'{"models":5}', b'{"models":["x"]}', b'{"models":[{"model":"a","size":{}}]}'],
)
def test_an_answer_without_meaning_is_no_answer(odd: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        ollama = Ollama(TINY)
        monitor = watch(ollama)
        await monitor.look()
        ollama.odd = odd
        await monitor.look()
        assert monitor.problem() == GONE

    asyncio.run(test())
    assert "Ollama does not answer" in caplog.text
