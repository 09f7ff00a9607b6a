# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B7: a stop while fifty answers stream: how many come whole, and how long the sidecar outlives the longest.

SIGTERM comes five seconds after the requests, to the sidecar alone or, in the same moment, to Ollama's container too,
which is the image's start script with a program as Ollama. The program is a scripted one, whose answers last exactly
1 to 20 seconds and which cuts them at SIGTERM as Ollama does, or the real Ollama, whose answers last about so long: its
random-weight model is timed before, and asked for as many tokens as it will make in that time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop

from benchmarks.b10_fetch import ollama_version
from benchmarks.front.sides import sidecar
from benchmarks.harness import OURS, Bench, Measure, NotMeasured, median
from tests.helpers.ollama_container import container
from tests.helpers.real_ollama import BINARY, free_port
from tests.helpers.streaming_ollama import PIECES
from tests.helpers.tiny_model import pack

PLAIN, ALONE = "without a sidecar", "the sidecar alone"
STREAMS, SHORTEST, LONGEST, SIGNAL_AT, EXTRA = 50, 1.0, 20.0, 5.0, 0.2
ROUNDS = 3
PATIENCE = 240.0  # seconds for the longest stream, on a machine where others compute too
TINY = "tiny:latest"
# Without them a model of random weights falls into a loop, which Ollama ends.
OPTIONS = {"temperature": 0.5, "top_k": 20}
# Tokens. More than the context has room for, so that a token of the run takes as long as one of these.
CALIBRATION = 600
Bodies = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained(Measure):
    """One stop. whole: streams that came whole. longest: seconds of the last of them.

    extra: seconds for which the sidecar ran on after that. after: those of Ollama's container, where it was stopped.
    """

    whole: int
    longest: float
    extra: float | None
    after: float | None


@dataclass(frozen=True)
class Ended:
    """A stream that has ended, at this moment of the monotonic clock."""

    whole: bool
    at: float


@dataclass(frozen=True)
class Scene:
    """What is stopped. bodies: of the requests. finished: whether an answer's last bytes are those of a whole one."""

    program: Path
    folder: Path
    bodies: Bodies
    finished: Callable[[bytes], bool]
    signal_at: float = SIGNAL_AT
    environment: Mapping[str, str] | None = None


class Stream(asyncio.Protocol):
    """One request on a connection of its own. begun: the head of the answer is there."""

    def __init__(self, asking: bytes, finished: Callable[[bytes], bool]) -> None:
        self._asking, self._finished = asking, finished
        self._parser = httptools.HttpResponseParser(self)
        self._tail = b""
        self.begun = False
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._asking)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        self.begun = self._parser.get_status_code() == 200

    def on_body(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-65536:]

    def on_message_complete(self) -> None:
        self._end(whole=self.begun and b'"error"' not in self._tail and self._finished(self._tail))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        if not self.ended.done():
            self.ended.set_result(Ended(whole, time.monotonic()))


def run(bench: Bench) -> None:
    """The scripted Ollama, then the real one where it is built."""
    streams, longest, signal_at = (8, 2.0, 0.5) if bench.quick else (STREAMS, LONGEST, SIGNAL_AT)
    seconds = lengths(streams, SHORTEST if not bench.quick else 0.2, longest)
    compare(bench, "a scripted Ollama", scripted(bench.folder, seconds, signal_at))
    try:
        bench.versions |= {"ollama": ollama_version()}
    except NotMeasured as error:
        bench.missing("streams that come whole; the real Ollama", PLAIN, f"ours = {streams}", str(error))
        return
    compare(bench, "the real Ollama", real(bench, seconds, signal_at))


def lengths(number: int, shortest: float, longest: float) -> list[float]:
    """Seconds of each stream, evenly from the shortest to the longest."""
    return [shortest + (longest - shortest) * place / (number - 1) for place in range(number)]


