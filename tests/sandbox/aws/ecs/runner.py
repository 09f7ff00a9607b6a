# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of one task: from PROVISIONING to STOPPED, with its process and its health.

``advance`` runs under the world's lock and never blocks. What blocks (start, probe, stop) is returned as a job and
runs in a thread without the lock; a job writes back under the lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.sandbox.aws.ecs import placement, workload_spec
from tests.sandbox.aws.ecs.model import Task, now
from tests.sandbox.aws.ecs.world import Region
from tests.sandbox.runtime import ImagePullError

Job = Callable[[], None]
EXITED = "Essential container in task exited"
UNHEALTHY = "Task failed container health checks"


def advance(region: Region, task: Task) -> Job | None:
    """Move a task one step on; returns a job to run outside of the lock, if there is one."""
    if task.job_running or task.last_status == "STOPPED":
        return None
    if task.desired_status == "STOPPED":
        return _stopping(region, task)
    if task.last_status == "PROVISIONING":
        task.enter("PENDING")
        return _start_job(region, task)
    if task.last_status == "PENDING":
        _started(task)
        return None
    return _running(region, task)


def _start_job(region: Region, task: Task) -> Job:
    task.job_running = True
    task.pull_started_at = now()
    runtime, lock = region.world.runtime, region.world.lock

    def job() -> None:
        address = None
        workload = None
        problem: Exception | None = None
        try:
            address = runtime.allocate_address("ecs")
            # Secrets are read from moto, whose state the same lock guards.
            with lock:
                workload_spec.check_secrets(task, region.name)
                workload_spec.check_dependencies(task)
                spec = workload_spec.build(task, region.name, address)
            workload = runtime.start(spec)
        except (ImagePullError, workload_spec.SecretError, workload_spec.DependencyError, OSError) as error:
            problem = error
        with lock:
            task.workload, task.address, task.start_error = workload, address, problem
            task.pull_stopped_at = now()
            task.job_running = False
            forgotten = region.world.regions.get(region.name) is not region
        if forgotten and workload is not None:
            # The cloud was reset while the process started.
            workload.stop(0)

    return job


def _started(task: Task) -> None:
    """Leave PENDING: either the process runs, or the task failed to start."""
    if task.start_error is not None:
        text = str(task.start_error)
        if isinstance(task.start_error, ImagePullError):
            text = f"CannotPullContainerError: pull image manifest has been retried 1 time(s): {text}"
        task.container_reason = text
        task.stop("TaskFailedToStart", text)
        return
    task.enter("RUNNING")
    task.started_at = now()
    task.moments["running"] = time.monotonic()


def _running(region: Region, task: Task) -> Job | None:
    timing = region.world.timing
    moment = time.monotonic()
    if task.workload is None or not task.workload.alive():
        task.exit_code = task.workload.exit_code() if task.workload else None
        task.stop("EssentialContainerExited", EXITED)
        return None
    if moment - task.moments["running"] >= timing.settle:
        task.settled = True
    if not task.definition.checked() or moment < task.moments.get("probe", 0.0):
        return None
    pause = timing.healthy_probe_interval if task.health == "HEALTHY" else timing.probe_interval
    task.moments["probe"] = moment + pause
    return _probe_job(region, task)


def _probe_job(region: Region, task: Task) -> Job:
    task.job_running = True
    workload, lock = task.workload, region.world.lock
    # A command that can only fail or succeed is taken at its word; any other stands for "the server answers".
    fixed = _fixed_outcome(task)

    def job() -> None:
        passed = fixed if fixed is not None else workload is not None and workload.healthy()
        with lock:
            _judge(region, task, passed)
            task.job_running = False

    return job


def _fixed_outcome(task: Task) -> bool | None:
    commands = [" ".join(container["healthCheck"]["command"][1:]).strip() for container in task.definition.checked()]
    if any(command in ("false", "exit 1", "/bin/false") for command in commands):
        return False
    if all(command in ("true", "exit 0", "/bin/true") for command in commands):
        return True
    return None


def _judge(region: Region, task: Task, passed: bool) -> None:
    """Turn the outcome of a probe into a health status, by the settings of the health check."""
    timing = region.world.timing
    moment = time.monotonic()
    if passed:
        task.moments["passed"] = moment
        task.health = "HEALTHY"
        return
    allowed = 0.0
    for container in task.definition.checked():
        check = container["healthCheck"]
        failing = (check["interval"] + check["timeout"]) * check["retries"]
        start = check.get("startPeriod", 0) if "passed" not in task.moments else 0
        allowed = max(allowed, (start + failing) * timing.second)
    since = task.moments.get("passed", task.moments["running"])
    if moment - since > max(allowed, timing.unhealthy_floor):
        task.health = "UNHEALTHY"


def _stopping(region: Region, task: Task) -> Job | None:
    if task.last_status == "DEPROVISIONING":
        task.enter("STOPPED")
        task.stopped_at = now()
        task.moments["stopped"] = time.monotonic()
        placement.release_gpus(region, task.id)
        return None
    task.enter("STOPPING")
    return _stop_job(region, task)


def _stop_job(region: Region, task: Task) -> Job:
    task.job_running = True
    world = region.world

    def job() -> None:
        if task.workload is not None:
            task.workload.stop(world.timing.stop_grace)
        if task.address is not None:
            world.runtime.release_address(task.address)
        with world.lock:
            if task.workload is not None and task.exit_code is None:
                task.exit_code = task.workload.exit_code()
            task.execution_stopped_at = now()
            task.enter("DEPROVISIONING")
            task.job_running = False

    return job
