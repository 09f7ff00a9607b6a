# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingress of container apps: small HTTP proxies on loopback addresses, streaming, over the ready replicas.

One thread accepts for all proxies; each connection has a thread of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

PORT = 8080
UPSTREAM_SECONDS = 600.0
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection", "host"}


class NoTarget(Exception):
    """Nothing can answer; ``status`` and ``text`` are what the ingress says instead."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


# Gives (address, port) of a ready replica for the time of one request; may wait for one to start; raises NoTarget.
Chooser = Callable[[], AbstractContextManager[tuple[str, int]]]


@dataclass(frozen=True, eq=False)
class Listener:
    """One listening address."""

    address: str
    choose: Chooser
    socket: socket.socket


class Gateway:
    """All proxies of one Azure. Thread safe."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._closing = False
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name="azure ingress", daemon=True)
        self._thread.start()

    def listen(self, address: str, choose: Chooser) -> Listener:
        """Serve on an address."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, PORT))
        listening.listen(128)
        listening.setblocking(False)
        listener = Listener(address, choose, listening)
        with self._lock:
            self._selector.register(listening, selectors.EVENT_READ, listener)
        self._wake_write.send(b".")
        return listener

    def close_listener(self, listener: Listener) -> None:
        """Stop to serve on an address; requests under way end by themselves."""
        with self._lock, contextlib.suppress(KeyError):
            self._selector.unregister(listener.socket)
        listener.socket.close()

    def close(self) -> None:
        """Stop for good, and cut what is under way."""
        self._closing = True
        self._wake_write.send(b".")
        self._thread.join(5)
        with self._lock:
            open_now = list(self._connections)
            listeners = [key.data for key in self._selector.get_map().values() if key.data is not None]
        for listener in listeners:
            self.close_listener(listener)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def _accept(self) -> None:
        while not self._closing:
            for key, _events in self._selector.select():
                if key.data is None:
                    self._wake_read.recv(4096)
                    continue
                with contextlib.suppress(OSError):
                    connection, client = key.data.socket.accept()
                    self._serve(key.data, connection, client)

    def _serve(self, listener: Listener, connection: socket.socket, client: Any) -> None:
        def run() -> None:
            with self._lock:
                self._connections.add(connection)
            try:
                connection.setblocking(True)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # A handler serves its whole connection while it is made.
                with contextlib.suppress(OSError):
                    _Relay(connection, client, listener)  # type: ignore[arg-type]
            finally:
                with self._lock:
                    self._connections.discard(connection)
                connection.close()

        threading.Thread(target=run, name=f"ingress {listener.address}", daemon=True).start()


class _Relay(BaseHTTPRequestHandler):
    """Passes each request of a connection on to a replica, and the answer back as it comes."""

    protocol_version = "HTTP/1.1"
    timeout = 120
    server: Listener  # type: ignore[assignment]

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the replica has its own log."""

    def relay(self) -> None:
        """Answer one request."""
        body = self._read_body()
        try:
            with self.server.choose() as (address, port):
                self._pass_on(address, port, body)
        except NoTarget as error:
            self._refuse(error.status, error.text)
        except (OSError, http.client.HTTPException):
            if not self._answered:
                self._refuse(503, "upstream connect error or disconnect/reset before headers")
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = relay  # noqa: N815
    _answered = False

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _pass_on(self, address: str, port: int, body: bytes) -> None:
        self._answered = False
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers["X-Forwarded-For"] = str(self.client_address[0])
        headers["X-Forwarded-Proto"] = "https"
        upstream = http.client.HTTPConnection(address, port, timeout=UPSTREAM_SECONDS)
        try:
            upstream.request(self.command, self.path, body or None, headers)
            self._give_back(upstream.getresponse())
        finally:
            upstream.close()

    def _give_back(self, answer: http.client.HTTPResponse) -> None:
        self._answered = True
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        bare = self.command == "HEAD" or answer.status in (204, 304)
        chunked = not bare and answer.getheader("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not bare and (piece := answer.read1(65536)):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _refuse(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def target(address: str, port: int) -> Iterator[tuple[str, int]]:
    """Return a fixed target."""
    yield address, port
