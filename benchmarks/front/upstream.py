# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream that costs little, so that what is in front of it shows: ``python -m benchmarks.front.upstream PORT``.

It speaks Ollama's own API and OpenAI's, as Ollama does; the model that is asked for says how. A piece of a stream
carries the moment in which it was sent (seconds of the monotonic clock, which all processes share) as its text.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass
from typing import cast

import httptools
import uvloop


@dataclass(frozen=True)
class Behaviour:
    """What a model does. wait: seconds before the answer. A stream has so many pieces, `gap` seconds apart."""

    wait: float = 0.0
    pieces: int = 0
    gap: float = 0.0


CHUNKS, WAIT, SHORT, SLOW = "chunks", "wait", "short", "slow"
MODELS = {
    CHUNKS: Behaviour(pieces=50, gap=0.02),
    WAIT: Behaviour(wait=0.1),
    SHORT: Behaviour(),
    SLOW: Behaviour(pieces=12, gap=1.0),
}
NATIVE, OPENAI = "/api/chat", "/v1/chat/completions"
_MODEL = re.compile(rb'"model":\s*"(\w+)"')
_STREAM = re.compile(rb'"stream":\s*true')
_USAGE = re.compile(rb'"include_usage":\s*true')
_STAMP = "t%.6f "
_COUNTS = {"total_duration": 9, "load_duration": 1, "prompt_eval_count": 5, "eval_count": 50, "eval_duration": 7}
_USED = {"prompt_tokens": 5, "completion_tokens": 50, "total_tokens": 55}


def _line(done: bool) -> dict[str, object]:
    line = {"model": "m", "created_at": "2026-01-01T00:00:00.000000Z", "message": {"role": "assistant"}, "done": done}
    line["message"] = {"role": "assistant", "content": _STAMP}
    return {**line, "done_reason": "stop", **_COUNTS} if done else line


def _event(choices: list[object], **more: object) -> dict[str, object]:
    kind = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1767225600, "model": "m"}
    return {**kind, "system_fingerprint": "fp_ollama", "choices": choices, **more}


def _choice(reason: str | None) -> dict[str, object]:
    return {"index": 0, "delta": {"role": "assistant", "content": _STAMP}, "finish_reason": reason}


def _packed(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _sse(body: object) -> bytes:
    return b"data: " + _packed(body) + b"\n\n"


def _whole(kind: str, body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _head(kind: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


_JSON = "application/json"
_REPLY = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
_CHAT = {**_line(done=True), "message": {"role": "assistant", "content": "ok"}}
_SINGLE = {
    NATIVE: _whole(_JSON, _packed(_CHAT)),
    OPENAI: _whole(_JSON, _packed({**_event([_REPLY]), "object": "chat.completion", "usage": _USED})),
}
_HEADS = {NATIVE: _head("application/x-ndjson"), OPENAI: _head("text/event-stream")}
_PIECES = {
    NATIVE: (_packed(_line(done=False)) + b"\n", _packed(_line(done=True)) + b"\n"),
    OPENAI: (_sse(_event([_choice(None)])), _sse(_event([_choice("stop")]))),
}
_LISTED = [{"model": f"{name}:latest", "name": f"{name}:latest", "digest": name * 8} for name in MODELS]
_ASKED = {
    "/api/version": {"version": "0.0.0"},
    "/api/tags": {"models": _LISTED},
    "/api/ps": {"models": _LISTED},
    "/v1/models": {"object": "list", "data": []},
}


def chunk(data: bytes) -> bytes:
    """A piece of a chunked answer."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    """One connection; its requests come one after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = ""
        self._body = b""
        self._behaviour = Behaviour()
        self._sent = 0
        self._next = 0.0
        self._usage = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._path, self._body = "", b""

    def on_url(self, url: bytes) -> None:
        self._path += url.decode()

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if self._path in _ASKED:
            self._transport.write(_whole(_JSON, _packed(_ASKED[self._path])))
            return
        model = _MODEL.search(self._body)
        self._behaviour = MODELS[model[1].decode()] if model else Behaviour()
        if not self._behaviour.pieces:
            self._loop.call_later(self._behaviour.wait, self._answer) if self._behaviour.wait else self._answer()
            return
        self._usage = _USAGE.search(self._body) is not None
        self._sent, self._next = 0, time.monotonic()
        self._piece(_HEADS[self._path])

    def _answer(self) -> None:
        self._transport.write(_SINGLE[self._path])

    def _piece(self, head: bytes = b"") -> None:
        """Send the next piece; the first one goes with the head, as Ollama sends it."""
        if self._transport.is_closing():
            return
        self._sent += 1
        last = self._sent == self._behaviour.pieces
        now = time.monotonic()
        self._transport.write(head + chunk(_PIECES[self._path][last] % now))
        if last:
            self._transport.write(self._tail())
            return
        self._next += self._behaviour.gap
        self._loop.call_later(max(0.0, self._next - now), self._piece)

    def _tail(self) -> bytes:
        if self._path == NATIVE:
            return b"0\r\n\r\n"
        usage = chunk(_sse(_event([], usage=_USED))) if self._usage else b""
        return usage + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
