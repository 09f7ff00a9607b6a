# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B10: fetching a model, against `ollama pull` of the real Ollama.

Both get random bytes from one registry on this machine, which says what `ollama pull` insists on, into an empty folder
on the same disk. Ours is the packed fetcher with a bare Python. The peer's server is started before the clock is; its
memory is counted, that of its client is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness import OURS, Bench, Measure, NotMeasured, described, environment, median, seconds_of
from tests.helpers.model_server import MANIFEST_TYPE, served
from tests.helpers.modules import ROOT
from tests.helpers.real_ollama import BINARY, free_port, wait_until_up
from tests.helpers.tiny_model import HOST

PEER = "ollama pull"
MIB = 1024 * 1024
RUN = """
import runpy, sys
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
    raise
"""


@dataclass(frozen=True)
class Case:
    """A model and a way to it. layers: sizes in bytes. mb_per_second: of each connection, 0 for no limit."""

    label: str
    layers: tuple[int, ...]
    latency_ms: int = 0
    mb_per_second: int = 0


CASES = (
    Case("1 GiB in one blob", (1024 * MIB,)),
    Case("1 GiB in one blob, 20 ms before each answer", (1024 * MIB,), latency_ms=20),
    Case("1 GiB in one blob, 25 MB/s for each connection", (1024 * MIB,), mb_per_second=25),
    Case("16 blobs of 4 MiB, 20 ms before each answer", (4 * MIB,) * 16, latency_ms=20),
)
QUICK_CASES = (Case("8 MiB in one blob", (8 * MIB,)), Case("3 blobs of 1 MiB", (MIB,) * 3))


def run(bench: Bench) -> None:
    """Measure each case."""
    bench.versions |= {"ollama": ollama_version()}
    fetcher = pack(bench.folder)
    for number, case in enumerate(QUICK_CASES if bench.quick else CASES):
        folder = bench.folder / str(number)
        make_model(folder / "served", case.layers)
        with served(folder / "served", case.latency_ms, case.mb_per_second) as url:
            compare(bench, case, Sides(bench, folder, fetcher, url))
        shutil.rmtree(folder)


def compare(bench: Bench, case: Case, sides: Sides) -> None:
    """Run both sides of a case in turn and add its rows."""
    target = "ratio <= 1"
    runs = bench.interleave({OURS: sides.ours, PEER: sides.theirs})
    if PEER not in runs:
        bench.missing(f"wall seconds, {case.label}", PEER, target, bench.failures.pop(PEER))
        return
    sides.check()
    ours, theirs = runs[OURS], runs[PEER]
    detail = {"ours": described(ours), "theirs": described(theirs)}
    bench.compare(f"wall seconds, {case.label}", PEER, seconds_of(ours), seconds_of(theirs), 1, detail)
    our_peak, their_peak = (median([each.rss_mb for each in side]) for side in (ours, theirs))
    bench.add(f"peak MB, {case.label}", PEER, our_peak, their_peak, "", None)


class Sides:
    """Both fetchers, each with a folder of its own that is empty before each run."""

    def __init__(self, bench: Bench, folder: Path, fetcher: Path, url: str) -> None:
        self._bench = bench
        self._served = folder / "served"
        self._ours, self._theirs = folder / "ours", folder / "theirs"
        self._fetcher = fetcher
        self._url = url

    def ours(self) -> Measure:
        """One fetch by ours."""
        empty(self._ours)
        pull = ["pull", "model", "--registry", self._url, "--into", str(self._ours)]
        command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.argv = sys.argv[1:]{RUN}", str(self._fetcher)]
        measured = self._bench.measure([*command, *pull], environment())
        return replace(measured, rss_mb=peak_mb(measured.stdout))

    def theirs(self) -> Measure:
        """One fetch by the peer."""
        empty(self._theirs)
        with serving(self._bench.folder, self._theirs) as (host, process):
            command = [str(BINARY), "pull", "--insecure", f"{self._url}/library/model"]
            measured = self._bench.measure(command, environment({"OLLAMA_HOST": host}))
            cpu = measured.cpu_seconds + cpu_seconds(process)
            return replace(measured, cpu_seconds=cpu, rss_mb=peak_mb(Path(f"/proc/{process}/status")))

    def check(self) -> None:
        """Both folders hold what was served; a side that does not has no figure."""
        wanted = digests(self._served)
        for side in (self._ours, self._theirs):
            if digests(side) != wanted:
                raise RuntimeError(f"{side.name} fetched something else than was served")


def pack(folder: Path) -> Path:
    """The fetcher as one file."""
    path = folder / "fetch.pyz"
    module = "ansible_collections.polycloud.ollama.plugins.module_utils.models.package"
    variables = {**os.environ, "PYTHONPATH": str(ROOT / ".build")}
    subprocess.run([sys.executable, "-m", module, str(path)], check=True, env=variables)
    return path


def make_model(folder: Path, layers: tuple[int, ...]) -> None:
    """Put a model of random bytes into a models folder, as C(library/model:latest)."""
    (folder / "blobs").mkdir(parents=True)
    config = _blob(folder, [b"{}"], "application/vnd.docker.container.image.v1+json")
    kind = "application/vnd.ollama.image.model"
    described = [_blob(folder, (os.urandom(MIB) for dummy in range(size // MIB)), kind) for size in layers]
    body = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": described}
    manifest = folder / "manifests" / HOST / "library" / "model" / "latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps(body), "utf-8")


def _blob(folder: Path, pieces: Iterator[bytes] | list[bytes], kind: str) -> dict[str, object]:
    draft, digest, size = folder / "blobs" / "draft", hashlib.sha256(), 0
    with draft.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
            digest.update(piece)
            size += len(piece)
    draft.rename(folder / "blobs" / f"sha256-{digest.hexdigest()}")
    return {"mediaType": kind, "digest": f"sha256:{digest.hexdigest()}", "size": size}


def digests(models: Path) -> dict[str, str]:
    """The sha256 of each blob, by its name."""
    found = {}
    for path in (models / "blobs").iterdir():
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def empty(folder: Path) -> None:
    """Remove what a former run left, and let the disk come to rest, so that no run pays for the one before it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()


@contextmanager
def serving(folder: Path, models: Path) -> Iterator[tuple[str, int]]:
    """The peer's server, up and idle; yields its address and its process."""
    port = free_port()
    variables = {"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(models), "HOME": str(folder)}
    log = folder / "serve.log"
    with log.open("wb") as stream:
        server = subprocess.Popen([str(BINARY), "serve"], env=environment(variables), stdout=stream, stderr=stream)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/api/version", server, log)
        yield f"127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(timeout=10)


def peak_mb(path: Path) -> float:
    """The VmHWM of a process, from its status or from what it printed."""
    line = next(line for line in path.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def cpu_seconds(process: int) -> float:
    """User and system seconds of a process."""
    fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ollama_version() -> str:
    """The peer's own version. Raises NotMeasured where it is not built."""
    if not BINARY.is_file():
        raise NotMeasured("there is no real Ollama: `make engine` builds it")
    told = subprocess.run([str(BINARY), "--version"], capture_output=True, text=True, check=True)
    return told.stdout.split()[-1]
