# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of a service: their addresses, and why they stopped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..clients.aws import Aws
from ..errors import NotFound

# DescribeTasks takes 100 ids a call.
BATCH = 100
# A failed pull is tried again by ECS; these will not succeed by trying.
HOPELESS_PULL = re.compile(r"not found|denied|unauthorized|manifest unknown|no basic auth|invalid reference", re.I)
PULL = re.compile(r"CannotPull\w*Error|CannotPullImageManifest", re.I)
SETUP = re.compile(r"ResourceInitializationError|CannotCreateVolume|CannotCreateContainerError", re.I)
FAILED_STOPS = ("EssentialContainerExited", "TaskFailedToStart")
MOST_FAILURES = 3
# What service events say where no task can be placed.
NO_ROOM = re.compile(
    r"unable to place a task|InsufficientInstanceCapacity|VcpuLimitExceeded|Capacity is unavailable|RESOURCE:GPU", re.I
)


class Tasks:
    """Reads the tasks of one service. Bounded: the first 100 of a status."""

    def __init__(self, aws: Aws, cluster: str, service: str) -> None:
        self._aws = aws
        self._cluster = cluster
        self._service = service

    def ids(self, status: str = "RUNNING") -> list[str]:
        """ARNs of the tasks that ECS wants in the status (RUNNING or STOPPED); none where there is no service."""
        try:
            answer = self._aws.call(
                "ecs", "list_tasks", cluster=self._cluster, serviceName=self._service, desiredStatus=status
            )
        except NotFound:
            return []
        return list(answer["taskArns"])

    def describe(self, arns: Sequence[str]) -> list[dict[str, Any]]:
        """The tasks; those that are gone are left out."""
        if not arns:
            return []
        answer = self._aws.call("ecs", "describe_tasks", cluster=self._cluster, tasks=list(arns[:BATCH]))
        return list(answer["tasks"])

    def running(self) -> list[dict[str, Any]]:
        """The tasks that run or are about to."""
        return self.describe(self.ids())

    def stopped(self) -> list[dict[str, Any]]:
        """The tasks that stopped lately (ECS keeps them for about an hour)."""
        return self.describe(self.ids("STOPPED"))


def is_running(task: Mapping[str, Any]) -> bool:
    """True for a task that runs and has not failed its health check."""
    return bool(task.get("lastStatus") == "RUNNING" and task.get("healthStatus") != "UNHEALTHY")


def address(task: Mapping[str, Any]) -> str:
    """The task's own address, its network interface's; empty while it has none."""
    for attachment in task.get("attachments", ()):
        for detail in attachment.get("details", ()):
            if detail.get("name") == "privateIPv4Address":
                return str(detail["value"])
    return ""


def of_release(tasks: Iterable[Mapping[str, Any]], definition: str, deployment: str) -> list[Mapping[str, Any]]:
    """The tasks of a release: by its definition's ARN and, where both releases share that, by their deployment."""
    same = [task for task in tasks if task.get("taskDefinitionArn") == definition]
    started = [task for task in same if task.get("startedBy") == deployment]
    return started or same


def why_stopped(task: Mapping[str, Any]) -> str:
    """The task's stop reason with those of its containers."""
    parts = [str(task.get("stoppedReason", ""))]
    for container in task.get("containers", ()):
        if container.get("reason"):
            parts.append(str(container["reason"]))
        elif container.get("exitCode"):
            parts.append(f"container {container.get('name')} exited with {container['exitCode']}")
    return "; ".join(dict.fromkeys(part for part in parts if part)) or "no reason given"


def verdict(stopped: Sequence[Mapping[str, Any]]) -> str:
    """Why a release will not come up, judged by its stopped tasks; empty while there is hope."""
    failed = [task for task in stopped if task.get("stopCode") in FAILED_STOPS or _unhealthy(task)]
    reasons = [why_stopped(task) for task in failed]
    for reason in reasons:
        if PULL.search(reason) and HOPELESS_PULL.search(reason):
            return f"the image cannot be pulled: {reason}"
    if len(failed) < MOST_FAILURES:
        return ""
    last = reasons[0]
    if PULL.search(last):
        return f"the image cannot be pulled: {last}"
    if SETUP.search(last):
        return f"the task cannot be set up: {last}"
    return f"{len(failed)} tasks of the release stopped, the last one: {last}"


def _unhealthy(task: Mapping[str, Any]) -> bool:
    return "health check" in str(task.get("stoppedReason", "")).lower()


def no_room(events: Iterable[Mapping[str, Any]]) -> str:
    """The newest service event that says no task can be placed, if no task was started since; empty otherwise.

    events: newest first, as DescribeServices answers them.
    """
    for event in events:
        message = str(event.get("message", ""))
        if NO_ROOM.search(message):
            return message
        if "has started" in message:
            return ""
    return ""
