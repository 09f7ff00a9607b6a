# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags in a real docker-registry: moved without a rebuild, with a way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.docker_registry import DockerRegistry
from tests.helpers.modules import run_module
from tests.helpers.tiny_model import pack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]


@pytest.fixture
def images(docker_registry: DockerRegistry, tmp_path: Path) -> list[str]:
    """Two images, pinned. A packed model is one to a registry: a configuration and layers."""
    name = f"{docker_registry.host}/library/tags"
    for seed in (1, 2):
        docker_registry.push(tmp_path / str(seed), pack(tmp_path / str(seed), f"tags:{seed}", seed))
    return [str(look(f"{name}:{seed}")["reference"]) for seed in (1, 2)]


def look(image: str) -> dict[str, Any]:
    found = run_module("container_image_info", {"image": image})
    assert not found.get("failed"), found
    return found


def promote(image: str, *, check: bool = False) -> dict[str, Any]:
    tags = {"tag": "stable", "previous_tag": "stable-previous"}
    result = run_module("container_image_tag", {"image": image, **tags}, check=check, diff=True)
    assert not result.get("failed"), result
    return result


def test_a_tag_is_moved_and_moved_back_without_a_layer_being_sent(
    docker_registry: DockerRegistry, images: list[str]
) -> None:
    first, second = images
    name = first.partition("@")[0]
    uploads = docker_registry.requests("POST")
    assert promote(first)["previous_digest"] == ""
    check = promote(second, check=True)
    assert look(f"{name}:stable")["reference"] == first
    done = promote(second)
    assert (done["changed"], done["diff"]) == (check["changed"], check["diff"])
    assert look(f"{name}:stable")["reference"] == second
    assert look(f"{name}:stable-previous")["reference"] == first
    assert not promote(second)["changed"]
    promote(str(look(f"{name}:stable-previous")["reference"]))
    assert look(f"{name}:stable")["reference"] == first
    assert look(f"{name}:stable-previous")["reference"] == second
    assert docker_registry.requests("POST") == uploads


def test_an_image_that_was_never_pushed_is_not_promoted(images: list[str]) -> None:
    missing = images[0].partition("@")[0] + "@sha256:" + "f" * 64
    result = run_module("container_image_tag", {"image": missing, "tag": "other"})
    assert result["failed"]
    assert "Push the image first" in result["msg"]
