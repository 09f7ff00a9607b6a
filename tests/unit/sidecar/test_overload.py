# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hundred clients on four places: bounded waits, equal shares, and never more at Ollama than it can take."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.helpers.scripted_ollama import Asked, ScriptedOllama, chunk, chunked_head, scripted_ollama
from tests.helpers.sidecar_yard import Answer, Client, Yard, request, run, sidecar_yard, until

PLACES, CLIENTS, SECONDS = 4, 200, 3.0
QUEUE, WAIT = 60, 0.5
KEYS = {"many": 150, "few": 50}  # clients of each


@dataclass
class Rush:
    """What came of it."""

    answers: list[tuple[str, Answer]]
    ollama: ScriptedOllama
    yard: Yard


async def work(asked: Asked) -> None:
    """A short stream."""
    asked.write(chunked_head())
    for dummy in range(2):
        await asyncio.sleep(0.005)
        asked.write(chunk(b'{"response":"a"}\n'))
    asked.write(b"0\r\n\r\n")


async def client(yard: Yard, key: str, all_here: asyncio.Barrier, found: list[tuple[str, Answer]]) -> None:
    """Asks again and again; after a refusal it waits a little, but not as long as it is told."""
    loop = asyncio.get_running_loop()
    raw = request("POST", "/api/chat", {"model": "tiny", "who": key}, {"Authorization": f"Bearer {key}"})
    connection: Client | None = await yard.connect()
    await all_here.wait()
    end = loop.time() + SECONDS
    while loop.time() < end:
        connection = connection or await yard.connect()
        await connection.send(raw)
        answer = await connection.answer()
        found.append((key, answer))
        if answer.header("Connection") == "close":
            await connection.close()
            connection = None
        if answer.status != 200:
            await asyncio.sleep(0.05)
    if connection is not None:
        await connection.close()


def rush(**given: Any) -> Rush:
    keys = tuple({"id": key, "sha256": hashlib.sha256(key.encode()).hexdigest()} for key in KEYS)
    limits = {"num_parallel": PLACES, "max_queued": QUEUE, "queue_seconds": WAIT, "keys": keys}

    async def test() -> Rush:
        async with scripted_ollama(work) as ollama, sidecar_yard(ollama, **{**limits, **given}) as yard:
            found: list[tuple[str, Answer]] = []
            all_here = asyncio.Barrier(CLIENTS)
            async with asyncio.TaskGroup() as group:
                for key, number in KEYS.items():
                    for dummy in range(number):
                        group.create_task(client(yard, key, all_here, found))
            assert yard.sidecar.admission.running == yard.sidecar.admission.waiting == 0
            return Rush(found, ollama, yard)

    return run(test())


def test_two_hundred_clients_on_four_places() -> None:
    seen = rush()
    statuses = Counter(answer.status for dummy, answer in seen.answers)
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] > 100
    assert statuses[503] > 100  # it was an overload
    # At Ollama, never more than its places.
    assert seen.ollama.most == PLACES
    for dummy, answer in seen.answers:
        assert answer.whole
        if answer.status == 200:
            assert answer.body == b'{"response":"a"}\n' * 2
        else:
            assert 1 <= int(answer.header("Retry-After")) <= 60
            assert answer.json()["error"]
    # Nobody waited longer than the bound, a turn of the loop on a busy machine aside.
    assert max(record.queued for record in seen.yard.records) < WAIT + 0.5
    refused = Counter(record.rejected for record in seen.yard.records if record.rejected)
    assert set(refused) <= {"queue_full", "queue_timeout"}


def test_a_key_with_three_times_the_clients_gets_no_more_than_its_share() -> None:
    seen = rush(max_queued=CLIENTS, queue_seconds=30.0)
    order = [asked.json()["who"] for asked in seen.ollama.asked]
    # While both wait: from when the first of the few has come to when the last has gone.
    both = order[order.index("few") : len(order) - order[::-1].index("few")]
    served, total = Counter(both), len(both)
    assert total > 200
    assert math.isclose(served["many"], served["few"], abs_tol=0.1 * total / 2)


def test_a_key_has_its_own_limit_at_once_and_in_a_minute() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def hold(asked: Asked) -> None:
            await go.wait()
            await work(asked)

        one = {"id": "one", "sha256": hashlib.sha256(b"one").hexdigest(), "concurrency": 2}
        two = {"id": "two", "sha256": hashlib.sha256(b"two").hexdigest(), "requests_per_minute": 5}
        async with scripted_ollama(hold) as ollama, sidecar_yard(ollama, keys=(one, two), num_parallel=8) as yard:

            async def ask(key: str) -> Answer:
                return await yard.ask("POST", "/v1/messages", {"model": "tiny"}, {"X-Api-Key": key})

            running = [asyncio.create_task(ask("one")) for dummy in range(2)]
            await ollama.wait(2)
            refused = [await ask("one") for dummy in range(3)]
            go.set()
            assert [(await task).status for task in running] == [200, 200]
            assert (await ask("one")).status == 200
            in_a_minute = [await ask("two") for dummy in range(8)]
            assert [answer.status for answer in in_a_minute] == [200] * 5 + [429] * 3
            for answer in refused + in_a_minute[5:]:
                assert (answer.status, answer.json()["error"]["type"]) == (429, "rate_limit_error")
                assert 1 <= int(answer.header("Retry-After")) <= 60

    run(test())


@pytest.mark.parametrize("known", [True, False])
def test_a_model_has_its_places_once_whatever_it_is_called(known: bool) -> None:
    """Also while nobody knows which models Ollama has."""
    names = ["tiny", "tiny:local", "TINY:latest", "ollama://registry.ollama.ai/library/tiny"] * 3

    async def test() -> tuple[int, list[int]]:
        async with scripted_ollama(work) as ollama:
            ollama.models = ["tiny:latest"] if known else []
            ollama.loaded = []
            async with sidecar_yard(ollama, num_parallel=1) as yard:
                await until(lambda: not known or yard.sidecar.monitor.digests)
                asking = [yard.ask("POST", "/api/generate", {"model": name}) for name in names]
                answers = await asyncio.gather(*asking)
                return ollama.most, [answer.status for answer in answers]

    most, statuses = run(test())
    assert statuses == [200] * len(names)
    assert most == 1
