# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate in front of a cloud: what a client sees of each fault, and what the log keeps of each call."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.faults import FaultRule, FaultSwitch
from tests.sandbox.http import Gate, RequestLog, Server


class Served:
    """An echo cloud behind a gate and a server."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.switch = FaultSwitch()
        self.log = RequestLog()
        self.server = Server(Gate(cloud, self.switch, self.log)).start()

    def call(self, path: str = "/Describe", body: Any = None, method: str = "POST") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=5)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def served(echo_cloud: Any) -> Iterator[Served]:
    started = Served(echo_cloud())
    yield started
    started.switch.closing.set()
    started.server.close()


def test_a_call_without_faults_reaches_the_cloud_and_the_log(served: Served) -> None:
    assert served.call("/a%2Fb?x=1", b"Describe") == (201, "echo Describe")
    [record] = served.log.records()
    assert (record.cloud, record.service, record.operation, record.region) == ("aws", "service", "Describe", "region-1")
    assert (record.method, record.path, record.status, record.fault) == ("POST", "/a%2Fb?x=1", 201, None)
    assert (record.request_body, record.response_body) == ("Describe", "echo Describe")


def test_a_chunked_body_arrives_whole(served: Served) -> None:
    assert served.call(body=iter([b"De", b"scribe"])) == (201, "echo Describe")


def test_an_answer_to_head_has_no_body(served: Served) -> None:
    assert served.call(method="HEAD") == (201, "")


@pytest.mark.parametrize("kind", ["throttle", "error500"])
def test_an_answered_fault_takes_the_clouds_own_form_and_carries_nothing_out(served: Served, kind: str) -> None:
    served.switch.arm(FaultRule("Describe", kind))
    assert served.call() == (418, f"aws {kind}")
    assert served.cloud.carried_out == 0
    assert served.call() == (201, "echo ")


@pytest.mark.parametrize(("kind", "carried_out"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_cuts_the_connection_before_or_after_the_call_is_carried_out(
    served: Served, kind: str, carried_out: int, capsys: pytest.CaptureFixture[str]
) -> None:
    served.switch.arm(FaultRule("Describe", kind))
    with socket.create_connection((served.server.host, served.server.port), timeout=5) as client:
        client.sendall(b"GET /Describe HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        # Not an empty read: that would be an orderly end.
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert served.cloud.carried_out == carried_out
    [record] = served.log.records()
    assert (record.status, record.fault, record.response_body) == (0, kind, "")
    served.call()
    assert capsys.readouterr().err == "", "the server has nothing to say about a connection that was cut"


def test_a_hanging_call_is_held_and_then_cut(served: Served) -> None:
    served.switch.arm(FaultRule("Describe", "hang", hang_seconds=0.2))
    begun = time.monotonic()
    with pytest.raises(ConnectionError):
        served.call()
    assert time.monotonic() - begun >= 0.2
    assert served.cloud.carried_out == 0


def test_a_call_that_still_hangs_when_the_log_is_cleared_is_not_in_the_new_log(served: Served) -> None:
    served.switch.arm(FaultRule("Describe", "hang", hang_seconds=0.3))

    def call() -> None:
        with pytest.raises(ConnectionError):
            served.call()

    hanging = threading.Thread(target=call)
    hanging.start()
    time.sleep(0.1)
    served.log.clear()
    hanging.join()
    assert served.log.records() == []


def test_a_cloud_that_is_down_cuts_every_call_or_answers_503_in_its_own_form(served: Served) -> None:
    served.switch.set_down("aws", True)
    with pytest.raises(ConnectionError):
        served.call()
    served.switch.set_down("aws", True, "unavailable")
    assert served.call() == (418, "aws unavailable")
    served.switch.set_down("aws", False)
    assert served.call()[0] == 201


def test_expired_credentials_are_refused_before_rules_count(served: Served) -> None:
    rule = served.switch.arm(FaultRule("Describe", "throttle"))
    served.switch.set_credentials_expired(True, "aws")
    assert served.call() == (418, "aws expired_credentials")
    assert rule.seen == 0


def test_latency_is_added_to_every_call(served: Served) -> None:
    served.switch.latency_ms = 80
    served.call()
    assert served.log.records()[0].ms >= 80


def test_the_log_can_be_read_by_cloud_and_cleared(served: Served) -> None:
    served.call()
    assert len(served.log.as_json("aws")) == 1
    assert served.log.as_json("azure") == []
    served.log.clear()
    assert served.log.as_json() == []


def test_an_error_inside_of_the_emulator_is_a_500_that_the_log_tells_from_a_fault(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served.switch.arm(FaultRule("Describe", "error500"))
    served.call()
    assert served.log.emulator_errors() == []
    monkeypatch.delattr(served.cloud, "carried_out")
    assert served.call()[0] == 500
    [record] = served.log.emulator_errors()
    assert "AttributeError" in record.response_body
    assert "the emulated aws failed" in capsys.readouterr().err


def test_only_loopback_addresses_are_listened_on(echo_cloud: Any) -> None:
    with pytest.raises(ValueError, match=r"loopback addresses only, not on 0\.0\.0\.0"):
        Server(echo_cloud().wsgi(), "0.0.0.0")


def test_a_taken_port_is_an_error_and_a_closed_server_frees_its_port(echo_cloud: Any) -> None:
    first = Server(echo_cloud().wsgi()).start()
    with pytest.raises(OSError, match="in use"):
        Server(echo_cloud().wsgi(), first.host, first.port)
    first.close()
    Server(echo_cloud().wsgi(), first.host, first.port).close()
