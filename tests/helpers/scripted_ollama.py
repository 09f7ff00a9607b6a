# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A raw server in Ollama's place: it keeps what it was asked, byte for byte, and answers what a test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

DIGEST = "0123456789abcdef" * 4


@dataclass
class Asked:
    """One request. raw: all of its bytes. sent: what was written back. gone: the connection it came on has ended."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes
    transport: asyncio.Transport
    writable: asyncio.Event
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    sent: bytearray = field(default_factory=bytearray)

    @property
    def names(self) -> set[str]:
        return {name.lower() for name, dummy in self.headers}

    def header(self, name: str) -> str:
        """The values of a header, joined."""
        return ", ".join(value for found, value in self.headers if found.lower() == name.lower())

    def write(self, data: bytes) -> None:
        self.sent += data
        if not self.transport.is_closing():
            self.transport.write(data)

    async def send(self, data: bytes) -> None:
        """Write, and wait while nobody reads."""
        if not self.transport.is_closing():
            self.transport.write(data)
        await self.writable.wait()

    def close(self) -> None:
        self.transport.close()

    def reset(self) -> None:
        self.transport.abort()

    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[Asked], Awaitable[None]]


def response(
    body: bytes = b"{}",
    status: str = "200 OK",
    headers: Sequence[str] = ("Content-Type: application/json",),
    *,
    length: bool = True,
) -> bytes:
    """An answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked_head(content_type: str = "application/x-ndjson", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"


def stream(pieces: Sequence[bytes], content_type: str = "application/x-ndjson") -> bytes:
    """A whole streamed answer."""
    return chunked_head(content_type) + b"".join(map(chunk, pieces)) + LAST


def always(raw: bytes) -> Script:
    """The same answer to each request."""

    async def script(asked: Asked) -> None:
        asked.write(raw)

    return script


class ScriptedOllama:
    """asked: the requests, without those of the monitor. loaded: the entries of /api/ps. digest: of all models.

    silent: the monitor gets no answer. running, most: requests at this moment, and at most at once.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.server: asyncio.Server | None = None
        self.asked: list[Asked] = []
        self.watched: list[Asked] = []
        self.connections = 0
        self.open = 0
        self.running = self.most = 0
        self.silent = False
        self.loaded: list[dict[str, Any]] = [entry("tiny:latest")]
        self.models = ["tiny:latest"]
        self.digest = DIGEST
        self.loading: Script | None = None  # answers the requests that load a model
        self.came = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def wait(self, number: int) -> Asked:
        """The request with this number, from 1."""
        async with self.came:
            await self.came.wait_for(lambda: len(self.asked) >= number)
        return self.asked[number - 1]

    async def answer(self, asked: Asked) -> None:
        if self._watches(asked):
            self.watched.append(asked)
            if not self.silent:
                await self._tell(asked)
            return
        self.asked.append(asked)
        self.running += 1
        self.most = max(self.most, self.running)
        async with self.came:
            self.came.notify_all()
        try:
            await self.script(asked)
        finally:
            self.running -= 1

    def _watches(self, asked: Asked) -> bool:
        """The monitor asks without any header of a client, and loads with neither prompt nor input."""
        if asked.target in ("/api/version", "/api/ps", "/api/tags"):
            return "user-agent" not in asked.names and "accept" not in asked.names
        loads = b'"keep_alive": -1' in asked.body and b'"prompt"' not in asked.body
        return loads and asked.target in ("/api/generate", "/api/embed")

    async def _tell(self, asked: Asked) -> None:
        if asked.method == "POST":
            await (self.loading or self._load)(asked)
            return
        tags = [{**entry(name), "digest": self.digest} for name in self.models]
        body = {
            "/api/version": {"version": "0.24.0"},
            "/api/ps": {"models": self.loaded},
            "/api/tags": {"models": tags},
        }
        asked.write(response(json.dumps(body[asked.target]).encode()))

    async def _load(self, asked: Asked) -> None:
        name = asked.json()["model"]
        if name not in {found["model"] for found in self.loaded}:
            self.loaded.append(entry(name))
        asked.write(response(b'{"done":true,"done_reason":"load"}'))


def entry(name: str, *, vram: int = 0) -> dict[str, Any]:
    """A model as /api/ps and /api/tags tell it."""
    details = {"family": "llama", "quantization_level": "F32"}
    return {"name": name, "model": name, "digest": DIGEST, "size": 1000, "size_vram": vram, "details": details}


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, ollama: ScriptedOllama) -> None:
        self._ollama = ollama
        self._data = b""
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._last: list[Asked] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ollama.connections += 1
        self._ollama.open += 1

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (asked := self._take()) is not None:
            self._last.append(asked)
            task = asyncio.get_running_loop().create_task(self._ollama.answer(asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def connection_lost(self, error: Exception | None) -> None:
        self._ollama.open -= 1
        self._writable.set()
        for asked in self._last:
            asked.gone.set()

    def _take(self) -> Asked | None:
        """The next whole request."""
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, dummy = first.split(" ", 2)
        headers = [(name, value.strip()) for name, dummy, value in (line.partition(":") for line in lines)]
        known = {name.lower(): value for name, value in headers}
        body: bytes | None
        if known.get("transfer-encoding") == "chunked":
            body, size = _unchunk(rest)
        else:
            size = int(known.get("content-length", "0"))
            body = rest[:size] if len(rest) >= size else None
        if body is None:
            return None
        whole = len(head) + len(end) + size
        raw, self._data = self._data[:whole], self._data[whole:]
        transport = cast(asyncio.Transport, self._transport)
        return Asked(method, target, headers, body, raw, transport, self._writable)


def _unchunk(data: bytes) -> tuple[bytes | None, int]:
    body, place = b"", 0
    while True:
        end = data.find(b"\r\n", place)
        if end < 0:
            return None, 0
        size = int(data[place:end], 16)
        if len(data) < end + 4 + size:
            return None, 0
        body += data[end + 2 : end + 2 + size]
        place = end + 4 + size
        if not size:
            return body, place


@asynccontextmanager
async def scripted_ollama(script: Script | bytes = b"", port: int = 0) -> AsyncIterator[ScriptedOllama]:
    """Serve on loopback, on a free port where none is given. script: bytes are the answer to each request."""
    ollama = ScriptedOllama(always(script or response()) if isinstance(script, bytes) else script)
    server = await asyncio.get_running_loop().create_server(lambda: _Line(ollama), "127.0.0.1", port)
    ollama.server = server
    ollama.port = int(server.sockets[0].getsockname()[1])
    try:
        yield ollama
    finally:
        server.close()
