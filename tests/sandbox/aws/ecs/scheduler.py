# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that moves everything on: tasks first, then the services that own them."""

from __future__ import annotations

import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from tests.sandbox.aws.ecs import blue_green, breaker, rolling, rollout, runner
from tests.sandbox.aws.ecs.model import Service
from tests.sandbox.aws.ecs.world import Region, World

WORKERS = 16


class Scheduler:
    """Ticks over a world until it is closed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ended = threading.Event()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="ecs task")
        self._thread = threading.Thread(target=self._run, name="ecs scheduler", daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def close(self) -> None:
        """Stop to tick and wait for the jobs that run."""
        self._ended.set()
        self._thread.join(5)
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._ended.wait(self._world.timing.tick):
            try:
                self._submit(tick(self._world))
            except Exception:  # noqa: BLE001
                # A defect of the sandbox must be seen, and must not end the whole cloud.
                traceback.print_exc()

    def _submit(self, jobs: list[runner.Job]) -> None:
        for job in jobs:
            self._workers.submit(_guarded, job)


def _guarded(job: runner.Job) -> None:
    try:
        job()
    except Exception:  # noqa: BLE001
        traceback.print_exc()


def tick(world: World) -> list[runner.Job]:
    """Move everything one step on; returns the jobs that must run outside of the lock."""
    jobs: list[runner.Job] = []
    with world.lock:
        for region in world.regions.values():
            for task in list(region.tasks.values()):
                job = runner.advance(region, task)
                if job is not None:
                    jobs.append(job)
            for service in region.services:
                if service.status != "INACTIVE":
                    _advance_service(region, service)
            _forget(region)
    return jobs


def _advance_service(region: Region, service: Service) -> None:
    for deployment in service.deployments:
        breaker.count(region, deployment)
    if service.status == "DRAINING":
        _drain(service)
        return
    if not breaker.judge(region, service):
        strategy = service.settings["deploymentConfiguration"]["strategy"]
        (blue_green if strategy == "BLUE_GREEN" else rolling).advance(region, service)
    rollout.prune(service)
    _report_steady(service)


def _report_steady(service: Service) -> None:
    primary = service.primary
    if primary is None or len(service.deployments) != 1 or primary.rollout_state != "COMPLETED":
        service.steady = False
        return
    steady = len(primary.live()) == len(primary.healthy()) == service.desired_count
    if steady and not service.steady:
        service.event("has reached a steady state.")
    service.steady = steady


def _drain(service: Service) -> None:
    for task in service.live():
        task.stop("ServiceSchedulerInitiated", "Service deleted")
    if not service.tasks():
        service.status = "INACTIVE"
        service.deployments.clear()


def _forget(region: Region) -> None:
    """Drop tasks that stopped long ago."""
    oldest = time.monotonic() - region.world.timing.stopped_task_kept
    for task_id in [key for key, task in region.tasks.items() if task.moments.get("stopped", oldest + 1) < oldest]:
        del region.tasks[task_id]
