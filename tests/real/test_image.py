# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `image` with a real engine, a real registry and a real Ollama: what it builds, and what it leaves alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.containers import Docker, DockerRegistry, docker_daemon, docker_registry, push_base
from tests.helpers.modules import module_environment, run_module
from tests.helpers.real_ollama import ollama_binary
from tests.helpers.registry import Registry, registry
from tests.helpers.tiny_model import HOST, NAMESPACE, Packed, pack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]

HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none", "--tmpfs=/tmp")
HOME = "--tmpfs=/home/ollama:uid=10001,gid=10001,mode=700"
ASK = """
import json, sys, time, urllib.request
body = json.dumps({"model": sys.argv[1], "prompt": "hello", "stream": False}).encode()
for attempt in range(100):
    try:
        answer = urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:11434/api/generate", body), timeout=60)
        sys.exit(print(answer.read().decode()))
    except OSError as error:
        if hasattr(error, "code"):
            sys.exit(error.read().decode())
        time.sleep(0.1)
sys.exit("no answer")
"""
MIB = 1024 * 1024


@dataclass(frozen=True)
class Built:
    """What one run of the playbook did. result: image.json."""

    changed: int
    output: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Yard:
    """Everything a build needs, and a folder of its own."""

    folder: Path
    docker: Docker
    images: DockerRegistry
    models: Registry
    variables: dict[str, Any]

    def build(self, *options: str, **change: Any) -> Built:
        """Run the playbook `build`."""
        given = {**self.variables, **change}
        (self.folder / "image.yml").write_text(json.dumps(given))
        command = [sys.executable, "-m", "ansible.cli.playbook", "polycloud.ollama.build", "-e", "@image.yml", *options]
        environment = module_environment({"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"})
        environment["ANSIBLE_HOME"] = str(self.folder / "home")
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        evidence = Path(given["image_evidence_folder"]) / "image.json"
        found = re.search(r"changed=(\d+)", done.stdout)
        assert found, done.stdout
        return Built(int(found[1]), done.stdout, json.loads(evidence.read_text()) if evidence.exists() else {})

    def fetched(self, packed: Packed) -> int:
        """Bytes of a model's blobs that were fetched so far."""
        manifest = json.loads(packed.manifest.read_bytes())
        return sum(self.models.served[entry["digest"]] for entry in [manifest["config"], *manifest["layers"]])


def serve_model(models: Registry, folder: Path, name: str, seed: int) -> Packed:
    """Pack a model and put it into the registry of models."""
    packed = pack(folder, name, seed)
    for blob in (folder / "blobs").iterdir():
        models.blobs[blob.name.replace("-", ":")] = blob.read_bytes()
    model, tag = name.split(":")
    raw = packed.manifest.read_bytes()
    models.manifests[f"{NAMESPACE}/{model}", tag] = models.manifests[
        f"{NAMESPACE}/{model}", f"sha256:{packed.digest}"
    ] = raw
    return packed


