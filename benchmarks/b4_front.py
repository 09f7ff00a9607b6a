# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B4: what the sidecar costs a request, against a bare nginx and LiteLLM's proxy.

All of them stand in front of one upstream that costs little, and get the same requests on the same kept connections;
ours with keys, metrics, admission and its access log. What is added is the figure of a side minus that of the upstream
asked directly in the same round; a row has the median over the rounds. CPU is that of the side's processes, with what
they do after the last answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.front import load
from benchmarks.front.load import Seen
from benchmarks.front.sides import Side, litellm, litellm_version, nginx, nginx_version, sidecar, upstream
from benchmarks.front.upstream import CHUNKS, NATIVE, OPENAI, SHORT, SLOW, WAIT
from benchmarks.harness import OURS, Bench, Measure, NotMeasured, median

DIRECT, NGINX, LITELLM = "the upstream itself", "nginx", "LiteLLM"
PEERS = (NGINX, LITELLM)
CONNECTIONS, ROUNDS = 32, 5
SETTLE = 0.3  # seconds in which a side writes its log
REST = 8.0  # seconds in which its memory comes to rest: it looks after it every five
HELD = 1000


@dataclass(frozen=True)
class Limits:
    """Most milliseconds that ours may add."""

    first_p50: float
    first_p99: float
    late_p50: float = 0.0


@dataclass(frozen=True)
class Case:
    """A kind of work. size: streams on each connection, or seconds; quick: the same in a quick run."""

    label: str
    model: str
    size: float
    quick: float
    limits: Limits | None = None

    def work(self, path: str, side: Side, *, quick: bool) -> Coroutine[Any, Any, Seen]:
        """The load of one run."""
        size = self.quick if quick else self.size
        if self.model == CHUNKS:
            return load.streams(side.port, path, side.key, CHUNKS, connections=CONNECTIONS, each=int(size))
        return load.replies(side.port, path, side.key, self.model, connections=CONNECTIONS, seconds=size)


