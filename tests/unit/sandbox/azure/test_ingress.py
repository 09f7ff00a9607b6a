# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ingress passes requests and answers through as they are, and wakes an app that sleeps."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.azure.ingress import PORT, Gateway, NoTarget, target
from tests.sandbox.runtime import ProcessRuntime

APPS = "Microsoft.App/containerApps"


class Upstream(BaseHTTPRequestHandler):
    """Echoes a request, or streams two pieces with a pause that the test ends."""

    protocol_version = "HTTP/1.1"
    go_on = threading.Event()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps({"path": self.path, "body": body.decode(), "headers": dict(self.headers)}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        self.go_on.wait(10)
        self.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")


@pytest.fixture
def upstream() -> Iterator[tuple[str, int]]:
    Upstream.go_on.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield "127.0.0.1", server.server_address[1]
    Upstream.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    started = Gateway()
    yield started
    started.close()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """An address that no other sandbox on this machine uses."""
    runtime = ProcessRuntime(tmp_path)
    yield runtime.allocate_address("app")
    runtime.close()


@contextmanager
def connect(address: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(address, PORT, timeout=10)
    yield connection
    connection.close()


def test_a_request_is_passed_on_with_its_path_headers_and_body(
    gateway: Gateway, upstream: tuple[str, int], address: str
) -> None:
    gateway.listen(address, lambda: target(*upstream))
    with connect(address) as connection:
        for number in range(2):
            connection.request("POST", f"/api/x?n={number}", "hello", {"X-Mine": "1"})
            answer = connection.getresponse()
            seen = json.loads(answer.read())
            assert (answer.status, seen["path"], seen["body"]) == (201, f"/api/x?n={number}", "hello")
            assert (seen["headers"]["X-Mine"], seen["headers"]["X-Forwarded-For"]) == ("1", "127.0.0.1")


def test_a_chunked_request_arrives_whole(gateway: Gateway, upstream: tuple[str, int], address: str) -> None:
    gateway.listen(address, lambda: target(*upstream))
    with connect(address) as connection:
        connection.request("POST", "/", iter([b"hel", b"lo"]), encode_chunked=True)
        assert json.loads(connection.getresponse().read())["body"] == "hello"


def test_an_answer_is_given_back_piece_by_piece(gateway: Gateway, upstream: tuple[str, int], address: str) -> None:
    gateway.listen(address, lambda: target(*upstream))
    with connect(address) as connection:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.read1() == b"first"
        Upstream.go_on.set()
        assert answer.read() == b"second"


def test_without_a_target_the_ingress_answers_itself(gateway: Gateway, address: str) -> None:
    targets: list[tuple[str, int]] = []

    def choose() -> Any:
        if not targets:
            raise NoTarget(404, "stopped")
        return target(*targets[0])

    gateway.listen(address, choose)
    for status in (404, 503):
        with connect(address) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == status
        # Port 1 of loopback: nobody listens there.
        targets.append(("127.0.0.1", 1))


def test_a_closed_listener_answers_nobody(gateway: Gateway, upstream: tuple[str, int], address: str) -> None:
    listener = gateway.listen(address, lambda: target(*upstream))
    gateway.close_listener(listener)
    with connect(address) as connection, pytest.raises(ConnectionError):
        connection.request("GET", "/")


def test_a_prompt_is_streamed_through_the_ingress(azure: Any, app_body: Callable[..., Any]) -> None:
    path = azure.path(APPS, "chat")
    azure.follow(azure.call("PUT", path, app_body()))
    address = azure.call("GET", path).body["properties"]["configuration"]["ingress"]["fqdn"]
    prompt = {"model": "llama3.2:1b", "prompt": "hello"}
    status, text = azure.ollama(address, "/api/generate", 8080, prompt)
    lines = [json.loads(line) for line in text.splitlines()]
    assert (status, len(lines) > 2, lines[-1]["done"]) == (200, True, True)


def test_a_request_wakes_an_app_that_is_scaled_to_zero_and_it_sleeps_again(
    azure: Any, app_body: Callable[..., Any]
) -> None:
    path = azure.path(APPS, "chat")
    scale = {"minReplicas": 0, "maxReplicas": 1, "cooldownPeriod": 60}
    azure.follow(azure.call("PUT", path, app_body(template={"scale": scale})))
    found = azure.call("GET", path + "/revisions").body["value"][0]["properties"]
    assert (found["replicas"], found["runningState"]) == (0, "ScaledToZero")
    address = azure.call("GET", path).body["properties"]["configuration"]["ingress"]["fqdn"]
    assert azure.ollama(address, "/api/version", 8080)[0] == 200
    assert len(azure.runtime.workloads()) == 1
    azure.until(lambda: azure.runtime.workloads() == [])


def test_a_target_port_that_nobody_listens_on_never_becomes_ready(azure: Any, app_body: Callable[..., Any]) -> None:
    azure.timing(deadline=0.8)
    body = app_body(ingress={"targetPort": 80})
    ended = azure.follow(azure.call("PUT", azure.path(APPS, "chat"), body)).body
    assert ended["status"] == "Failed"