def ollama_folder(folder: Path) -> Path:
    """The real Ollama with a library that every payload needs, and two payloads."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy(ollama_binary(), folder / "bin" / "ollama")
    for name in ("libcommon.so", "cuda_v12/libcuda.so", "cuda_v13/libcuda.so"):
        place = folder / "lib" / "ollama" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(name)
    return folder


@pytest.fixture(scope="session")
def yard() -> Iterator[Yard]:
    """A daemon, both registries with a model, and the variables of a build."""
    with ExitStack() as stack:
        # Short, for the daemon's sockets.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pc", ignore_cleanup_errors=True)))
        docker = stack.enter_context(docker_daemon(folder))
        images = stack.enter_context(docker_registry(folder))
        models = stack.enter_context(registry())
        base = push_base(docker, images)
        yield Yard(folder, docker, images, models, variables(folder, docker, images, models, base))


def variables(folder: Path, docker: Docker, images: DockerRegistry, models: Registry, base: str) -> dict[str, Any]:
    tiny = serve_model(models, folder / "packed", "tiny:latest", 0)
    return {
        "image_repository": f"{images.host}/team/ollama",
        "image_ollama_version": "0.24.0",
        "image_ollama_folder": str(ollama_folder(folder / "ollama")),
        "image_base": base,
        "image_fetch_base": base,
        "image_payload": "cuda_v12",
        "image_models": [{"name": tiny.name, "digest": tiny.digest}],
        "image_model_registry": models.url,
        "image_engine_command": docker.client,
        "image_engine_environment": docker.environment,
        "image_build_network": "host",
        "image_evidence_folder": str(folder / "evidence"),
        "image_work_folder": str(folder / "work"),
    }


@pytest.fixture(scope="session")
def built(yard: Yard) -> Built:
    """The image, built once for all tests."""
    return yard.build()


class Container:
    """A running container of an image; it ends with the test."""

    def __init__(self, docker: Docker, image: str, *options: str, command: tuple[str, ...] = ()) -> None:
        self.docker = docker
        self.name = docker.run("run", "--detach", *options, image, *command).stdout.strip()

    def ask(self, model: str = "tiny") -> dict[str, Any]:
        """The answer of a model to a prompt."""
        done = self.docker.run("exec", self.name, "python3", "-c", ASK, model, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + self.said()
        return dict(json.loads(done.stdout))

    def said(self) -> str:
        done = self.docker.run("logs", self.name)
        return done.stdout + done.stderr

    def stop(self) -> None:
        self.docker.run("rm", "--force", self.name)


@pytest.fixture
def start(yard: Yard, built: Built) -> Iterator[Any]:
    """Starts hardened containers of the built image."""
    started: list[Container] = []

    def run(*options: str) -> Container:
        started.append(Container(yard.docker, built.result["reference"], *HARDENED, HOME, *options))
        return started[-1]

    yield run
    for container in started:
        container.stop()


def test_one_command_builds_pushes_and_tells_the_digest(yard: Yard, built: Built) -> None:
    reference = built.result["reference"]
    assert built.changed > 0
    assert re.fullmatch(re.escape(f"{yard.images.host}/team/ollama") + "@sha256:[0-9a-f]{64}", reference)
    assert reference in built.output.rpartition("Tell the image")[2]
    assert re.fullmatch(r"0\.24\.0-tiny-latest-[0-9a-f]{12}", built.result["tag"])
    assert built.result["labels"]["polycloud.ollama.inputs"] == built.result["inputs"]


def test_the_hardened_container_answers_a_prompt_with_the_baked_model(start: Any, yard: Yard) -> None:
    container = start()
    answer = container.ask()
    assert answer["done"]
    assert answer["eval_count"] > 0
    user = yard.docker.run("exec", container.name, "id", "-u").stdout.strip()
    assert user == "10001"
    assert yard.docker.run("exec", container.name, "touch", "/opt/x", check=False).returncode != 0


def test_it_becomes_healthy_and_a_stop_reaches_ollama_at_once(start: Any, yard: Yard) -> None:
    container = start("--health-interval=1s", "--health-start-period=0s")
    container.ask()
    deadline = time.monotonic() + 30
    while (
        yard.docker.run("inspect", "--format", "{{.State.Health.Status}}", container.name).stdout.strip() != "healthy"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    begin = time.monotonic()
    yard.docker.run("stop", "--time", "30", container.name)
    assert time.monotonic() - begin < 10


def test_a_second_build_changes_nothing(yard: Yard, built: Built) -> None:
    before = [yard.images.requests(method) for method in ("POST", "PUT", "PATCH")]
    images = yard.docker.run("images", "--all", "--quiet").stdout
    again = yard.build()
    assert (again.changed, again.result) == (0, built.result)
    assert [yard.images.requests(method) for method in ("POST", "PUT", "PATCH")] == before
    assert yard.docker.run("images", "--all", "--quiet").stdout == images


def test_check_mode_says_what_would_be_built_and_pushes_nothing(yard: Yard, built: Built) -> None:
    before = yard.images.requests("PUT")
    assert yard.build("--check").changed == 0
    assert yard.build("--check", image_labels={"org.example.other": "x"}).changed == 1
    assert yard.images.requests("PUT") == before


def test_another_ollama_fetches_no_model(yard: Yard, built: Built) -> None:
    folder = yard.folder / "other-ollama"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "ollama").write_text('#!/bin/sh\necho "client version is 0.25.0"\n')
    (folder / "bin" / "ollama").chmod(0o755)
    before = len(yard.models.requests)
    other = yard.build(image_ollama_version="0.25.0", image_ollama_folder=str(folder))
    assert other.changed > 0
    assert other.result["tag"].startswith("0.25.0-")
    assert len(yard.models.requests) == before
    # The model's layer is the same, so a registry that has it is not sent it again.
    assert model_layers(yard, other) == model_layers(yard, built)


def model_layers(yard: Yard, image: Built) -> set[str]:
    """Digests of the layers of models: those between the libraries and the start script."""
    layers = run_module("container_image_info", {"image": image.result["reference"]})["layers"]
    return set(layers[-1 - len(image.result["models"]) : -1])


def test_one_more_model_fetches_only_that_one(yard: Yard, built: Built) -> None:
    models = yard.variables["image_models"]
    second = serve_model(yard.models, yard.folder / "second", "second:1", 1)
    first = Packed("tiny:latest", models[0]["digest"], yard.folder / f"packed/manifests/{HOST}/library/tiny/latest")
    before = yard.fetched(first)
    shared = before - yard.fetched(second)
    more = yard.build(image_models=[*models, {"name": second.name, "digest": second.digest}])
    manifest = json.loads(second.manifest.read_bytes())
    size = sum(entry["size"] for entry in [manifest["config"], *manifest["layers"]])
    weights = next(layer for layer in manifest["layers"] if layer["mediaType"].endswith("model"))
    assert yard.models.served[weights["digest"]] == weights["size"]
    assert before > 0
    assert yard.fetched(second) - (before - shared) == size
    assert model_layers(yard, built) < model_layers(yard, more)


def test_our_own_layers_are_small_and_other_payloads_are_absent(yard: Yard, built: Built) -> None:
    tag = f"{yard.images.host}/team/ollama:{built.result['tag']}"
    history = yard.docker.run("history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", tag)
    lines = [line.split("\t", 1) for line in history.stdout.splitlines()]
    given = ("/usr/bin/ollama", "/usr/lib/ollama", "/opt/ollama/models")
    ours = [int(size) for size, made in lines if "import" not in made and not any(name in made for name in given)]
    assert len(ours) > 2
    # The last line is the base.
    assert sum(ours[:-1]) <= 20 * MIB
    listed = yard.docker.run("run", "--rm", "--network=none", "--entrypoint=find", tag, "/usr/lib/ollama", "-type", "f")
    assert sorted(listed.stdout.split()) == ["/usr/lib/ollama/cuda_v12/libcuda.so", "/usr/lib/ollama/libcommon.so"]
