# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real tests of the role `image` share: a daemon, two registries, the built image, containers of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.helpers.containers import Docker, docker_daemon, push_base
from tests.helpers.docker_registry import DockerRegistry
from tests.helpers.modules import module_environment
from tests.helpers.real_ollama import ollama_binary
from tests.helpers.registry import Registry, registry
from tests.helpers.scanners import hadolint
from tests.helpers.tiny_model import NAMESPACE, Packed, pack

HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none", "--tmpfs=/tmp")
NO_SCAN = {"image_scan": "skip", "image_sbom": "skip"}
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


@dataclass(frozen=True)
class Built:
    """What one run of the playbook did. result: image.json. code: 0 where it ended well."""

    changed: int
    output: str
    result: dict[str, Any]
    code: int = 0


@dataclass(frozen=True)
class Yard:
    """Everything a build needs, and a folder of its own."""

    folder: Path
    docker: Docker
    images: DockerRegistry
    models: Registry
    variables: dict[str, Any]

    def build(self, *options: str, **change: Any) -> Built:
        """Run the playbook `build`, which must end well."""
        built = self.attempt(*options, **change)
        assert built.code == 0, built.output
        return built

    def attempt(self, *options: str, **change: Any) -> Built:
        """Run the playbook `build`."""
        given = {**self.variables, **change}
        (self.folder / "image.yml").write_text(json.dumps(given))
        command = [sys.executable, "-m", "ansible.cli.playbook", "polycloud.ollama.build", "-e", "@image.yml", *options]
        environment = module_environment({"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"})
        environment["ANSIBLE_HOME"] = str(self.folder / "home")
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        evidence = Path(given["image_evidence_folder"]) / "image.json"
        found = re.search(r"changed=(\d+)", done.stdout)
        assert found, done.stdout + done.stderr
        result = json.loads(evidence.read_text()) if evidence.exists() else {}
        return Built(int(found[1]), done.stdout + done.stderr, result, done.returncode)

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
def yard(docker_registry: DockerRegistry) -> Iterator[Yard]:
    """A daemon, both registries with a model, and the variables of a build."""
    with ExitStack() as stack:
        # Short, for the daemon's sockets.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pc", ignore_cleanup_errors=True)))
        docker = stack.enter_context(docker_daemon(folder))
        models = stack.enter_context(registry())
        base = push_base(docker, docker_registry)
        yield Yard(folder, docker, docker_registry, models, variables(folder, docker, docker_registry, models, base))


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
        "image_lint_command": hadolint(),
        # What they find is in test_image_gates.py.
        **NO_SCAN,
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


class Start(Protocol):
    """Starts a hardened container; `options` are more ones of docker run."""

    def __call__(self, *options: str) -> Container: ...


@pytest.fixture
def start(yard: Yard, built: Built) -> Iterator[Start]:
    """Starts hardened containers of the built image."""
    started: list[Container] = []

    def run(*options: str) -> Container:
        started.append(Container(yard.docker, built.result["reference"], *HARDENED, HOME, *options))
        return started[-1]

    yield run
    for container in started:
        container.stop()
