# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real nginx in front of the sidecar, told no more than where it is and who has logged in; a real Ollama behind."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.containers import running
from tests.helpers.real_ollama import RealOllama, free_port
from tests.helpers.sidecar_process import Process, sidecar_process
from tests.helpers.sidecar_yard import run

pytestmark = pytest.mark.real
TINY = "tiny:latest"
TOKENS = 1800
# Of three tokens at a time the end is hardly ever one, so that the stream is as long as it may be.
OPTIONS = {"num_predict": TOKENS, "seed": 1, "temperature": 1, "top_k": 3}
STREAM = {"model": TINY, "prompt": "hello", "options": OPTIONS}
CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{sidecar}; proxy_set_header X-Forwarded-User alice; }}
  }}
}}
"""


@dataclass
class Front:
    """client: asks nginx. metrics: URL of the sidecar's."""

    client: httpx.AsyncClient
    sidecar: Process
    metrics: str

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = (await self.client.get(self.metrics)).text
        return sum(float(value) for value in re.findall(rf"(?m)^{name}(?:{{.*}})? (\S+)$", text))


@asynccontextmanager
async def behind_nginx(ollama: RealOllama, folder: Path, **given: str) -> AsyncIterator[Front]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if not program:
        pytest.skip("there is no nginx: install the package nginx-light")
    port, metrics = free_port(), f"127.0.0.1:{free_port()}"
    given = {"MODELS": TINY, "METRICS_LISTEN": metrics, **given}
    async with sidecar_process(ollama.url, **given) as process:
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, sidecar=process.port), "utf-8")
        url = f"http://127.0.0.1:{port}"
        command = [program, "-c", str(config), "-e", str(folder / "error.log")]
        with running(command, folder / "nginx.log", lambda: _answers(url)):
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                await process.ready()
                yield Front(client, process, f"http://{metrics}/metrics")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize(
    ("path", "body", "end"),
    [
        ("/api/generate", STREAM, b'"done":true'),
        ("/v1/completions", {"model": TINY, "prompt": "hello", "stream": True, "max_tokens": TOKENS}, b"data: [DONE]"),
    ],
)
def test_each_piece_of_a_stream_comes_when_it_is_made_though_nginx_buffers(
    real_ollama: RealOllama, tmp_path: Path, path: str, body: dict[str, Any], end: bytes
) -> None:
    async def test() -> tuple[int, bytes]:
        async with (
            behind_nginx(real_ollama, tmp_path) as front,
            front.client.stream("POST", path, json=body) as response,
        ):
            assert response.status_code == 200
            pieces = [piece async for piece in response.aiter_raw()]
            return len(pieces), b"".join(pieces)

    pieces, got = run(test())
    assert end in got
    # nginx hands its buffer on when 4 or 8 KiB are in it.
    print(f"{pieces} pieces of {len(got)} bytes")
    assert len(got) / pieces < 1024


def test_a_client_that_goes_is_told_to_ollama(real_ollama: RealOllama, tmp_path: Path) -> None:
    async def test() -> None:
        async with behind_nginx(real_ollama, tmp_path) as front:
            async with front.client.stream("POST", "/api/generate", json=STREAM) as response:
                await anext(response.aiter_raw())
                assert await front.metric("ollama_requests_in_flight") == 1
            async with asyncio.timeout(5):
                while await front.metric("ollama_requests_in_flight"):
                    await asyncio.sleep(0.02)
            assert await front.metric("ollama_client_disconnects_total") == 1
            assert await front.metric("ollama_generated_tokens_total") < TOKENS

    run(test())


def test_the_user_that_nginx_names_is_believed_of_nginx_alone(real_ollama: RealOllama, tmp_path: Path) -> None:
    async def test(network: str) -> tuple[int, list[Any]]:
        folder = tmp_path / network[:3]
        folder.mkdir()
        async with behind_nginx(real_ollama, folder, TRUSTED_PROXIES=network) as front:
            body = {"model": TINY, "prompt": "hello", "stream": False, "options": {"num_predict": 2}}
            status = (await front.client.post("/api/generate", json=body)).status_code
            async with asyncio.timeout(5):
                while not (found := _access(front.sidecar)):
                    await asyncio.sleep(0.02)
            return status, [line["key"] for line in found]

    assert run(test("127.0.0.1/32")) == (200, ["user:alice"])
    assert run(test("10.0.0.0/8"))[0] == 401


def _access(process: Process) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in process.said().splitlines()]
    return [line for line in lines if line.get("type") == "access" and line["route"] == "/api/generate"]
