# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `image` with a real engine, a real registry and a real Ollama: what it builds, and what it leaves alone."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.helpers.containers import own_layers
from tests.helpers.image_yard import Built, Start, Yard, serve_model
from tests.helpers.modules import run_module
from tests.helpers.tiny_model import HOST, Packed

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]
MIB = 1024 * 1024


def test_one_command_builds_pushes_and_tells_the_digest(yard: Yard, built: Built) -> None:
    reference = built.result["reference"]
    assert built.changed > 0
    assert re.fullmatch(re.escape(f"{yard.images.host}/team/ollama") + "@sha256:[0-9a-f]{64}", reference)
    assert reference in built.output.rpartition("Tell the image")[2]
    assert re.fullmatch(r"0\.24\.0-tiny-latest-[0-9a-f]{12}", built.result["tag"])
    assert built.result["labels"]["polycloud.ollama.inputs"] == built.result["inputs"]


def test_the_hardened_container_answers_a_prompt_with_the_baked_model(start: Start, yard: Yard) -> None:
    container = start()
    answer = container.ask()
    assert answer["done"]
    assert answer["eval_count"] > 0
    user = yard.docker.run("exec", container.name, "id", "-u").stdout.strip()
    assert user == "10001"
    assert yard.docker.run("exec", container.name, "touch", "/opt/x", check=False).returncode != 0


def test_it_becomes_healthy_and_a_stop_reaches_ollama_at_once(start: Start, yard: Yard) -> None:
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
    images = set(yard.docker.run("images", "--all", "--quiet").stdout.split())
    again = yard.build()
    assert (again.changed, again.result) == (0, built.result)
    assert [yard.images.requests(method) for method in ("POST", "PUT", "PATCH")] == before
    assert set(yard.docker.run("images", "--all", "--quiet").stdout.split()) == images


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
    ours = own_layers(yard.docker, tag)
    assert len(ours) > 2
    assert 0 < sum(ours) <= 20 * MIB
    listed = yard.docker.run("run", "--rm", "--network=none", "--entrypoint=find", tag, "/usr/lib/ollama", "-type", "f")
    assert sorted(listed.stdout.split()) == ["/usr/lib/ollama/cuda_v12/libcuda.so", "/usr/lib/ollama/libcommon.so"]
