# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B2: calls of a converge that changes nothing, against the number of revisions that the family has.

Both sides work on the same family, whose newest revision is what is wanted. Only the calls on task definitions count:
what else a side reads does not depend on the history. No latency is added, calls do not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.harness import Bench, NotMeasured
from benchmarks.scene import FAMILY, Scene, scene

LENGTHS, QUICK_LENGTHS = (1, 50, 200, 1000), (1, 5)
MOST_CALLS = 2
PEER = "community.aws.ecs_taskdefinition"
METRIC = "calls on task definitions in a converge that changes nothing"


def run(bench: Bench) -> None:
    """Count on both sides at every length; one run each, since counts have no spread."""
    ours: dict[int, int] = {}
    for length in QUICK_LENGTHS if bench.quick else LENGTHS:
        with scene(bench) as stage:
            register_past(stage, length - 1)
            stage.deploy()
            ours[length] = _count_both(bench, stage, length)
    add_spread(bench, ours)


def _count_both(bench: Bench, stage: Scene, length: int) -> int:
    """Run both plays and add the row of this length; returns our number."""
    metric, target = f"{METRIC}, {length} revisions", f"ours <= {MOST_CALLS}"
    mine = stage.play("ours")
    ours = on_definitions(stage.calls())
    try:
        other = stage.play("definition", {"containers": stage.containers("ours")})
    except NotMeasured as error:
        bench.missing(metric, PEER, target, str(error))
        return ours
    theirs = on_definitions(stage.calls())
    bench.say(f"{length} revisions: ours {ours} calls, {PEER} {theirs}")
    seconds = {"ours": round(mine.seconds, 2), "theirs": round(other.seconds, 2)}
    bench.add(metric, PEER, ours, theirs, target, ours <= MOST_CALLS, detail={"play_seconds": seconds})
    return ours


def add_spread(bench: Bench, ours: Mapping[int, int]) -> None:
    """Add the row that says whether our number of calls depends on the history."""
    most, least = max(ours.values()), min(ours.values())
    lengths = "/".join(map(str, ours))
    metric = f"{METRIC}, most over {lengths} revisions"
    bench.add(metric, "ours, least over them", most, least, "ours = theirs", most == least)


def on_definitions(calls: Sequence[str]) -> int:
    """How many of the calls read task definitions: ListTaskDefinitions, DescribeTaskDefinition."""
    return sum("TaskDefinition" in call for call in calls)


def register_past(stage: Scene, count: int) -> None:
    """Give the family that many past revisions, each with another image, as releases leave them behind."""
    ecs = stage.api("ecs")
    for number in range(count):
        container = {"name": "ollama", "image": f"registry.example.com/ollama:past-{number}", "memory": 512}
        ecs.register_task_definition(family=FAMILY, networkMode="awsvpc", containerDefinitions=[container])
