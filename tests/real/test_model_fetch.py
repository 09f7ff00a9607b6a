# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model fetcher between a real docker-registry and a real Ollama: what was fetched is what is served."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.package import build_zipapp
from tests.helpers.docker_registry import DockerRegistry
from tests.helpers.model_server import served
from tests.helpers.real_ollama import RealOllama, serving

pytestmark = pytest.mark.real
PROMPT = {"model": "tiny", "prompt": "hello", "stream": False, "options": {"temperature": 0, "num_predict": 8}}


@pytest.fixture(scope="module")
def registry(docker_registry: DockerRegistry, real_ollama: RealOllama) -> DockerRegistry:
    """The registry, holding the model that the real Ollama serves."""
    docker_registry.push(real_ollama.models, real_ollama.packed)
    return docker_registry


@pytest.fixture(scope="module")
def fetcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file that a build stage or a job runs."""
    path = tmp_path_factory.mktemp("fetcher") / "fetch.pyz"
    build_zipapp(path)
    return path


def pull(fetcher: Path, url: str, into: Path, *more: str) -> dict[str, Any]:
    """Run the fetcher with a bare Python."""
    command = [
        sys.executable,
        "-I",
        "-S",
        str(fetcher),
        "pull",
        "tiny",
        "--registry",
        url,
        "--into",
        str(into),
    ]
    done = subprocess.run([*command, "--json", *more], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def post(url: str, path: str, body: dict[str, Any]) -> bytes:
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def test_a_fetched_model_answers_like_the_original(
    fetcher: Path,
    registry: DockerRegistry,
    real_ollama: RealOllama,
    tmp_path: Path,
) -> None:
    result = pull(fetcher, registry.url, tmp_path / "models", "--lock", str(tmp_path / "models.lock"))
    assert result["changed"]
    assert [model["digest"] for model in result["models"]] == [f"sha256:{real_ollama.packed.digest}"]
    with serving(tmp_path, tmp_path / "models") as url:
        copy = json.loads(post(url, "/api/generate", PROMPT))
        tags = json.load(urllib.request.urlopen(f"{url}/api/tags", timeout=10))
    assert copy["response"] == json.loads(post(real_ollama.url, "/api/generate", PROMPT))["response"]
    assert [model["digest"] for model in tags["models"]] == [real_ollama.packed.digest]
    assert not pull(fetcher, registry.url, tmp_path / "models", "--lock", str(tmp_path / "models.lock"))["changed"]


def test_ollama_itself_cannot_pull_from_a_plain_registry(registry: DockerRegistry, tmp_path: Path) -> None:
    """Why there is a fetcher. Where this fails one day, ours is still the one that needs no server."""
    name = f"{registry.url}/library/tiny".removeprefix("http://")
    with serving(tmp_path, tmp_path / "models") as url:
        said = post(url, "/api/pull", {"model": name, "insecure": True})
    assert b"no Location header" in said


def blobs(models: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (models / "blobs").iterdir()}


def test_where_ollama_can_pull_both_bring_the_same_model(
    fetcher: Path, real_ollama: RealOllama, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with served(real_ollama.models) as url:
        pull(fetcher, url, ours)
        with serving(tmp_path, theirs) as server:
            said = post(server, "/api/pull", {"model": f"{url}/library/tiny", "insecure": True, "stream": False})
            assert json.loads(said) == {"status": "success"}
            name = f"{url.removeprefix('http://')}/library/tiny"
            their_answer = json.loads(post(server, "/api/generate", {**PROMPT, "model": name}))["response"]
    with serving(tmp_path, ours) as server:
        our_answer = json.loads(post(server, "/api/generate", PROMPT))["response"]
    assert blobs(ours) == blobs(theirs) == blobs(real_ollama.models)
    assert our_answer == their_answer
    (manifest,) = (path for path in (theirs / "manifests").rglob("*") if path.is_file())
    assert manifest.read_bytes() == real_ollama.packed.manifest.read_bytes()
