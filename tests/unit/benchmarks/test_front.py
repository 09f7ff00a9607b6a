# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks of the sidecar (B4, B7, B11): their arithmetic, their clients and their upstream."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop

from benchmarks import b4_front, b7_drain, b11_cache
from benchmarks.front import load, sides, upstream
from benchmarks.front.load import Caller, Failed, Seen
from benchmarks.harness import OURS, Bench
from tests.helpers.real_ollama import ollama_binary

NUMBERS = [float(number) for number in range(1, 102)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench("B4", tmp_path, 1, say=lambda text: None)


def passed(first: Sequence[float] = (), late: Sequence[float] = (), cpu: float = 1.0, requests: int = 1) -> Any:
    """A run whose times are given in milliseconds, and its CPU in seconds."""
    times = [sorted(value / 1000 for value in values) for values in (first, late)]
    common = {"seconds": 1.0, "cpu_seconds": cpu, "rss_mb": 1.0, "stdout": Path()}
    return b4_front.Passed(**common, requests=requests, first=times[0], late=times[1])


def held(bench: Bench, metric: str, peer: str) -> bool | None:
    (found,) = [row.held for row in bench.rows if row.metric.startswith(metric) and row.peer == peer]
    return found


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (0.995, 100.5), (1.0, 101.0)])
def test_a_percentile_lies_between_the_two_values_around_it(share: float, value: float) -> None:
    assert b4_front.percentile(NUMBERS, share) == pytest.approx(value)
    assert b4_front.percentile([7.0], share) == 7.0


def test_what_is_added_is_the_difference_to_the_direct_run_of_the_same_round() -> None:
    ours = [passed([10, 11, 12]), passed([20, 21, 22])]
    direct = [passed([1, 2, 3]), passed([5, 6, 7])]
    assert b4_front.added(ours, direct, "first", 0.5) == pytest.approx([9.0, 15.0])


def test_each_target_of_a_stream_is_judged_by_itself(bench: Bench) -> None:
    direct = passed([1.0] * 100, [0.1] * 100)
    ours = passed([2.4] * 99 + [60.0], [1.0] * 100, cpu=2.9)
    nginx, litellm = passed([1.2] * 100, [0.2] * 100), passed([9.0] * 100, [5.0] * 100, cpu=11.7)
    runs = {b4_front.DIRECT: [direct], OURS: [ours], b4_front.NGINX: [nginx], b4_front.LITELLM: [litellm]}
    b4_front.add_rows(bench, b4_front.STREAMS, upstream.OPENAI, runs)
    assert held(bench, "ms added to the time to the first token, median", "nginx") is True
    assert held(bench, "ms added to the time to the first token, 99th", "nginx") is True
    assert held(bench, "ms added to each chunk, median", "nginx") is False
    assert held(bench, "CPU ms of a stream", "nginx") is True
    assert held(bench, "CPU ms of a stream", "LiteLLM") is True


@pytest.mark.parametrize(
    ("cpu", "peer", "metric", "expected"),
    [
        (0.33, "LiteLLM", "requests/s for each core", True),
        (0.34, "LiteLLM", "requests/s for each core", False),
        (0.33, "LiteLLM", "CPU ms of a request", True),
        (0.34, "LiteLLM", "CPU ms of a request", False),
        (0.34, "nginx", "CPU ms of a request", None),
    ],
)
def test_short_replies_are_judged_by_their_cpu(
    bench: Bench, cpu: float, peer: str, metric: str, expected: bool | None
) -> None:
    runs = {
        b4_front.DIRECT: [passed([1.0], requests=1000)],
        OURS: [passed([1.0], cpu=cpu, requests=1000)],
        peer: [passed([1.0], cpu=10.0, requests=1000)],
    }
    b4_front.add_rows(bench, b4_front.REPLIES, upstream.OPENAI, runs)
    assert held(bench, metric, peer) is expected


