# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sidecar of the sandbox is the real one, at the address of its Ollama, which outlives it."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.sandbox import sidecars
from tests.sandbox.aws.ecs.workload_spec import serving_container, sidecar_container
from tests.sandbox.runtime import ProcessRuntime, Workload, WorkloadSpec

Wait = Callable[..., None]
ENVIRONMENT = {
    "SIDECAR_LISTEN": "0.0.0.0:11434",
    "SIDECAR_ADMIN_LISTEN": "127.0.0.1:8081",
    "SIDECAR_METRICS_LISTEN": "0.0.0.0:9091",
    "SIDECAR_UPSTREAM": "http://127.0.0.1:11435",
    "SIDECAR_MODELS": "gemma3:1b",
    "SIDECAR_DRAIN_SECONDS": "5",
}
BEHIND = {
    "OLLAMA_HOST": "127.0.0.1:11435",
    "POLYCLOUD_MODELS": "gemma3:1b",
    "POLYCLOUD_SIDECAR": "127.0.0.1:11434",
    "POLYCLOUD_DRAIN_SECONDS": "5",
}


def start(runtime: ProcessRuntime) -> tuple[Workload, Workload]:
    """Ollama and its sidecar."""
    address = runtime.allocate_address("ecs")
    return (
        runtime.start(WorkloadSpec("ollama:1.0", BEHIND, address, 11435)),
        runtime.start(WorkloadSpec("ollama-sidecar:1.0", ENVIRONMENT, address)),
    )


def ready(sidecar: Workload) -> bool:
    return sidecar.healthy() and sidecar.http("GET", "/readyz")[0] == 200


def test_a_container_is_a_sidecar_by_its_settings() -> None:
    assert sidecars.is_sidecar(ENVIRONMENT)
    assert not sidecars.is_sidecar(BEHIND)


def test_loopback_of_the_containers_is_the_address_of_the_workload() -> None:
    placed = sidecars.placed(ENVIRONMENT, "127.64.0.1")
    assert [placed[name] for name in sidecars.LISTENERS] == ["127.64.0.1:11434", "127.64.0.1:8081", "127.64.0.1:9091"]
    assert placed["SIDECAR_UPSTREAM"] == "http://127.64.0.1:11435"


def test_a_sidecar_is_ready_once_the_model_is_loaded_and_passes_requests_on(
    runtime: ProcessRuntime, wait: Wait
) -> None:
    ollama, sidecar = start(runtime)
    wait(lambda: ready(sidecar), seconds=30)
    body = {"model": "gemma3:1b", "prompt": "Hello", "stream": False}
    through, direct = (workload.http("POST", "/api/generate", body, 10) for workload in (sidecar, ollama))
    assert (through[0], direct[0]) == (200, 200)
    assert sidecar.http("DELETE", "/api/delete", {"model": "gemma3:1b"})[0] == 404


@pytest.mark.parametrize(("drains", "whole"), [(True, True), (False, False)], ids=["drained", "not drained"])
def test_ollama_ends_after_its_sidecar_where_the_platform_gives_it_time(
    runtime: ProcessRuntime, wait: Wait, monkeypatch: pytest.MonkeyPatch, drains: bool, whole: bool
) -> None:
    monkeypatch.setenv("POLYCLOUD_SANDBOX_TOKEN_MS", "150")
    ollama, sidecar = start(runtime)
    wait(lambda: ready(sidecar), seconds=30)
    got: list[bytes] = []

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            got.append(sidecar.http("POST", "/api/generate", {"model": "gemma3:1b", "prompt": "Hello"}, 20)[1])

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.4)
    assert not got, "the answer is too short to be cut"
    stops = [threading.Thread(target=partial(each.stop, drains=drains)) for each in (ollama, sidecar)]
    for thread in stops:
        thread.start()
    for thread in (*stops, asking):
        thread.join(30)
    assert (b'"done":true' in b"".join(got).replace(b" ", b"")) is whole


def container(name: str, environment: dict[str, str], *ports: int) -> dict[str, object]:
    return {
        "name": name,
        "environment": [{"name": key, "value": value} for key, value in environment.items()],
        "portMappings": [{"containerPort": port} for port in ports],
        "essential": True,
    }


def test_the_container_behind_a_sidecar_is_the_one_that_serves_ollama() -> None:
    containers = [container("front", ENVIRONMENT, 11434, 9091), container("server", BEHIND), container("other", {})]
    found = sidecar_container(containers)
    assert found is not None
    assert (serving_container(containers)["name"], found["name"]) == ("server", "front")
