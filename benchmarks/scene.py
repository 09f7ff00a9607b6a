# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS on which B1 and B2 run their plays, with the calls counted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, Bench, Measure, NotMeasured, environment
from tests.sandbox.client import SandboxClient

PLAYS = ROOT / "benchmarks" / "b1"
# Added to every call: about what a call to another region costs, and more than within one.
LATENCY_MS = 80
REGION = "us-east-1"
FAMILY = "bench-ours"


class Scene:
    """A running sandbox, and the plays that use it. variables: what every play gets."""

    def __init__(self, bench: Bench, sandbox: Mapping[str, Any]) -> None:
        self.bench = bench
        self.client = SandboxClient(sandbox["urls"]["control"])
        self.environment = environment(sandbox["exports"])
        self.variables: dict[str, Any] = {"seeds": sandbox["seeds"]["aws"][REGION], "network": {}}

    def play(self, name: str, variables: Mapping[str, Any] | None = None, *, changed: bool | None = False) -> Measure:
        """Run a play and count its calls. Raises NotMeasured where it fails, or changes what it must not.

        changed: whether a task must report a change; None for either.
        """
        given = self.bench.folder / f"{name}.json"
        given.write_text(json.dumps({**self.variables, **(variables or {})}), "utf-8")
        inventory, playbook = str(PLAYS / "inventory.yml"), str(PLAYS / f"{name}.yml")
        measured = self.counted(["ansible-playbook", "-i", inventory, "-e", f"@{given}", playbook])
        text = measured.stdout.read_text("utf-8")
        did = re.search(r"\bchanged=[1-9]", text) is not None
        if changed is not None and did is not changed:
            raise NotMeasured(f"the play {name} reports {'a change' if did else 'no change'}: {text[-2500:]}")
        return measured

    def counted(self, command: list[str], *, expect: int = 0) -> Measure:
        """Run a command and count the calls that reached the cloud."""
        self.client.clear_requests()
        measured = self.bench.measure(command, self.environment, expect=expect)
        return replace(measured, calls=len(self.calls()))

    def calls(self) -> list[str]:
        """The calls of the last command, as C(service operation)."""
        return [f"{record['service']} {record['operation']}" for record in self.client.requests("aws")]

    def count(self) -> dict[str, int]:
        """The calls of the last command by operation."""
        return dict(Counter(self.calls()))

    def api(self, service: str) -> Any:
        """An SDK client of the sandbox, for what a benchmark prepares."""
        import boto3

        keys = {
            "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
        }
        url = self.environment["AWS_ENDPOINT_URL"]
        return boto3.client(service, region_name=REGION, endpoint_url=url, **keys)

    def deploy(self) -> None:
        """Bring our deployment up, and fix its address, so that later runs need not look for the running tasks."""
        self.bench.say("deploying: cluster, log group, task definition, service")
        self.play("ours", changed=True)
        (workload,) = self.client.workloads()
        self.variables["network"] = {"endpoint_url": f"http://{workload['address']}:{workload['port']}"}

    def containers(self, side: str) -> list[dict[str, Any]]:
        """The container definitions that ours registered, for another side: with that side's log group."""
        found = self.api("ecs").describe_task_definition(taskDefinition=FAMILY)["taskDefinition"]
        text = json.dumps(found["containerDefinitions"]).replace("/bench/ours", f"/bench/{side}")
        containers: list[dict[str, Any]] = json.loads(text)
        return containers


@contextmanager
def scene(bench: Bench) -> Iterator[Scene]:
    """A fresh sandbox with AWS only, in a process of its own, as a cloud is."""
    state = bench.folder / f"sandbox-{len(list(bench.folder.glob('sandbox-*')))}"
    command = [sys.executable, "-m", "tests.sandbox", "up", "--cloud", "aws", "--state-dir", str(state)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as sandbox:
        try:
            yield Scene(bench, _described(sandbox, state / "env.json"))
        finally:
            sandbox.terminate()


def _described(sandbox: subprocess.Popen[bytes], path: Path) -> dict[str, Any]:
    """What the sandbox writes once it is up: exports, seeds, URLs."""
    while sandbox.poll() is None:
        if path.is_file():
            with suppress(ValueError):
                described: dict[str, Any] = json.loads(path.read_text("utf-8"))
                return described
        time.sleep(0.1)
    raise RuntimeError(f"the sandbox ended with {sandbox.returncode} before it was up")
