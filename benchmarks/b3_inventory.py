# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B3: `ansible-inventory --list` of our fleet against amazon.aws.aws_ec2, with as many tasks as instances.

Two regions, half of the hosts in each, two keyed groups on both sides, default options otherwise; our plugin makes its
seven groups per host besides. Rows that say C(details: true) are ours with that option, which like the peer emits what
the cloud's API said of each host. One more side is a plugin that does nothing, to tell ansible-core's own cost, which
both pay. Both read canned pages from one server, without added latency, which is the kinder
choice for the peer: it reads region by region.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.canned_aws import REGIONS, fewest_calls
from benchmarks.harness import OURS, ROOT, Bench, Measure, NotMeasured, described, environment, median, seconds_of

SIZES, QUICK_SIZES = (1000, 10_000), (20,)
# One run of the peer takes over a minute with 10,000 hosts.
LARGE, LARGE_ROUNDS = 10_000, 3
COUNT_HOSTS = "import json, sys; print(len(json.load(open(sys.argv[1]))['_meta']['hostvars']))"
PEER = "amazon.aws.aws_ec2"
DETAILED, DETAILS = "ours, details: true", ", details: true"
FLOOR, FLOOR_PLUGIN = "ansible-core alone with", ROOT / "benchmarks" / "floor" / "replayed.py"
PER_HOST, PER_MB, CACHED = "wall ms per host", "wall ms per emitted MB", "wall seconds with a filled cache"
LIMIT = 0.35
FLEET = {
    "plugin": "polycloud.ollama.fleet",
    "aws": [{"regions": list(REGIONS)}],
    "keyed_groups": [{"key": "fleet_release", "prefix": "release"}, {"key": "fleet_status", "prefix": "status"}],
}
# The peer keys its groups on a path into what the API said, so do we where we have it.
FLEET_DETAILS = FLEET | {
    "details": True,
    "keyed_groups": [
        {"key": "fleet_details.task.launch_type", "prefix": "launch"},
        {"key": "fleet_details.task.availability_zone", "prefix": "zone"},
    ],
}
EC2 = {
    "plugin": PEER,
    "regions": list(REGIONS),
    "keyed_groups": [
        {"key": "instance_type", "prefix": "type"},
        {"key": "placement.availability_zone", "prefix": "zone"},
    ],
}


def run(bench: Bench) -> None:
    """Measure each size."""
    for hosts in QUICK_SIZES if bench.quick else SIZES:
        bench.say(f"{hosts} hosts in {len(REGIONS)} regions, two keyed groups on both sides")
        with served(hosts) as url:
            Inventories(bench, hosts, url).compare()


