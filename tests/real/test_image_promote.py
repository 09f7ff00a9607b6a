# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tag `stable` in a real docker-registry: it follows what has passed validate, and goes back by digest."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from tests.helpers.docker_registry import DockerRegistry
from tests.helpers.modules import run_module
from tests.helpers.promotion import Promotion
from tests.helpers.tiny_model import pack
from tests.integration.conftest import ROOT, run_playbook
from tests.sandbox.launcher import Sandbox

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]
TARGETS = "chat-use1:chat-westus3:chat-swedencentral"
NUMBERS = itertools.count()
UNKNOWN = "sha256:" + "f" * 64


@pytest.fixture
def promotion(tmp_path: Path) -> Promotion:
    return Promotion(tmp_path)


@pytest.fixture
def images(docker_registry: DockerRegistry, tmp_path: Path) -> list[str]:
    """Three images of a repository of the test's own, pinned. A packed model is one to a registry."""
    model = f"promote{next(NUMBERS)}"
    for seed in (1, 2, 3):
        docker_registry.push(tmp_path / str(seed), pack(tmp_path / str(seed), f"{model}:{seed}", seed))
    name = f"{docker_registry.host}/library/{model}"
    return [f"{name}@{means(f'{name}:{seed}')}" for seed in (1, 2, 3)]


def means(image: str) -> str:
    """The digest of an image in the registry, empty where it has none."""
    found = run_module("container_image_info", {"image": image})
    assert not found.get("failed"), found
    return str(found["digest"])


def tags(image: str) -> tuple[str, str]:
    """What stable and stable-previous mean, as images."""
    name = image.partition("@")[0]
    digests = [means(f"{name}:{tag}") for tag in ("stable", "stable-previous")]
    return tuple(digest and f"{name}@{digest}" for digest in digests)  # type: ignore[return-value]


def test_what_passed_validate_becomes_stable_and_the_one_before_stays_within_reach(
    docker_registry: DockerRegistry, images: list[str], promotion: Promotion
) -> None:
    first, second, _third = images
    uploads = docker_registry.requests("POST")
    promotion.validated(first)
    assert promotion.run("promote", image_reference=first).changed == 1
    assert tags(first) == (first, "")

    promotion.validated(second)
    planned = promotion.run("promote", "--check", "--diff", image_reference=second)
    assert (planned.code, planned.changed) == (0, 1), planned.said
    assert second.partition("@")[2] in planned.said
    assert tags(first) == (first, "")
    assert promotion.run("promote", image_reference=second).changed == 1
    assert tags(first) == (second, first)
    again = promotion.run("promote", image_reference=second)
    assert (again.code, again.changed) == (0, 0), again.said

    assert docker_registry.requests("POST") == uploads
    assert [(move["action"], move["to"]) for move in promotion.moves()] == [
        ("promote", first.partition("@")[2]),
        ("promote", second.partition("@")[2]),
    ]
    assert promotion.moves()[1]["from"] == first.partition("@")[2]
    assert promotion.moves()[1]["evidence"][0]["target"] == "chat"


def test_a_fallback_is_done_once_however_often_it_is_run_and_the_bad_image_does_not_return_by_old_evidence(
    images: list[str], promotion: Promotion
) -> None:
    good, bad, better = images
    for image in (good, bad):
        promotion.validated(image, age=timedelta(minutes=1))
        assert promotion.run("promote", image_reference=image).changed == 1
    planned = promotion.run("fallback", "--check", image_reference=bad)
    assert (planned.changed, tags(good)) == (1, (bad, good)), planned.said

    assert promotion.run("fallback", image_reference=bad).changed == 1
    assert tags(good) == (good, good)
    second = promotion.run("fallback", image_repository=good.partition("@")[0])
    assert (second.code, second.changed, tags(good)) == (0, 0, (good, good)), second.said

    refused = promotion.run("promote", image_reference=bad)
    assert refused.code != 0
    assert "before this image was taken back" in refused.said
    assert tags(good) == (good, good)
    promotion.validated(better)
    assert promotion.run("promote", image_reference=better).changed == 1
    assert tags(good) == (better, good)
    assert [move["action"] for move in promotion.moves()] == ["promote", "promote", "fallback", "promote"]


def test_without_evidence_of_its_own_no_image_becomes_stable(images: list[str], promotion: Promotion) -> None:
    first, second, _third = images
    promotion.validated(first)
    assert promotion.run("promote", image_reference=first).changed == 1

    def refused(**variables: object) -> str:
        run = promotion.run("promote", image_reference=second, **variables)
        assert (run.code, run.changed) == (2, 0), run.said
        assert tags(first) == (first, "")
        return run.said

    assert "runs another image" in refused()
    path = promotion.validated(second, passed=False)
    assert "failed validate" in refused()
    promotion.validated(second, age=timedelta(days=8))
    assert "longer ago than 168 hours" in refused()
    promotion.validated(second.replace("@sha256:", ":"))
    assert "deploy the image by its digest" in refused()
    promotion.validated(first, digest=second.partition("@")[2])
    assert "digest is not that of image" in refused()
    path.unlink()
    assert "there is no evidence" in refused()
    promotion.validated(second)
    assert "target b has no evidence" in refused(image_promote_targets=["chat", "b"])
    assert "no target of platform aci has evidence" in refused(image_promote_platforms=["ecs", "aci"])
    assert promotion.run("promote", image_reference=second, image_promote_targets=["chat"]).changed == 1
    assert tags(first) == (second, first)


def test_an_image_that_passed_and_is_not_in_the_registry_moves_nothing(images: list[str], promotion: Promotion) -> None:
    missing = f"{images[0].partition('@')[0]}@{UNKNOWN}"
    promotion.validated(missing)
    refused = promotion.run("promote", image_reference=missing)
    assert refused.code != 0
    assert "Push the image first" in refused.said
    assert tags(images[0]) == ("", "")


def test_there_is_no_fallback_before_a_second_promotion(images: list[str], promotion: Promotion) -> None:
    promotion.validated(images[0])
    promotion.run("promote", image_reference=images[0])
    refused = promotion.run("fallback", image_reference=images[0])
    assert refused.code != 0
    assert "has no tag stable-previous" in refused.said
    assert tags(images[0]) == (images[0], "")


def test_what_an_emulated_cloud_runs_and_validate_witnesses_can_be_promoted(
    images: list[str], promotion: Promotion, clouds: Sandbox
) -> None:
    image, other, _third = images
    playbook = str(ROOT / "playbooks" / "site.yml")
    run = run_playbook(playbook, "--limit", TARGETS, "-e", f"ollama_image={image}", folder=promotion.folder)
    assert run.code == 0, run.output

    platforms = ["ecs", "aci", "container_apps"]
    assert "runs another image" in promotion.run("promote", image_reference=other).said
    done = promotion.run("promote", image_reference=image, image_promote_platforms=platforms)
    assert (done.code, done.changed) == (0, 1), done.said
    assert tags(image) == (image, "")
    assert {entry["platform"] for entry in promotion.moves()[0]["evidence"]} == set(platforms)
