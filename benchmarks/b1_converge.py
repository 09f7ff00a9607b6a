# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B1: a converge that changes nothing, of one ECS target, against the stock modules and `terraform plan`.

Scope, the same on all sides: one cluster with its capacity provider, one log group with its retention, one task
definition, one service. All were created by the side that is measured, and every measured run must report no change.
80 ms are added to every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness import Bench, Measure, NotMeasured, described, median, seconds_of
from benchmarks.scene import LATENCY_MS, Scene, scene
from benchmarks.terraform import Terraform

SCOPE = ("cluster with capacity provider", "log group with retention", "task definition", "service")
# One read per resource; no batch read of ECS or CloudWatch Logs spans two of these kinds.
MINIMUM_CALLS = 4
STOCK, TERRAFORM, EMPTY = "stock modules", "terraform plan", "empty play"
STOCK_LIMIT, TERRAFORM_LIMIT, ABOVE_EMPTY_SECONDS, CALLS_LIMIT = 0.35, 0.40, 2.0, 1.2
WALL = "wall seconds of a converge that changes nothing"
CALLS = "API calls of a converge that changes nothing"
Sides = dict[str, Callable[[], Measure]]


def run(bench: Bench) -> None:
    """Measure all sides in turn and add the rows."""
    bench.say(f"scope on all sides: {', '.join(SCOPE)}; {LATENCY_MS} ms added to every call")
    with scene(bench) as stage:
        stage.deploy()
        sides: Sides = {EMPTY: lambda: stage.play("empty"), "ours": lambda: stage.play("ours")}
        _add_peers(stage, sides)
        stage.client.set_latency(LATENCY_MS)
        calls = _warm_up(stage, sides)
        runs = bench.interleave({name: run for name, run in sides.items() if name in calls})
    _rows(bench, runs, calls)


def _add_peers(stage: Scene, sides: Sides) -> None:
    """Let each peer create its resources; one that cannot is noted as a failure."""
    for peer, prepare in ((STOCK, _prepare_stock), (TERRAFORM, _prepare_terraform)):
        try:
            sides[peer] = prepare(stage)
        except NotMeasured as error:
            stage.bench.failures[peer] = str(error)


def _prepare_stock(stage: Scene) -> Callable[[], Measure]:
    variables = {"containers": stage.containers("stock")}
    stage.bench.say("stock modules: creating")
    stage.play("stock", variables, changed=True)
    return lambda: stage.play("stock", variables)


def _prepare_terraform(stage: Scene) -> Callable[[], Measure]:
    terraform = Terraform(stage)
    stage.bench.versions |= {"terraform": terraform.version, "hashicorp/aws": terraform.provider}
    stage.bench.say("terraform: init and apply")
    terraform.deploy()
    return terraform.plan


def _warm_up(stage: Scene, sides: Sides) -> dict[str, dict[str, int]]:
    """Run every side once, unmeasured. Returns its calls by operation."""
    calls = {}
    for name, run in sides.items():
        if stage.bench.warm_up(name, run):
            calls[name] = stage.count()
    return calls


def _rows(bench: Bench, runs: dict[str, list[Measure]], calls: dict[str, dict[str, int]]) -> None:
    for peer, limit in ((STOCK, STOCK_LIMIT), (TERRAFORM, TERRAFORM_LIMIT)):
        if peer not in runs:
            bench.missing(WALL, peer, f"ratio <= {limit:g}", bench.failures[peer])
        else:
            detail = _detail(runs, peer) | {"calls": {"ours": calls["ours"], "theirs": calls[peer]}}
            bench.compare(WALL, peer, seconds_of(runs["ours"]), seconds_of(runs[peer]), limit, detail)
    ours, empty = seconds_of(runs["ours"]), seconds_of(runs[EMPTY])
    target = f"ours - theirs <= {ABOVE_EMPTY_SECONDS:g} s"
    bench.add(WALL, EMPTY, ours, empty, target, ours - empty <= ABOVE_EMPTY_SECONDS, detail=_detail(runs, EMPTY))
    counted = median([run.calls for run in runs["ours"]])
    bench.compare(CALLS, "one read per resource", counted, MINIMUM_CALLS, CALLS_LIMIT, {"calls": calls["ours"]})


def _detail(runs: dict[str, list[Measure]], peer: str) -> dict[str, Any]:
    return {
        "scope": list(SCOPE),
        "latency_ms": LATENCY_MS,
        "ours": described(runs["ours"]),
        "theirs": described(runs[peer]),
    }
