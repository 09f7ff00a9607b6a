# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo, `make demo`: four emulated targets from nothing to an answer, and what becomes of a bad release.

It stops with an error where something is not as the README says.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.demo import metrics
from tests.demo.load import Count, Load
from tests.demo.show import run
from tests.sandbox.launcher import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "demo"
INVENTORY = "inventory/sandbox"
FLEET = "inventory/sandbox.fleet.yml"
MODEL = "gemma3:1b"
BAD_IMAGE = "registry.example.com/ollama:no-model@sha256:" + "c3" * 32
# Where both releases run beside each other, nobody may notice a bad one.
SURGE = ("ecs", "container_apps")
# The answer after the rollback counts as well.
AFTERWARDS_SECONDS = 1.0

Json = dict[str, Any]


class NotAsPromised(Exception):
    """Something in the demo did not go as the README says."""


def expect(condition: bool, otherwise: str) -> None:
    """Go on if the condition holds."""
    if not condition:
        raise NotAsPromised(otherwise)


class Demo:
    """One demo in a running sandbox. Each step runs a command, looks at its report, and notes its time."""

    def __init__(self, sandbox: Sandbox, *, everything: bool) -> None:
        self._environment = {
            **sandbox.environment(),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
        }
        self._sandbox = sandbox
        self._everything = everything
        self.times: dict[str, float] = {}
        self.report: Json = {}

    def tell(self) -> None:
        """Go through all steps."""
        self._planned()
        deployed = self._deployed()
        self._fleet()
        self._converged_again(deployed)
        self._stopped()
        running = self._started()
        self._bad_release(running)
        self._counted(running)

    def _planned(self) -> None:
        plan = self._play("plan", "The plan: nothing exists yet, nothing is changed", "site", "--check", "--diff")
        expect(plan["changed"] == len(plan["targets"]), "the plan does not create every target")

    def _deployed(self) -> Json:
        deployed = self._play("deploy", "The same plan, carried out", "site")
        for target in deployed["targets"]:
            expect(target["health"] == "healthy", f"{target['target']} is {target['health']}")
            expect(bool(target["answer"]), f"{target['target']} did not answer the prompt")
        keys = ("target", "platform", "region", "health", "answer", "seconds")
        self.report["targets"] = [{key: target[key] for key in keys} for target in deployed["targets"]]
        print("", *(f"    {target['target']} answers: {target['answer']}" for target in deployed["targets"]), sep="\n")
        return deployed

    def _fleet(self) -> None:
        command = ["ansible-inventory", "-i", FLEET, "--graph"]
        code = self._run("fleet", "The fleet: what runs now, read from the clouds", command, everything=True)
        expect(code == 0, f"ansible-inventory ended with exit code {code}")

    def _converged_again(self, deployed: Json) -> None:
        again = self._play("again", "The same run again: nothing to do", "site", "--diff")
        self.report["changed"] = {"first": deployed["changed"], "second": again["changed"]}
        expect(again["changed"] == 0, f"the second converge changed {again['changed']} targets")

    def _stopped(self) -> None:
        stopped = self._play("stop", "Stop: no replica runs, the definition stays", "stop")
        expect(_healths(stopped) == {"stopped"}, f"after stop the targets are {_healths(stopped)}")

    def _started(self) -> Json:
        started = self._play("start", "Start", "start")
        expect(_healths(started) == {"healthy"}, f"after start the targets are {_healths(started)}")
        return started

    def _bad_release(self, running: Json) -> None:
        image = ("-e", f"ollama_image={BAD_IMAGE}")
        plan = self._play(
            "bad-plan", "The plan of a bad release: an image without its model", "site", "--check", "--diff", *image
        )
        for target in plan["targets"]:
            _hold_plan(target)
        title = "The bad release, while requests come in"
        urls = {target["target"]: target["endpoints"][0] for target in running["targets"]}
        with Load(urls, MODEL) as load:
            failed = self._play("bad-release", title, "site", *image, code=2)
            time.sleep(AFTERWARDS_SECONDS)
        results = {
            target["target"]: _bad_release_of(target, load.counts[target["target"]]) for target in failed["targets"]
        }
        self.report["bad_release"] = results
        for name, result in results.items():
            _hold_bad_release(name, result)

    def _counted(self, running: Json) -> None:
        """One prompt to each target, and what its sidecar has counted of it."""
        print("\n== The sidecars in front of them count: one prompt to each target", flush=True)
        start, counted = time.monotonic(), {}
        for target in running["targets"]:
            name, endpoint = target["target"], target["endpoints"][0]
            addresses = metrics.sidecars_of(endpoint, self._sandbox.client.workloads())
            expect(bool(addresses), f"{name} has no sidecar")
            counted[name] = metrics.of_one_prompt(endpoint, addresses, MODEL)
            expect(counted[name]["requests"] == 1, f"the sidecar of {name} counted {counted[name]}")
            expect(counted[name]["generated_tokens"] > 0, f"the sidecar of {name} counted no token")
        self.report["metrics"] = counted
        self.times["metrics"] = round(time.monotonic() - start, 1)
        print("", *(f"    {line}" for line in metrics.table(counted)), sep="\n")

    def _play(self, name: str, title: str, playbook: str, *options: str, code: int = 0) -> Json:
        """Run a playbook on all targets and return the report that it wrote."""
        written = PLACE / f"{name}.json"
        command = ["ansible-playbook", "-i", INVENTORY, f"playbooks/{playbook}.yml", *options]
        ended = self._run(name, title, [*command, "-e", f"ollama_report_path={written}"], shown=command)
        expect(ended == code, f"{playbook} ended with exit code {ended}, see {PLACE / name}.log")
        return dict(json.loads(written.read_text(encoding="utf-8")))

    def _run(
        self, name: str, title: str, command: list[str], *, shown: list[str] | None = None, everything: bool = False
    ) -> int:
        print(f"\n== {title}\n  $ {' '.join(shown or command)}", flush=True)
        everything = everything or self._everything
        done = run(command, PLACE / f"{name}.log", self._environment, folder=ROOT, everything=everything)
        self.times[name] = round(done.seconds, 1)
        return done.code


