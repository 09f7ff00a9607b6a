# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry on the loopback that speaks the Distribution HTTP API V2, with faults to order; it counts its bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass
class Faults:
    """What goes wrong. Counts are of requests; a fault with a count ends when it is used up."""

    cut_after: int = 0  # bytes of a body, then the connection is closed
    cuts: int = 0  # how many answers are cut
    wrong_bytes: int = 0  # how many blob answers have a wrong byte
    statuses: list[int] = field(default_factory=list)  # answered first, before anything else
    retry_after: str = ""
    location: str = ""  # where blobs and manifests are redirected to ("loop": to themselves)
    endless_manifest: bool = False
    length_off: int = 0  # added to the Content-Length of blobs
    chunked_extra: int = 0  # bytes behind a blob, sent without a length
    ignore_range: bool = False
    shift_range: int = 0
    seconds_per_piece: float = 0.0
    piece: int = 64 * 1024
    no_digests: bool = False  # manifests are served by tag only
    echo: bool = False  # an error tells back the Authorization that it got


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Registry:
    """`auth` is "", "basic" or "token"; with "token" the realm is `realm` or this server's own /token."""

    def __init__(self, auth: str = "", *, certificate: Path | None = None) -> None:
        self.auth, self.user, self.password = auth, "ada", "s3cret-pw"
        self.faults = Faults()
        self.realm = ""
        self.tokens: set[str] = set()
        self.token_requests: list[Request] = []
        self.requests: list[Request] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        # How a hostile server answers for "manifests" or "blobs"; it gets the handler of the request.
        self.scripts: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.served: Counter[str] = Counter()  # bytes of each blob
        self.streams = self.most_streams = 0  # slow ones, now and at most
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self}))
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, repository: str, tag: str, *layers: bytes, config: bytes = b"{}") -> str:
        """Put a model there and return its digest."""
        items = [
            self._blob(content, kind) for content, kind in [(config, "config"), *((each, "model") for each in layers)]
        ]
        body: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": items[0], "layers": items[1:]}
        return self.add_manifest(repository, tag, json.dumps(body).encode())

    def add_manifest(self, repository: str, tag: str, raw: bytes) -> str:
        self.manifests[repository, tag] = self.manifests[repository, sha256(raw)] = raw
        return sha256(raw)

    def forget(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.served.clear()

    @property
    def blob_bytes(self) -> int:
        return sum(self.served.values())

    def _blob(self, content: bytes, kind: str) -> dict[str, Any]:
        self.blobs[sha256(content)] = content
        return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": sha256(content), "size": len(content)}


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        try:
            self._answer(b"")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _answer(self, body: bytes) -> None:
        registry, faults = self.registry, self.registry.faults
        request = Request(self.command, self.path, dict(self.headers), body)
        path = urlsplit(self.path).path
        if path == "/token":
            self._token(request)
            return
        with registry.lock:
            registry.requests.append(request)
            status = faults.statuses.pop(0) if faults.statuses else 0
        if status:
            said = self.headers.get("Authorization", "") if faults.echo else "as ordered"
            headers = {"Retry-After": faults.retry_after} if faults.retry_after else {}
            self._json(status, {"errors": [{"code": "FAULT", "message": said}]}, headers)
        elif not self._authorized():
            self._challenge()
        elif faults.location:
            target = self.path if faults.location == "loop" else faults.location + self.path
            self._json(307, {}, {"Location": target})
        else:
            dummy, dummy, rest = path.partition("/v2/")
            self._content(rest)

    def _content(self, rest: str) -> None:
        repository, kind, reference = rest.rsplit("/", 2)
        found = None
        if kind in self.registry.scripts:
            self.close_connection = True
            self.registry.scripts[kind](self)
            return
        if kind == "manifests":
            if self.registry.faults.endless_manifest:
                self._endless()
                return
            if not (self.registry.faults.no_digests and reference.startswith("sha256:")):
                found = self.registry.manifests.get((repository, reference))
        if kind == "blobs" and reference in self.registry.blobs:
            self._blob(reference, self.registry.blobs[reference])
        elif found is None:
            self._json(404, {"errors": [{"code": "UNKNOWN", "message": "unknown"}]}, {})
        else:
            self._send(200, found, {"Content-Type": MANIFEST_TYPE})

    def _blob(self, digest: str, content: bytes) -> None:
        faults = self.registry.faults
        start, end, status, headers = 0, len(content), 200, {}
        asked = self.headers.get("Range", "")
        if asked and not faults.ignore_range:
            first, dummy, last = asked.removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(len(content), int(last) + 1), 206
            headers["Content-Range"] = f"bytes {start + faults.shift_range}-{end - 1}/{len(content)}"
        data = content[start:end]
        with self.registry.lock:
            if faults.wrong_bytes > 0 and data:
                faults.wrong_bytes -= 1
                data = bytes([data[0] ^ 1]) + data[1:]
            cut = faults.cut_after if faults.cuts > 0 else 0
            faults.cuts -= 1 if cut else 0
        if faults.chunked_extra:
            self._without_length(data + b"x" * faults.chunked_extra)
            return
        self._start(status, {**headers, "Content-Length": str(len(data) + faults.length_off)})
        self._pieces(digest, data[:cut] if cut else data)
        if cut or faults.length_off:
            self.close_connection = True

    def _pieces(self, digest: str, data: bytes) -> None:
        faults = self.registry.faults
        for place in range(0, len(data), faults.piece):
            piece = data[place : place + faults.piece]
            if faults.seconds_per_piece:
                self._wait(faults.seconds_per_piece)
            self.wfile.write(piece)
            self.wfile.flush()
            with self.registry.lock:
                self.registry.served[digest] += len(piece)

    def _wait(self, seconds: float) -> None:
        # Streams are counted while their client surely waits.
        registry = self.registry
        with registry.lock:
            registry.streams += 1
            registry.most_streams = max(registry.streams, registry.most_streams)
        time.sleep(seconds)
        with registry.lock:
            registry.streams -= 1

    def _endless(self) -> None:
        self._start(200, {"Content-Type": MANIFEST_TYPE, "Connection": "close"})
        self.close_connection = True
        while True:
            self.wfile.write(b" " * 65536)
            with self.registry.lock:
                self.registry.served["manifest"] += 65536

    def _without_length(self, data: bytes) -> None:
        self._start(200, {"Connection": "close"})
        self.wfile.write(data)
        self.close_connection = True

    def _authorized(self) -> bool:
        sent = self.headers.get("Authorization", "")
        if self.registry.auth == "basic":
            return sent == self._basic()
        if self.registry.auth == "token":
            return sent.removeprefix("Bearer ") in self.registry.tokens
        return True

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.registry.user}:{self.registry.password}".encode()).decode()

    def _challenge(self) -> None:
        realm = self.registry.realm or f"{self.registry.url}/token"
        bearer = f'Bearer realm="{realm}",service="the registry",scope="repository:library/tiny:pull"'
        challenge = 'Basic realm="here"' if self.registry.auth == "basic" else bearer
        self._json(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": challenge})

    def _token(self, request: Request) -> None:
        registry = self.registry
        with registry.lock:
            registry.token_requests.append(request)
        form = parse_qs(request.body.decode() or urlsplit(request.path).query)
        refreshed = form.get("refresh_token", [""])[0] == registry.password
        if registry.user and not refreshed and request.headers.get("Authorization") != self._basic():
            self._json(401, {}, {})
            return
        token = f"token-{len(registry.token_requests)}-for-{form['scope'][0]}"
        registry.tokens.add(token)
        self._json(200, {"token": token, "expires_in": 60}, {})

    def _json(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self._send(status, json.dumps(body).encode(), headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._start(status, {**headers, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def registry(auth: str = "", **rest: Any) -> Iterator[Registry]:
    server = Registry(auth, **rest)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Start(Protocol):
    """Starts a registry that ends with the test."""

    def __call__(self, auth: str = "", certificate: Path | None = None) -> Registry: ...


@pytest.fixture
def start_registry() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda auth="", certificate=None: stack.enter_context(registry(auth, certificate=certificate))