def compare(bench: Bench, label: str, scene: Scene) -> None:
    """All three ways of a stop in turn, and their rows."""
    bench.say(label)
    sides = {
        OURS: partial(drain, scene, both=True),
        ALONE: partial(drain, scene, both=False),
        PLAIN: partial(cut, scene),
    }
    runs: dict[str, list[Any]] = dict(bench.interleave(sides, 1 if bench.quick else min(ROUNDS, bench.pairs)))
    add_rows(bench, label, len(scene.bodies), runs)


def add_rows(bench: Bench, label: str, number: int, runs: Mapping[str, Sequence[Drained]]) -> None:
    """The worst round of ours counts, and the median one of the peer's."""
    theirs = median([each.whole for each in runs[PLAIN]])
    for side, to in ((ALONE, "the sidecar"), (OURS, "the sidecar and Ollama's container in the same moment")):
        found = runs[side]
        detail = {
            "whole": [each.whole for each in found],
            "whole_without_a_sidecar": [each.whole for each in runs[PLAIN]],
            "longest_seconds": [round(each.longest, 2) for each in found],
            "extra_seconds": [each.extra and round(each.extra, 4) for each in found],
            "container_after_seconds": [each.after and round(each.after, 3) for each in found],
        }
        whole = min(each.whole for each in found)
        what = f"{label}, SIGTERM to {to}"
        metric = f"streams of {number} that come whole; {what}"
        bench.add(metric, PLAIN, whole, theirs, f"ours = {number}", whole == number, detail=detail)
        extra = max(each.extra or 0.0 for each in found)
        metric = f"seconds that the sidecar takes after the longest; {what}"
        bench.add(metric, "none", extra, None, f"ours <= {EXTRA:g} s", extra <= EXTRA, detail=detail)


def scripted(folder: Path, seconds: Sequence[float], signal_at: float) -> Scene:
    """An Ollama whose answers last as long as they are asked to."""
    place = folder / "scripted"
    (place / "models").mkdir(parents=True)
    program = place / "ollama"
    serve = f"{sys.executable} -m tests.helpers.streaming_ollama"
    program.write_text(f'#!/bin/sh\nexec {serve} "${{OLLAMA_HOST##*:}}"\n', "utf-8")
    program.chmod(0o755)
    bodies = [{"model": TINY, "seconds": each} for each in seconds]
    return Scene(program, place, bodies, lambda tail: tail.count(b"\n") == PIECES, signal_at)


def real(bench: Bench, seconds: Sequence[float], signal_at: float) -> Scene:
    """The real one. Its speed is measured with one stream and with all of them."""
    place = bench.folder / "real"
    place.mkdir()
    pack(place / "models", TINY, endless=True)
    number = len(seconds)
    settings = {"OLLAMA_CONTEXT_LENGTH": "256", "OLLAMA_NO_CLOUD": "1", "OLLAMA_NUM_PARALLEL": str(number)}
    scene = Scene(BINARY, place, (), whole_answer, signal_at, settings)
    with ollama(scene) as (port, dummy):
        took = [uvloop.run(timed(port, [asked(each, CALIBRATION) for each in range(many)])) for many in (1, number)]
    bench.say(f"{CALIBRATION} tokens took {took[0]:.2f} s alone and {took[1]:.2f} s with {number} streams")
    tokens = tokens_for(seconds, took[0] / CALIBRATION, took[1] / CALIBRATION)
    bodies = [asked(seed, most) for seed, most in enumerate(tokens)]
    return Scene(BINARY, place, bodies, whole_answer, signal_at, settings)


def whole_answer(tail: bytes) -> bool:
    """Whether an answer has come to the end that it was asked for."""
    return b'"done":true,"done_reason":"length"' in tail


def asked(seed: int, tokens: int) -> dict[str, Any]:
    """A request for so many tokens."""
    return {"model": TINY, "prompt": f"{seed} hello", "options": {**OPTIONS, "seed": seed, "num_predict": tokens}}