def _healths(report: Json) -> set[str]:
    return {target["health"] for target in report["targets"]}


def _hold_plan(target: Json) -> None:
    """The plan says beforehand whether there will be an outage."""
    told = any("outage expected" in note for note in target["plans"]["deploy"]["notes"])
    expect(
        told == (target["platform"] not in SURGE), f"the plan of {target['target']} says the wrong thing of an outage"
    )


def _bad_release_of(target: Json, count: Count) -> Json:
    """What a bad release meant for one target."""
    return {
        "platform": target["platform"],
        "rolled_back": target["rolled_back"],
        "serving": target["serving"],
        "outage_seconds": target["outage_seconds"],
        "sent": count.sent,
        "failed": count.failed,
        "first_error": count.error,
    }


def _hold_bad_release(name: str, result: Json) -> None:
    expect(result["rolled_back"], f"{name} was not rolled back")
    expect("no-model" not in result["serving"], f"{name} serves {result['serving']}")
    expect(result["sent"] > 0, f"{name} was sent no request")
    if result["platform"] in SURGE:
        failed = f"{result['failed']} of {result['sent']} requests ({result['first_error']})"
        expect(result["failed"] == 0, f"{name} did not answer {failed}")
    else:
        expect(result["outage_seconds"] is not None, f"{name} did not report how long it was away")


def _table(report: Json, times: dict[str, float]) -> list[str]:
    """The closing table: what each target went through, and the time of each step."""
    lines = [f"{'TARGET':20}{'PLATFORM':16}{'DEPLOYED IN':13}{'BAD RELEASE':13}{'REQUESTS':10}{'FAILED':8}OUTAGE"]
    for target in report["targets"]:
        bad = report["bad_release"][target["target"]]
        outage = "none" if bad["outage_seconds"] is None else f"{bad['outage_seconds']:.1f} s"
        lines.append(
            f"{target['target']:20}{target['platform']:16}{target['seconds']:<13.1f}{'rolled back':13}"
            f"{bad['sent']:<10}{bad['failed']:<8}{outage}"
        )
    return [*lines, "", *(f"{name:12}{seconds:7.1f} s" for name, seconds in times.items())]


def main() -> int:
    """Run the demo; the exit code is 0 if all went as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--everything", action="store_true", help="show all output of Ansible, not the story alone")
    everything = parser.parse_args().everything
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    start = time.monotonic()
    print("Starting two emulated clouds on this machine ...", flush=True)
    try:
        with Sandbox(PLACE / "sandbox") as sandbox:
            demo = Demo(sandbox, everything=everything)
            started = time.monotonic() - start
            demo.times["sandbox"] = round(started, 1)
            demo.tell()
    except NotAsPromised as error:
        print(f"\nThe demo failed: {error}.", file=sys.stderr)
        return 1
    demo.times["in all"] = round(time.monotonic() - start, 1)
    demo.report["times"] = demo.times
    written = PLACE / "report.json"
    written.write_text(json.dumps(demo.report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n== Done", *_table(demo.report, demo.times), "", sep="\n")
    print(f"Report: {written.relative_to(ROOT)}. The output of each step is beside it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
