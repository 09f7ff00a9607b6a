# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B11: an answer out of the cache, against a bare GET of Redis and the way through the sidecar.

Five kinds of questions in turn, each on one connection that is kept, so that a change of the machine's mood meets all
of them: the upstream asked directly, the same through the sidecar, an answer out of its cache, and a GET of the same
entry, once by the library that the sidecar uses and once by a client that does nothing but write the command and read
the value. The hop is the second minus the first.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version

import pytest
import uvloop
from redis.asyncio import Redis

from benchmarks.b4_front import percentile
from benchmarks.front.load import request
from benchmarks.front.sides import Side, sidecar, upstream
from benchmarks.front.upstream import NATIVE, SHORT
from benchmarks.harness import Bench, NotMeasured, load, median
from tests.helpers.real_redis import RealRedis, running_redis

BARE, PASSED, HIT = "upstream", "passed", "hit"
LIBRARY, WIRE = "GET by redis-py", "GET on a bare socket"
NUMBER, QUICK_NUMBER, UNCOUNTED = 2000, 100, 100
TIMES = 3.0
READY_SECONDS = 20.0
PREFIX = b"polycloud"
METRIC = "µs of an answer out of the cache, median"


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
    """Rounds of all of them in turn, and the rows."""
    number = QUICK_NUMBER if bench.quick else NUMBER
    with ExitStack() as stack:
        try:
            redis = stack.enter_context(running_redis(bench.folder))
        except pytest.skip.Exception as missing:
            bench.missing(METRIC, LIBRARY, "", str(missing))
            return
        bench.versions |= {"redis": redis_version(), "redis-py": version("redis")}
        behind = stack.enter_context(upstream(bench.folder))
        side = stack.enter_context(sidecar(bench.folder, behind.port, CACHE_URL=redis.url))
        rounds = uvloop.run(measured(bench, side, behind, redis, number))
    add_rows(bench, rounds)


async def measured(bench: Bench, side: Side, behind: Side, redis: RealRedis, number: int) -> list[dict[str, float]]:
    """The medians of each round, in seconds."""
    bare, passed = (request(NATIVE, SHORT, key) for key in ("none", side.key))
    hit = request(NATIVE, SHORT, side.key, temperature=0)
    wires = {BARE: await Wire.to(behind.port, http_length), WIRE: await Wire.to(redis.port, bulk_length)}
    wires |= {PASSED: await Wire.to(side.port, http_length), HIT: await Wire.to(side.port, http_length)}
    await filled(wires[HIT], hit)
    key, library = await entry(redis.port), Redis.from_url(redis.url, protocol=2)
    asks = {BARE: partial(wires[BARE].ask, bare), PASSED: partial(wires[PASSED].ask, passed)}
    asks |= {HIT: partial(wires[HIT].ask, hit), WIRE: partial(wires[WIRE].ask, resp(b"GET", key))}
    asks[LIBRARY] = partial(library.get, key)
    rounds = []
    for dummy in range(bench.pairs):
        bench.loads.append(load())
        times = await in_turn(asks, number)
        rounds.append({name: percentile(sorted(found), 0.5) for name, found in times.items()})
        bench.say(", ".join(f"{name} {1e6 * value:.0f} µs" for name, value in rounds[-1].items()))
    if b"x-cache: hit" not in (await wires[HIT].ask(hit)).lower():
        raise RuntimeError("the cache was not used")
    await library.aclose()
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
        raise RuntimeError(f"there should be one entry: {listed[:200]!r}")
    return listed.split(b"\r\n")[2]


async def in_turn(asks: Mapping[str, Callable[[], Awaitable[object]]], number: int) -> dict[str, list[float]]:
    """Seconds of each answer, the first ones left out."""
    times: dict[str, list[float]] = {name: [] for name in asks}
    for count in range(UNCOUNTED + number):
        for name, ask in asks.items():
            began = time.perf_counter()
            await ask()
            if count >= UNCOUNTED:
                times[name].append(time.perf_counter() - began)
    return times


def add_rows(bench: Bench, rounds: Sequence[Mapping[str, float]]) -> None:
    """The rows of the target, by either GET, and what they are made of."""
    ours = median([1e6 * each[HIT] for each in rounds])
    detail = {name: [round(1e6 * each[name], 1) for each in rounds] for name in rounds[0]}
    for get in (LIBRARY, WIRE):
        most = median([1e6 * allowed(each, get) for each in rounds])
        bench.add(METRIC, f"3 x {get} + the hop", ours, most, "ours <= theirs", ours <= most, detail=detail)
    for name in (PASSED, LIBRARY, WIRE):
        peer = "the same without the cache" if name == PASSED else name
        bench.add(METRIC, peer, ours, median([1e6 * each[name] for each in rounds]), "", None)


def allowed(times: Mapping[str, float], get: str) -> float:
    """Seconds that an answer out of the cache may take."""
    return TIMES * times[get] + times[PASSED] - times[BARE]


def redis_version() -> str:
    """The version of the server."""
    told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return told.partition("v=")[2].partition(" ")[0]
