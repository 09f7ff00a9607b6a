# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Resource Manager that answers what a test tells it, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any, Mapping[str, str]]
CUT = "cut the connection"


@dataclass
class ArmServer:
    """answers: by C(METHOD /path), served in order; the last one of a list is repeated. C({url}) is our address."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def on(self, call: str, status: int, body: Any = None, **headers: str) -> None:
        """Add an answer. Header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault(call, []).append((status, body, named))

    def answer(self, call: str) -> Answer:
        known = self.answers.get(call)
        if not known:
            return 404, {"error": {"code": "ResourceNotFound", "message": f"nothing at {call}"}}, {}
        return known.pop(0) if len(known) > 1 else known[0]


@contextmanager
def arm_server() -> Iterator[ArmServer]:
    """Serve on a free port of the loopback interface."""
    arm = ArmServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(arm))
    server.daemon_threads = True
    arm.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield arm
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(arm: ArmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            call = f"{self.command} {self.path.partition('?')[0]}"
            arm.asked.append(call)
            arm.headers.append({name.lower(): value for name, value in self.headers.items()})
            arm.bodies.append(json.loads(content) if content else None)
            status, body, headers = arm.answer(call)
            if body == CUT:
                self.close_connection = True
                self.connection.close()
                return
            self._send(status, b"" if body is None else json.dumps(body).encode(), headers)

        def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("{url}", arm.url))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _serve  # noqa: N815 - the server's own names

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the test reads what was asked."""

    return Handler
