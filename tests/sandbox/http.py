# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side that both clouds share: a threaded WSGI server on loopback, the request log, and the gate.

The gate stands in front of a cloud and, for every call, adds latency, applies the fault switch and writes the log.
A cloud itself is a plain WSGI application that knows nothing of faults, apart from capacity and quota.
"""

from __future__ import annotations

import io
import ipaddress
import os
import socket
import struct
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sandbox.faults import FaultRule, FaultSwitch

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]

LOGGED_BODY_LIMIT = 65536
LOGGED_REQUESTS_LIMIT = 20000


class Cloud(Protocol):
    """What an emulated cloud offers to the launcher."""

    name: str

    def wsgi(self) -> WSGIApplication:
        """Return the application, without gate and server."""

    def classify(self, environ: WSGIEnvironment) -> tuple[str, str, str]:
        """Return (service, operation, region) of a call; ``wsgi.input`` is seekable and rewound afterwards."""

    def error_response(self, kind: str, environ: WSGIEnvironment) -> Answer:
        """Return the cloud's own form of an error; ``kind`` is one of ``faults.ERROR_KINDS``."""

    def seed(self) -> dict[str, Any]:
        """Create what a user would be given (network, cluster, resource group) and return its ids."""

    def reset(self) -> None:
        """Stop the cloud's workloads and forget everything."""

    def close(self) -> None:
        """Stop for good: threads, servers, workloads."""


@dataclass(frozen=True)
class RequestRecord:
    """One call as the gate saw it. ``status`` is 0 where the connection was cut; ``fault`` is what acted."""

    cloud: str
    service: str
    operation: str
    region: str
    method: str
    path: str
    status: int
    ms: float
    fault: str | None
    request_body: str
    response_body: str


