# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behind the sidecar on every platform: the real sidecar runs in front of the test engine, with probes and drain."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.contract.adapters import BETTER, Args, bad
from tests.contract.subject import Subject, actions
from tests.helpers.sidecar_options import KEY, SIDECAR, TOKEN

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PROMPT = {"model": "gemma3:1b", "prompt": "Tell me a story."}
GPU_PROFILE = {"cpu": 7.75, "memory_gib": 55.5, "gpu": {"count": 1, "type": "Consumption-GPU-NC8as-T4"}}


def call(url: str, body: Args | None = None, *, key: str | None = None, method: str | None = None) -> tuple[int, bytes]:
    """Status and body of one request."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else json.dumps(body).encode()
    try:
        with OPENER.open(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def served(subject: Subject) -> Subject:
    """The platform's deployment, its description with a sidecar, nothing deployed yet."""
    subject.base = {**subject.base, "sidecar": {**SIDECAR, "drain_seconds": 20}, "health": {"timeout": 15}}
    if subject.adapter.platform == "container_apps":
        subject.base["resources"] = GPU_PROFILE
    return subject


def endpoint(result: dict[str, Any]) -> str:
    return str(result["deployment"]["endpoints"][0])


def answers_soon(url: str, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if call(url, {**PROMPT, "stream": False}, key=KEY)[0] == 200:
                return True
        time.sleep(0.2)
    return False


def nothing_secret(subject: Subject) -> None:
    assert not [text for text in subject.said if KEY in text or TOKEN in text]


def test_clients_reach_the_sidecar_and_a_second_run_changes_nothing(served: Subject) -> None:
    first = served.run()
    url = endpoint(first)
    assert first["deployment"]["answer"]
    assert first["deployment"]["sidecar_image"] == SIDECAR["image"]
    assert not any("no sidecar" in note for note in first["plan"]["notes"])
    assert not served.run()["changed"]

    assert call(f"{url}/readyz") == (200, b'{"status":"ready"}')
    assert call(f"{url}/api/generate", {**PROMPT, "stream": False})[0] == 401
    status, body = call(f"{url}/api/generate", {**PROMPT, "stream": False}, key=KEY)
    assert (status, bool(json.loads(body)["response"])) == (200, True)
    for path, method in (("/api/delete", "DELETE"), ("/api/pull", "POST"), ("/api/ps", "GET"), ("/metrics", "GET")):
        assert call(url + path, PROMPT if method != "GET" else None, key=KEY, method=method)[0] == 404
    assert call(f"{url}/drain", {}, key=KEY)[0] == 404
    nothing_secret(served)


def test_without_a_sidecar_the_plan_says_what_is_missing(subject: Subject) -> None:
    assert any(note.startswith("no sidecar: ") for note in subject.run(check=True)["plan"]["notes"])


def test_a_release_without_its_model_is_rolled_back_behind_the_sidecar(served: Subject) -> None:
    url = endpoint(served.run())
    failed = served.run(image=bad("no-model"), fails=True)
    assert failed["rolled_back"]
    # A container group is back when its containers run, and they take a moment to listen.
    assert answers_soon(f"{url}/api/generate")
    nothing_secret(served)


def test_a_sidecar_comes_to_a_deployment_that_runs_without_one(served: Subject) -> None:
    sidecar = served.base.pop("sidecar")
    before = endpoint(served.run())
    assert call(f"{before}/readyz")[0] == 404
    needs = {"recreate": True} if served.adapter.platform == "aci" else {}
    after = served.run(sidecar=sidecar, image=BETTER, **needs)
    assert actions(after)[served.adapter.carrier] in ("update", "replace")
    assert call(f"{endpoint(after)}/readyz")[0] == 200


def test_an_answer_that_runs_ends_whole_when_the_deployment_is_stopped(
    served: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYCLOUD_SANDBOX_TOKEN_MS", "250")
    url = endpoint(served.run(health={"verify": "prompt", "timeout": 30}))
    got: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: got.append(call(f"{url}/api/generate", PROMPT, key=KEY)))
    asking.start()
    time.sleep(0.5)
    assert not got, "the answer was too short to be cut"
    stopped = served.run(state="stopped")
    asking.join(30)
    assert not stopped["deployment"]["running"]
    (status, body) = got[0]
    assert (status, json.loads(body.splitlines()[-1])["done"]) == (200, True)
