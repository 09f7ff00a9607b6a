# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of a release say about it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.ecs import tasks

PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s)"


def stopped(reason: str, code: str = "TaskFailedToStart", **more: Any) -> dict[str, Any]:
    return {"stopCode": code, "stoppedReason": reason, **more}


def test_the_address_is_that_of_the_tasks_own_network_interface() -> None:
    details = [{"name": "subnetId", "value": "subnet-1"}, {"name": "privateIPv4Address", "value": "10.20.0.7"}]
    assert tasks.address({"attachments": [{"type": "ElasticNetworkInterface", "details": details}]}) == "10.20.0.7"
    assert tasks.address({"attachments": []}) == ""


def test_an_image_that_does_not_exist_is_hopeless_at_once() -> None:
    assert "the image cannot be pulled" in tasks.verdict([stopped(f"{PULL}: manifest unknown")])


def test_a_pull_that_failed_once_for_another_reason_is_tried_again() -> None:
    assert tasks.verdict([stopped(f"{PULL}: connection reset")]) == ""
    assert "the image cannot be pulled" in tasks.verdict([stopped(f"{PULL}: connection reset")] * 3)


def test_three_exits_are_enough_and_their_exit_code_is_told() -> None:
    exited = stopped(
        "Essential container in task exited",
        "EssentialContainerExited",
        containers=[{"name": "ollama", "exitCode": 137}],
    )
    assert tasks.verdict([exited] * 2) == ""
    assert "container ollama exited with 137" in tasks.verdict([exited] * 3)


def test_failed_health_checks_count_and_planned_stops_do_not() -> None:
    unhealthy = stopped("Task failed container health checks", "ServiceSchedulerInitiated")
    planned = stopped("Scaling activity initiated by (deployment ecs-svc/1)", "ServiceSchedulerInitiated")
    assert "health checks" in tasks.verdict([unhealthy] * 3)
    assert tasks.verdict([planned] * 9) == ""


def test_a_secret_that_cannot_be_read_is_named() -> None:
    reason = "ResourceInitializationError: unable to pull secrets or registry auth"
    assert tasks.verdict([stopped(reason)] * 3).startswith("the task cannot be set up: ResourceInitializationError")


@pytest.mark.parametrize(
    "message",
    [
        'was unable to place a task because no container instance met all of its requirements. "RESOURCE:GPU"',
        "was unable to place a task. Reason: InsufficientInstanceCapacity: We currently do not have capacity",
        "was unable to place a task. Reason: VcpuLimitExceeded: your current vCPU limit of 0",
    ],
)
def test_a_missing_gpu_is_read_from_the_service_events(message: str) -> None:
    assert tasks.no_room([{"message": f"(service chat) {message}"}]) == f"(service chat) {message}"


def test_an_old_placement_failure_is_forgotten_once_a_task_was_started() -> None:
    events = [
        {"message": "(service chat) has started 1 tasks"},
        {"message": "(service chat) was unable to place a task"},
    ]
    assert tasks.no_room(events) == ""


def test_tasks_of_both_releases_with_one_definition_are_told_apart_by_their_deployment() -> None:
    old = {"taskDefinitionArn": "chat:1", "startedBy": "ecs-svc/1"}
    new = {"taskDefinitionArn": "chat:1", "startedBy": "ecs-svc/2"}
    assert tasks.of_release([old, new], "chat:1", "ecs-svc/2") == [new]
    assert tasks.of_release([old, new], "chat:2", "ecs-svc/2") == []
