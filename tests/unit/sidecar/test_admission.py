# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places: never more than the limit, keys in turn, and whoever goes leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_sidecar.admission import LEAST, MOST, OTHER, Admission, Gate, Line, Rejected

LONG = 100.0


def run(test: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(20):
            return await test

    return asyncio.run(bounded())


async def settle() -> None:
    for dummy in range(5):
        await asyncio.sleep(0)


class Crowd:
    """Requests that hold their place until they are told to go."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.served: list[str] = []
        self.most = 0
        self.tasks: list[asyncio.Task[None]] = []
        self._doors: list[asyncio.Event] = []

    async def _stay(self, key: str) -> None:
        door = asyncio.Event()
        async with self.gate.place(key):
            self.served.append(key)
            self._doors.append(door)
            self.most = max(self.most, self.gate.running)
            await door.wait()

    async def come(self, *keys: str) -> None:
        self.tasks += [asyncio.create_task(self._stay(key)) for key in keys]
        await settle()

    async def go(self) -> bool:
        """Let the oldest end; False when nobody is in."""
        if not self._doors:
            return False
        self._doors.pop(0).set()
        await settle()
        return True

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert (self.gate.running, self.gate.waiting) == (0, 0)


def test_the_limit_holds_and_the_next_gets_the_place() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(2, 10, LONG))
        await crowd.come("a", "b", "c", "d")
        assert (crowd.gate.running, crowd.gate.waiting, crowd.served) == (2, 2, ["a", "b"])
        await crowd.go()
        assert (crowd.gate.running, crowd.gate.waiting, crowd.served) == (2, 1, ["a", "b", "c"])
        await crowd.close()

    run(test())


def test_a_full_queue_refuses_at_once() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(1, 2, LONG))
        await crowd.come("a", "a", "b")
        with pytest.raises(Rejected) as told:
            async with crowd.gate.place("c"):
                pass
        assert told.value.reason == "queue_full"
        await crowd.close()

    run(test())


def test_without_a_queue_only_free_places_are_given() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(1, 0, LONG))
        await crowd.come("a")
        with pytest.raises(Rejected, match="queue_full"):
            async with crowd.gate.place("b"):
                pass
        await crowd.close()

    run(test())


def test_who_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(1, 10, 0.01))
        await crowd.come("a")
        with pytest.raises(Rejected, match="queue_timeout"):
            async with crowd.gate.place("b"):
                pass
        assert crowd.gate.waiting == 0
        await crowd.close()

    run(test())


def test_retry_after_grows_with_the_queue_and_stays_within_its_bounds() -> None:
    async def test() -> None:
        gate = Gate(1, 1000, LONG)
        crowd = Crowd(gate)
        assert gate.retry_after() == LEAST
        await crowd.come(*["a"] * 30)
        assert LEAST < gate.retry_after() <= MOST
        await crowd.come(*["a"] * 500)
        assert gate.retry_after() == MOST
        await crowd.close()

    run(test())


def test_a_key_with_many_requests_does_not_hold_up_another() -> None:
    async def test() -> list[str]:
        crowd = Crowd(Gate(1, 100, LONG))
        await crowd.come(*["many"] * 10, "few")
        for dummy in range(3):
            await crowd.go()
        served = list(crowd.served)
        await crowd.close()
        return served

    assert "few" in run(test())[:3]


def test_a_key_that_fills_the_queue_gives_way_to_one_that_has_less() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(1, 4, LONG))
        await crowd.come("in", *["hog"] * 4)
        newest = crowd.tasks[-1]
        await crowd.come("few", "few", "few")
        assert crowd.gate.waiting == 4
        assert [crowd.gate._line.count(key) for key in ("hog", "few")] == [2, 2]
        refused = newest.exception()
        assert isinstance(refused, Rejected)
        assert (refused.reason, refused.retry_after >= LEAST) == ("queue_full", True)
        # Equal shares stay as they are: the third of `few` was refused, and so is one more of `hog`.
        with pytest.raises(Rejected, match="queue_full"):
            async with crowd.gate.place("hog"):
                pass
        await crowd.close()

    run(test())


def test_who_went_in_the_moment_in_which_another_takes_its_place_in_the_queue_leaves_nothing_behind() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(1, 2, LONG))
        await crowd.come("in", "hog", "hog")
        crowd.tasks[-1].cancel()  # it has not run since
        await crowd.come("few")
        assert crowd.gate.waiting == 2
        await crowd.go()
        await crowd.go()
        assert crowd.served == ["in", "hog", "few"]
        await crowd.close()

    run(test())


@given(st.lists(st.sampled_from(["a", "a", "a", "b", "c", "d", "go"]), max_size=60), st.integers(1, 8))
def test_no_key_is_refused_that_has_less_of_the_queue_than_another(steps: list[str], most: int) -> None:
    async def test() -> None:
        gate = Gate(1, most, LONG)
        crowd = Crowd(gate)
        for step in steps:
            if step == "go":
                await crowd.go()
                continue
            before = {key: gate._line.count(key) for key in "abcd"}
            await crowd.come(step)
            refused = crowd.tasks[-1].done()
            assert not refused or gate.waiting == most
            assert not refused or before[step] >= max(before.values()) - 1
            counts = [gate._line.count(key) for key in "abcd"]
            assert (gate.waiting, gate._line._longest) == (sum(counts), max(counts))
        await crowd.close()

    run(test())


def test_a_queue_of_thousands_is_as_quick_as_a_short_one() -> None:
    line, loop = Line(), asyncio.new_event_loop()
    many = 20_000
    turns = [loop.create_future() for dummy in range(many)]
    begin = monotonic()
    for number, turn in enumerate(turns):
        line.add("hog" if number % 2 else f"key {number}", turn)
    for number in range(1, many // 2, 2):
        assert line.drop("hog", turns[number])
    for number in range(1000):
        assert line.displace(f"new {number}") is not None
    while line.waiting:
        line.next()
    assert monotonic() - begin < 2.0  # 0.1 where nothing else runs; looking through the queue takes minutes
    assert (line._longest, line._queues, line._sizes) == (0, {}, {})
    loop.close()


def test_who_leaves_the_queue_takes_no_place() -> None:
    async def test() -> None:
        crowd = Crowd(Gate(1, 10, LONG))
        await crowd.come("a", "b", "c")
        crowd.tasks[1].cancel()
        await settle()
        assert crowd.gate.waiting == 1
        await crowd.go()
        assert crowd.served == ["a", "c"]
        await crowd.close()

    run(test())


def test_who_leaves_in_the_moment_of_the_place_gives_it_on() -> None:
    async def test() -> None:
        gate = Gate(1, 10, LONG)
        crowd = Crowd(gate)
        await crowd.come("a", "b", "c")
        crowd._doors.pop(0).set()
        # b has been given the place and has not run since.
        while gate.waiting == 2:
            await asyncio.sleep(0)
        assert crowd.served == ["a"]
        crowd.tasks[1].cancel()
        await settle()
        assert crowd.served == ["a", "c"]
        assert gate.running == 1
        await crowd.close()

    run(test())


def test_who_leaves_in_the_moment_of_the_time_out_leaves_no_place_behind() -> None:
    async def test() -> None:
        gate = Gate(1, 10, LONG)
        crowd = Crowd(gate)
        await crowd.come("a", "b")
        turn = next(iter(gate._line._queues["b"]))
        gate._give_up("b", turn)
        crowd.tasks[1].cancel()  # before b has run
        await settle()
        assert (gate.running, gate.waiting) == (1, 0)
        await crowd.close()

    run(test())


STEPS = st.lists(
    st.sampled_from(["come a", "come b", "come c", "go", "go", "cancel waiting", "cancel running", "time out", "tick"]),
    max_size=60,
)


@given(STEPS, st.integers(1, 4), st.integers(0, 6))
def test_no_order_of_events_breaks_the_limits(steps: list[str], limit: int, most: int) -> None:
    async def test() -> None:
        gate = Gate(limit, most, LONG)
        crowd = Crowd(gate)
        for step in steps:
            if step.startswith("come"):
                crowd.tasks.append(asyncio.create_task(crowd._stay(step[-1])))
            elif step == "go" and crowd._doors:
                crowd._doors.pop(0).set()
            elif step.startswith("cancel") and crowd.tasks:
                crowd.tasks[len(crowd.tasks) // 2 if "waiting" in step else 0].cancel()
            elif step == "time out" and gate.waiting:
                key, queue = next(iter(gate._line._queues.items()))
                gate._give_up(key, next(iter(queue)))
            elif step == "tick":
                await asyncio.sleep(0)
            assert 0 <= gate.running <= limit
            assert 0 <= gate.waiting <= most
        await settle()
        # Nobody waits while there is a place.
        assert gate.running == limit or not gate.waiting
        assert crowd.most <= limit
        assert LEAST <= gate.retry_after() <= MOST
        await crowd.close()

    run(test())


@given(st.lists(st.sampled_from("ab"), min_size=40, max_size=40), st.integers(1, 4))
def test_two_keys_that_always_wait_get_the_same_share(arrivals: list[str], limit: int) -> None:
    async def test() -> Counter[str]:
        crowd = Crowd(Gate(limit, 1000, LONG))
        await crowd.come(*arrivals, *"ab" * 40)
        crowd.served.clear()  # those who came first got a free place
        for dummy in range(60):
            waiting = {key: crowd.gate._line.count(key) for key in "ab"}
            for key in "ab":
                if waiting.get(key, 0) < 2:
                    await crowd.come(key)
            await crowd.go()
        found = Counter(crowd.served)
        await crowd.close()
        return found

    served = run(test())
    assert abs(served["a"] - served["b"]) <= 0.1 * sum(served.values()) / 2 + 1


def test_models_that_are_not_known_share_one_place_and_take_one_of_their_own_name_too() -> None:
    async def test() -> None:
        admission = Admission(2, 10, LONG)
        async with admission.strange("one", "a"):
            second = asyncio.create_task(admission.strange("two", "a").__aenter__())
            await settle()
            assert not second.done()
            assert admission.queues() == {OTHER: (1, 1)}
            # It becomes known while it runs: at most two of it, all the same.
            gate = admission.gate("one")
            async with gate.place("a"):
                third = asyncio.create_task(gate.place("a").__aenter__())
                await settle()
                assert (gate.running, gate.waiting) == (2, 1)
                third.cancel()
            second.cancel()
            await asyncio.gather(second, third, return_exceptions=True)
        assert (admission.running, admission.waiting, admission._strange) == (0, 0, {})

    run(test())


def test_each_model_has_places_of_its_own() -> None:
    async def test() -> None:
        admission = Admission(1, 10, LONG)
        async with admission.gate("one").place("a"), admission.gate("two").place("a"):
            assert (admission.running, admission.waiting) == (2, 0)
        assert admission.running == 0

    run(test())
