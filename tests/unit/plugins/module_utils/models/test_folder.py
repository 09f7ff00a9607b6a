# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeding copies whole models from a folder, once, and trusts neither side."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models import folder as folder_file
from ansible_collections.polycloud.ollama.plugins.module_utils.models import store as store_file
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import BadBlob, ModelNotFound, TagMoved
from ansible_collections.polycloud.ollama.plugins.module_utils.models.fetch import fetch, seed, verify
from ansible_collections.polycloud.ollama.plugins.module_utils.models.folder import Folder
from ansible_collections.polycloud.ollama.plugins.module_utils.models.registry import Registry as Source
from tests.helpers.registry import Registry, sha256

WEIGHTS = random.Random(1).randbytes(300_000)  # noqa: S311 - the same in each run
BLOB = "blobs/" + sha256(WEIGHTS).replace(":", "-")


@pytest.fixture
def baked(remote: Registry, tmp_path: Path) -> Path:
    """A folder with the models tiny and ada/tiny:2, which share their weights."""
    remote.add("library/tiny", "latest", WEIGHTS, b"one", b"")
    remote.add("ada/tiny", "2", WEIGHTS, b"two")
    fetch(["tiny", "ada/tiny:2"], Source(remote.url), tmp_path / "baked")
    return tmp_path / "baked"


def test_all_models_are_copied_with_what_they_share_once(baked: Path, tmp_path: Path) -> None:
    report = seed(baked, tmp_path / "volume")
    assert sorted(model.name for model in report.models) == ["ada/tiny:2", "tiny:latest"]
    assert report.bytes_fetched == len(WEIGHTS) + len(b"onetwo{}")
    assert [check.problems for check in verify(tmp_path / "volume")] == [(), ()]
    copied = {path.relative_to(tmp_path / "volume") for path in (tmp_path / "volume").rglob("*")}
    assert copied == {path.relative_to(baked) for path in baked.rglob("*")}


def test_one_model_can_be_named(baked: Path, tmp_path: Path) -> None:
    report = seed(baked, tmp_path / "volume", ["tiny"])
    assert [model.name for model in report.models] == ["tiny:latest"]


def test_the_second_time_nothing_is_copied_hashed_or_locked(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(baked, tmp_path / "volume")
    (tmp_path / "volume/.polycloud/lock").unlink()
    monkeypatch.setattr(store_file, "hash_file", lambda path: pytest.fail("hashed"))
    assert not seed(baked, tmp_path / "volume").changed
    assert not (tmp_path / "volume/.polycloud/lock").exists()


@pytest.mark.parametrize("damage", [b"", b"X" * len(WEIGHTS)])
def test_a_damaged_copy_is_repaired(baked: Path, tmp_path: Path, damage: bytes) -> None:
    seed(baked, tmp_path / "volume")
    (tmp_path / "volume" / BLOB).write_bytes(damage)
    assert seed(baked, tmp_path / "volume").bytes_fetched == len(WEIGHTS)
    assert (tmp_path / "volume" / BLOB).read_bytes() == WEIGHTS


@pytest.mark.parametrize("damage", [b"", b"X" * len(WEIGHTS)])
def test_a_damaged_source_is_said_and_nothing_of_it_stays(baked: Path, tmp_path: Path, damage: bytes) -> None:
    (baked / BLOB).write_bytes(damage)
    with pytest.raises(BadBlob, match=sha256(WEIGHTS)):
        seed(baked, tmp_path / "volume", ["tiny"])
    assert not (tmp_path / "volume/manifests").exists()
    assert not list((tmp_path / "volume").rglob(f"*{sha256(WEIGHTS)[7:]}*"))


def test_an_incomplete_source_is_said(baked: Path, tmp_path: Path) -> None:
    (baked / BLOB).unlink()
    with pytest.raises(ModelNotFound, match="has no blob"):
        seed(baked, tmp_path / "volume")
    with pytest.raises(ModelNotFound, match="has no model other:latest"):
        seed(baked, tmp_path / "volume", ["other"])


def test_a_pinned_model_is_compared(baked: Path, tmp_path: Path) -> None:
    with pytest.raises(TagMoved):
        fetch(["tiny@" + "ab" * 32], Folder(baked), tmp_path / "volume")


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_the_kernel_cannot_copy_we_do(
    baked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*arguments: int) -> int:
        raise OSError(code, "not here")

    monkeypatch.setattr(folder_file.os, "copy_file_range", refuse)
    seed(baked, tmp_path / "volume")
    assert (tmp_path / "volume" / BLOB).read_bytes() == WEIGHTS


def test_the_source_is_only_read(baked: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in baked.rglob("*")}
    seed(baked, tmp_path / "volume")
    assert {path: path.stat().st_mtime_ns for path in baked.rglob("*")} == before


def test_a_copy_is_no_link_to_the_source(baked: Path, tmp_path: Path) -> None:
    seed(baked, tmp_path / "volume")
    assert os.stat(baked / BLOB).st_ino != os.stat(tmp_path / "volume" / BLOB).st_ino
    assert os.stat(tmp_path / "volume" / BLOB).st_nlink == 1
