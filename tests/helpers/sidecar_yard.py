# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole sidecar in the test's own loop, on real sockets, and a client that sees each byte."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httptools
import uvloop
from ollama_sidecar.app import Sidecar
from ollama_sidecar.record import Record
from ollama_sidecar.settings import Settings

from tests.helpers.scripted_ollama import ScriptedOllama

T = TypeVar("T")
LOCAL = "127.0.0.1:0"
SECONDS = 20.0


def run(test: Coroutine[Any, Any, T]) -> T:
    """Run a test on the loop that the sidecar has in production."""

    async def bounded() -> T:
        async with asyncio.timeout(SECONDS * 3):
            return await test

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(bounded())


@dataclass
class Answer:
    """What a client got. body: without the framing. whole: the answer ended as its framing says."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False
    informed: list[int] = field(default_factory=list)  # 1xx before it

    def header(self, name: str) -> str:
        return ", ".join(value for found, value in self.headers if found.lower() == name.lower())

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection to the sidecar."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.closed = False

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, method: str = "POST", data: bytes = b"") -> Answer:
        """Read one answer, of which `data` has been read. It is not whole where the connection ends before."""
        reading = _Reading(method)
        parser = httptools.HttpResponseParser(reading)
        while not reading.done:
            if data:
                reading.feed(parser, data)
                if reading.done:
                    break
            try:
                async with asyncio.timeout(SECONDS):
                    data = await self.reader.read(65536)
            except ConnectionError:
                data, reading.reset = b"", True
            if not data:
                self.closed = True
                reading.end(parser)
                break
        return reading.answer

    async def ended(self) -> bool:
        """Whether the sidecar has closed the connection, and said nothing more before."""
        try:
            async with asyncio.timeout(SECONDS):
                return not await self.reader.read(1)
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return

    def reset(self) -> None:
        self.writer.transport.abort()


class _Reading:
    """Reads one answer."""

    def __init__(self, method: str) -> None:
        self.answer = Answer()
        self.reset = False
        self.done = False
        self._method = method
        self._parser: httptools.HttpResponseParser | None = None

    def feed(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        self._parser = parser
        parser.feed_data(data)

    def end(self, parser: httptools.HttpResponseParser) -> None:
        names = {name.lower() for name, dummy in self.answer.headers}
        if self.answer.status and not names & {"content-length", "transfer-encoding"} and not self.reset:
            self.answer.whole = True

    def on_message_begin(self) -> None:
        self.answer.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:
            self.answer.informed.append(status)
            return
        self.answer.status = status
        if self._method == "HEAD":
            self.done = self.answer.whole = True

    def on_body(self, data: bytes) -> None:
        self.answer.body += data

    def on_message_complete(self) -> None:
        if self.answer.status >= 200:
            self.done = self.answer.whole = True


def request(
    method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None, version: str = "1.1"
) -> bytes:
    """The bytes of a request. body: bytes, or what is sent as JSON."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Host": "model.example.org", "User-Agent": "a test", **(headers or {})}
    if body is not None:
        given.setdefault("Content-Length", str(len(data)))
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + data


@dataclass
class Yard:
    """A running sidecar. records: of the requests that ended."""

    sidecar: Sidecar
    ollama: ScriptedOllama
    records: list[Record]
    task: asyncio.Task[None]

    def port(self, listener: str = "public") -> int:
        return self.sidecar.listeners[listener].port

    async def connect(self, listener: str = "public") -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port(listener)))

    async def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        listener: str = "public",
    ) -> Answer:
        """One request on a connection of its own."""
        return await self.raw(request(method, target, body, headers), method, listener=listener)

    async def raw(self, raw: bytes, method: str = "POST", *, listener: str = "public") -> Answer:
        client = await self.connect(listener)
        try:
            await client.send(raw)
            return await client.answer(method)
        finally:
            await client.close()

    async def record(self, number: int = 1) -> Record:
        """The record with this number, from 1; it is written just after the client has its answer."""
        await until(lambda: len(self.records) >= number)
        return self.records[number - 1]


async def until(true: Any, seconds: float = SECONDS) -> None:
    """Wait for something that has no event."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.001)


@asynccontextmanager
async def sidecar_yard(ollama: ScriptedOllama, **given: Any) -> AsyncIterator[Yard]:
    """A sidecar in front of `ollama` until the block ends. given: settings that differ."""
    places = {"listen": LOCAL, "admin_listen": LOCAL, "metrics_listen": LOCAL}
    settings = Settings(**{**places, "upstream": ollama.url, "drain_seconds": 5.0, "access_log": False, **given})
    records: list[Record] = []
    sidecar = Sidecar(settings, [records.append])
    task = asyncio.get_running_loop().create_task(sidecar.run())
    listening = asyncio.get_running_loop().create_task(sidecar.listening.wait())
    try:
        await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
        await until(lambda: sidecar.monitor.up or ollama.silent)
        yield Yard(sidecar, ollama, records, task)
    finally:
        listening.cancel()
        sidecar.life.drain(leave=True)
        await task
