# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moving a tag writes, and in which order. tests/real/test_image_tags.py does it in a real registry."""

from __future__ import annotations

import hashlib

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.images.promote import Moved, move_tag
from ansible_collections.polycloud.ollama.plugins.module_utils.images.reference import Reference
from ansible_collections.polycloud.ollama.plugins.module_utils.images.registry import ImageRegistry, Manifest
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import Credentials
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import BadName, ModelError, ModelNotFound
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import Transport

HOST, REPOSITORY = "registry.example.org", "team/ollama"


def manifest(content: str) -> Manifest:
    return Manifest(content.encode(), "type", f"sha256:{hashlib.sha256(content.encode()).hexdigest()}")


OLD, NEW, OLDEST = manifest("old"), manifest("new"), manifest("oldest")


class Memory(ImageRegistry):
    """A registry in memory that writes down which tags are moved; it refuses to move those in `immutable`."""

    def __init__(self, **tags: Manifest) -> None:
        super().__init__(HOST, Credentials(), Transport())
        self.kept = {name.replace("_", "-"): found for name, found in tags.items()}
        self.moved: list[str] = []
        self.immutable: set[str] = set()

    def manifest(self, reference: Reference, what: str) -> Manifest | None:
        by_digest = {found.digest: found for found in (OLD, NEW, OLDEST)}
        return by_digest.get(what) if what.startswith("sha256:") else self.kept.get(what)

    def tag(self, reference: Reference, manifest: Manifest, tag: str) -> None:
        if tag in self.immutable:
            raise ModelError(f"{tag} is immutable")
        self.moved.append(tag)
        self.kept[tag] = manifest


def image(found: Manifest) -> Reference:
    return Reference(HOST, REPOSITORY, digest=found.digest)


def promote(registry: Memory, found: Manifest, *, check: bool = False) -> Moved:
    return move_tag(registry, image(found), "stable", "stable-previous", check=check)


def test_the_first_image_has_no_previous_one() -> None:
    registry = Memory()
    moved = promote(registry, NEW)
    assert (moved.before, moved.after, registry.moved) == ({}, {"stable": NEW.digest}, ["stable"])


def test_what_the_tag_meant_is_kept_before_the_tag_moves() -> None:
    registry = Memory(stable=OLD, stable_previous=OLDEST)
    moved = promote(registry, NEW)
    assert registry.moved == ["stable-previous", "stable"]
    assert moved.before == {"stable": OLD.digest, "stable-previous": OLDEST.digest}
    assert moved.after == {"stable": NEW.digest, "stable-previous": OLD.digest}


def test_a_second_run_moves_nothing_and_keeps_the_way_back() -> None:
    registry = Memory(stable=NEW, stable_previous=OLD)
    moved = promote(registry, NEW)
    assert moved.before == moved.after
    assert registry.moved == []


def test_a_run_that_stopped_half_way_is_finished() -> None:
    registry = Memory(stable=OLD, stable_previous=OLD)
    promote(registry, NEW)
    assert registry.moved == ["stable"]


def test_the_way_back_is_the_same_move() -> None:
    registry = Memory(stable=NEW, stable_previous=OLD)
    promote(registry, OLD)
    assert registry.kept == {"stable": OLD, "stable-previous": NEW}


def test_check_mode_says_the_same_and_writes_nothing() -> None:
    checked = Memory(stable=OLD)
    assert promote(checked, NEW, check=True) == promote(Memory(stable=OLD), NEW)
    assert checked.moved == []


def test_a_registry_that_refuses_the_way_back_keeps_the_tag_where_it_is() -> None:
    registry = Memory(stable=OLD)
    registry.immutable = {"stable-previous"}
    with pytest.raises(ModelError, match="immutable"):
        promote(registry, NEW)
    assert registry.kept == {"stable": OLD}


def test_an_image_that_is_not_there_moves_nothing() -> None:
    registry = Memory(stable=OLD)
    with pytest.raises(ModelNotFound, match="Push the image first"):
        promote(registry, manifest("unknown"))
    assert registry.moved == []


@pytest.mark.parametrize(
    ("given", "tag", "previous", "told"),
    [
        (Reference(HOST, REPOSITORY, "1"), "stable", "", "is not pinned"),
        (image(NEW), "../x", "", "is not an image"),
        (image(NEW), "a@b", "", "is not an image"),
        (image(NEW), f"a@{NEW.digest}", "", "is not a tag"),
        (image(NEW), "stable", "stable", "another tag"),
    ],
)
def test_what_is_no_move_is_refused(given: Reference, tag: str, previous: str, told: str) -> None:
    with pytest.raises(BadName, match=told):
        move_tag(Memory(), given, tag, previous)