class RequestLog:
    """The last calls, oldest first. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque(maxlen=LOGGED_REQUESTS_LIMIT)
        # Counts the clears: a call that hung since before the last one belongs to nobody who reads the log now.
        self.era = 0
        # Told of each call after it was carried out and before its answer is sent: a test may act between the two.
        self.observer: Callable[[RequestRecord], None] | None = None

    def add(self, record: RequestRecord, era: int | None = None) -> None:
        """Append one call, unless the log was cleared since the era in which the call began."""
        with self._lock:
            if era not in (None, self.era):
                return
            self._records.append(record)
            observer = self.observer
        if observer is not None:
            observer(record)

    def records(self, cloud: str | None = None) -> list[RequestRecord]:
        """Return all calls, or those of one cloud."""
        with self._lock:
            return [record for record in self._records if cloud in (None, record.cloud)]

    def as_json(self, cloud: str | None = None) -> list[dict[str, Any]]:
        """Return the calls as JSON types."""
        return [dict(vars(record)) for record in self.records(cloud)]

    def emulator_errors(self) -> list[RequestRecord]:
        """Return the calls that failed in the emulator itself: a 500 or 501 that no fault asked for."""
        return [record for record in self.records() if record.status in (500, 501) and record.fault is None]

    def clear(self) -> None:
        """Forget all calls, those under way included."""
        with self._lock:
            self._records.clear()
            self.era += 1


class Gate:
    """WSGI middleware in front of one cloud: latency, faults, log."""

    def __init__(self, cloud: Cloud, switch: FaultSwitch, log: RequestLog) -> None:
        self._cloud = cloud
        self._app = cloud.wsgi()
        self._switch = switch
        self._log = log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call, or cut its connection where a fault says so."""
        started, era = time.monotonic(), self._log.era
        request_body = _take_body(environ)
        service, operation, region = self._cloud.classify(environ)
        environ["wsgi.input"].seek(0)
        if self._switch.latency_ms:
            self._switch.closing.wait(self._switch.latency_ms / 1000)
        fault, answer = self._answer(environ, service, operation, region)
        status, headers, body = answer if answer is not None else (0, [], b"")
        record = RequestRecord(
            cloud=self._cloud.name,
            service=service,
            operation=operation,
            region=region,
            method=environ["REQUEST_METHOD"],
            path=request_target(environ),
            status=status,
            ms=round((time.monotonic() - started) * 1000, 3),
            fault=fault,
            request_body=_logged(request_body),
            response_body=_logged(body),
        )
        self._log.add(record, era)
        if answer is None:
            cut_connection(environ)
        headers = with_length(headers, status, body, environ["REQUEST_METHOD"])
        start_response(f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown')}", headers)
        return [body]

    def _answer(
        self, environ: WSGIEnvironment, service: str, operation: str, region: str
    ) -> tuple[str | None, Answer | None]:
        """Return the name of the fault that acted, if any, and the answer; no answer means: cut the connection."""
        name = self._cloud.name
        down = self._switch.down_mode(name)
        if down == "unavailable":
            return "down", self._cloud.error_response("unavailable", environ)
        if down is not None:
            return "down", None
        if self._switch.credentials_expired(name):
            return "expired_credentials", self._cloud.error_response("expired_credentials", environ)
        rule = self._switch.decide(name, service, operation, region)
        if rule is None:
            return None, self._carry_out(environ)
        return rule.kind, self._faulty_answer(rule, environ)

    def _carry_out(self, environ: WSGIEnvironment) -> Answer:
        """Call the cloud. An error of the emulator itself is a 500 that the log keeps and standard error shows."""
        try:
            return call_application(self._app, environ)
        except Exception:  # noqa: BLE001 - whatever it is, a client would only retry it in silence
            text = traceback.format_exc()
            print(f"sandbox: the emulated {self._cloud.name} failed\n{text}", file=sys.stderr)
            return 500, [("Content-Type", "text/plain")], text.encode()

    def _faulty_answer(self, rule: FaultRule, environ: WSGIEnvironment) -> Answer | None:
        if rule.kind in ("throttle", "error500"):
            return self._cloud.error_response(rule.kind, environ)
        if rule.kind == "reset_after":
            self._carry_out(environ)
        if rule.kind == "hang":
            self._switch.closing.wait(rule.hang_seconds)
        return None


def call_application(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """Run a WSGI application and return its whole answer."""
    begun: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: object = None, /) -> Any:
        begun[:] = [(status, list(headers))]
        return written.append

    result = app(environ, start_response)
    try:
        written.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    status, headers = begun[0]
    return int(status.split(" ", 1)[0]), headers, b"".join(written)


def with_length(headers: Headers, status: int, body: bytes, method: str) -> Headers:
    """Return headers that state the body's length, without which the server would send chunks."""
    # An answer to HEAD states the length of the body that GET would have, which only the application knows.
    if method == "HEAD" or status in (204, 304):
        return headers
    kept = [(key, value) for key, value in headers if key.lower() != "content-length"]
    return [*kept, ("Content-Length", str(len(body)))]


def request_target(environ: WSGIEnvironment) -> str:
    """Return path and query of a call as the client sent them."""
    if environ.get("RAW_URI"):
        return str(environ["RAW_URI"])
    query = environ.get("QUERY_STRING", "")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "/")
    return f"{path}?{query}" if query else path


def cut_connection(environ: WSGIEnvironment) -> NoReturn:
    """End the call with a TCP reset, as a load balancer that loses its backend does."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        # Linger 0 turns close into a reset; the server's own close would send a clean end first, so take its socket.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())
    raise ConnectionResetError("cut by the fault switch")


def _take_body(environ: WSGIEnvironment) -> bytes:
    """Read the whole request body and leave a seekable copy, with its length, in the environ."""
    if environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read()
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return bytes(body)


def _logged(body: bytes) -> str:
    return body[:LOGGED_BODY_LIMIT].decode("utf-8", "replace")


class _QuietHandler(WSGIRequestHandler):
    """A request handler that writes no access log and does not wait for more data before it sends."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Print errors only; the request log holds the rest."""
        if type == "error":
            super().log(type, message, *args)

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        """Read no further request from a connection that is gone."""
        self.close_connection = True


class Server:
    """A threaded WSGI server on a loopback address; port 0 takes a free one. ``url`` has no slash at its end."""

    def __init__(self, app: WSGIApplication, host: str = "127.0.0.1", port: int = 0) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox listens on loopback addresses only, not on {host}")
        # werkzeug ends the process where it cannot bind, so bind here and hand the socket over.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(128)
            self.host, self.port = listener.getsockname()
            self._server = make_server(
                self.host, self.port, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> Server:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=f"serve {self.port}", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop to listen; calls that are being answered end by themselves."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(2)
            self._thread = None
        self._server.server_close()
