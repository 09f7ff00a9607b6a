# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands between the sidecar and a real Ollama and keeps each answer's body as Ollama sent it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httptools


@dataclass
class Exchanged:
    """One request and its answer. body: without the framing of chunks."""

    target: str = ""
    asked: bytes = b""
    status: int = 0
    body: bytes = b""


@dataclass
class Recorder:
    """seen: the requests to a model, in the order of their ends."""

    port: int = 0
    seen: list[Exchanged] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Sides:
    """The parsers of both directions of a connection."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._now = Exchanged()
        self.request = httptools.HttpRequestParser(_Request(self))
        self._answer = httptools.HttpResponseParser(_Response(self))

    @property
    def now(self) -> Exchanged:
        return self._now

    def answered(self, data: bytes) -> None:
        self._answer.feed_data(data)

    def status(self) -> int:
        return int(self._answer.get_status_code())

    def ended(self) -> None:
        if self._now.asked:
            self._recorder.seen.append(self._now)
        self._now = Exchanged()


class _Request:
    def __init__(self, sides: _Sides) -> None:
        self._sides = sides

    def on_url(self, url: bytes) -> None:
        self._sides.now.target = url.decode()

    def on_body(self, data: bytes) -> None:
        self._sides.now.asked += data


class _Response:
    def __init__(self, sides: _Sides) -> None:
        self._sides = sides

    def on_headers_complete(self) -> None:
        self._sides.now.status = self._sides.status()

    def on_body(self, data: bytes) -> None:
        self._sides.now.body += data

    def on_message_complete(self) -> None:
        self._sides.ended()


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[Recorder]:
    """Listen on a free port of loopback for the server at `url` until the block ends."""
    host, dummy, port = url.rpartition("//")[2].rpartition(":")
    recorder = Recorder()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sides = _Sides(recorder)
        behind, before = await asyncio.open_connection(host, int(port))

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, answers: bool) -> None:
            try:
                while data := await source.read(65536):
                    sides.answered(data) if answers else sides.request.feed_data(data)
                    target.write(data)
                    await target.drain()
            except ConnectionError:
                pass
            finally:
                target.close()

        await asyncio.gather(pass_on(reader, before, False), pass_on(behind, writer, True))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    recorder.port = int(server.sockets[0].getsockname()[1])
    try:
        yield recorder
    finally:
        server.close()
