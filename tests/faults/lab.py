# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One subject (a module with its arguments) in a fresh sandbox: run it, break it at one call, look at what is left."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.adapters import CANARY, Args
from tests.faults.resources import RESOURCES, Inventory
from tests.helpers.warm import run_warm, start_warm
from tests.sandbox.faults import FaultRule
from tests.sandbox.http import RequestRecord
from tests.sandbox.launcher import Sandbox
from tests.sandbox.runtime import Workload

# Longer pauses between retries are cut: there are as many retries as ever.
LONGEST_SLEEP = 0.1
READS = ("GET", "List", "Describe", "Get")
# How an error names the call that failed.
NAMES_A_CALL = re.compile(r"\b(ecs|logs|efs|application-autoscaling)\.[A-Z]\w+|\b(GET|PUT|PATCH|POST|DELETE) [\w.-]+/")
PROMPT = {"model": "gemma3:1b", "prompt": "hi", "stream": False}


@dataclass(frozen=True, order=True)
class Call:
    """The C(occurrence)-th call of an operation (C(ecs UpdateService), C(Microsoft.App PUT containerApps)) in a run."""

    operation: str
    occurrence: int = 1

    @property
    def reads(self) -> bool:
        """True for a call that changes nothing."""
        return self.operation.split(" ", 1)[1].startswith(READS)

    def __str__(self) -> str:
        return f"{self.operation} #{self.occurrence}"


@dataclass
class Lab:
    """cloud: whose calls are broken. image: what is deployed now, previous: what was before it.

    describe: the module's arguments, from the sandbox's seeds. ours: what a run makes.
    """

    cloud: str
    module: str
    sandbox: Sandbox
    describe: Callable[[Sandbox], Args]
    ours: Callable[[Sandbox], Inventory]
    surge: bool = False
    image: str = ""
    previous: str = ""
    images: int = 0

    def __post_init__(self) -> None:
        self.fresh()

    def fresh(self) -> None:
        """Begin anew, with nothing deployed in clouds as after their start."""
        self.sandbox.reset()
        self.seeded = self.resources()
        self.base = {key: value for key, value in self.describe(self.sandbox).items() if key != "image"}
        self.image = self.previous = ""

    def new_image(self, fault: str = "good") -> str:
        """An image nobody deployed yet; a fault in its tag makes it a bad one."""
        self.images += 1
        return f"registry.example.com/ollama:{fault}-{self.images}@sha256:{self.images:064x}"

    def run(self, *, check: bool = False, fails: bool | None = False, **changes: Any) -> dict[str, Any]:
        """Run to the end. fails: what it must do, None for either."""
        arguments = {**self.base, **({"image": self.image} if self.image else {}), **changes}
        result = run_warm(self.module, arguments, check=check, diff=True, longest_sleep=LONGEST_SLEEP)
        self._hear(result)
        if fails is not None:
            assert bool(result.get("failed")) is fails, f"{changes}: {result.get('msg', result)}"
        return result

    def run_killed(self, call: Call, **changes: Any) -> dict[str, Any] | None:
        """Run, and kill the run with SIGKILL once a call was carried out; None, or the result if it was never made."""
        arguments = {**self.base, **({"image": self.image} if self.image else {}), **changes}
        started = threading.Event()
        pids: list[int] = []

        def kill() -> None:
            started.wait(10)
            os.kill(pids[0], signal.SIGKILL)

        with self.at(call, kill) as acted:
            running = start_warm(self.module, arguments, diff=True, longest_sleep=LONGEST_SLEEP)
            pids.append(running.pid)
            started.set()
            if running.wait() != -signal.SIGKILL:
                result = running.collect(0)
                self._hear(result)
                return result
        assert acted
        running.discard()
        return None

    def _hear(self, result: dict[str, Any]) -> None:
        text = json.dumps(result, default=str)
        assert CANARY not in text, "a secret was printed"

    # -- breaking things

    @contextmanager
    def at(self, call: Call, act: Callable[[], None]) -> Iterator[list[RequestRecord]]:
        """Do something when a call was carried out, before its answer is sent. Yields the calls at which it was."""
        seen: Counter[str] = Counter()
        acted: list[RequestRecord] = []
        lock = threading.Lock()

        def observe(record: RequestRecord) -> None:
            operation = f"{record.service} {record.operation}"
            with lock:
                seen[operation] += 1
                hit = operation == call.operation and seen[operation] == call.occurrence
            if hit:
                acted.append(record)
                act()

        self.sandbox.log.observer = observe
        try:
            yield acted
        finally:
            self.sandbox.log.observer = None

    @contextmanager
    def broken(self, call: Call, kind: str, times: int | None, **more: Any) -> Iterator[FaultRule]:
        """Break a call: times 1 for once, None for it and all later ones of its operation."""
        rule = FaultRule(
            f"^{re.escape(call.operation)}$", kind, cloud=self.cloud, nth=call.occurrence, times=times, **more
        )
        self.sandbox.switch.arm(rule)
        try:
            yield rule
        finally:
            self.sandbox.switch.disarm()

    # -- looking at them

    def calls(self) -> list[Call]:
        """The calls since the log was cleared, in order."""
        seen: Counter[str] = Counter()
        made = []
        for record in self.sandbox.log.records(self.cloud):
            operation = f"{record.service} {record.operation}"
            seen[operation] += 1
            made.append(Call(operation, seen[operation]))
        return made

    def expected(self, *, exists: bool) -> Inventory:
        """What must exist: what the cloud was seeded with and, once, what is ours."""
        ours = self.ours(self.sandbox) if exists else {}
        return {name: sorted(self.seeded.get(name, []) + ours.get(name, [])) for name in {*self.seeded, *ours}}

    def resources(self) -> Inventory:
        """What exists in the cloud."""
        return {name: found for name, found in RESOURCES[self.cloud](self.sandbox).items() if found}

    def workloads(self) -> list[Workload]:
        """What runs now."""
        return self.sandbox.runtime.workloads()

    def settled_workloads(self, wanted: int, seconds: float = 3.0) -> list[Workload]:
        """What runs once its number is as wanted, or at the end of the time: processes take a moment to end."""
        deadline = time.monotonic() + seconds
        while len(found := self.workloads()) != wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def serves(self, image: str) -> bool:
        """True if a workload of an image answers a prompt."""
        return any(_answers(item) for item in self.workloads() if item.spec.image == image)

    @contextmanager
    def watched(self, *images: str) -> Iterator[list[float]]:
        """Look all the while for a workload of one of the images; yields the moments at which there was none."""
        missed: list[float] = []
        done = threading.Event()
        began = time.monotonic()

        def look() -> None:
            while not done.is_set():
                if not any(item.spec.image in images for item in self.workloads()):
                    missed.append(round(time.monotonic() - began, 2))
                done.wait(0.05)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield missed
        finally:
            done.set()
            watcher.join()


def _answers(workload: Workload) -> bool:
    try:
        status, body = workload.http("POST", "/api/generate", PROMPT, timeout=5)
    except OSError:
        return False
    return status == 200 and bool(json.loads(body).get("response"))
