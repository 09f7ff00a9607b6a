# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target folder is written whole or not at all, by one writer, and never through a link."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models import store as store_file
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import (
    NotEnoughSpace,
    StillLocked,
    StoreError,
    UnsafePath,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.manifest import Blob
from ansible_collections.polycloud.ollama.plugins.module_utils.models.names import parse
from ansible_collections.polycloud.ollama.plugins.module_utils.models.progress import quiet
from ansible_collections.polycloud.ollama.plugins.module_utils.models.store import (
    DAMAGED,
    MISSING,
    PRESENT,
    Store,
    guarded,
)

CONTENT = b"weights" * 100
BLOB = Blob("sha256:" + hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "model")


def put(store: Store, content: bytes = CONTENT) -> Path:
    path = store.root / store.blob_path(BLOB.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "link", ["manifests", "manifests/registry.ollama.ai", "manifests/registry.ollama.ai/library/tiny"]
)
def test_a_linked_folder_below_the_target_is_refused_and_nothing_lands_behind_it(tmp_path: Path, link: str) -> None:
    outside, target = tmp_path / "outside", tmp_path / "models"
    outside.mkdir()
    (target / link).parent.mkdir(parents=True)
    (target / link).symlink_to(outside)
    with pytest.raises(UnsafePath, match="symbolic link"):
        Store(target).write_manifest(parse("tiny"), b"{}")
    assert not list(outside.iterdir())


def test_a_linked_file_is_refused_too(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    store = Store(tmp_path / "models")
    path = put(store)
    path.unlink()
    path.symlink_to(victim)
    with pytest.raises(UnsafePath, match="symbolic link"):
        store.state(BLOB)
    with pytest.raises(UnsafePath, match="symbolic link"):
        store.create(store.blob_path(BLOB.digest))
    assert victim.read_text() == "mine"


def test_a_draft_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    store = Store(tmp_path / "models")
    folder = store.place(parse("tiny").path, make=True).parent
    (folder / ".latest.draft").symlink_to(victim)
    with pytest.raises(UnsafePath):
        store.write_manifest(parse("tiny"), b"{}")
    assert victim.read_text() == "mine"


def test_the_target_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "volume")
    Store(tmp_path / "models").write_manifest(parse("tiny"), b"{}")
    assert (tmp_path / "volume/manifests/registry.ollama.ai/library/tiny/latest").read_bytes() == b"{}"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "blobs/../../x", ""])
def test_a_path_that_leaves_the_target_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath, match="does not stay"):
        Store(tmp_path).place(PurePosixPath(path))


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "manifests").write_text("")
    with pytest.raises(UnsafePath, match="not a folder"):
        Store(tmp_path).write_manifest(parse("tiny"), b"{}")


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    former = os.umask(0o022)
    try:
        Store(tmp_path).write_manifest(parse("tiny"), b"{}")
    finally:
        os.umask(former)
    assert (tmp_path / parse("tiny").path).stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_former_content_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.write_manifest(parse("tiny"), b"old")
    monkeypatch.setattr(store_file.os, "fsync", failing)
    with pytest.raises(OSError, match="no more"):
        store.write_manifest(parse("tiny"), b"new")
    folder = (tmp_path / parse("tiny").path).parent
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"latest": b"old"}


def failing(descriptor: int) -> None:
    raise OSError(28, "no more")


def test_a_blob_is_present_missing_or_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.state(BLOB) == MISSING
    put(store)
    assert store.state(BLOB) == PRESENT
    put(store, CONTENT[:-1])
    assert store.state(BLOB) == DAMAGED
    put(store, b"X" + CONTENT[1:])
    assert store.state(BLOB) == DAMAGED


def test_a_blob_that_was_verified_is_not_hashed_again_until_it_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Store(tmp_path)
    path = put(first)
    assert first.state(BLOB) == PRESENT
    first.save_record()
    hashed = []
    monkeypatch.setattr(store_file, "hash_file", lambda path: hashed.append(path) or BLOB.digest)
    again = Store(tmp_path)
    assert again.state(BLOB) == PRESENT
    assert not hashed
    assert again.state(BLOB, rehash=True) == PRESENT
    os.utime(path)
    assert again.state(BLOB) == PRESENT
    assert len(hashed) == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"sha256-x": 5}', b"[" * 100_000])
def test_a_broken_record_only_costs_a_hash(tmp_path: Path, content: bytes) -> None:
    put(Store(tmp_path))
    (tmp_path / ".polycloud").mkdir()
    (tmp_path / ".polycloud/verified.json").write_bytes(content)
    assert Store(tmp_path).state(BLOB) == PRESENT


def test_too_little_space_is_said_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_file, "free_bytes", lambda path: 1049)
    Store(tmp_path).need(999)
    with pytest.raises(NotEnoughSpace, match="needs 1050 bytes .* has 1049 free"):
        Store(tmp_path).need(1000)


def test_a_second_writer_waits_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    with Store(tmp_path).writer(0, quiet):
        started = time.monotonic()
        with pytest.raises(StillLocked, match="more than 0 s"), Store(tmp_path).writer(0.3, told.append):
            raise AssertionError("two writers")
        assert 0.3 <= time.monotonic() - started < 5
    assert len(told) == 1
    assert "waiting for another process" in told[0]
    with Store(tmp_path).writer(0, quiet):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import fcntl, sys, time\n"
        f"stream = open({str(tmp_path / '.polycloud/lock')!r}, 'w')\n"
        "fcntl.flock(stream, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    (tmp_path / ".polycloud").mkdir()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StillLocked), Store(tmp_path).writer(0, quiet):
            raise AssertionError("two writers")
        holder.kill()
    with Store(tmp_path).writer(5, quiet):
        pass


def test_an_error_of_the_file_system_is_one_clear_line() -> None:
    with (
        pytest.raises(StoreError, match=r"/models cannot be used: No space left on device\."),
        guarded(Path("/models")),
    ):
        raise OSError(28, "No space left on device")


def test_only_models_are_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_manifest(parse("tiny"), b"{}")
    store.write_manifest(parse("models.example.org/ada/tiny:1", allow_host=True), b"{}")
    (tmp_path / "manifests/registry.ollama.ai/library/tiny/.latest.draft").write_text("")
    (tmp_path / "manifests/stray").write_text("")
    assert [name.short for name in store.names()] == ["models.example.org/ada/tiny:1", "tiny:latest"]
