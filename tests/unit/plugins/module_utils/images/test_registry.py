# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry says of an image, and how a reference is read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.images.reference import Reference, read_reference
from ansible_collections.polycloud.ollama.plugins.module_utils.images.registry import (
    IMAGE_TYPES,
    INDEX_TYPES,
    ImageRegistry,
    credentials_in,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import Credentials
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import (
    BadManifest,
    BadName,
    LoginRefused,
    ModelNotFound,
    SourceError,
    SourceUnreachable,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import Transport
from tests.helpers.modules import run_module
from tests.helpers.registry import Registry, Start, sha256, start_registry  # noqa: F401 - a fixture
from tests.helpers.tree import documentation, fragment

REPOSITORY = "team/ollama"
LABELS = {"polycloud.ollama.inputs": "abc"}
DIGEST = "sha256:" + "a" * 64


NO_IMAGES: list[Any] = [[], {}, {"config": []}, {"config": {"digest": 1}}, {"manifests": [{}]}, {"layers": 1}]


def add_image(registry: Registry, tag: str, labels: Any = None) -> str:
    """Put an image of two layers into the registry and return its digest."""
    config = json.dumps({"config": {"Labels": LABELS if labels is None else labels}}).encode()
    registry.blobs[sha256(config)] = config
    layers = [{"digest": sha256(bytes([number])), "size": 10 * number} for number in (1, 2)]
    body = {"schemaVersion": 2, "mediaType": IMAGE_TYPES[0], "config": {"digest": sha256(config)}, "layers": layers}
    return add_manifest(registry, tag, body)


def add_manifest(registry: Registry, tag: str, body: Any) -> str:
    raw = json.dumps(body).encode()
    registry.manifests[REPOSITORY, tag] = registry.manifests[REPOSITORY, sha256(raw)] = raw
    return sha256(raw)


def host_of(registry: Registry) -> str:
    return registry.url.partition("://")[2]


def asked(registry: Registry, credentials: Credentials | None = None) -> ImageRegistry:
    return ImageRegistry(host_of(registry), credentials or Credentials(), Transport(timeout=5))


def by_tag(registry: Registry, tag: str = "1") -> Reference:
    return Reference(host_of(registry), REPOSITORY, tag)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ubuntu", Reference("docker.io", "library/ubuntu")),
        ("ollama/ollama:0.24.0", Reference("docker.io", "ollama/ollama", "0.24.0")),
        ("docker.io/ubuntu:24.04", Reference("docker.io", "library/ubuntu", "24.04")),
        ("localhost/x", Reference("localhost", "x")),
        ("registry.example.org:5000/a/b:c", Reference("registry.example.org:5000", "a/b", "c")),
        (f"127.0.0.1:5000/a:1@{DIGEST}", Reference("127.0.0.1:5000", "a", "1", DIGEST)),
    ],
)
def test_references_are_read_as_docker_reads_them(text: str, read: Reference) -> None:
    assert read_reference(text) == read


