# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry from which `ollama pull` can pull: it serves a models folder, and says Location with each blob.

The kernel sends the blobs, so that the server takes little of the cores that its clients are measured on. As a program,
in a process of its own: C(python -m tests.helpers.model_server FOLDER [LATENCY_MS [MB_PER_SECOND_AND_CONNECTION]]).
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.helpers.modules import ROOT
from tests.helpers.tiny_model import HOST

ASKED = re.compile(r"/v2/([\w-]+)/([\w-]+)/(manifests|blobs)/([\w.:-]+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
PIECE = 1024 * 1024  # bytes at once, where the rate is limited
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    latency: float  # seconds before each answer
    rate: float  # bytes a second of one connection, 0 for as fast as it goes
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        time.sleep(self.latency)
        asked = ASKED.fullmatch(self.path)
        path = self._path(*asked.groups()) if asked else None
        if path is None or not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        part = RANGE.fullmatch(self.headers.get("Range", ""))
        start, end = (int(part[1]), min(size, int(part[2] or size) + 1)) if part else (0, size)
        self.send_response(206 if part else 200)
        self.send_header("Content-Type", MANIFEST_TYPE)
        self.send_header("Content-Length", str(end - start))
        # What a plain docker-registry does not say, and `ollama pull` insists on.
        self.send_header("Location", self.path)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        if self.command == "GET":
            self._send(path, start, end)

    do_HEAD = do_GET  # noqa: N815 - the names are the library's

    def _path(self, namespace: str, model: str, kind: str, reference: str) -> Path:
        if kind == "blobs":
            return self.folder / "blobs" / reference.replace(":", "-")
        return self.folder / "manifests" / HOST / namespace / model / reference

    def _send(self, path: Path, start: int, end: int) -> None:
        try:
            with path.open("rb") as stream:
                while start < end:
                    count = min(end - start, PIECE) if self.rate else end - start
                    sent = os.sendfile(self.connection.fileno(), stream.fileno(), start, count)
                    start += sent
                    if self.rate:
                        time.sleep(sent / self.rate)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up between two requests is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def served(folder: Path, latency_ms: float = 0, mb_per_second: float = 0) -> Iterator[str]:
    """Serve a models folder from a process of its own; yields the URL."""
    command = [sys.executable, "-m", __name__, str(folder), str(latency_ms), str(mb_per_second)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield (server.stdout.readline() if server.stdout else "").strip()
        finally:
            server.kill()


def main(folder: str, latency_ms: str = "0", mb_per_second: str = "0") -> None:
    """Serve until killed; prints the URL first."""
    settings = {"folder": Path(folder), "latency": float(latency_ms) / 1e3, "rate": float(mb_per_second) * 1e6}
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), settings))
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