STREAMS = Case("32 streams of 50 chunks, 20 ms apart", CHUNKS, 3, 1, Limits(1.5, 5.0, 0.8))
WAITING = Case("32 connections, an upstream that takes 100 ms", WAIT, 3.0, 0.5, Limits(1.0, 10.0))
REPLIES = Case("32 connections, short replies in a closed loop", SHORT, 2.0, 0.5)
CASES = (STREAMS, WAITING, REPLIES)
PER_CORE = 3000
RATIOS = {CHUNKS: {NGINX: 3.0, LITELLM: 1 / 4}, SHORT: {LITELLM: 1 / 30}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed(Measure):
    """One run of a load through a side. Lists are seconds, sorted."""

    requests: int
    first: list[float]
    late: list[float]

    @property
    def cpu_each(self) -> float:
        """CPU seconds of a request."""
        return self.cpu_seconds / self.requests


def run(bench: Bench) -> None:
    """Start all sides, then each kind of work on each API, then the many slow streams."""
    with ExitStack() as stack:
        behind = stack.enter_context(upstream(bench.folder))
        sides = {DIRECT: behind, OURS: stack.enter_context(sidecar(bench.folder, behind.port))}
        _add_peers(bench, stack, sides)
        for path in (OPENAI, NATIVE):
            # LiteLLM speaks OpenAI's API to its clients.
            asked = {name: side for name, side in sides.items() if path == OPENAI or name != LITELLM}
            for case in CASES:
                runs = _measure(bench, case, path, asked)
                add_rows(bench, case, path, runs)
        for peer in PEERS:
            _add_memory(bench, sides, peer)
    with ExitStack() as stack:
        behind = stack.enter_context(upstream(bench.folder))
        hold(bench, stack.enter_context(sidecar(bench.folder, behind.port)), 32 if bench.quick else HELD)


def _add_peers(bench: Bench, stack: ExitStack, sides: dict[str, Side]) -> None:
    known: tuple[tuple[str, Any, Callable[[], str]], ...] = (
        (NGINX, nginx, nginx_version),
        (LITELLM, litellm, litellm_version),
    )
    for name, start, version in known:
        bench.say(f"starting {name}")
        try:
            sides[name] = stack.enter_context(start(bench.folder, sides[DIRECT].port))
            bench.versions |= {name: version()}
        except NotMeasured as error:
            bench.failures[name] = str(error)


def _measure(bench: Bench, case: Case, path: str, sides: Mapping[str, Side]) -> dict[str, list[Passed]]:
    """Interleaved rounds of one kind of work, after a short one of each side that does not count."""
    bench.say(f"{path}, {case.label}")
    for name, side in list(sides.items()):
        if not bench.warm_up(name, partial(_pass, case, path, side, quick=True)):
            bench.say(f"{name} failed: {bench.failures[name]}")
    able = {
        name: partial(_pass, case, path, side, quick=bench.quick)
        for name, side in sides.items()
        if name not in bench.failures
    }
    return bench.interleave(able, bench.pairs if bench.quick else max(ROUNDS, bench.pairs))


def _pass(case: Case, path: str, side: Side, *, quick: bool) -> Passed:
    """One run. Raises NotMeasured where an answer is not what was asked for."""
    before = side.cpu()
    try:
        seen = load.run(case.work(path, side, quick=quick))
    except (load.Failed, OSError) as error:
        raise NotMeasured(str(error)) from error
    time.sleep(SETTLE)
    return Passed(
        seconds=seen.took,
        cpu_seconds=side.cpu() - before,
        rss_mb=side.rss_mb(),
        stdout=Path(),
        requests=seen.requests,
        first=sorted(seen.first),
        late=sorted(seen.late),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which so great a share of the sorted values lies, between the two around it."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def added(runs: Sequence[Passed], direct: Sequence[Passed], what: str, share: float) -> list[float]:
    """Milliseconds that a side adds to a percentile of `first` or `late`, in each round."""
    return [
        1000 * (percentile(getattr(ours, what), share) - percentile(getattr(bare, what), share))
        for ours, bare in zip(runs, direct, strict=True)
    ]


def add_rows(bench: Bench, case: Case, path: str, runs: Mapping[str, list[Passed]]) -> None:
    """The rows of a kind of work, against each peer that was measured."""
    label = f"{path}, {case.label}"
    for peer in PEERS:
        if peer not in runs:
            if path == OPENAI or peer != LITELLM:
                bench.missing(label, peer, "", bench.failures.get(peer, "it is not there"))
            continue
        if case.limits is not None:
            _add_delays(bench, case.limits, label, peer, runs)
        _add_cpu(bench, case, label, peer, runs)


def _add_delays(bench: Bench, limits: Limits, label: str, peer: str, runs: Mapping[str, list[Passed]]) -> None:
    first = "the time to the first token" if limits.late_p50 else "the time of a request"
    figures = [
        (f"ms added to {first}, median", "first", 0.5, limits.first_p50),
        (f"ms added to {first}, 99th percentile", "first", 0.99, limits.first_p99),
    ]
    if limits.late_p50:
        figures.append(("ms added to each chunk, median", "late", 0.5, limits.late_p50))
        figures.append(("ms added to each chunk, 99th percentile", "late", 0.99, 0.0))
    for metric, what, share, limit in figures:
        by_round = {name: added(runs[name], runs[DIRECT], what, share) for name in (OURS, peer)}
        ours, theirs = median(by_round[OURS]), median(by_round[peer])
        bare = 1000 * median([percentile(getattr(each, what), share) for each in runs[DIRECT]])
        detail = {"direct_ms": round(bare, 3), **{name: _rounded(values) for name, values in by_round.items()}}
        held = ours <= limit if limit else None
        target = f"ours <= {limit:g} ms" if limit else ""
        bench.add(f"{metric}; {label}", peer, ours, theirs, target, held, detail=detail)


def _add_cpu(bench: Bench, case: Case, label: str, peer: str, runs: Mapping[str, list[Passed]]) -> None:
    detail = {name: _rounded([1000 * each.cpu_each for each in runs[name]]) for name in (OURS, peer)}
    ours, theirs = (median([each.cpu_each for each in runs[name]]) for name in (OURS, peer))
    if case.model == SHORT:
        held = 1 / ours >= PER_CORE
        metric = f"requests/s for each core of CPU; {label}"
        bench.add(metric, peer, 1 / ours, 1 / theirs, f"ours >= {PER_CORE:,}", held, detail=_rates(runs))
    metric = f"CPU ms of a {'stream' if case.model == CHUNKS else 'request'}; {label}"
    limit = RATIOS.get(case.model, {}).get(peer)
    if limit is None:
        bench.add(metric, peer, 1000 * ours, 1000 * theirs, "", None, detail=detail)
        return
    shown = f"ratio <= {limit:g}" if limit >= 1 else f"ratio <= 1/{1 / limit:g}"
    # The median of the rounds' own ratios would be kinder or harsher by chance; the row's figures are what is divided.
    bench.add(metric, peer, 1000 * ours, 1000 * theirs, shown, ours / theirs <= limit, detail=detail)


def _rates(runs: Mapping[str, list[Passed]]) -> dict[str, list[float]]:
    """Requests in a second of wall time, by side and round: the clients and the upstream take their part of it."""
    return {name: [round(each.requests / each.seconds) for each in found] for name, found in runs.items()}


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


def _add_memory(bench: Bench, sides: Mapping[str, Side], peer: str) -> None:
    if peer in sides and peer not in bench.failures:
        metric = "RSS in MB after all of this"
        bench.add(metric, peer, sides[OURS].rss_mb(), sides[peer].rss_mb(), "", None)


class Watch:
    """Looks at the memory of a side while a block runs. most: in MB."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            self.most = max(self.most, self._side.rss_mb())


def hold(bench: Bench, side: Side, number: int) -> None:
    """Hold many slow streams at once, twice; what ours uses before, at most and after."""
    bench.say(f"{number:,} slow streams")
    bench.loads = []
    load.run(load.replies(side.port, NATIVE, side.key, SHORT, connections=CONNECTIONS, seconds=1.0))
    time.sleep(REST)
    before, after, seen = side.rss_mb(), [], []
    with Watch(side) as watch:
        for dummy in range(1 if bench.quick else 2):
            slow = load.streams(side.port, NATIVE, side.key, SLOW, connections=number, each=1, within=4.0)
            seen.append(load.run(slow))
            time.sleep(REST)
            after.append(side.rss_mb())
    add_held(bench, number, seen, (before, watch.most, after))


def add_held(bench: Bench, number: int, seen: Sequence[Seen], used: tuple[float, float, Sequence[float]]) -> None:
    """The rows of the slow streams. used: MB before, at most, and after each time."""
    before, most, after = used
    label = f"{number:,} slow streams at once"
    whole = min(min(each.requests, each.most) for each in seen)
    metric = f"streams that ran at once and came whole; {label}"
    bench.add(metric, "none", whole, None, f"ours = {number:,}", whole == number)
    bench.add(f"RSS in MB while they run; {label}", "before them", most, before, "", None)
    detail = {"after_each": _rounded(after)}
    bench.compare(f"RSS in MB after they ended; {label}", "before them", max(after), before, 1.1, detail)
