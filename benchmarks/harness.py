# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all benchmarks share: measured commands, interleaved pairs, medians, rows of results."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
BIN = Path(sys.executable).parent
OURS = "ours"
# A load average above this, on two cores, means that others compute beside us.
QUIET_LOAD_PER_CORE = 0.75
# Settings of clouds and tools are those of the benchmark; without byte code every task would compile its libraries.
LEFT_OUT = ("AWS_", "AZURE_", "ANSIBLE_", "TF_", "PYTHONDONTWRITEBYTECODE")
# A command that hangs, such as a tool that retries for ever, is ended after this many seconds.
COMMAND_SECONDS = 600
COLLECTIONS = ("amazon.aws", "community.aws")


class NotMeasured(RuntimeError):
    """A side is not installed, or its command failed. A peer's row is then kept with held null: it is no win for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One run of a command. cpu_seconds: user and system, children included.

    rss_mb: the largest process's peak, and never less than our own peak, which the kernel hands down to a child.
    """

    seconds: float
    cpu_seconds: float
    rss_mb: float
    stdout: Path
    calls: int = 0

    @property
    def megabytes(self) -> float:
        """Size of what the command printed."""
        return self.stdout.stat().st_size / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of a benchmark against one peer. The key of a row is (id, metric, peer).

    ratio: ours / theirs. target: the rule, as text. held: whether it holds, None where that cannot be said. reason: why
    it cannot, or what helps to read the figure. load: one-minute load average before the first pair, loads: before each
    of them. ahead: all sides ran ahead of other processes. detail: what the figures are made of.
    """

    id: str
    metric: str
    peer: str
    ours: float | None
    theirs: float | None
    ratio: float | None
    target: str
    held: bool | None
    reason: str = ""
    pairs: int = 0
    date: str = ""
    cores: int = 0
    load: float = 0.0
    loads: tuple[float, ...] = ()
    quiet: bool = True
    ahead: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)


class Bench:
    """One benchmark's run: makes its rows with what they have in common.

    pairs: rounds of every comparison. say: prints progress. folder: scratch space.
    """

    def __init__(self, name: str, folder: Path, pairs: int, *, quick: bool = False, say: Callable[[str], None]) -> None:
        self.name = name
        self.folder = folder
        self.pairs = pairs
        self.quick = quick
        self.versions = versions()
        self.rows: list[Row] = []
        self._say = say
        self.loads: list[float] = []
        self.failures: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Print a line of progress."""
        self._say(f"{self.name}  {text}")

    def measure(self, command: Sequence[str], environment: Mapping[str, str], *, expect: int = 0) -> Measure:
        """Run a command to its end. Raises NotMeasured with the end of its output where it exits otherwise."""
        out = self.folder / f"{len(list(self.folder.glob('*.out')))}.out"
        err = out.with_suffix(".err")
        with out.open("wb") as stdout, err.open("wb") as stderr:
            began = time.monotonic()
            process = subprocess.Popen(
                command, env=environment, stdout=stdout, stderr=stderr, cwd=ROOT, start_new_session=True
            )
            stopper = threading.Timer(COMMAND_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
            stopper.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                stopper.cancel()
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
            seconds = time.monotonic() - began
        if process.returncode != expect:
            said = (out.read_text(errors="replace") + err.read_text(errors="replace"))[-2500:]
            raise NotMeasured(f"{' '.join(command[:3])} exited with {process.returncode}: {said}")
        cpu = usage.ru_utime + usage.ru_stime
        return Measure(seconds=seconds, cpu_seconds=cpu, rss_mb=usage.ru_maxrss / 1024, stdout=out)

    def interleave(self, sides: Mapping[str, Callable[[], Measure]], pairs: int = 0) -> dict[str, list[Measure]]:
        """Run all sides in turn, A B C A B C ..., so that a change of the machine's mood meets all of them.

        A peer that fails is left out of the answer and noted in C(failures); that ours fails is an error.
        """
        runs: dict[str, list[Measure]] = {name: [] for name in sides}
        self.loads = []
        for number in range(pairs or self.pairs):
            self.loads.append(load())
            for name in list(runs):
                try:
                    runs[name].append(sides[name]())
                except NotMeasured as error:
                    if name == OURS:
                        raise RuntimeError(f"ours failed: {error}") from error
                    self.failures[name] = str(error)
                    del runs[name]
            took = "  ".join(f"{name} {found[-1].seconds:.2f} s" for name, found in runs.items())
            self.say(f"round {number + 1} at load {self.loads[-1]:.1f}: {took}")
        return runs

    def warm_up(self, name: str, run: Callable[[], Measure]) -> bool:
        """Run a side once unmeasured, so that byte code and page cache are warm. False where a peer failed."""
        self.say(f"warming up: {name}")
        try:
            run()
        except NotMeasured as error:
            if name == OURS:
                raise RuntimeError(f"ours failed: {error}") from error
            self.failures[name] = str(error)
        return name not in self.failures

    def compare(
        self,
        metric: str,
        peer: str,
        ours: float,
        theirs: float,
        limit: float,
        detail: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """Add a row that holds where ours / theirs is at most the limit."""
        share = ratio(ours, theirs)
        held = None if share is None else share <= limit
        self.add(metric, peer, ours, theirs, f"ratio <= {limit:g}", held, detail=detail, reason=reason)

    def add(
        self,
        metric: str,
        peer: str,
        ours: float | None,
        theirs: float | None,
        target: str,
        held: bool | None,
        *,
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a row, stamped with date, machine, load and versions."""
        first = self.loads[0] if self.loads else load()
        self.rows.append(
            Row(
                id=self.name,
                metric=metric,
                peer=peer,
                ours=rounded(ours),
                theirs=rounded(theirs),
                ratio=rounded(ratio(ours, theirs)),
                target=target,
                held=held,
                reason=reason,
                pairs=len(self.loads),
                date=datetime.now(UTC).strftime("%Y-%m-%d"),
                cores=cores(),
                load=first,
                loads=tuple(self.loads),
                quiet=is_quiet(first),
                ahead=is_ahead(),
                versions=self.versions,
                detail=detail or {},
            )
        )

    def missing(self, metric: str, peer: str, target: str, reason: str) -> None:
        """Add the row of a peer that could not be measured."""
        self.say(f"{peer} not measured: {reason.splitlines()[0]}")
        self.add(metric, peer, None, None, target, None, reason=reason)


def median(values: Sequence[float]) -> float:
    """The middle value; the mean of the two middle ones where their number is even."""
    return float(statistics.median(values))


def seconds_of(runs: Sequence[Measure]) -> float:
    """Median wall seconds."""
    return median([run.seconds for run in runs])


def described(runs: Sequence[Measure]) -> dict[str, Any]:
    """Every run's wall and CPU seconds, for the detail of a row."""
    return {
        "seconds": [round(run.seconds, 2) for run in runs],
        "cpu_seconds": [round(run.cpu_seconds, 2) for run in runs],
    }


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Ours divided by theirs, None where either is missing or theirs is nothing."""
    return None if ours is None or not theirs else ours / theirs


def rounded(value: float | None) -> float | None:
    """Three decimals, for a file that people read."""
    return None if value is None else round(value, 3)


def load() -> float:
    """The one-minute load average."""
    return round(os.getloadavg()[0], 2)


def cores() -> int:
    """CPU cores that we may use."""
    return len(os.sched_getaffinity(0))


def is_quiet(average: float) -> bool:
    """Whether a load average means that nobody else computes."""
    return average <= QUIET_LOAD_PER_CORE * cores()


def is_ahead() -> bool:
    """Whether this process, and so all that it starts, was given a policy of real time (`chrt --fifo 5 ...`)."""
    return os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)


def wait_for_quiet(seconds: float, say: Callable[[str], None]) -> bool:
    """Wait until the machine is quiet, at most that long. False: the figures will be marked as taken under load."""
    deadline = time.monotonic() + seconds
    while not is_quiet(load()):
        if time.monotonic() >= deadline:
            say(f"load average {load()} is above {QUIET_LOAD_PER_CORE * cores()}: the figures are marked")
            return False
        time.sleep(2)
    return True


def versions() -> dict[str, str]:
    """Python, the Ansible packages and the collections that the peers come from."""
    packages = {name: version(name) for name in ("ansible-core", "boto3", "moto")}
    found = {"python": ".".join(map(str, sys.version_info[:3])), **packages}
    for name in COLLECTIONS:
        manifest = _collections() / Path(*name.split(".")) / "MANIFEST.json"
        found[name] = str(json.loads(manifest.read_text("utf-8"))["collection_info"]["version"])
    return found


def _collections() -> Path:
    import ansible_collections.amazon.aws as package

    return Path(next(iter(package.__path__))).parents[1]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a measured command: ours, without what points at another cloud or slows every Ansible task."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
    settings = {
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build"),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "NO_PROXY": "127.0.0.1,localhost,127.0.0.0/8",
        "no_proxy": "127.0.0.1,localhost,127.0.0.0/8",
    }
    return {**kept, **settings, **(extra or {})}


def merge(existing: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows of a results file with those of the benchmarks that ran anew in place of their earlier ones."""
    anew = {row.id for row in rows}
    merged = [dict(row) for row in existing if row["id"] not in anew] + [asdict(row) for row in rows]
    return sorted(merged, key=lambda row: (len(row["id"]), row["id"]))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a results file; none where there is no file yet."""
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return rows


def write_rows(path: Path, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Merge rows into a results file and return all of them."""
    merged = merge(read_rows(path), rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(merged, indent=1, sort_keys=False) + "\n", "utf-8")
    return merged
