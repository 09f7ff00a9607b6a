# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a container group is up, on its way, or will never be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.readiness import (
    address,
    is_stopped,
    judge,
    restarts,
)


def group(
    state: str = "Succeeded", view: str = "Running", *, phase: str = "Running", count: int = 0, detail: str = ""
) -> dict[str, Any]:
    container = {
        "restartCount": count,
        "currentState": {"state": phase, "detailStatus": detail},
        "previousState": {"exitCode": 137},
        "events": [
            {"type": "Normal", "message": "Pulling"},
            {"type": "Warning", "message": "Failed to pull image: \x1b[31mmanifest unknown"},
        ],
    }
    return {
        "properties": {
            "provisioningState": state,
            "instanceView": {"state": view, "events": []},
            "containers": [{"name": "ollama", "properties": {"instanceView": container}}],
        }
    }


def test_a_group_is_up_when_it_is_provisioned_and_all_its_containers_run() -> None:
    assert judge(group(), {}).up


def test_a_seeding_container_that_fails_over_and_over_is_named() -> None:
    found = group("Creating", "Pending", phase="Waiting")
    view = {"restartCount": 3, "currentState": {"state": "Waiting"}, "previousState": {"exitCode": 1}}
    found["properties"]["initContainers"] = [{"name": "seed-models", "properties": {"instanceView": view}}]

    assert judge(found, {"seed-models": 1}).problem == ""
    assert judge(found, {}).problem == "container seed-models was restarted 3 times, last exit code 1"
    assert restarts(found)["seed-models"] == 3


@pytest.mark.parametrize(
    "found",
    [
        group("Pending", "Pending", phase="Waiting"),
        group("Creating", "Pending"),
        group("Repairing", "Running"),
        group("Succeeded", "Running", phase="Waiting", detail="CrashLoopBackOff", count=2),
        {"properties": {"provisioningState": "Creating", "containers": [{"name": "ollama", "properties": {}}]}},
    ],
    ids=["pending", "creating", "repairing", "restarting", "no view yet"],
)
def test_a_group_on_its_way_is_neither_up_nor_lost(found: dict[str, Any]) -> None:
    verdict = judge(found, {})

    assert (verdict.up, verdict.problem) == (False, "")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (group("Failed", "Failed"), "provisioning failed: Failed to pull image: [31mmanifest unknown"),
        (group(count=3), "container ollama was restarted 3 times, last exit code 137"),
        (group(detail="ImagePullBackOff", phase="Waiting"), "the image of container ollama cannot be pulled"),
        (group("Succeeded", "Succeeded", phase="Terminated"), "all containers have ended (Succeeded)"),
    ],
    ids=["provisioning", "restarts", "image", "ended"],
)
def test_a_group_that_will_never_be_up_says_why(found: dict[str, Any], why: str) -> None:
    assert judge(found, {}).problem.startswith(why)


def test_restarts_of_former_days_do_not_count() -> None:
    found = group(count=7)

    assert judge(found, restarts(found)).up


def test_a_stopped_group_is_known_by_its_state() -> None:
    assert is_stopped(group(view="Stopped"))
    assert not is_stopped(group(view="Failed"))


def test_the_host_name_is_better_than_the_ip() -> None:
    assert address({"properties": {"ipAddress": {"ip": "10.0.0.1", "fqdn": "chat.example"}}}) == "chat.example"
    assert address({"properties": {"ipAddress": {"ip": "10.0.0.1"}}}) == "10.0.0.1"
    # A stopped or pending group has an address without an IP, on which azure.azcollection's module crashes.
    assert address({"properties": {"ipAddress": {"ports": []}}}) == ""
    assert address({"properties": {}}) == ""
