# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the emulated ECS, one Region object per region, behind one lock."""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from typing import TYPE_CHECKING, Any

from tests.sandbox.aws.ecs import errors
from tests.sandbox.aws.ecs.model import Cluster, Service, ServiceDeployment, ServiceRevision, Task, TaskDefinition
from tests.sandbox.aws.ecs.timing import Timing

if TYPE_CHECKING:
    from tests.sandbox.aws.ecs.placement import Gpu
    from tests.sandbox.faults import FaultSwitch
    from tests.sandbox.runtime import ProcessRuntime

ACCOUNT = "123456789012"
_ID_LETTERS = string.ascii_letters + string.digits + "_-"


class Region:
    """All ECS resources of one region. Every use needs the world's lock."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.world = world
        self.clusters: dict[str, Cluster] = {}
        self.families: dict[str, dict[int, TaskDefinition]] = {}
        self.last_revision: dict[str, int] = {}
        self.providers: dict[str, dict[str, Any]] = {}
        self.services: list[Service] = []
        self.tasks: dict[str, Task] = {}
        self.deployments: dict[str, ServiceDeployment] = {}
        self.revisions: dict[str, ServiceRevision] = {}
        self.account_settings: dict[str, str] = {}
        self.gpus: list[Gpu] = []

    def arn(self, kind: str, path: str) -> str:
        """Return the ARN of a resource of ECS."""
        return f"arn:aws:ecs:{self.name}:{ACCOUNT}:{kind}/{path}"

    def cluster(self, name_or_arn: str | None) -> Cluster:
        """Find an active cluster; raises ClusterNotFoundException."""
        found = self.clusters.get((name_or_arn or "default").split("/")[-1])
        if found is None or found.status != "ACTIVE":
            raise errors.ClusterNotFoundException()
        return found

    def service(self, cluster: Cluster, name_or_arn: str) -> Service:
        """Find a service that is not deleted, else the newest deleted one; raises ServiceNotFoundException."""
        name = name_or_arn.split("/")[-1]
        found = [each for each in self.services if each.cluster is cluster and each.name == name]
        if name_or_arn.startswith("arn:"):
            found = [each for each in found if each.arn == name_or_arn]
        if not found:
            raise errors.ServiceNotFoundException()
        return next((each for each in found if each.status != "INACTIVE"), found[-1])

    def definition(self, name_or_arn: str) -> TaskDefinition:
        """Find a task definition; a bare family is its newest ACTIVE revision. Raises ClientException."""
        family, _, revision = name_or_arn.split("/")[-1].partition(":")
        revisions = self.families.get(family, {})
        if not revision:
            active = [number for number, each in revisions.items() if each.body["status"] == "ACTIVE"]
            if active:
                return revisions[max(active)]
        elif revision.isdigit() and int(revision) in revisions:
            return revisions[int(revision)]
        raise errors.ClientException("Unable to describe task definition.")

    def task(self, cluster: Cluster, id_or_arn: str) -> Task | None:
        """Find a task of a cluster by id or ARN."""
        task_id = id_or_arn.split("/")[-1]
        found = self.tasks.get(task_id)
        return found if found is not None and found.cluster is cluster else None


class World:
    """Every region, the lock, and what the scheduler needs."""

    def __init__(self, runtime: ProcessRuntime, switch: FaultSwitch, timing: Timing) -> None:
        self.runtime = runtime
        self.switch = switch
        self.timing = timing
        self.lock = threading.RLock()
        self.regions: dict[str, Region] = {}

    def region(self, name: str) -> Region:
        """Return a region, empty at first."""
        with self.lock:
            if name not in self.regions:
                self.regions[name] = Region(name, self)
            return self.regions[name]

    def clear(self) -> None:
        """Forget everything; the processes are the caller's business."""
        with self.lock:
            self.regions.clear()


def task_id() -> str:
    """Return a task id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def deployment_id() -> str:
    """Return the id of an element of ``deployments``: ``ecs-svc/`` and 19 digits."""
    return f"ecs-svc/{secrets.randbelow(9 * 10**18) + 10**18}"


def record_id() -> str:
    """Return the last part of a service deployment's ARN: 21 letters, digits, ``_`` or ``-``."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(21))


def revision_id() -> str:
    """Return the last part of a service revision's ARN: 19 digits."""
    return str(secrets.randbelow(9 * 10**18) + 10**18)


def page(items: list[Any], request: dict[str, Any], largest: int, default: int) -> tuple[list[Any], str | None]:
    """Return one page of a list and the next token; raises InvalidParameterException for wrong paging parameters."""
    size = request.get("maxResults", default)
    if not 1 <= size <= largest:
        raise errors.InvalidParameterException(f"maxResults should be between 1 and {largest}.")
    token = request.get("nextToken") or "0"
    if not token.isdigit():
        raise errors.InvalidParameterException("Invalid token.")
    start = int(token)
    end = start + size
    return items[start:end], str(end) if end < len(items) else None
