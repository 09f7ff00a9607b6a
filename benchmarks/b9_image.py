# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""B9: the image: how long it takes to answer, to look at a seeded volume, how large it is, what a second build costs.

The peer of the starts is an image with the same base and the same C(bin/ollama) that runs C(ollama serve), as the same
user with the same options of docker. All containers use the host's network; the clock starts before C(docker start) and
stops at the first 200 on C(/api/version).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from benchmarks.harness import OURS, Bench, Measure, NotMeasured, described, median
from tests.helpers.containers import docker_daemon, own_layers, push_base
from tests.helpers.docker_registry import running_registry
from tests.helpers.image_yard import HOME, Built, Yard, variables
from tests.helpers.real_ollama import free_port
from tests.helpers.registry import registry

PLAIN, BAKED, SEEDED, SECOND = "ollama serve", "baked", "both, volume seeded", "the first build"
STARTS, QUICK_STARTS = 12, 2
START_LIMIT, SEED_LIMIT, SIZE_LIMIT_MB = 0.5, 0.2, 20
MOST_SECONDS = 60
USER = 10001
MIB = 1024 * 1024
OPTIONS = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host", "--tmpfs=/tmp", HOME)
# The start script runs a program that does nothing in place of Ollama, with and without a look at the volume.
LOOK = """
import os, subprocess, sys, time
for storage in ("both", "baked") * int(sys.argv[1]):
    begin = time.perf_counter()
    subprocess.run(["/usr/local/bin/ollama-entrypoint", "serve"], check=True,
                   env={**os.environ, "POLYCLOUD_OLLAMA": "/bin/true", "POLYCLOUD_STORAGE": storage})
    print(storage, time.perf_counter() - begin)
"""
# What lies on a volume: sizes of the blobs of each model, in bytes. The largest is a hole in a file.
VOLUMES = {
    "1 model of 5 blobs, one of 4 GiB": [[4 * 1024 * MIB, 4000, 300, 2000, 500]],
    "8 models of 5 blobs of 1 MiB": [[MIB] * 5] * 8,
}
QUICK_VOLUMES = {"1 model of 2 blobs of 1 MiB": [[MIB] * 2]}


def run(bench: Bench) -> None:
    """Build the images, then measure each of the four."""
    try:
        with built_yard(bench) as yard:
            first, second = timed_build(yard), timed_build(yard)
            add_builds(bench, first, second)
            add_size(bench, yard, second.image)
            bench.say("building the other images")
            baked = yard.build(image_storage="baked").result["reference"]
            compare_starts(bench, Starts(bench, yard, second.image.result["reference"], baked))
            for label, models in (QUICK_VOLUMES if bench.quick else VOLUMES).items():
                add_look(bench, yard, second.image.result["reference"], label, models)
    except pytest.skip.Exception as missing:
        raise RuntimeError(f"ours failed: {missing}") from missing


@contextmanager
def built_yard(bench: Bench) -> Iterator[Yard]:
    """A docker daemon, a registry of images and one of models, as the real tests have them."""
    with ExitStack() as stack:
        # Short, for the daemon's sockets.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pb", ignore_cleanup_errors=True)))
        (folder / "registry").mkdir()
        docker = stack.enter_context(docker_daemon(folder))
        images = stack.enter_context(running_registry(folder / "registry"))
        models = stack.enter_context(registry())
        given = variables(folder, docker, images, models, push_base(docker, images))
        bench.versions |= {
            "docker": docker.run("version", "--format", "{{.Server.Version}}").stdout.strip(),
            "ollama": str(given["image_ollama_version"]),
        }
        yield Yard(folder, docker, images, models, given)


class Timed:
    """A build: the image, its wall seconds, the writes to the registry and the requests for models."""

    def __init__(self, image: Built, seconds: float, writes: int, fetches: int) -> None:
        self.image, self.seconds, self.writes, self.fetches = image, seconds, writes, fetches


def timed_build(yard: Yard) -> Timed:
    """Run the playbook `build` once."""

    def writes() -> int:
        return sum(yard.images.requests(method) for method in ("POST", "PUT", "PATCH"))

    before, fetched, begin = writes(), len(yard.models.requests), time.monotonic()
    image = yard.build()
    return Timed(image, time.monotonic() - begin, writes() - before, len(yard.models.requests) - fetched)


def add_builds(bench: Bench, first: Timed, second: Timed) -> None:
    """The rows of a build whose inputs did not change."""
    bench.add("wall seconds of a build with the same inputs", SECOND, second.seconds, first.seconds, "", None)
    for what, ours, theirs in (
        ("writes to the registry", second.writes, first.writes),
        ("requests for models", second.fetches, first.fetches),
    ):
        bench.add(f"{what} in a build with the same inputs", SECOND, ours, theirs, "ours = 0", ours == 0)


def add_size(bench: Bench, yard: Yard, image: Built) -> None:
    """The row of what is ours in the image."""
    ours = sum(own_layers(yard.docker, f"{image.result['repository']}:{image.result['tag']}")) / 1e6
    held = ours <= SIZE_LIMIT_MB
    metric = "MB of layers beyond base, bin/ollama, payload and models"
    bench.add(metric, "none", ours, None, f"ours <= {SIZE_LIMIT_MB} MB", held)


