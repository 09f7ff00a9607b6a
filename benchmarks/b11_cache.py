# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B11: an answer out of the cache, against a bare GET of Redis and the way through the sidecar.

Four kinds of requests in turn, each on one connection that is kept, so that a change of the machine's mood meets all of
them: the upstream asked directly, the same through the sidecar, an answer out of its cache, and a GET of the same entry
by a client that does nothing but write the command and read the value. The hop is the second minus the first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import pytest
import uvloop

from benchmarks.b4_front import percentile
from benchmarks.front.load import request
from benchmarks.front.sides import Side, sidecar, upstream
from benchmarks.front.upstream import NATIVE, SHORT
from benchmarks.harness import Bench, NotMeasured, load, median
from tests.helpers.real_redis import RealRedis, running_redis

PEER = "3 bare GETs and the hop"
BARE, PASSED, HIT, GET = "upstream", "passed", "hit", "GET"
NUMBER, QUICK_NUMBER, UNCOUNTED = 2000, 100, 100
TIMES = 3.0
READY_SECONDS = 20.0
PREFIX = b"polycloud"


class Wire:
    """One connection, one question at a time. end: tells from what has come whether the answer is whole."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: Callable[[bytes], int]) -> None:
        self._reader, self._writer, self._end = reader, writer, end

    @classmethod
    async def to(cls, port: int, end: Callable[[bytes], int]) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", port), end)

    async def ask(self, question: bytes) -> bytes:
        """Send it; the whole answer. Raises NotMeasured."""
        self._writer.write(question)
        data = b""
        while not (end := self._end(data)) or len(data) < end:
            more = await self._reader.read(65536)
            if not more:
                raise NotMeasured(f"the connection was closed after {data[:200]!r}")
            data += more
        return data

    def close(self) -> None:
        self._writer.close()


def http_length(data: bytes) -> int:
    """Bytes of an answer with a Content-Length; 0 while its head is not there."""
    head, end, dummy = data.partition(b"\r\n\r\n")
    if not end:
        return 0
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return len(head) + 4 + int(length)


def bulk_length(data: bytes) -> int:
    """Bytes of a bulk string of Redis; 0 while its length is not there."""
    head, end, dummy = data.partition(b"\r\n")
    return len(head) + 2 + int(head[1:]) + 2 if end else 0


def resp(*words: bytes) -> bytes:
    """A command as Redis reads it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def run(bench: Bench) -> None:
    """Rounds of all four in turn, and the row."""
    number = QUICK_NUMBER if bench.quick else NUMBER
    with ExitStack() as stack:
        try:
            redis = stack.enter_context(running_redis(bench.folder))
        except pytest.skip.Exception as missing:
            bench.missing("µs of an answer out of the cache, median", PEER, f"ours <= {PEER}", str(missing))
            return
        behind = stack.enter_context(upstream(bench.folder))
        side = stack.enter_context(sidecar(bench.folder, behind.port, CACHE_URL=redis.url))
        rounds = uvloop.run(measured(bench, side, behind, redis, number))
    add_rows(bench, rounds)


async def measured(bench: Bench, side: Side, behind: Side, redis: RealRedis, number: int) -> list[dict[str, float]]:
    """The medians of each round, in seconds."""
    bare, passed = (request(NATIVE, SHORT, key) for key in ("none", side.key))
    hit = request(NATIVE, SHORT, side.key, temperature=0)
    wires = {BARE: await Wire.to(behind.port, http_length), GET: await Wire.to(redis.port, bulk_length)}
    wires |= {PASSED: await Wire.to(side.port, http_length), HIT: await Wire.to(side.port, http_length)}
    await filled(wires[HIT], hit)
    questions = {BARE: bare, PASSED: passed, HIT: hit, GET: resp(b"GET", await entry(redis.port))}
    bench.loads = []
    rounds = []
    for dummy in range(bench.pairs):
        bench.loads.append(load())
        times = await in_turn(wires, questions, number)
        rounds.append({name: percentile(sorted(found), 0.5) for name, found in times.items()})
        bench.say(", ".join(f"{name} {1e6 * value:.0f} µs" for name, value in rounds[-1].items()))
    if b"x-cache: hit" not in (await wires[HIT].ask(hit)).lower():
        raise NotMeasured("the cache was not used")
    for wire in wires.values():
        wire.close()
    return rounds


async def filled(wire: Wire, hit: bytes) -> None:
    """Ask until the answer comes out of the cache: it must know the model and reach its Redis first."""
    async with asyncio.timeout(READY_SECONDS):
        while b"x-cache: hit" not in (await wire.ask(hit)).lower():
            await asyncio.sleep(0.1)


async def entry(port: int) -> bytes:
    """The name of the only entry."""
    wire = await Wire.to(port, lambda data: len(data) if data.count(b"\r\n") >= 3 else 0)
    listed = await wire.ask(resp(b"KEYS", PREFIX + b"*"))
    wire.close()
    if not listed.startswith(b"*1\r\n"):
        raise NotMeasured(f"there should be one entry: {listed[:200]!r}")
    return listed.split(b"\r\n")[2]


async def in_turn(wires: Mapping[str, Wire], questions: Mapping[str, bytes], number: int) -> dict[str, list[float]]:
    """Seconds of each answer, the first ones left out."""
    times: dict[str, list[float]] = {name: [] for name in questions}
    for count in range(UNCOUNTED + number):
        for name, question in questions.items():
            began = time.perf_counter()
            await wires[name].ask(question)
            if count >= UNCOUNTED:
                times[name].append(time.perf_counter() - began)
    return times


def add_rows(bench: Bench, rounds: Sequence[Mapping[str, float]]) -> None:
    """The row of the target, and what it is made of."""
    hits = [1e6 * each[HIT] for each in rounds]
    limits = [1e6 * allowed(each) for each in rounds]
    detail = {name: [round(1e6 * each[name], 1) for each in rounds] for name in rounds[0]}
    ours, limit = median(hits), median(limits)
    metric = "µs of an answer out of the cache, median"
    bench.add(metric, PEER, ours, limit, "ours <= theirs", ours <= limit, detail=detail)
    for peer, name in (("the same without the cache", PASSED), ("a bare GET", GET)):
        bench.add(metric, peer, ours, median([1e6 * each[name] for each in rounds]), "", None)


def allowed(times: Mapping[str, float]) -> float:
    """Seconds that an answer out of the cache may take."""
    return TIMES * times[GET] + times[PASSED] - times[BARE]
