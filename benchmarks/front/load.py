# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients: so many connections that are kept, each with one request after the other."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import uvloop

from benchmarks.front.upstream import MODELS

STAMP = re.compile(rb'"t([0-9]+\.[0-9]{6}) "')
PROMPT = "Say in one sentence why the sky is blue. " * 5
MESSAGES = [{"role": "user", "content": PROMPT}]


@dataclass
class Seen:
    """What the clients saw, in seconds. requests: that were answered in full.

    first: from each request to the first piece of its answer, or to its end where it is no stream. late: from the
    moment in which each later piece was sent to the one in which it was there. took: wall time of all.
    """

    requests: int = 0
    first: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    took: float = 0.0
    most: int = 0  # requests that ran at once
    running: int = 0


class Failed(RuntimeError):
    """An answer that is not what was asked for."""


def request(path: str, model: str, key: str, **options: Any) -> bytes:
    """A request as bytes, the same for every side; only its key differs."""
    body: dict[str, Any] = {"model": model, "messages": MESSAGES, "stream": bool(MODELS[model].pieces)}
    if options:
        body["options"] = options
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Caller(asyncio.Protocol):
    """One connection. pieces: that each answer must have; 0 for one that is no stream."""

    def __init__(self, seen: Seen, asking: bytes, pieces: int) -> None:
        self._seen, self._asking, self._expected = seen, asking, pieces
        self._pieces = 0
        self._began = self._now = 0.0
        self._body = b""
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self) -> None:
        """Send the request and return when its answer is whole. Raises Failed."""
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self._pieces, self._body = 0, b""
        self._seen.running += 1
        self._seen.most = max(self._seen.most, self._seen.running)
        self._began = time.monotonic()
        self._transport.write(self._asking)
        try:
            await self._done
        finally:
            self._seen.running -= 1
        self._seen.requests += 1

    def close(self) -> None:
        self._done = None
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._now = time.monotonic()
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        if not self._expected:
            self._body += data
            return
        # Parts of an answer that came together are looked at together; a stamp that is cut is put together again.
        self._body += data
        end = 0
        for stamp in STAMP.finditer(self._body):
            end = stamp.end()
            self._pieces += 1
            if self._pieces == 1:
                self._seen.first.append(self._now - self._began)
            else:
                self._seen.late.append(self._now - float(stamp[1]))
        self._body = self._body[end:]

    def on_message_complete(self) -> None:
        if self._done is None or self._done.done():
            return
        status = self._parser.get_status_code()
        if status != 200 or self._pieces != self._expected:
            told = f"status {status}, {self._pieces} pieces of {self._expected}: {self._body[:300]!r}"
            self._done.set_exception(Failed(told))
            return
        if not self._expected:
            self._seen.first.append(self._now - self._began)
        self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(Failed(f"the connection was closed: {error}"))


async def _connect(port: int, seen: Seen, asking: bytes, pieces: int) -> Caller:
    loop = asyncio.get_running_loop()
    dummy, caller = await loop.create_connection(lambda: Caller(seen, asking, pieces), "127.0.0.1", port)
    return caller


async def streams(
    port: int, path: str, key: str, model: str, *, connections: int, each: int, within: float = 0.0
) -> Seen:
    """Streams on all connections at once, `each` on every one.

    within: seconds over which their beginnings are spread; 0 for the length of a stream.
    """
    behaviour = MODELS[model]
    seen, asking = Seen(), request(path, model, key)
    callers = [await _connect(port, seen, asking, behaviour.pieces) for dummy in range(connections)]
    apart = (within or behaviour.pieces * behaviour.gap) / connections

    async def work(number: int, caller: Caller) -> None:
        await asyncio.sleep(number * apart)
        for dummy in range(each):
            await caller.ask()

    return await _all(seen, callers, work)


async def replies(port: int, path: str, key: str, model: str, *, connections: int, seconds: float) -> Seen:
    """Requests on all connections, the next one as soon as one is answered, for so many seconds."""
    seen, asking = Seen(), request(path, model, key)
    callers = [await _connect(port, seen, asking, 0) for dummy in range(connections)]
    wait = MODELS[model].wait
    end = time.monotonic() + seconds

    async def work(number: int, caller: Caller) -> None:
        await asyncio.sleep(number * wait / connections)
        while time.monotonic() < end:
            await caller.ask()

    return await _all(seen, callers, work)


async def _all(seen: Seen, callers: list[Caller], work: Callable[[int, Caller], Coroutine[Any, Any, None]]) -> Seen:
    began = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for number, caller in enumerate(callers):
                group.create_task(work(number, caller))
    except ExceptionGroup as errors:
        raise Failed(str(errors.exceptions[0])) from errors
    finally:
        for caller in callers:
            caller.close()
    seen.took = time.monotonic() - began
    return seen


def run(load: Coroutine[Any, Any, Seen]) -> Seen:
    """Run a load with nothing of ours in the way: the collector of garbage rests meanwhile."""
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(load)
    finally:
        gc.enable()
