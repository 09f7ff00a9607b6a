# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A line of JSON for each request that ended, and one for the tokens of an answer that outlived its request.

Never a prompt, an answer, a key, a path or a query.

Lines are collected and handed to a thread ten times a second, so that a log driver that is slow holds up no request.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from json.encoder import encode_basestring_ascii as _text
from queue import SimpleQueue

from .record import Record

LOG = logging.getLogger(__name__)
EVERY = 0.1  # seconds
MOST = 8 * 1024 * 1024  # bytes that wait for the log driver; more are dropped
PATIENCE = 2.0  # seconds that the end waits for the log driver


class Output:
    """Writes lines to a file descriptor. dropped: lines that were too many."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lines: list[str] = []
        self._taken = 0  # characters, which are ASCII; counted by the loop
        self._done = 0  # counted by the thread
        self._told = 0
        self._timer: asyncio.TimerHandle | None = None
        self._handed: SimpleQueue[bytes] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="output", daemon=True)
        self._thread.start()
        self.dropped = 0

    def line(self, text: str) -> None:
        """Write an ASCII line, soon. To be called where the loop runs."""
        if self._taken - self._done > MOST:
            self.dropped += 1
            return
        self._lines.append(text)
        self._taken += len(text) + 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self.flush)

    def flush(self) -> None:
        """Hand over what has been collected."""
        self._timer = None
        if self._lines:
            self._lines.append("")
            self._handed.put("\n".join(self._lines).encode("ascii", "replace"))
            self._lines = []
        if self.dropped > self._told:
            LOG.warning("%d lines of the log were dropped: standard output is too slow", self.dropped - self._told)
            self._told = self.dropped

    def close(self) -> None:
        """Write what is left, as far as that goes quickly."""
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        self._handed.put(b"")
        self._thread.join(PATIENCE)

    def _write(self) -> None:
        while data := self._handed.get():
            size = len(data)
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                pass  # nobody reads; there is nowhere to tell it
            self._done += size


class AccessLog:
    """The line of a request. Durations are milliseconds; what is not known or not so is left out."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._second = 0
        self._stamp = ""

    def observe(self, record: Record) -> None:
        """Write the line of a request that has ended."""
        # Written by hand: a general encoder takes several times as long. What is not a number goes through `_text`.
        head = (
            f'{{"time":"{self._time(time.time())}","type":"access","id":{_text(record.id)},'
            f'"method":{_text(record.method)},"route":{_text(record.route)},"key":{_text(record.key)},'
            f'"peer":{_text(record.peer)},"status":{record.status},"stream":{"true" if record.stream else "false"},'
            f'"duration_ms":{record.duration * 1000:.3f},"queued_ms":{record.queued * 1000:.3f},'
            f'"bytes_in":{record.bytes_in},"bytes_out":{record.bytes_out}'
        )
        parts = [head]
        for name, word in (
            ("model", record.model),
            ("cache", record.cache),
            ("rejected", record.rejected),
            ("broken", record.broken),
        ):
            if word:
                parts.append(f'"{name}":{_text(word)}')
        if record.disconnected:
            parts.append('"disconnected":true')
        if record.first is not None:
            parts.append(f'"first_ms":{(record.first - record.began) * 1000:.3f}')
        if record.prompt_tokens is not None:
            parts.append(f'"prompt_tokens":{record.prompt_tokens}')
        if record.output_tokens is not None:
            parts.append(f'"output_tokens":{record.output_tokens}')
        if record.load is not None:
            parts.append(f'"load_ms":{record.load * 1000:.3f}')
        self._output.line(",".join(parts) + "}")

    def work(self, record: Record) -> None:
        """Write the tokens of an answer whose client went first: the line of the request has been written without."""
        if record.prompt_tokens is None and record.output_tokens is None:
            return
        self._output.line(
            f'{{"time":"{self._time(time.time())}","type":"tokens","id":{_text(record.id)},'
            f'"route":{_text(record.route)},"key":{_text(record.key)},"model":{_text(record.model)},'
            f'"prompt_tokens":{record.prompt_tokens or 0},"output_tokens":{record.output_tokens or 0}}}'
        )

    def _time(self, now: float) -> str:
        """RFC 3339 in UTC. The part down to the second is kept for as long as it holds."""
        second, milliseconds = divmod(int(now * 1000), 1000)
        if second != self._second:
            self._second, self._stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{milliseconds:03d}Z"