class Starts:
    """Starts of containers, one after the other, each removed before the next."""

    def __init__(self, bench: Bench, yard: Yard, both: str, baked: str) -> None:
        self._docker = yard.docker
        self._volume = yard.folder / "seeded"
        self._volume.mkdir()
        os.chown(self._volume, USER, USER)
        plain = f"{yard.images.host}/plain:1"
        dockerfile = yard.folder / "plain.Dockerfile"
        dockerfile.write_text(
            f"FROM {yard.variables['image_base']}\nCOPY bin/ollama /usr/bin/ollama\nENV HOME=/home/ollama\n"
            f'USER {USER}:{USER}\nENTRYPOINT ["/usr/bin/ollama"]\nCMD ["serve"]\n'
        )
        context = yard.variables["image_ollama_folder"]
        self._docker.run("build", "--network=host", "--file", str(dockerfile), "--tag", plain, context)
        volume = f"--volume={self._volume}:/models"
        self.sides = {
            OURS: lambda: self.start(baked),
            SEEDED: lambda: self.start(both, volume),
            PLAIN: lambda: self.start(plain),
        }
        bench.say("seeding the volume")
        self.start(both, volume)

    def start(self, image: str, *more: str) -> Measure:
        """Start a container and wait for its first good answer."""
        port = free_port()
        options = [*OPTIONS, f"--env=OLLAMA_HOST=127.0.0.1:{port}", *more]
        name = self._docker.run("create", *options, image).stdout.strip()
        try:
            begin = time.monotonic()
            with subprocess.Popen(
                [self._docker.client, "start", name],
                env={**os.environ, **self._docker.environment},
                stdout=subprocess.DEVNULL,
            ):
                while not answers(port):
                    if time.monotonic() - begin > MOST_SECONDS:
                        raise NotMeasured(self._docker.run("logs", name).stderr[-2500:])
                    time.sleep(0.002)
                seconds = time.monotonic() - begin
        finally:
            self._docker.run("rm", "--force", name)
        return Measure(seconds=seconds, cpu_seconds=0, rss_mb=0, stdout=Path())


def answers(port: int) -> bool:
    """Whether a server says 200 to a question for its version."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/api/version")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def compare_starts(bench: Bench, starts: Starts) -> None:
    """The rows of starts, medians and 95th percentiles."""
    runs = bench.interleave(starts.sides, QUICK_STARTS if bench.quick else max(STARTS, bench.pairs))
    for label, side in ((BAKED, OURS), (SEEDED, SEEDED)):
        if side not in runs or PLAIN not in runs:
            raise RuntimeError(f"a side of the starts failed: {bench.failures}")
        seconds = {name: [each.seconds for each in runs[name]] for name in (side, PLAIN)}
        detail = {"ours": described(runs[side])["seconds"], "theirs": described(runs[PLAIN])["seconds"]}
        for figure, of in (("median", median), ("95th percentile", percentile_95)):
            ours, theirs = of(seconds[side]), of(seconds[PLAIN])
            metric = f"wall seconds from the start to the first 200, {figure}, storage {label}"
            target = f"ours - theirs <= {START_LIMIT:g} s"
            bench.add(metric, PLAIN, ours, theirs, target, ours - theirs <= START_LIMIT, detail=detail)


def percentile_95(values: list[float]) -> float:
    """The 95th percentile, between the two values around it."""
    return statistics.quantiles(values, n=20, method="inclusive")[18]


def add_look(bench: Bench, yard: Yard, image: str, label: str, models: list[list[int]]) -> None:
    """The row of the start script on a volume that has all models of the image."""
    place = yard.folder / hashlib.sha256(label.encode()).hexdigest()[:8]
    baked, volume = place / "baked", place / "volume"
    bench.say(f"seeding {label}")
    for number, sizes in enumerate(models):
        bake(baked, f"model-{number}", sizes)
    volume.mkdir()
    os.chown(volume, USER, USER)
    mounts = [f"--volume={baked}:/opt/ollama/models:ro", f"--volume={volume}:/models", "--entrypoint=python3"]
    command = ["run", "--rm", *OPTIONS, *mounts, image, "-c", LOOK]
    yard.docker.run(*command, "1")
    seen: dict[str, list[float]] = {"both": [], "baked": []}
    for line in yard.docker.run(*command, str(QUICK_STARTS if bench.quick else STARTS)).stdout.splitlines():
        storage, dummy, seconds = line.partition(" ")
        seen[storage].append(float(seconds))
    ours = median(seen["both"])
    detail = {name: [round(value, 4) for value in values] for name, values in seen.items()}
    metric = f"wall seconds of the start script on a seeded volume, {label}"
    target = f"ours <= {SEED_LIMIT:g} s"
    bench.add(metric, "no look at the volume", ours, median(seen["baked"]), target, ours <= SEED_LIMIT, detail=detail)


def bake(folder: Path, name: str, sizes: list[int]) -> None:
    """Put a model into a models folder. A blob is a few random bytes and a hole, as large as it is to be."""
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    layers = []
    for size in sizes:
        draft = folder / "blobs" / "draft"
        with draft.open("w+b") as stream:
            stream.write(os.urandom(32))
            stream.truncate(size)
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        draft.chmod(0o644)
        draft.rename(folder / "blobs" / f"sha256-{digest}")
        layers.append({"mediaType": "model", "digest": f"sha256:{digest}", "size": size})
    manifest = folder / "manifests" / "registry.ollama.ai" / "library" / name / "latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": layers[-1], "layers": layers[:-1]}), "utf-8")