@pytest.mark.parametrize("text", ["", "A/b", "a//b", "../a", "a:b:c", "a@sha256:1", "a b", "a\nb", "x/" * 300 + "a"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(BadName, match="is not an image"):
        read_reference(text)


def test_an_image_is_told_with_its_digest_labels_and_size(start_registry: Start) -> None:  # noqa: F811
    registry = start_registry()
    digest = add_image(registry, "1")
    for reference in (by_tag(registry), Reference(host_of(registry), REPOSITORY, digest=digest)):
        found = asked(registry).image(reference)
        assert found is not None
        assert (found.digest, found.labels, found.size, len(found.layers)) == (digest, LABELS, 30, 2)
        assert found.image_id == sha256(json.dumps({"config": {"Labels": LABELS}}).encode())


def test_an_image_that_is_not_there_is_none(start_registry: Start) -> None:  # noqa: F811
    registry = start_registry()
    assert asked(registry).image(by_tag(registry)) is None


def test_of_several_platforms_the_digest_is_that_of_all_and_the_labels_of_the_first(
    start_registry: Start,  # noqa: F811
) -> None:
    registry = start_registry()
    image, note = add_image(registry, "amd64"), add_image(registry, "note", {"of": "attestation"})
    entries = [
        {"digest": note, "platform": {"os": "unknown"}},
        {"digest": image, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    index = add_manifest(registry, "1", {"mediaType": INDEX_TYPES[1], "manifests": entries})
    found = asked(registry).image(by_tag(registry))
    assert found is not None
    assert (found.digest, found.labels) == (index, LABELS)


@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_registry_that_wants_a_login_gets_it(start_registry: Start, auth: str, tmp_path: Path) -> None:  # noqa: F811
    registry = start_registry(auth)
    digest = add_image(registry, "1")
    with pytest.raises(LoginRefused):
        asked(registry).image(by_tag(registry))
    login = base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {host_of(registry): {"auth": login}}}))
    found = asked(registry, credentials_in(config, host_of(registry))).image(by_tag(registry))
    assert found is not None
    assert found.digest == digest


def test_a_login_for_docker_hub_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    for name in ("docker.io", "https://index.docker.io/v1/"):
        config.write_text(json.dumps({"auths": {name: {"username": "ada", "password": "pw"}}}))
        assert credentials_in(config, "docker.io") == Credentials("ada", "pw")
    assert credentials_in(config, "registry.example.org") == Credentials()


@pytest.mark.parametrize("body", NO_IMAGES)
def test_what_is_no_image_is_said_in_a_sentence(start_registry: Start, body: Any) -> None:  # noqa: F811
    registry = start_registry()
    add_manifest(registry, "1", body)
    with pytest.raises((BadManifest, ModelNotFound), match="team/ollama"):
        asked(registry).image(by_tag(registry))


def test_another_manifest_than_the_digest_says_is_refused(start_registry: Start) -> None:  # noqa: F811
    registry = start_registry()
    add_image(registry, DIGEST)
    with pytest.raises(BadManifest, match="another manifest"):
        asked(registry).image(Reference(host_of(registry), REPOSITORY, digest=DIGEST))


def test_an_endless_manifest_is_not_read(start_registry: Start) -> None:  # noqa: F811
    registry = start_registry()
    registry.faults.endless_manifest = True
    with pytest.raises(BadManifest, match="more than"):
        asked(registry).image(by_tag(registry))


def test_a_registry_in_trouble_is_an_error_and_not_an_image_that_is_missing(start_registry: Start) -> None:  # noqa: F811
    registry = start_registry()
    registry.faults.statuses = [500]
    with pytest.raises(SourceError, match="500"):
        asked(registry).image(by_tag(registry))


def test_no_registry_at_all_is_an_error_too() -> None:
    registry = ImageRegistry("127.0.0.1:9", Credentials(), Transport(timeout=2))
    with pytest.raises(SourceUnreachable):
        registry.image(Reference("127.0.0.1:9", REPOSITORY))


def test_the_module_tells_what_the_registry_has_and_hides_the_password(start_registry: Start) -> None:  # noqa: F811
    registry = start_registry("basic")
    digest = add_image(registry, "1")
    image = f"{host_of(registry)}/{REPOSITORY}"
    login = {"username": registry.user, "password": registry.password}
    found = run_module("container_image_info", {"image": f"{image}:1", **login})
    assert (found["exists"], found["reference"], found["labels"]) == (True, f"{image}@{digest}", LABELS)
    assert not run_module("container_image_info", {"image": f"{image}:2", **login})["exists"]
    refused = run_module("container_image_info", {"image": f"{image}:1", **login, "password": "an-0ther"})
    assert refused["failed"]
    assert "an-0ther" not in str(refused)


def test_the_module_for_tags_documents_the_options_that_it_takes() -> None:
    from ansible_collections.polycloud.ollama.plugins.modules.container_image_tag import OWN

    options = documentation("container_image_tag")["options"]
    # The description of `image` is narrower than in the fragment, and takes the place of the whole option.
    assert set(options) == {"image", *OWN}
    assert (options["image"]["type"], options["image"]["required"]) == ("str", True)


def test_the_documented_options_are_those_that_the_module_takes() -> None:
    from ansible_collections.polycloud.ollama.plugins.module_utils.images.options import ARGSPEC

    documented = {
        **fragment("polycloud.ollama.registry")["options"],
        **documentation("container_image_info").get("options", {}),
    }
    keys = ("type", "required", "default", "choices")
    told = {name: {key: option[key] for key in keys if key in option} for name, option in documented.items()}
    assert told == {name: {key: entry[key] for key in keys if key in entry} for name, entry in ARGSPEC.items()}