def tokens_for(seconds: Sequence[float], alone: float, together: float) -> list[int]:
    """How many tokens each stream makes in its time. seconds: ascending.

    alone, together: seconds for a token with one stream and with all of them; in between it is as much as the streams
    that still run make of it.
    """
    number = len(seconds)
    each = (together - alone) / max(1, number - 1)
    tokens, made, before = [], 0.0, 0.0
    for place, end in enumerate(seconds):
        running = number - place
        made += (end - before) / (alone + each * (running - 1))
        before = end
        tokens.append(max(1, int(made)))
    return tokens


@contextmanager
def ollama(scene: Scene, beside: int = 0) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Ollama's container; yields its port and its process."""
    port = free_port()
    with container(scene.folder, scene.program, port, beside=beside, **(scene.environment or {})) as process:
        yield port, process


def cut(scene: Scene) -> Drained:
    """A stop of Ollama where no sidecar is beside it."""
    with ollama(scene) as (port, process):
        return uvloop.run(stopped(scene, port, "none", [process.pid], None, None))


def drain(scene: Scene, *, both: bool) -> Drained:
    """A stop of the sidecar, or of both containers."""
    listen = free_port()
    given = {"LISTEN": f"127.0.0.1:{listen}", "ALLOWED_MODELS": TINY, "WARM_UP": "false"}
    with (
        ollama(scene, listen) as (port, process),
        sidecar(scene.folder, port, **given) as side,
    ):
        stop = [side.pid, process.pid] if both else [side.pid]
        return uvloop.run(stopped(scene, side.port, side.key, stop, side.pid, process.pid if both else None))


async def timed(port: int, bodies: Bodies) -> float:
    """Seconds until all of the requests are answered, after the model was loaded."""
    await _one(port, asked(0, 1))
    began = time.monotonic()
    await asyncio.gather(*(_one(port, body) for body in bodies))
    return time.monotonic() - began


async def _one(port: int, body: Mapping[str, Any], key: str = "none") -> None:
    stream = await connect(port, key, body, lambda tail: True)
    if not (await stream.ended).whole:
        raise NotMeasured(f"a request before the stop was not answered: {stream._tail[-300:]!r}")


async def connect(port: int, key: str, body: Mapping[str, Any], finished: Callable[[bytes], bool]) -> Stream:
    """Send a request."""
    data = json.dumps(body).encode()
    head = (
        f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    dummy, stream = await loop.create_connection(lambda: Stream(head.encode() + data, finished), "127.0.0.1", port)
    return stream


async def stopped(
    scene: Scene, port: int, key: str, stop: Sequence[int], sidecar_pid: int | None, container_pid: int | None
) -> Drained:
    """Begin all streams, send SIGTERM when it is time, and wait for all ends. Raises NotMeasured."""
    if scene.program == BINARY:
        await _one(port, asked(0, 1), key)  # the model is loaded now
    began = time.monotonic()
    streams = [await connect(port, key, body, scene.finished) for body in scene.bodies]
    exits = [asyncio.ensure_future(exited(pid)) if pid else None for pid in (sidecar_pid, container_pid)]
    await asyncio.sleep(began + scene.signal_at - time.monotonic())
    if not all(stream.begun for stream in streams):
        raise NotMeasured(f"{sum(not stream.begun for stream in streams)} streams had not begun at SIGTERM")
    for pid in stop:
        os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        ends = await asyncio.gather(*(stream.ended for stream in streams))
        last = max(each.at for each in ends)
        extra, after = [await each - last if each else None for each in exits]
    whole = [each for each in ends if each.whole]
    return Drained(
        seconds=last - began,
        cpu_seconds=0,
        rss_mb=0,
        stdout=Path(),
        whole=len(whole),
        longest=max((each.at for each in whole), default=began) - began,
        extra=extra,
        after=after,
    )


async def exited(pid: int) -> float:
    """When a child has ended; it is left to be waited for."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, lambda: ended.done() or ended.set_result(time.monotonic()))
    try:
        return float(await ended)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
