# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stop while answers stream, at full length: fifty streams of 1 to 20 seconds, and a real Ollama with and without.

The figures are printed; `pytest -s` shows them.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.ollama_container import container
from tests.helpers.real_ollama import BINARY, RealOllama, free_port
from tests.helpers.sidecar_process import sidecar_process
from tests.helpers.sidecar_yard import Client, request, run
from tests.helpers.streaming_ollama import PIECES

pytestmark = pytest.mark.real
WAITING = 12
STREAMS, LONGEST, SIGNAL_AT, EXTRA = 50, 20.0, 5.0, 0.2
TINY = "tiny:latest"


async def streamed(port: int, body: Any, begun: asyncio.Semaphore) -> tuple[bool, bytes, float]:
    """Whether a stream came whole, its body, and when it ended."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.send(request("POST", "/api/generate", body, {"Host": "localhost"}))
    try:
        head = await client.reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return False, b"", time.monotonic()
    begun.release()
    answer = await client.answer(data=head)
    await client.close()
    return answer.whole and b'"error"' not in answer.body, answer.body, time.monotonic()


@pytest.mark.parametrize("both", [False, True], ids=["the sidecar alone", "the sidecar and Ollama's container"])
def test_fifty_streams_end_whole_and_the_sidecar_soon_after_the_longest(tmp_path: Path, both: bool) -> None:
    port, ollama_port = free_port(), free_port()
    program = tmp_path / "ollama"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -m tests.helpers.streaming_ollama {ollama_port}\n")
    program.chmod(0o755)
    (tmp_path / "models").mkdir()

    async def test(engine: subprocess.Popen[bytes]) -> tuple[int, float]:
        upstream = f"http://127.0.0.1:{ollama_port}"
        async with sidecar_process(upstream, LISTEN=f"127.0.0.1:{port}", NUM_PARALLEL=str(STREAMS)) as process:
            begun = asyncio.Semaphore(0)
            lengths = [1 + (LONGEST - 1) * number / (STREAMS - 1) for number in range(STREAMS)]
            streams = [
                asyncio.create_task(streamed(port, {"model": "tiny", "seconds": seconds}, begun)) for seconds in lengths
            ]
            for dummy in range(STREAMS):
                await begun.acquire()
            await asyncio.sleep(SIGNAL_AT)
            process.send_signal(signal.SIGTERM)
            if both:
                engine.terminate()
            ended = await asyncio.gather(*streams)
            assert await process.wait() == 0
            extra = time.monotonic() - max(at for dummy, dummy, at in ended)
            if both:
                while engine.poll() is None:
                    await asyncio.sleep(0.01)
            return sum(whole and body.count(b"\n") == PIECES for whole, body, dummy in ended), extra

    with container(tmp_path, program, ollama_port, beside=port) as engine:
        complete, extra = run(test(engine))
    print(f"\n{complete} of {STREAMS} streams whole, {extra * 1000:.0f} ms after the longest")
    assert complete == STREAMS
    assert extra <= EXTRA


def test_a_plain_ollama_cuts_what_it_streams_and_one_beside_a_sidecar_does_not(
    tmp_path: Path, real_ollama: RealOllama
) -> None:
    (tmp_path / "models").symlink_to(real_ollama.models)
    settings = {"OLLAMA_CONTEXT_LENGTH": "2048", "OLLAMA_NO_CLOUD": "1", "OLLAMA_NUM_PARALLEL": "1"}

    async def streams_while(port: int, stop: Any) -> list[bool]:
        """Twelve requests, of which one runs and the others wait. Whether each came whole."""
        begun = asyncio.Semaphore(0)
        bodies = [
            {"model": TINY, "prompt": f"{number} " * 500, "options": {"num_predict": 300, "seed": number}}
            for number in range(WAITING)
        ]
        streams = [asyncio.create_task(streamed(port, body, begun)) for body in bodies]
        await begun.acquire()
        await asyncio.sleep(0.05)
        stop()
        ended = await asyncio.gather(*streams)
        # The last line may lack `done`: Ollama ends an answer that repeats itself without it.
        return [whole and got.endswith(b"}\n") for whole, got, dummy in ended]

    async def beside(port: int, ollama_port: int, engine: subprocess.Popen[bytes]) -> list[bool]:
        # The last one waits for all others.
        given = {"LISTEN": f"127.0.0.1:{port}", "MODELS": TINY, "NUM_PARALLEL": "1", "QUEUE_SECONDS": "300"}
        async with sidecar_process(f"http://127.0.0.1:{ollama_port}", **given) as process:
            await process.ready()

            def stop() -> None:
                engine.terminate()
                process.send_signal(signal.SIGTERM)

            ended = await streams_while(port, stop)
            assert await process.wait() == 0
            return ended

    plain_port, port, ollama_port = free_port(), free_port(), free_port()
    with container(tmp_path, BINARY, plain_port, **settings) as engine:
        run(asked_once(plain_port))
        plain = run(streams_while(plain_port, engine.terminate))
    with container(tmp_path, BINARY, ollama_port, beside=port, **settings) as engine:
        held = run(beside(port, ollama_port, engine))
        assert engine.wait(timeout=20) == 0
    print(f"\nwhole of {WAITING}: {sum(plain)} from a plain Ollama, {sum(held)} with the sidecar")
    assert sum(held) == WAITING
    assert sum(plain) < WAITING / 2  # so the test can tell


async def asked_once(port: int) -> None:
    """Load the model."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.send(request("POST", "/api/generate", {"model": TINY}, {"Host": "localhost"}))
    assert (await client.answer()).status == 200
    await client.close()