def test_a_peer_that_is_not_there_wins_nothing_for_us(bench: Bench) -> None:
    runs = {b4_front.DIRECT: [passed([1.0])], OURS: [passed([1.0])]}
    bench.failures["LiteLLM"] = "not installed"
    b4_front.add_rows(bench, b4_front.WAITING, upstream.OPENAI, runs)
    assert {(row.peer, row.held, row.ours) for row in bench.rows} == {("nginx", None, None), ("LiteLLM", None, None)}


@pytest.mark.parametrize(("most", "after", "expected"), [(1000, 105.0, [True, True]), (999, 111.0, [False, False])])
def test_held_streams_ran_at_once_and_gave_their_memory_back(
    bench: Bench, most: int, after: float, expected: list[bool]
) -> None:
    seen = [Seen(requests=1000, most=1000), Seen(requests=1000, most=most)]
    b4_front.add_held(bench, 1000, seen, (100.0, 200.0, [101.0, after]))
    assert [row.held for row in bench.rows if row.target] == expected


def test_cpu_time_of_another_process_is_that_which_it_used() -> None:
    spin = "import time\nwhile time.process_time() < 0.1: pass\nprint(time.process_time(), flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = float(child.stdout.readline())
        assert sides.cpu_seconds(child.pid) == pytest.approx(said, abs=0.02)
        assert child.pid in sides.family(os.getpid())
        assert sides.resident_mb(child.pid) > 1
        child.communicate(b"\n")
    assert sides.cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.05)


def on_upstream(test: Any) -> Any:
    """Run a test with the port of the benchmark's upstream."""

    async def wrapped() -> Any:
        server = await asyncio.get_running_loop().create_server(upstream.Connection, "127.0.0.1", 0)
        try:
            return await test(server.sockets[0].getsockname()[1])
        finally:
            server.close()

    return uvloop.run(wrapped())


@pytest.mark.parametrize("path", [upstream.NATIVE, upstream.OPENAI])
def test_each_piece_of_a_stream_is_seen_with_its_delay(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upstream.MODELS, upstream.CHUNKS, upstream.Behaviour(pieces=5, gap=0.02))

    def test(port: int) -> Any:
        return load.streams(port, path, "none", upstream.CHUNKS, connections=3, each=2)

    seen = on_upstream(test)
    assert (seen.requests, len(seen.first), len(seen.late), seen.most) == (6, 6, 24, 3)
    assert min(seen.late) > 0
    assert seen.took >= 2 * 4 * 0.02


@pytest.mark.parametrize(("wanted", "events"), [(b"true", 52), (b"false", 51)])
def test_the_usage_is_sent_to_who_asks_for_it(wanted: bytes, events: int) -> None:
    body = b'{"model":"chunks","stream":true,"stream_options":{"include_usage": %s}}' % wanted

    async def test(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (upstream.OPENAI.encode(), len(body)) + body)
        got = await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        return got

    got = on_upstream(test)
    assert got.count(b"data: ") == events
    assert got.count(b'"usage":{"prompt_tokens":5') == events - 51


@pytest.mark.parametrize("path", [upstream.NATIVE, upstream.OPENAI])
def test_an_answer_that_waits_is_timed_from_its_request(path: str) -> None:
    def test(port: int) -> Any:
        return load.replies(port, path, "none", upstream.WAIT, connections=2, seconds=0.1)

    seen = on_upstream(test)
    assert seen.requests == len(seen.first) >= 2
    assert min(seen.first) >= 0.095


def test_an_upstream_that_refuses_is_no_figure() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")

    async def test() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            await load.replies(port, upstream.NATIVE, "none", upstream.SHORT, connections=1, seconds=0.1)
        finally:
            server.close()

    with pytest.raises(Failed, match="status 429"):
        uvloop.run(test())


def test_a_stamp_that_comes_in_two_parts_counts_once() -> None:
    async def test() -> tuple[int, int]:
        seen = Seen()
        caller = Caller(seen, b"", 2)
        for data in (b'{"content":"t12.3', b'45678 "}\n{"content":"t13.000000 "}\n', b"{}"):
            caller.on_body(data)
        return len(seen.first), len(seen.late)

    assert uvloop.run(test()) == (1, 1)


