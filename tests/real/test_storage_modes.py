# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage modes with the real image: an engine runs the containers as the task definition of ECS asks for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.translate import task_definition
from ansible_collections.polycloud.ollama.plugins.module_utils.models.package import build_zipapp
from tests.helpers.ecs import REGION, SEEDED, describe
from tests.helpers.image_yard import Built, Container, Yard

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]
USER = 10001
# Runs one container definition with the volume and more options of docker run, in the background or to its end.
Serve = Callable[..., Container]
STRAY = b"a blob that no manifest names yet"
STRAY_NAME = "sha256-" + "0" * 64


@pytest.fixture
def volume(yard: Yard) -> Iterator[Path]:
    """An empty folder of the deployment's user, as an access point of EFS gives it."""
    folder = yard.folder / "modes"
    folder.mkdir()
    os.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def fetcher(yard: Yard, built: Built) -> str:
    """The image of the seeding container: Python and the model fetcher."""
    context = yard.folder / "fetcher"
    context.mkdir()
    build_zipapp(context / "fetch.pyz")
    (context / "Dockerfile").write_text(f"FROM {yard.variables['image_fetch_base']}\nCOPY fetch.pyz /fetch.pyz\n")
    yard.docker.run("build", "--tag", "fetcher", str(context))
    return "fetcher"


@pytest.fixture(scope="module")
def lean(yard: Yard, built: Built) -> Built:
    """The image without models."""
    return yard.build(image_storage="volume", image_evidence_folder=str(yard.folder / "lean"))


def definitions(yard: Yard, mode: str) -> dict[str, dict[str, Any]]:
    """The container definitions that ECS is sent, by name."""
    model = yard.variables["image_models"][0]
    seed = {**SEEDED["storage"]["seed"], "registry": yard.models.url, "insecure": True}
    storage = {"mode": mode, "seed": seed if mode == "volume" else None}
    deployment = describe({**SEEDED, "models": [model]}, storage=storage, resources={"gpu": None})
    return {item["name"]: item for item in task_definition(deployment, REGION)["containerDefinitions"]}


def options(definition: dict[str, Any], volume: Path) -> list[str]:
    """A container definition in the words of docker run, as the ECS agent turns it."""
    linux = definition["linuxParameters"]
    words = [f"--user={definition['user']}", *(f"--cap-drop={name}" for name in linux["capabilities"]["drop"])]
    words += ["--read-only"] * definition["readonlyRootFilesystem"] + ["--init"] * linux["initProcessEnabled"]
    words += [f"--security-opt={option}" for option in definition["dockerSecurityOptions"]]
    words += [
        f"--tmpfs={mount['containerPath']}:size={mount['size']}m,{','.join(mount['mountOptions'])}"
        for mount in linux["tmpfs"]
    ]
    words += [f"--env={item['name']}={item['value']}" for item in definition["environment"]]
    for mount in definition.get("mountPoints", ()):
        words.append(f"--volume={volume}:{mount['containerPath']}:{'ro' if mount['readOnly'] else 'rw'}")
    return words


@pytest.fixture
def serve(yard: Yard, volume: Path) -> Iterator[Serve]:
    """Starts the server of a deployment in a mode, from an image."""
    started: list[Container] = []

    def run(built: Built, mode: str, *more: str) -> Container:
        asked = options(definitions(yard, mode)["ollama"], volume)
        started.append(Container(yard.docker, built.result["reference"], "--network=none", *asked, *more))
        return started[-1]

    yield run
    for container in started:
        container.stop()


def start_seed(yard: Yard, fetcher: str, volume: Path) -> subprocess.Popen[str]:
    """Start the seeding container. It alone has a network."""
    definition = definitions(yard, "volume")["seed-models"]
    program, *arguments = [*definition["entryPoint"], *definition["command"]]
    command = [yard.docker.client, "run", "--rm", "--network=host", f"--entrypoint={program}"]
    return subprocess.Popen(
        [*command, *options(definition, volume), fetcher, *arguments],
        env={**os.environ, **yard.docker.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(seeding: subprocess.Popen[str]) -> str:
    said = seeding.communicate(timeout=120)[0]
    assert seeding.returncode == 0, said
    return said


def blobs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "blobs").iterdir()}


def test_baked_models_are_served_and_a_volume_is_left_alone(
    yard: Yard, built: Built, serve: Serve, volume: Path
) -> None:
    assert "mountPoints" not in definitions(yard, "baked")["ollama"]
    container = serve(built, "baked", f"--volume={volume}:/models")
    assert container.ask()["done"]
    assert list(volume.iterdir()) == []


def test_both_fills_the_volume_at_the_first_start_and_reads_it_at_the_second(
    yard: Yard, built: Built, serve: Serve, volume: Path
) -> None:
    first = serve(built, "both")
    assert first.ask()["done"]
    assert "copying" in first.said()
    assert blobs(volume) == blobs(yard.folder / "packed")
    second = serve(built, "both")
    assert second.ask()["done"]
    assert "polycloud:" not in second.said()


@pytest.mark.parametrize("image", ["built", "lean"])
def test_a_volume_is_seeded_once_and_shared_read_only_and_nothing_is_pruned(
    yard: Yard, fetcher: str, serve: Serve, volume: Path, image: str, request: pytest.FixtureRequest
) -> None:
    """By an image with models of its own, which it leaves aside, and by one without."""
    before = sum(yard.models.served.values())
    seeding = [start_seed(yard, fetcher, volume) for dummy in range(2)]
    said = [ended(process) for process in seeding]
    size = sum(len(blob) for blob in blobs(yard.folder / "packed").values())
    assert sum(yard.models.served.values()) - before == size, said
    assert sum("(already there)" in text for text in said) == 1
    assert blobs(volume) == blobs(yard.folder / "packed")

    # Older than the hour for which Ollama keeps what no manifest names.
    stray = volume / "blobs" / STRAY_NAME
    stray.write_bytes(STRAY)
    os.utime(stray, (0, 0))
    readers = [serve(request.getfixturevalue(image), "volume") for dummy in range(2)]
    assert all(reader.ask()["done"] for reader in readers)
    assert all("polycloud:" not in reader.said() for reader in readers)
    assert blobs(volume) == {**blobs(yard.folder / "packed"), STRAY_NAME: STRAY}


def test_a_reader_cannot_write_into_the_volume(
    yard: Yard, built: Built, fetcher: str, serve: Serve, volume: Path
) -> None:
    ended(start_seed(yard, fetcher, volume))
    reader = serve(built, "volume")
    done = yard.docker.run("exec", reader.name, "touch", "/models/blobs/mine", check=False)
    assert "Read-only file system" in done.stderr


def test_a_replica_starts_from_a_seeded_volume_while_the_registry_is_gone(
    yard: Yard, built: Built, fetcher: str, serve: Serve, volume: Path
) -> None:
    ended(start_seed(yard, fetcher, volume))
    before = dict(yard.models.served)
    kept, yard.models.manifests = yard.models.manifests, {}
    try:
        assert "(already there)" in ended(start_seed(yard, fetcher, volume))
    finally:
        yard.models.manifests = kept
    assert yard.models.served == before
    assert serve(built, "volume").ask()["done"]
