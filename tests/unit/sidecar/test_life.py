# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drain refuses what is new, waits for what runs, and ends."""

from __future__ import annotations

import asyncio

import pytest
from ollama_sidecar.life import Life
from ollama_sidecar.reply import Reply


def test_nothing_to_wait_for_ends_at_once() -> None:
    assert asyncio.run(Life().idle(0.0001))


def test_a_drain_waits_for_the_last_of_what_runs() -> None:
    async def test() -> None:
        life = Life()
        with life.work():
            with life.work():
                waiting = asyncio.create_task(life.idle(10))
            await asyncio.sleep(0)
            assert not waiting.done()
            assert life.working == 1
        assert await waiting
        with life.work():
            assert not await life.idle(0.001)

    asyncio.run(test())


def test_work_that_fails_is_over_too() -> None:
    async def test() -> None:
        life = Life()
        with pytest.raises(KeyError), life.work():
            raise KeyError
        assert life.working == 0

    asyncio.run(test())


async def begun(life: Life) -> asyncio.Task[None]:
    async def work() -> None:
        with life.work():
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    return task


def test_the_end_stops_what_still_runs_and_says_why() -> None:
    async def test() -> None:
        life = Life()
        task = await begun(life)
        life.end()
        assert await life.idle(1)
        with pytest.raises(Reply) as told:
            await task
        assert (told.value.status, told.value.reason) == (503, "draining")
        assert dict(told.value.headers)["Retry-After"]

    asyncio.run(test())


@pytest.mark.parametrize("both", [False, True])
def test_a_client_that_goes_is_no_end(both: bool) -> None:
    async def test() -> None:
        life = Life()
        task = await begun(life)
        task.cancel()
        if both:
            life.end()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert life.working == 0

    asyncio.run(test())


def test_a_drain_may_leave_the_process_running_and_a_second_may_end_it() -> None:
    life = Life()
    life.drain(leave=False)
    assert (life.draining, life.leaving.is_set()) == (True, False)
    life.drain(leave=True)
    life.drain(leave=False)
    assert (life.draining, life.leaving.is_set()) == (True, True)
