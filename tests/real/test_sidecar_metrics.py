# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus takes the sidecar's metrics, its linter has nothing to say of them, and our rules work on them."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ollama_sidecar.http.exchange import Exchange
from ollama_sidecar.http.server import serve
from ollama_sidecar.metrics import Metrics, State
from ollama_sidecar.record import Record

from tests.helpers.modules import ROOT
from tests.helpers.real_ollama import free_port, wait_until_up

pytestmark = pytest.mark.real
FILES = ROOT / "roles/image/files/sidecar/prometheus"
SECONDS = 60


def program(name: str) -> str:
    """A program of Prometheus; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"there is no {name}: install the package prometheus")
    return found


def promtool(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program("promtool"), *arguments], input=given, capture_output=True, cwd=FILES, timeout=60)


@dataclass(frozen=True)
class Loaded:
    name: str = "gemma3:1b"
    family: str = "gemma3"
    quantization: str = "Q4_K_M"
    size: int = 1000
    size_vram: int = 750
    expires: str = "2318-11-22T10:00:00.123456789Z"


class Gpu:
    """What the library of NVIDIA tells of one GPU."""

    NVMLError = OSError
    NVML_TEMPERATURE_GPU = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        one = type("Reading", (), {"gpu": 40, "used": 1, "total": 2})
        answers = {"nvmlDeviceGetCount": 1, "nvmlDeviceGetUUID": "GPU-0"}
        return lambda *dummy: one if name.endswith(("Rates", "Info")) else answers.get(name, 1)


@pytest.fixture
def metrics() -> Metrics:
    """All families, each with a series."""
    from ollama_sidecar import gpu

    state = State(True, True, False, "0.24.0", 2, [Loaded()], {"gemma3:1b": (2, 3)}, 4, 64)
    metrics = Metrics(lambda: state, version="0.1.0", more=gpu.collectors(Gpu))
    for outcome in ({}, {"rejected": "queue_full", "status": 503}, {"cache": "hit"}, {"broken": "upstream"}):
        metrics.observe(a_record(**outcome))
    return metrics


def a_record(**changes: Any) -> Record:
    """A stream whose first piece came after 0.3 s."""
    record = Record("id", "POST", 100.0, route="/api/chat", model="gemma3:1b", status=200, stream=True)
    record.queued, record.first, record.ended = 0.1, 100.3, 101.3
    record.prompt_tokens, record.output_tokens, record.load = 7, 11, 0.25
    for name, value in changes.items():
        setattr(record, name, value)
    return record


@pytest.fixture
def listener(metrics: Metrics) -> Iterator[tuple[str, list[str]]]:
    """Where the sidecar's own server serves the metrics, and what scrapers accepted."""
    accepted: list[str] = []
    loop = asyncio.new_event_loop()

    async def answer(exchange: Exchange) -> None:
        accepted.append(exchange.headers.get("Accept", ""))
        kind, body = metrics.render(accepted[-1])
        await exchange.start(200, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        exchange.push(body)
        await exchange.finish()

    server = loop.run_until_complete(serve(answer, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"127.0.0.1:{server.port}", accepted
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def prometheus(tmp_path: Path, listener: tuple[str, list[str]]) -> Iterator[str]:
    """The URL of a Prometheus with our example of a configuration, quicker and with our target."""
    config = yaml.safe_load((FILES / "scrape.yml").read_text())
    config["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    config["rule_files"] = [str(FILES / "rules.yml")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [listener[0]]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
    ]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            wait_until_up(f"http://127.0.0.1:{port}/-/ready", server, tmp_path / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def ask(url: str, path: str, **query: str) -> Any:
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
        return json.loads(answer.read())["data"]


def until(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is more than nothing."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return value


@pytest.mark.parametrize("loaded", [True, False])
def test_the_linter_has_nothing_to_say_of_our_metrics(metrics: Metrics, loaded: bool) -> None:
    text = (metrics if loaded else Metrics(State)).render()[1]
    checked = promtool("check", "metrics", given=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_the_linter_does_say_something_of_bad_metrics() -> None:
    bad = b"# TYPE ollama_requests counter\nollama_requests 1\n"
    assert promtool("check", "metrics", given=bad).returncode != 0


@pytest.mark.parametrize(
    "command", [("check", "config", "scrape.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules.test.yml")]
)
def test_the_files_for_prometheus_are_right(command: tuple[str, ...]) -> None:
    checked = promtool(*command)
    assert checked.returncode == 0, (checked.stdout + checked.stderr).decode()


def test_a_real_prometheus_scrapes_them_and_our_rules_give_figures(
    prometheus: str, listener: tuple[str, list[str]], metrics: Metrics
) -> None:
    (target,) = until(lambda: [one for one in ask(prometheus, "targets")["activeTargets"] if one["health"] == "up"])
    assert target["lastError"] == ""
    assert "application/openmetrics-text" in listener[1][0]
    for _ in range(20):  # rates need growth
        metrics.observe(a_record())
    expected = {
        "job_model:ollama_requests_pending:sum": (5, 5),
        "job:ollama_requests_pending:sum": (5, 5),
        "job_model:ollama_generated_tokens:rate5m": (0.1, 10_000),
        "job_model:ollama_prompt_tokens:rate5m": (0.1, 10_000),
        "job_model:ollama_time_to_first_token_seconds:p50_5m": (0.25, 0.5),
        "job_model:ollama_time_to_first_token_seconds:p95_5m": (0.25, 0.5),
        "job:ollama_errors:ratio_rate5m": (0, 0),
    }
    recorded = [rule["name"] for group in ask(prometheus, "rules")["groups"] for rule in group["rules"]]
    assert set(expected) == set(recorded)
    for name, (least, most) in expected.items():

        def samples(name: str = name) -> list[float]:
            values = [float(one["value"][1]) for one in ask(prometheus, "query", query=name)["result"]]
            return [value for value in values if value == value and (value > 0 or name.endswith("ratio_rate5m"))]

        assert least <= until(samples)[0] <= most, name
    assert until(lambda: ask(prometheus, "query", query='ollama_model_loaded{family="gemma3"}')["result"])


def test_what_prometheus_reads_is_what_was_counted(prometheus: str) -> None:
    query = 'ollama_requests_total{job="ollama",model="gemma3:1b",endpoint="/api/chat"}'
    found = until(lambda: ask(prometheus, "query", query=query)["result"])
    assert {one["metric"]["code"]: one["value"][1] for one in found} == {"200": "3", "503": "1"}
