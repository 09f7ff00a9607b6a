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
from ollama_sidecar.record import Record

TINY, OTHER = "tiny:latest", "other:latest"
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


class Clients:
    """Those of a sidecar whose Ollama has memory for one model. now: the models of their requests that run."""

    def __init__(self, *, gpu: bool = False, warm_up: bool = True) -> None:
        self.now: set[str] = set()
        self.ollama = Ollama(TINY, OTHER)
        upstream: Any = self.ollama
        self.monitor = Monitor(
            upstream,
            (TINY,),
            seconds=0.001,
            require_gpu=gpu,
            warm_up=warm_up,
            others=(TINY, OTHER),
            asked=lambda: self.now,
        )

    async def loads(self) -> int:
        """How often the monitor has loaded a model, after it had time to do so."""
        await asyncio.sleep(0.02)
        return len(self.ollama.loads)


def displacing(test: Any, **given: Any) -> None:
    """Run a test in which the required model is in memory. test: takes the clients, Ollama and the monitor."""

    async def run() -> None:
        clients = Clients(**given)
        task = asyncio.create_task(clients.monitor.run())
        try:
            await until(clients.monitor, "")
            await test(clients, clients.ollama, clients.monitor)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_a_model_that_made_room_for_one_that_clients_ask_ends_no_readiness_and_is_not_loaded_at_once() -> None:
    async def test(clients: Clients, ollama: Ollama, monitor: Monitor) -> None:
        seen = set()
        clients.now = {OTHER}
        for listed in ({}, {OTHER: 7}):  # one leaves, the other comes
            ollama.loaded = listed
            assert await clients.loads() == 1
            seen.add(monitor.problem())
        clients.now = set()
        assert await clients.loads() == 1
        assert seen | {monitor.problem()} == {""}
        assert monitor.remark() == f"{TINY} made room for another model"

    displacing(test)


def test_it_is_loaded_again_when_nobody_has_wanted_the_other_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(clients: Clients, ollama: Ollama, monitor: Monitor) -> None:
        monkeypatch.setattr(module, "QUIET", 0.15)
        clients.now, ollama.loaded = {OTHER}, {OTHER: 7}
        await asyncio.sleep(0.2)
        assert len(ollama.loads) == 1, "a request runs"
        monitor.observe(Record("id", "POST", 0.0, model=OTHER))
        clients.now = set()
        assert await clients.loads() == 1, "one has just ended"
        ollama.loaded, ollama.slow_load = {}, asyncio.Event()
        ollama.loaded[OTHER] = 7
        async with asyncio.timeout(5):
            while len(ollama.loads) < 2:
                await asyncio.sleep(0.001)
        del ollama.loaded[OTHER]
        await monitor.look()
        assert monitor.problem() == "", "it is on its way"
        ollama.slow_load.set()
        await asyncio.sleep(0.02)
        assert (monitor.problem(), monitor.remark()) == ("", "")
        assert await clients.loads() == 2

    displacing(test)


def test_a_client_that_asks_for_it_brings_it_back_while_it_stays_ready() -> None:
    async def test(clients: Clients, ollama: Ollama, monitor: Monitor) -> None:
        ollama.loaded = {OTHER: 7}
        assert await clients.loads() == 1
        clients.now, ollama.loaded = {TINY}, {}
        assert await clients.loads() == 1
        assert monitor.problem() == ""
        ollama.loaded = {TINY: 7}
        assert await clients.loads() == 2, "so that it stays"
        assert (monitor.problem(), monitor.remark()) == ("", "")

    displacing(test)


@pytest.mark.parametrize(
    ("loaded", "deleted", "down", "problem"),
    [
        ({}, False, False, NOT_IN_MEMORY),
        ({"unknown:latest": 7}, False, False, NOT_IN_MEMORY),
        ({OTHER: 0}, False, False, NOT_IN_MEMORY),  # not on the GPU
        ({TINY: 0, OTHER: 7}, False, False, f"{TINY} is not in the memory of a GPU"),
        ({OTHER: 7}, True, False, NOT_IN_MEMORY),
        ({OTHER: 7}, False, True, GONE),
    ],
)
def test_what_is_no_making_room_ends_readiness(loaded: dict[str, int], deleted: bool, down: bool, problem: str) -> None:
    async def test(clients: Clients, ollama: Ollama, monitor: Monitor) -> None:
        ollama.slow_load = asyncio.Event()
        ollama.loaded, ollama.down = loaded, down
        if deleted:
            ollama.models.remove(TINY)
            monitor.changed()
        await until(monitor, problem)
        assert monitor.remark() == ""

    displacing(test, gpu=True)


def test_a_model_that_this_ollama_never_had_is_loaded_whatever_else_it_has() -> None:
    async def test(clients: Clients, ollama: Ollama, monitor: Monitor) -> None:
        ollama.down = True
        await until(monitor, GONE)
        ollama.loaded, ollama.down, ollama.slow_load = {OTHER: 7}, False, asyncio.Event()
        await until(monitor, NOT_IN_MEMORY)
        assert await clients.loads() == 2
        ollama.slow_load.set()
        await until(monitor, "")

    displacing(test)


def test_one_that_cannot_be_loaded_again_ends_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET", 0.05)

    async def test(clients: Clients, ollama: Ollama, monitor: Monitor) -> None:
        ollama.broken, ollama.loaded = {TINY}, {OTHER: 7}
        await until(monitor, NOT_IN_MEMORY)

    displacing(test)


def test_without_warm_up_it_may_make_room_too_and_only_clients_bring_it_back() -> None:
    async def test() -> None:
        clients = Clients(warm_up=False)
        clients.ollama.loaded = {OTHER: 7}
        await clients.monitor.look()
        assert clients.monitor.problem() == NOT_IN_MEMORY
        for listed, remark in (({TINY: 7}, False), ({OTHER: 7}, True), ({TINY: 7}, False)):
            clients.ollama.loaded = listed
            await clients.monitor.look()
            assert (clients.monitor.problem(), bool(clients.monitor.remark())) == ("", remark)

    asyncio.run(test())


def test_looks_go_on_while_a_model_is_loaded() -> None:
    async def test(ollama: Ollama, monitor: Monitor) -> None:
        ollama.slow_load = asyncio.Event()
        while not ollama.loads:
            await asyncio.sleep(0)
        ollama.models.append(OTHER)
        monitor.changed()
        assert monitor.digest(TINY) == ""
        async with asyncio.timeout(5):
            while not monitor.digest(OTHER):
                await asyncio.sleep(0.001)

    running(test)


@pytest.mark.parametrize("fault", ["down", "odd", "hung"])
def test_a_digest_that_ollama_does_not_confirm_is_not_confirmed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> list[bool]:
        ollama = Ollama(TINY)
        monitor = watch(ollama)
        unread = monitor.pin(TINY)
        await monitor.look()
        still = monitor.pin(TINY)
        answers = [await unread(), await still()]
        setattr(ollama, fault, b"[]" if fault == "odd" else True)
        monkeypatch.setattr(module, "LOOK", 0.01)
        return [*answers, await still()]

    assert asyncio.run(test()) == [False, True, False]
