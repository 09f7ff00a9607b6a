# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose file, given to the real Docker Compose: both images come up, answer through the sidecar, and drain."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.module_utils.compose.translate import compose
from tests.helpers.image_yard import Built, Yard
from tests.helpers.modules import ROOT
from tests.helpers.real_ollama import free_port
from tests.helpers.sidecar_options import KEY, SIDECAR

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]
PROGRAM = ROOT / ".build" / "compose" / "docker-compose"
SECRET = "canary-licence"
HEADERS = {"Authorization": f"Bearer {KEY}"}
TOKENS = 1800
# Of three tokens at a time the end is hardly ever one, so that the stream is as long as it may be.
LONG = {"num_predict": TOKENS, "seed": 1, "temperature": 1, "top_k": 3}


@dataclass
class Project:
    """A compose file and its ports."""

    yard: Yard
    file: Path
    port: int
    metrics_port: int

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Compose with this file, in a bare environment."""
        command = [str(PROGRAM), "--file", str(self.file), *arguments]
        given = {"PATH": os.environ["PATH"], "HOME": str(self.file.parent), **self.yard.docker.environment}
        return subprocess.run(
            command, env={**given, **environment}, capture_output=True, text=True, check=False, timeout=180
        )

    def up(self) -> None:
        done = self.run("up", "--detach", "--wait", LICENCE=SECRET)
        assert done.returncode == 0, done.stdout + done.stderr + self.said()

    def said(self) -> str:
        return self.run("logs", LICENCE=SECRET).stdout

    def containers(self) -> list[str]:
        return sorted(self.run("ps", "--all", "--quiet", LICENCE=SECRET).stdout.split())

    def ask(self, path: str, body: Any = None, port: int = 0, **headers: str) -> tuple[int, str]:
        """Status and body of one request."""
        response = self.begin(path, body, port, **headers)
        return response.status, response.read().decode()

    def begin(self, path: str, body: Any = None, port: int = 0, **headers: str) -> http.client.HTTPResponse:
        """One request whose answer is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        method = "GET" if body is None else "POST"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    def until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while self.ask("/readyz")[0] != 200:
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def project(yard: Yard, built: Built, sidecar_image: Built) -> Iterator[Project]:
    """The containers of a small deployment, up."""
    if not PROGRAM.is_file():
        pytest.skip("there is no real Docker Compose: `make docker-compose` builds it (Go, some minutes)")
    port, metrics_port = free_port(), free_port()
    description = {
        "name": "chat",
        "image": built.result["reference"],
        "models": yard.variables["image_models"],
        "resources": {"cpu": 1, "memory_gib": 1},
        "network": {"port": port},
        "secrets": [{"name": "LICENCE", "value": SECRET}],
        "sidecar": {**SIDECAR, "image": sidecar_image.result["reference"], "metrics_port": metrics_port},
    }
    folder = yard.folder / "compose"
    folder.mkdir()
    file = folder / "compose.yaml"
    file.write_text(yaml.safe_dump(compose(description), sort_keys=False), encoding="utf-8")
    project = Project(yard, file, port, metrics_port)
    try:
        project.up()
        yield project
    finally:
        project.run("down", "--volumes", "--timeout=5", LICENCE=SECRET)


def test_a_secret_is_asked_of_who_starts_it_and_stands_in_no_file(project: Project) -> None:
    refused = project.run("config", "--quiet")
    assert refused.returncode != 0
    assert "LICENCE" in refused.stderr
    assert "set it in the environment" in refused.stderr
    assert SECRET not in project.file.read_text()
    assert KEY not in project.file.read_text()


def test_a_second_up_changes_nothing(project: Project) -> None:
    before = project.containers()
    project.up()
    assert project.containers() == before
    assert len(before) == 3


def test_clients_reach_the_sidecar_alone_and_need_a_key(project: Project) -> None:
    project.until_ready()
    body = {"model": "tiny", "prompt": "hello", "stream": False}
    status, said = project.ask("/api/generate", body, **HEADERS)
    assert (status, json.loads(said)["done"]) == (200, True)
    assert project.ask("/api/generate", body)[0] == 401
    assert project.ask("/api/delete", {"model": "tiny"}, **HEADERS)[0] in (404, 405)
    status, metrics = project.ask("/metrics", port=project.metrics_port)
    assert status == 200
    assert "ollama_time_to_first_token_seconds_bucket" in metrics


def test_an_ollama_that_crashes_comes_back_behind_the_same_sidecar(project: Project) -> None:
    project.until_ready()
    ollama = project.run("ps", "--quiet", "ollama", LICENCE=SECRET).stdout.strip()
    pid = project.yard.docker.run("inspect", "--format", "{{.State.Pid}}", ollama).stdout.strip()
    os.kill(int(pid), signal.SIGKILL)
    deadline = time.monotonic() + 60
    body = {"model": "tiny", "prompt": "hello", "stream": False}
    assert project.ask("/api/generate", body, **HEADERS)[0] != 200
    while project.ask("/api/generate", body, **HEADERS)[0] != 200:
        assert time.monotonic() < deadline, project.said()
        time.sleep(0.1)
    assert project.yard.docker.run("inspect", "--format", "{{.RestartCount}}", ollama).stdout.strip() == "1"


def test_a_running_answer_ends_whole_when_everything_goes_down(project: Project) -> None:
    project.until_ready()
    body = {"model": "tiny", "prompt": "hello", "options": LONG}
    stream = project.begin("/api/generate", body, **HEADERS)
    lines = [stream.readline()]
    stopped = time.monotonic()
    with subprocess.Popen(
        [str(PROGRAM), "--file", str(project.file), "down"],
        env={**os.environ, **project.yard.docker.environment, "LICENCE": SECRET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as down:
        lines += list(stream)
        ended = time.monotonic()
        assert down.wait(timeout=120) == 0
    last = json.loads(lines[-1])
    assert (last["done"], last["eval_count"]) == (True, TOKENS)
    assert ended - stopped > 0.5, "the stream was too short to prove anything"
    assert project.containers() == []
    project.up()
    project.until_ready()
