# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the tokens of an answer while it passes, without reading it as JSON.

Only a bounded end of the answer is kept. A name in quotes after a comma, such as `,"usage":`, cannot be text of a
model: inside a JSON string each quote has a backslash before it. What a model can write unescaped are the arguments of
a tool call (native chat, Anthropic); each meter says why they do not fool it. Field orders are those of Ollama 0.24.0
(api/types.go, openai/openai.go, openai/responses.go, anthropic/anthropic.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .routes import Dialect, Kind, Route

HOLD = 1024 * 1024  # bytes of an event that is not whole; what is longer is none
KEEP = 1024  # bytes at the end of an answer; the fields that are looked for take less than 400
NANOSECONDS = 1e9
_NUMBERS = re.compile(rb',"(\w+)":(\d+)')
_METRICS = re.compile(rb',"total_duration":\d+((?:,"\w+":\d+)*)')
_LONGEST_METRICS = 512


class Meter:
    """Sees an answer with status 200 piece by piece. This one only passes it on.

    After `finish`: prompt_tokens, output_tokens and load (seconds) are None where they were not told; error: the answer
    carries an error although its status was 200 (only to be believed where Ollama itself ended it).
    """

    __slots__ = ("error", "load", "output_tokens", "prompt_tokens")

    def __init__(self) -> None:
        self.prompt_tokens: int | None = None
        self.output_tokens: int | None = None
        self.load: float | None = None
        self.error = False

    def feed(self, data: bytes) -> bytes:
        """What the client gets of this piece; empty while an event that may have to be changed is not whole."""
        return data

    def finish(self) -> bytes:
        """What was held back, once nothing more comes."""
        return b""

    def _native(self, numbers: bytes) -> None:
        """Take Ollama's own counts; those that are zero are left out by it."""
        found = {name: int(number) for name, number in _NUMBERS.findall(numbers)}
        if not found:
            return
        self.prompt_tokens = found.get(b"prompt_eval_count", 0)
        self.output_tokens = found.get(b"eval_count", 0)
        self.load = found.get(b"load_duration", 0) / NANOSECONDS


class ChatMeter(Meter):
    """/api/chat. A tool call's arguments come before `done`, in the same line; the counts come after it."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        super().__init__()
        self._tail = b"\n"

    def feed(self, data: bytes) -> bytes:
        window = self._tail + data
        if b'\n{"error":' in window:
            self.error = True
        self._tail = window[-KEEP:]
        return data

    def finish(self) -> bytes:
        rest = self._tail[self._tail.rfind(b'"done":') + 1 :]
        metrics = _METRICS.search(rest)
        if metrics and not rest.startswith(b'done":false'):
            self._native(metrics[0])
        return b""


class FirstMeter(Meter):
    """/api/generate, embed, embeddings. A tool call's arguments come after the counts, so the first ones are right."""

    __slots__ = ("_found", "_tail")

    def __init__(self) -> None:
        super().__init__()
        self._tail = b"\n"
        self._found = b""

    def feed(self, data: bytes) -> bytes:
        window = self._tail + data
        if b'\n{"error":' in window:
            self.error = True
        if self._found:
            if len(self._found) < _LONGEST_METRICS:
                self._found += data[:_LONGEST_METRICS]
        else:
            place = window.find(b',"total_duration":')
            if place >= 0:
                self._found = window[place : place + _LONGEST_METRICS]
        self._tail = window[-32:]  # longer than what is searched for
        return data

    def finish(self) -> bytes:
        metrics = _METRICS.match(self._found)
        if metrics:
            self._native(metrics[0])
        return b""


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer of a /v1 route tells its tokens.

    usage: group 1 are the prompt's tokens, group 2, where there is one, those of the answer; the last match counts.
    fault: begins the event of an error. end: is in each stream that is whole (Ollama tells nothing of an error there).
    """

    usage: re.Pattern[bytes]
    fault: bytes
    end: bytes


OPENAI = Form(
    re.compile(rb',"usage":\{"prompt_tokens":(\d+)(?:,"completion_tokens":(\d+))?'), b'data: {"error":', b"data: [DONE]"
)
# Keys are sorted in the stream, and as in the struct otherwise: the client's own schemas are echoed before the usage.
RESPONSES = Form(
    re.compile(rb',"usage":\{"input_tokens":(\d+)(?:,"input_tokens_details":\{[^{}]*\})?,"output_tokens":(\d+)'),
    b"event: response.failed",
    b"event: response.completed",
)
# The usage in message_start is an estimate, and is no count of an answer that broke off.
MESSAGES_STREAM = Form(
    re.compile(rb'"type":"message_delta"[^\n]*,"usage":\{"input_tokens":(\d+),"output_tokens":(\d+)'),
    b"event: error",
    b"event: message_stop",
)
MESSAGES = Form(
    re.compile(rb',"usage":\{"input_tokens":(\d+),"output_tokens":(\d+)\}\}\s*\Z'),
    b"event: error",
    b"",
)


class UsageMeter(Meter):
    """The /v1 routes; the bytes are passed on as they are."""

    __slots__ = ("_ended", "_form", "_stream", "_tail")

    def __init__(self, form: Form, *, stream: bool) -> None:
        super().__init__()
        self._form, self._stream = form, stream
        self._tail = b"\n"
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        self._see(data)
        return data

    def finish(self) -> bytes:
        if self._stream and not self._ended:
            self.error = True
        self._read(self._tail)
        return b""

    def _see(self, data: bytes) -> None:
        window = self._tail + data
        if self._stream:
            if self._form.end in window:
                self._ended = True
            if b"\n" + self._form.fault in window:
                self.error = True
        self._tail = window[-KEEP:]

    def _read(self, text: bytes) -> None:
        """Take the last usage. Ollama fills the one of pieces that are not the last with zeros."""
        for usage in self._form.usage.finditer(text):
            prompt, output = int(usage[1]), int(usage[2]) if usage.re.groups > 1 and usage[2] else None
            if prompt or output:
                self.prompt_tokens, self.output_tokens = prompt, output


# The member that Ollama puts into each piece of /v1/completions; null is what OpenAI itself puts there.
_ZERO = b',"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\n'
_MEMBER = re.compile(rb',"usage":(?:null|\{(?:[^{}]|\{[^{}]*\})*\})')


class InjectedMeter(UsageMeter):
    """A stream of OpenAI's whose usage only we asked for: the client sees none of it.

    Where no event ends for too long it is no such stream, and all is passed on as it is.
    """

    __slots__ = ("_given_up", "_held", "_last", "_usage")

    def __init__(self) -> None:
        super().__init__(OPENAI, stream=True)
        self._held = bytearray()
        self._last = self._usage = b""
        self._given_up = False

    def feed(self, data: bytes) -> bytes:
        if self._given_up:
            return super().feed(data)
        if self._held or not data.endswith(b"\n\n"):
            data = self._whole(data)
            if not data or self._given_up:
                return data
        self._last = data
        if self._form.fault in data:
            self.error = True
        if b',"usage":' in data:
            self._usage = data
            return _without_usage(data)
        return data

    def finish(self) -> bytes:
        if self._given_up:
            self._read(self._usage)
            return super().finish()
        if self._form.end not in self._last + self._held:
            self.error = True
        self._read(self._usage)
        return bytes(self._held)

    def _whole(self, data: bytes) -> bytes:
        """The events that are whole with this piece; the rest is held."""
        held = self._held
        before = len(held)
        held += data
        end = held.rfind(b"\n\n", max(0, before - 1)) + 2
        if end >= 2:
            data = bytes(held[:end])
            del held[:end]
            return data
        if len(held) <= HOLD:
            return b""
        self._given_up, self._held = True, bytearray()
        return super().feed(bytes(held))


def _without_usage(events: bytes) -> bytes:
    """Whole events, without the one that only has the usage and without the member in the others."""
    if b'"choices":[]' not in events:
        events = events.replace(_ZERO, b"}\n\n")
        if b',"usage":' not in events:
            return events
    kept = []
    for event in events[:-2].split(b"\n\n"):
        if b',"usage":' in event:
            if b'"choices":[]' in event:
                continue
            event = _MEMBER.sub(b"", event)
        kept.append(event + b"\n\n")
    return b"".join(kept)


def meter_for(route: Route, stream: bool, injected: bool) -> Meter:
    """The meter of an answer with status 200.

    stream: it comes as one (application/x-ndjson, text/event-stream). injected: what `inject` said of the request.
    """
    if route.kind not in (Kind.GENERATE, Kind.EMBED):
        return Meter()
    if route.dialect is Dialect.OLLAMA:
        return ChatMeter() if route.name == "/api/chat" else FirstMeter()
    if route.dialect is Dialect.ANTHROPIC:
        return UsageMeter(MESSAGES_STREAM if stream else MESSAGES, stream=stream)
    if route.name == "/v1/responses":
        return UsageMeter(RESPONSES, stream=stream)
    if stream and injected:
        return InjectedMeter()
    return UsageMeter(OPENAI, stream=stream and route.kind is Kind.GENERATE)


def inject(body: dict[str, Any]) -> bool:
    """Ask for the usage of a stream of /v1/chat/completions or /v1/completions, and say whether that was our doing.

    Ollama reads names in any case; a body that uses another spelling is left alone.
    """
    if body.get("stream") is not True or _spelled(body, "stream_options"):
        return False
    options = body.get("stream_options")
    if options is None:
        options = {}
    if not isinstance(options, dict) or _spelled(options, "include_usage"):
        return False
    asked = options.get("include_usage")
    if asked is not None and asked is not False:
        return False  # it is asked for, or Ollama says that this is no such value
    body["stream_options"] = {**options, "include_usage": True}
    return True


def _spelled(body: dict[str, Any], name: str) -> bool:
    """Whether `name` is there in another spelling."""
    return any(key != name and key.casefold() == name for key in body)
