# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The launcher, the control API and its client, seen together: two stand-in clouds in a sandbox of their own."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import launcher
from tests.sandbox.client import ControlError, SandboxClient
from tests.sandbox.launcher import Sandbox

EXPORTED = {
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AZURE_RESOURCE_MANAGER_ENDPOINT",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT",
    "AZURE_CLIENT_ID",
    "AZURE_SECRET",
    "AZURE_DISABLE_INSTANCE_DISCOVERY",
    "POLYCLOUD_SANDBOX_CONTROL",
    "NO_PROXY",
}


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, echo_cloud: Any) -> None:
    monkeypatch.setattr(launcher, "create_cloud", lambda name, runtime, switch: echo_cloud(name, runtime))


@pytest.fixture
def box(tmp_path: Path, stand_ins: None) -> Iterator[Sandbox]:
    with Sandbox(tmp_path) as started:
        yield started


def get(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return int(answer.status)


def test_the_exports_point_at_both_clouds_and_the_control_api(box: Sandbox) -> None:
    assert set(box.exports) >= EXPORTED
    assert get(box.exports["AWS_ENDPOINT_URL"]) == 201
    assert get(box.exports["AZURE_RESOURCE_MANAGER_ENDPOINT"]) == 201
    assert SandboxClient(box.exports["POLYCLOUD_SANDBOX_CONTROL"]).health()["pid"] == os.getpid()


def test_nothing_in_the_callers_environment_leads_past_the_sandbox(box: Sandbox) -> None:
    environment = box.environment(
        {
            "HOME": "/home/user",
            "AWS_PROFILE": "production",
            "AWS_SESSION_TOKEN": "secret",
            "AWS_ENDPOINT_URL_ECS": "https://ecs.example",
            "AWS_ENDPOINT_URL": "https://aws.example",
            "AWS_CONFIG_FILE": "/home/user/.aws/config",
            "AZURE_PROFILE": "production",
        }
    )
    assert environment == {"HOME": "/home/user", **box.exports}
    assert environment["AWS_CONFIG_FILE"] == os.devnull


def test_the_state_directory_holds_the_exports_for_a_shell_and_as_json_until_the_end(
    tmp_path: Path, stand_ins: None
) -> None:
    with Sandbox(tmp_path) as box:
        state = json.loads((tmp_path / "env.json").read_text())
        assert state["exports"] == box.exports
        assert state["seeds"]["aws"]["address"].startswith("127.64.")
        script = 'export AWS_PROFILE=production; . "$0"/env.sh; echo "$AWS_PROFILE|$AWS_ENDPOINT_URL"'
        shell = subprocess.run(["sh", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
        assert shell.stdout.strip() == f"|{box.exports['AWS_ENDPOINT_URL']}"
    assert not list(tmp_path.glob("env.*"))


def test_the_end_of_a_sandbox_closes_clouds_and_servers_and_stops_workloads(tmp_path: Path, stand_ins: None) -> None:
    with Sandbox(tmp_path) as box:
        workloads = box.runtime.workloads()
        clouds, url = list(box.clouds.values()), box.exports["AWS_ENDPOINT_URL"]
    assert len(workloads) == 2
    assert not any(workload.alive() for workload in workloads)
    assert all(cloud.closed for cloud in clouds)
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(url)


def test_a_start_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, echo_cloud: Any
) -> None:
    made: list[Any] = []

    def second_fails(name: str, runtime: Any, switch: Any) -> Any:
        if made:
            raise RuntimeError("no such cloud")
        made.append(echo_cloud(name, runtime))
        return made[0]

    monkeypatch.setattr(launcher, "create_cloud", second_fails)
    with pytest.raises(RuntimeError, match="no such cloud"):
        Sandbox(tmp_path).start()
    assert made[0].closed
    assert not list(tmp_path.glob("env.*"))


def test_a_fault_armed_over_the_control_api_acts_once(box: Sandbox) -> None:
    armed = box.client.arm("Describe", "throttle", cloud="aws", nth=1)
    assert (armed["kind"], armed["cloud"], armed["seen"]) == ("throttle", "aws", 0)
    with pytest.raises(urllib.error.HTTPError, match="418"):
        get(box.exports["AWS_ENDPOINT_URL"] + "/Describe")
    assert get(box.exports["AWS_ENDPOINT_URL"] + "/Describe") == 201
    assert box.client.faults()["rules"][0]["fired"] == 1
    assert box.client.disarm()["rules"] == []


def test_clouds_latency_capacity_and_credentials_are_switched_over_the_control_api(box: Sandbox) -> None:
    box.client.set_down("azure")
    box.client.set_latency(5)
    box.client.set_capacity(gpu=2, quota=0)
    box.client.expire_credentials(cloud="aws")
    state = box.client.faults()
    assert state["down"] == {"azure": "reset"}
    assert (state["latency_ms"], state["gpu_capacity"], state["quota"]) == (5, 2, 0)
    assert state["credentials_expired"] == ["aws"]
    assert box.client.set_capacity(gpu=None)["gpu_capacity"] is None
    assert box.client.faults()["quota"] == 0, "a limit that is not named stays"


def test_the_requests_of_a_cloud_can_be_read_and_forgotten(box: Sandbox) -> None:
    get(box.exports["AWS_ENDPOINT_URL"] + "/Describe")
    get(box.exports["AZURE_RESOURCE_MANAGER_ENDPOINT"] + "/List")
    assert [request["operation"] for request in box.client.requests()] == ["Describe", "List"]
    assert [request["operation"] for request in box.client.requests("azure")] == ["List"]
    assert box.client.clear_requests() == []


def test_workloads_are_listed_without_their_environment_and_can_be_killed(
    box: Sandbox, wait: Callable[..., None]
) -> None:
    listed = box.client.workloads()
    assert {workload["name"] for workload in listed} == {"seeded"}
    assert "environment" not in listed[0]
    box.client.kill(listed[0]["address"])
    wait(lambda: len(box.client.workloads()) == 1)
    with pytest.raises(ControlError, match=f"no workload runs at {listed[0]['address']}"):
        box.client.kill(listed[0]["address"])


def test_reset_gives_fresh_clouds_seeds_faults_and_log(box: Sandbox) -> None:
    before = {workload["pid"] for workload in box.client.workloads()}
    box.client.set_down("aws")
    with pytest.raises(OSError, match="reset"):
        get(box.exports["AWS_ENDPOINT_URL"])
    seeds = box.client.reset()
    assert set(seeds) == {"aws", "azure"}
    assert not before & {workload["pid"] for workload in box.client.workloads()}
    assert box.client.requests() == []
    assert get(box.exports["AWS_ENDPOINT_URL"]) == 201
    assert json.loads((box.state_dir / "env.json").read_text())["seeds"] == seeds


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", "/faults", {"kind": "explode"}, "kind 'explode' is unknown"),
        ("POST", "/faults", ["throttle"], "must be a JSON object"),
        ("POST", "/clouds/gcp", {"down": True}, "cloud 'gcp' is unknown"),
        ("POST", "/clouds/aws", {"down": "yes"}, "down 'yes' must be of type bool"),
        ("POST", "/latency", {"ms": -1}, "ms -1 must be a number"),
        ("POST", "/latency", {"ms": True}, "ms True must be of type float"),
        ("POST", "/capacity", {}, "name gpu, quota or both"),
        ("POST", "/capacity", {"gpu": -1}, "gpu -1 must be a whole number"),
        ("POST", "/credentials", {}, "expired None must be of type bool"),
        ("POST", "/kill", {}, "address None must be of type str"),
        ("GET", "/nothing", None, "not found"),
        ("DELETE", "/health", None, "not allowed"),
    ],
)
def test_the_control_api_says_what_is_wrong_with_a_call(
    box: Sandbox, method: str, path: str, body: Any, reason: str
) -> None:
    with pytest.raises(ControlError, match=reason):
        box.client._call(method, path, body)


def test_a_client_without_a_sandbox_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYCLOUD_SANDBOX_CONTROL", raising=False)
    with pytest.raises(ControlError, match=r"python -m tests\.sandbox run"):
        SandboxClient.from_environment()


def test_loopback_is_added_to_the_users_proxy_exceptions(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    assert box.exports["NO_PROXY"] == box.exports["no_proxy"] == "intranet.example,127.0.0.1,localhost,127.0.0.0/8"
