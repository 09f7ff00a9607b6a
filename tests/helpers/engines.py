# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for tests of what talks to an Ollama: the sandbox's test engine, and a scripted one for odd answers."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.runtime import ProcessRuntime, Workload, WorkloadSpec

MODEL = "gemma3:1b"


@dataclass
class Engines:
    """Starts test engines; the image's tag names the fault, as in the sandbox."""

    runtime: ProcessRuntime

    def start(
        self,
        tag: str = "latest",
        models: str = MODEL,
        gpu: bool = True,
        environment: Mapping[str, str] | None = None,
        ready: bool = True,
    ) -> tuple[str, Workload]:
        """Return (url, workload) of a new engine; without `ready` it may not answer yet, or never."""
        address = self.runtime.allocate_address("ecs")
        variables = {"POLYCLOUD_MODELS": models, **(environment or {})}
        workload = self.runtime.start(WorkloadSpec(f"ollama:{tag}", variables, address, gpu=gpu))
        if ready:
            deadline = time.monotonic() + 5
            while not workload.healthy():
                assert time.monotonic() < deadline, workload.log()
                time.sleep(0.01)
        return f"http://{address}:11434", workload

    def url(self, tag: str = "latest", **rest: Any) -> str:
        return self.start(tag, **rest)[0]


@pytest.fixture(scope="session")
def engine_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessRuntime]:
    runtime = ProcessRuntime(tmp_path_factory.mktemp("engines"))
    yield runtime
    runtime.close()


@pytest.fixture
def engines(engine_runtime: ProcessRuntime) -> Iterator[Engines]:
    yield Engines(engine_runtime)
    engine_runtime.stop_all()


Reply = tuple[int, bytes]


@dataclass
class Scripted:
    """An HTTP server that says what it is told to. `requests` holds (method, path, headers, body) of each request."""

    url: str
    replies: dict[str, Reply | Callable[[], Reply]]
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Start servers with `scripted({"/api/version": (200, b"...")})`; other paths get a gateway's 404."""
    servers: list[ThreadingHTTPServer] = []

    def start(
        replies: Mapping[str, Reply | Callable[[], Reply]],
        headers: Mapping[str, str] | None = None,
        certificate: Path | None = None,
    ) -> Scripted:
        script = Scripted("", dict(replies), dict(headers or {}))

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                script.requests.append((self.command, self.path, dict(self.headers), body))
                reply = script.replies.get(self.path, (404, b"<html>no such page</html>"))
                status, content = reply() if callable(reply) else reply
                self.send_response(status)
                for name, value in script.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names are the library's

            def log_message(self, format: str, *args: Any) -> None:
                """Write no access log."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        script.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
        return script

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
