# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Redis for tests, in the test's own event loop, that misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Command = list[bytes]
OK = b"+OK\r\n"


def bulk(value: bytes) -> bytes:
    """A string as Redis sends it."""
    return b"$%d\r\n%s\r\n" % (len(value), value)


class RedisStub:
    """data: the values. asked: how often each command came. misbehave: its bytes are sent instead of the answer.

    silent: nothing is answered, as by a process that is stopped.
    """

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.misbehave: Callable[[Command], bytes | None] = lambda command: None
        self.silent = False
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while command := await _command(reader):
                name = command[0].decode().upper()
                self.asked[name] += 1
                if self.silent:
                    continue
                writer.write(self.misbehave(command) or self._answer(name, command))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, name: str, command: Command) -> bytes:
        if name == "SET":
            self.data[command[1]] = command[2]
        elif name == "GETRANGE":
            return bulk(self.data.get(command[1], b"")[: int(command[3]) + 1])
        return OK


async def _command(reader: asyncio.StreamReader) -> Command:
    """A command as clients send it: an array of strings."""
    words: Command = []
    for _ in range(int((await reader.readline())[1:] or b"0")):
        length = int((await reader.readline())[1:])
        words.append((await reader.readexactly(length + 2))[:-2])
    return words


@asynccontextmanager
async def redis_stub() -> AsyncIterator[RedisStub]:
    """A stub that listens until the block ends."""
    stub = RedisStub()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()
