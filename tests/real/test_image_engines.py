# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same image by other ways: buildah, docker's old builder, models that the controller fetched, a login."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.helpers.containers import needed
from tests.helpers.docker_registry import running_registry
from tests.helpers.image_yard import HARDENED, HOME, Built, Container, Yard, serve_model
from tests.helpers.modules import run_module
from tests.helpers.registry import registry
from tests.helpers.scanners import Advisory, scanning, trivy_database

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]

PASSWORD = "s3cret-pw"
HTPASSWD = "ada:$2y$05$abcdefghijklmnopqrstuuzSvhclVSvY9ufOheOOhcPviTPFJlqIC"


def answers(yard: Yard, image: Built) -> bool:
    """Whether the baked model of a hardened container answers."""
    container = Container(yard.docker, image.result["reference"], *HARDENED, HOME)
    try:
        return bool(container.ask()["done"])
    finally:
        container.stop()


@pytest.fixture
def buildah(yard: Yard) -> dict[str, str]:
    """Environment of a buildah whose images are in the yard's folder."""
    needed("buildah")
    place = yard.folder / "buildah"
    place.mkdir()
    (place / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/graph"\nrunroot = "{place}/run"\n'
    )
    return {"CONTAINERS_STORAGE_CONF": str(place / "storage.conf"), "BUILDAH_ISOLATION": "chroot"}


def test_buildah_builds_it_too_and_keeps_its_layers(yard: Yard, buildah: dict[str, str]) -> None:
    engine = {
        "image_engine": "buildah",
        "image_engine_command": "",
        "image_engine_environment": buildah,
        "image_tls_verify": False,
        "image_repository": f"{yard.images.host}/team/by-buildah",
        **scanning(trivy_database(yard.folder / "scanned", Advisory("CVE-2099-0002", "tar", "LOW"))),
    }
    image = yard.build(**engine)
    assert answers(yard, image)
    assert image.result["gates"]["scan"] == image.result["gates"]["sbom"] == "passed"
    scanned = (yard.folder / "evidence" / "scan.json").read_bytes()
    assert yard.build(**engine).changed == 0
    # The image that the registry has is known to be the one that was scanned.
    assert (yard.folder / "evidence" / "scan.json").read_bytes() == scanned
    before = len(yard.models.requests)
    assert yard.build(**engine, image_labels={"org.example.other": "x"}).changed > 0
    assert len(yard.models.requests) == before


def test_ollama_is_taken_from_an_image_without_what_is_not_needed(yard: Yard) -> None:
    source = f"{yard.images.host}/ollama:0.24.0"
    dockerfile = yard.folder / "source.Dockerfile"
    dockerfile.write_text(f"FROM {yard.variables['image_base']}\nCOPY . /usr/\nRUN touch /opt/unneeded\n")
    context = yard.variables["image_ollama_folder"]
    yard.docker.run("build", "--network=host", "--file", str(dockerfile), "--tag", source, context)
    yard.docker.run("push", "--quiet", source)
    pinned = run_module("container_image_info", {"image": source})["reference"]
    image = yard.build(
        image_ollama_folder="", image_ollama_source=pinned, image_repository=f"{yard.images.host}/team/from-an-image"
    )
    assert answers(yard, image)
    find = ("--entrypoint=find", image.result["reference"], "/usr/lib/ollama", "/opt", "-type", "f")
    listed = yard.docker.run("run", "--rm", "--user=0", "--network=none", *find)
    found = [place for place in listed.stdout.split() if "ollama" in place or "unneeded" in place]
    assert sorted(found) == ["/usr/lib/ollama/cuda_v12/libcuda.so", "/usr/lib/ollama/libcommon.so"]


def test_the_old_builder_builds_it_too(yard: Yard) -> None:
    image = yard.build(image_builder="old", image_repository=f"{yard.images.host}/team/by-the-old")
    assert answers(yard, image)


def test_the_controller_fetches_a_model_once(yard: Yard) -> None:
    given = {"image_fetch": "controller", "image_repository": f"{yard.images.host}/team/by-the-controller"}
    image = yard.build(**given)
    assert answers(yard, image)
    before = len(yard.models.requests)
    assert yard.build(**given, image_labels={"org.example.other": "x"}).changed > 0
    assert len(yard.models.requests) == before


def test_a_login_for_the_registry_is_used_and_removed(yard: Yard, tmp_path: Path) -> None:
    with running_registry(tmp_path, HTPASSWD) as private:
        given = {"image_repository": f"{private.host}/team/ollama", "image_registry_username": "ada"}
        image = yard.build(**given, image_registry_password=PASSWORD)
        assert image.changed > 0
        assert yard.build(**given, image_registry_password=PASSWORD).changed == 0
        assert PASSWORD not in image.output
        assert not (yard.folder / "work" / "login").exists()


def test_a_login_for_the_models_is_used_and_is_in_no_layer(yard: Yard) -> None:
    with registry("basic") as private:
        model = serve_model(private, yard.folder / "private", "private:1", 2)
        login = base64.b64encode(f"{private.user}:{private.password}".encode()).decode()
        config = yard.folder / "login" / "config.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"auths": {private.url.partition("://")[2]: {"auth": login}}}))
        image = yard.build(
            image_models=[{"name": model.name, "digest": model.digest}],
            image_model_registry=private.url,
            image_model_registry_config=str(config),
            image_repository=f"{yard.images.host}/team/private",
        )
    tag = f"{image.result['repository']}:{image.result['tag']}"
    archive = yard.folder / "private.tar"
    yard.docker.run("save", "--output", str(archive), tag)
    content = archive.read_bytes()
    assert b"private/1" in content
    assert login.encode() not in content
    assert private.password.encode() not in content