def test_the_sides_get_the_same_requests_but_for_their_keys() -> None:
    ours, theirs = (load.request(upstream.OPENAI, upstream.CHUNKS, key) for key in ("pc-1", "sk-2"))
    assert ours.replace(b"pc-1", b"sk-2") == theirs
    assert json.loads(ours.partition(b"\r\n\r\n")[2])["stream"] is True


def test_streams_are_as_long_as_they_are_said_to_be() -> None:
    assert b7_drain.lengths(50, 1.0, 20.0)[0] == 1.0
    assert b7_drain.lengths(50, 1.0, 20.0)[-1] == 20.0
    assert b7_drain.lengths(3, 1.0, 20.0)[1] == 10.5


def test_a_stream_makes_more_tokens_once_others_have_ended() -> None:
    # Two streams at 0.1 s a token for the first second, one at 0.05 s for the other.
    assert b7_drain.tokens_for([1.0, 2.0], 0.05, 0.1) == [10, 30]
    assert b7_drain.tokens_for([0.001], 0.05, 0.05) == [1]


def drained(whole: int, extra: float | None = None) -> Any:
    common = {"seconds": 20.0, "cpu_seconds": 0.0, "rss_mb": 0.0, "stdout": Path()}
    return b7_drain.Drained(**common, whole=whole, longest=20.0, extra=extra, after=None)


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([drained(50, 0.05), drained(50, 0.19)], [True, True]),
        ([drained(50, 0.05), drained(49, 0.21)], [False, False]),
    ],
)
def test_the_worst_stop_is_the_one_that_counts(bench: Bench, rounds: list[Any], expected: list[bool]) -> None:
    runs = {OURS: rounds, b7_drain.ALONE: rounds, b7_drain.PLAIN: [drained(11), drained(11)]}
    b7_drain.add_rows(bench, "an Ollama", 50, runs)
    assert [row.held for row in bench.rows] == expected * 2
    assert [row.theirs for row in bench.rows if row.peer == b7_drain.PLAIN] == [11, 11]


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 40),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nA: b\r\n\r\no", 46),
    ],
)
def test_the_end_of_an_answer_is_told_by_its_length(data: bytes, length: int) -> None:
    assert b11_cache.http_length(data) == length


def test_the_end_of_a_value_of_redis_is_told_by_its_length() -> None:
    assert b11_cache.resp(b"GET", b"key") == b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
    assert b11_cache.bulk_length(b"$5") == 0
    assert b11_cache.bulk_length(b"$5\r\nva") == len(b"$5\r\nvalue\r\n")


def test_a_hit_may_take_three_gets_and_the_hop(bench: Bench) -> None:
    times = {"upstream": 50e-6, "passed": 300e-6, "hit": 350e-6, b11_cache.LIBRARY: 40e-6, b11_cache.WIRE: 20e-6}
    assert b11_cache.allowed(times, b11_cache.LIBRARY) == pytest.approx(370e-6)
    b11_cache.add_rows(bench, [times])
    assert [row.held for row in bench.rows if row.target] == [True, False]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "run", "rows"),
    [("B4", b4_front.run, 30), ("B7", b7_drain.run, 8), ("B11", b11_cache.run, 5)],
    ids=["B4", "B7", "B11"],
)
def test_a_quick_benchmark_makes_all_its_rows(name: str, run: Any, rows: int, tmp_path: Path) -> None:
    ollama_binary()
    litellm_binary()
    bench = Bench(name, tmp_path, 1, quick=True, say=lambda text: None)
    run(bench)
    assert len(bench.rows) >= rows
    assert all(row.ours is not None for row in bench.rows)
    # What does not depend on how busy the machine is.
    assert all(row.held for row in bench.rows if "whole" in row.metric or "RSS" in row.metric if row.target)


def litellm_binary() -> None:
    """The peer of B4; the test is skipped where it is not installed."""
    if not sides.LITELLM.is_file():
        pytest.skip("there is no LiteLLM: `make litellm` installs it")
