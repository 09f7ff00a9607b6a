# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM while answers stream: each of them ends whole, and the process soon after the last."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.helpers.real_ollama import free_port
from tests.helpers.scripted_ollama import scripted_ollama
from tests.helpers.sidecar_process import Process, sidecar_process
from tests.helpers.sidecar_yard import Client, request, run
from tests.helpers.streaming_ollama import stream
from tests.helpers.tree import ROOT

STREAMS = 50
SCALE = 0.05  # of 1 to 20 seconds
EXTRA = 0.2


async def one(port: int, seconds: float, begun: asyncio.Semaphore) -> tuple[bool, float]:
    """Whether a stream of so many seconds came whole, and when it ended. begun: released when it has."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.send(request("POST", "/api/generate", {"model": "tiny", "seconds": seconds}))
    head = await client.reader.readuntil(b"\r\n\r\n")
    begun.release()
    answer = await client.answer(data=head)
    await client.close()
    return answer.whole and answer.body.count(b"\n") == 50, asyncio.get_running_loop().time()


def test_a_signal_lets_every_stream_end_and_adds_next_to_nothing() -> None:
    async def test() -> tuple[list[bool], float, int]:
        async with scripted_ollama(stream) as ollama, sidecar_process(ollama.url, NUM_PARALLEL=str(STREAMS)) as process:
            lengths = [SCALE * (1 + 19 * number / (STREAMS - 1)) for number in range(STREAMS)]
            begun = asyncio.Semaphore(0)
            streams = [asyncio.create_task(one(process.port, seconds, begun)) for seconds in lengths]
            for dummy in range(STREAMS):
                await begun.acquire()
            await asyncio.sleep(SCALE * 5)
            process.send_signal(signal.SIGTERM)
            ended = await asyncio.gather(*streams)
            code = await process.wait()
            over = asyncio.get_running_loop().time()
            return [whole for whole, dummy in ended], over - max(at for dummy, at in ended), code

    whole, extra, code = run(test())
    assert whole == [True] * STREAMS
    # The interpreter takes some time to go, on a busy machine more.
    assert extra <= EXTRA + 0.5
    assert code == 0


def test_a_signal_ends_an_idle_sidecar_at_once() -> None:
    async def test() -> tuple[float, int, str]:
        async with scripted_ollama() as ollama, sidecar_process(ollama.url) as process:
            begin = asyncio.get_running_loop().time()
            process.send_signal(signal.SIGTERM)
            code = await process.wait()
            return asyncio.get_running_loop().time() - begin, code, process.said()

    took, code, said = run(test())
    assert took < 1.0
    assert code == 0
    assert "draining, 0 requests are running" in said


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    async def test() -> tuple[int, str]:
        async with scripted_ollama() as ollama, scripted_ollama() as other:
            process = await Process.start(ollama.url, LISTEN=f"127.0.0.1:{other.port}")
            return await process.wait(), process.said()

    code, said = run(test())
    assert code == 1
    assert "cannot listen" in said
    assert "Traceback" not in said


def test_settings_that_are_wrong_are_told_and_nothing_is_started() -> None:
    async def test() -> tuple[int, str]:
        process = await Process.start("http://192.0.2.1:1", NUM_PARALLEL="many")
        return await process.wait(), process.said()

    code, said = run(test())
    assert code == 2
    assert "SIDECAR_UPSTREAM: " in said
    assert "SIDECAR_NUM_PARALLEL: " in said


ENTRYPOINT = ROOT / "roles" / "image" / "files" / "entrypoint.sh"


@pytest.mark.parametrize("held", [True, False])
def test_a_signal_to_the_sidecar_and_to_ollamas_container_at_once_cuts_no_stream(tmp_path: Path, held: bool) -> None:
    port, ollama_port = free_port(), free_port()
    program = tmp_path / "ollama"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -m tests.helpers.streaming_ollama {ollama_port}\n")
    program.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "POLYCLOUD_OLLAMA": str(program), "OLLAMA_MODELS": str(tmp_path)}
    environment["POLYCLOUD_BAKED_MODELS"] = str(tmp_path)
    if held:
        environment["POLYCLOUD_SIDECAR"] = f"127.0.0.1:{port}"

    async def test() -> list[bool]:
        engine = await asyncio.create_subprocess_exec(
            "sh", str(ENTRYPOINT), "serve", env=environment, cwd=ROOT, start_new_session=True
        )
        upstream = f"http://127.0.0.1:{ollama_port}"
        try:
            async with sidecar_process(upstream, LISTEN=f"127.0.0.1:{port}", NUM_PARALLEL=str(STREAMS)) as process:
                await process.ready()
                lengths = [SCALE * (4 + number % 16) for number in range(STREAMS)]
                begun = asyncio.Semaphore(0)
                streams = [asyncio.create_task(one(port, seconds, begun)) for seconds in lengths]
                for dummy in range(STREAMS):
                    await begun.acquire()
                engine.terminate()
                process.send_signal(signal.SIGTERM)
                ended = await asyncio.gather(*streams)
                await process.wait()
            async with asyncio.timeout(5):
                await engine.wait()
            return [whole for whole, dummy in ended]
        finally:
            if engine.returncode is None:
                os.killpg(engine.pid, signal.SIGKILL)

    # Without the hold they are cut, as with a plain Ollama: so the test can tell.
    assert all(run(test())) is held