@contextmanager
def served(hosts: int) -> Iterator[str]:
    """The canned pages in a process of their own; yields their URL."""
    command = [sys.executable, "-m", "benchmarks.canned_aws", str(hosts)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield (server.stdout.readline() if server.stdout else "").strip()
        finally:
            server.kill()


def count_hosts(output: Path) -> int:
    """Hosts in an inventory's JSON; read in a process of its own, or our memory would count as our children's."""
    command = [sys.executable, "-c", COUNT_HOSTS, str(output)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


class Inventories:
    """Both plugins on the same number of hosts."""

    def __init__(self, bench: Bench, hosts: int, url: str) -> None:
        self._bench = bench
        self._hosts = hosts
        self._url = url
        self._environment = environment(
            {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "canned",
                "AWS_SECRET_ACCESS_KEY": "canned-only",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        )

    def compare(self) -> None:
        """Run both in turn and add the rows of this size."""
        sides = {
            OURS: lambda: self._list(self._source("fleet", FLEET)),
            DETAILED: lambda: self._list(self._source("details.fleet", FLEET_DETAILS)),
            PEER: lambda: self._list(self._source("aws_ec2", EC2)),
        }
        large = self._hosts >= LARGE
        if not large:
            sides = {name: run for name, run in sides.items() if self._bench.warm_up(name, run)}
        runs = self._bench.interleave(sides, min(self._bench.pairs, LARGE_ROUNDS) if large else 0)
        if DETAILED not in runs:
            raise RuntimeError(f"{DETAILED} failed: {self._bench.failures[DETAILED]}")
        settings = {"": runs[OURS], DETAILS: runs[DETAILED]}
        for setting, ours in settings.items():
            self._add_setting(setting, ours, runs.get(PEER))
        if PEER not in runs:
            return
        for name, listed in (("our output", runs[OURS]), ("the peer's output", runs[PEER])):
            self._add_floor(f"{FLOOR} {name}", listed[-1].stdout, runs[PEER])
        if not large:
            self._add_cached()

    def _add_setting(self, setting: str, ours: list[Measure], theirs: list[Measure] | None) -> None:
        """The rows of one setting of ours, which its metrics name."""
        self._add_calls(setting, ours)
        if theirs is None:
            for metric in (PER_HOST, PER_MB):
                name, target = self._metric(metric + setting), f"ratio <= {LIMIT:g}"
                self._bench.missing(name, PEER, target, self._bench.failures[PEER])
            return
        self._add_times(setting, ours, theirs)
        self._add_memory(setting, ours, theirs)

    def _metric(self, what: str) -> str:
        return f"{what}, {self._hosts:,} hosts"

    def _source(self, name: str, config: dict[str, Any]) -> Path:
        """An inventory file; JSON is YAML."""
        path = self._bench.folder / f"{name}.yml"
        path.write_text(json.dumps(config), "utf-8")
        return path

    def _list(self, source: Path, environment: dict[str, str] | None = None) -> Measure:
        """One `ansible-inventory --list` with its calls. Raises NotMeasured where a host is missing in its output."""
        self._ask("DELETE")
        command = ["ansible-inventory", "-i", str(source), "--list"]
        measured = self._bench.measure(command, environment or self._environment)
        found = count_hosts(measured.stdout)
        if found != self._hosts:
            raise NotMeasured(f"{source.name} lists {found} of {self._hosts} hosts")
        return replace(measured, calls=sum(self._ask("GET").values()))

    def _list_again(self, output: Path) -> Measure:
        """The same hosts and variables by a plugin that has them at hand: ansible-core's own time for that output."""
        recorded = self._bench.folder / f"{output.stem}.recorded"
        subprocess.run([sys.executable, str(FLOOR_PLUGIN), str(output), str(recorded)], check=True)
        names = {"ANSIBLE_INVENTORY_ENABLED": FLOOR_PLUGIN.stem, "ANSIBLE_INVENTORY_PLUGINS": str(FLOOR_PLUGIN.parent)}
        return self._list(recorded, self._environment | names)

    def _ask(self, method: str) -> dict[str, int]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(f"{self._url}/counts", method=method)) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def _add_times(self, setting: str, ours: list[Measure], theirs: list[Measure]) -> None:
        mine, other = seconds_of(ours), seconds_of(theirs)
        sizes = {"ours": round(ours[0].megabytes, 2), "theirs": round(theirs[0].megabytes, 2)}
        detail = {"ours": described(ours), "theirs": described(theirs), "megabytes": sizes}
        per_host = 1000 / self._hosts
        self._bench.compare(self._metric(PER_HOST + setting), PEER, mine * per_host, other * per_host, LIMIT, detail)
        kilobytes = [1000 * run.megabytes / self._hosts for run in (ours[0], theirs[0])]
        reason = f"ours emits {kilobytes[0]:.1f} KB a host, the peer {kilobytes[1]:.1f} KB"
        mine, other = mine * 1000 / ours[0].megabytes, other * 1000 / theirs[0].megabytes
        self._bench.compare(self._metric(PER_MB + setting), PEER, mine, other, LIMIT, detail, reason)

    def _add_floor(self, name: str, output: Path, theirs: list[Measure]) -> None:
        """What no plugin can be faster than per emitted MB, against the peer. A row without target."""
        floor = [self._list_again(output)]
        mine, other = (1000 * seconds_of(runs) / runs[0].megabytes for runs in (floor, theirs))
        detail = {"ours": described(floor), "theirs": described(theirs)}
        self._bench.add(self._metric(f"{PER_MB}, {name}"), PEER, mine, other, "", None, detail=detail)

    def _add_calls(self, setting: str, ours: list[Measure]) -> None:
        """Ours against the fewest calls that can read all of it: lists and descriptions, 100 tasks each."""
        calls, least = median([run.calls for run in ours]), fewest_calls(self._hosts)
        peer = "paging minimum of ECS"
        self._bench.add(self._metric("API calls" + setting), peer, calls, least, "ours = theirs", calls == least)

    def _add_memory(self, setting: str, ours: list[Measure], theirs: list[Measure]) -> None:
        mine, other = (median([run.rss_mb for run in runs]) for runs in (ours, theirs))
        self._bench.add(self._metric("peak MB" + setting), PEER, mine, other, "ours <= theirs", mine <= other)

    def _add_cached(self) -> None:
        """Both with a filled cache: no call, and the time that is left."""
        folder = self._bench.folder / f"cache-{self._hosts}"
        cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder)}
        sources = {
            OURS: self._source("cached.fleet", FLEET | cache),
            PEER: self._source("cached.aws_ec2", EC2 | cache),
        }
        # partial: a plain lambda would see the loop's last source.
        sides = {name: partial(self._list, source) for name, source in sources.items()}
        filled = {name: run for name, run in sides.items() if self._bench.warm_up(f"{name}, cache", run)}
        runs = self._bench.interleave(filled)
        mine, other = seconds_of(runs[OURS]), seconds_of(runs[PEER])
        calls = {"ours": max(run.calls for run in runs[OURS]), "theirs": max(run.calls for run in runs[PEER])}
        held = calls["ours"] == 0 and mine <= LIMIT * other
        target = f"ratio <= {LIMIT:g}, no call"
        self._bench.add(self._metric(CACHED), PEER, mine, other, target, held, detail={"calls": calls})
