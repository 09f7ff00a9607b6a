# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process runtime of its own for each test, and a cloud that stands for both real emulators."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from tests.sandbox.http import Answer
from tests.sandbox.runtime import ProcessRuntime, WorkloadSpec


class EchoCloud:
    """A cloud that answers every call with its body, and counts what it has carried out."""

    def __init__(self, name: str = "aws", runtime: ProcessRuntime | None = None) -> None:
        self.name = name
        self.runtime = runtime
        self.carried_out = 0
        self.closed = False

    def wsgi(self) -> WSGIApplication:
        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self.carried_out += 1
            start_response("201 Created", [("Content-Type", "text/plain")])
            return [b"echo ", environ["wsgi.input"].read()]

        return answer

    def classify(self, environ: WSGIEnvironment) -> tuple[str, str, str]:
        """The operation is the path, or the body where there is one, as in AWS's query protocol."""
        body = environ["wsgi.input"].read().decode()
        return "service", body or environ["PATH_INFO"].strip("/"), "region-1"

    def error_response(self, kind: str, environ: WSGIEnvironment) -> Answer:
        return 418, [("Content-Type", "text/plain")], f"{self.name} {kind}".encode()

    def seed(self) -> dict[str, Any]:
        assert self.runtime is not None, "only a launched cloud is seeded"
        address = self.runtime.allocate_address("ecs")
        self.runtime.start(WorkloadSpec("ollama:1", {}, address, name="seeded"))
        return {"address": address, "subscription_id": "subscription", "tenant_id": "tenant", "client_id": "client"}

    def reset(self) -> None:
        self.carried_out = 0

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[ProcessRuntime]:
    started = ProcessRuntime(tmp_path / "state")
    yield started
    started.close()


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition; fails the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.01)


@pytest.fixture
def wait() -> Callable[..., None]:
    return wait_until


@pytest.fixture
def echo_cloud() -> type[EchoCloud]:
    return EchoCloud
