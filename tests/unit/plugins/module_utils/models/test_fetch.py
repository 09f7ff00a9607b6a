# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fetch ends with the whole model or with none of it visible, and asks for no more than it needs."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models import store as store_file
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import (
    BadBlob,
    BadLock,
    BadName,
    ModelNotFound,
    NotEnoughSpace,
    StoreError,
    TagMoved,
    UnsafePath,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.fetch import (
    Report,
    fetch,
    installed,
    resolve,
    seed,
    verify,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.limits import Limits
from ansible_collections.polycloud.ollama.plugins.module_utils.models.registry import Registry as Source
from tests.helpers.registry import Registry, sha256

WEIGHTS = random.Random(1).randbytes(200_000)  # noqa: S311 - the same in each run
QUICK = Limits(part_size=65536, attempts=3, first_pause=0.001, longest_pause=0.002, timeout=5)
MANIFEST = "manifests/registry.ollama.ai/library/tiny/latest"


def pull(remote: Registry, target: Path, *models: str, lock: Path | None = None, update_lock: bool = False) -> Report:
    source = Source(remote.url, limits=QUICK)
    return fetch(models or ["tiny"], source, target, lock=lock, update_lock=update_lock)


def files(target: Path) -> dict[str, bytes]:
    found = (path for path in target.rglob("*") if path.is_file() and ".polycloud" not in path.parts)
    return {str(path.relative_to(target)): path.read_bytes() for path in found}


def blob(content: bytes) -> str:
    return "blobs/" + sha256(content).replace(":", "-")


def test_a_model_lies_where_ollama_looks_for_it(remote: Registry, tmp_path: Path) -> None:
    digest = remote.add("library/tiny", "latest", WEIGHTS, b"template", b"", config=b"{}")
    report = pull(remote, tmp_path)
    (model,) = report.models
    assert (model.name, model.digest, model.size) == ("tiny:latest", digest, 200_010)
    assert model.changed
    assert model.bytes_fetched == remote.blob_bytes == 200_010
    raw = remote.manifests["library/tiny", "latest"]
    assert files(tmp_path) == {MANIFEST: raw, **{blob(each): each for each in (WEIGHTS, b"template", b"", b"{}")}}


def test_the_second_time_only_the_tag_is_asked_for_and_nothing_is_written(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    pull(remote, tmp_path)
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    remote.forget()
    report = pull(remote, tmp_path)
    assert not report.changed
    assert [request.path for request in remote.requests] == ["/v2/library/tiny/manifests/latest"]
    assert {path: path.stat() for path in tmp_path.rglob("*")} == before


def test_a_pinned_model_that_is_there_needs_no_network_and_no_writable_folder(remote: Registry, tmp_path: Path) -> None:
    digest = remote.add("library/tiny", "latest", WEIGHTS)
    pull(remote, tmp_path)
    remote.forget()
    (tmp_path / ".polycloud/lock").unlink()
    assert not pull(remote, tmp_path, f"tiny@{digest}").changed
    assert not remote.requests
    assert not (tmp_path / ".polycloud/lock").exists()


@pytest.mark.parametrize("damage", [b"", WEIGHTS[:-1], b"X" + WEIGHTS[1:], WEIGHTS + b"X"])
def test_a_damaged_blob_is_repaired_and_nothing_else_is_fetched(
    remote: Registry, tmp_path: Path, damage: bytes
) -> None:
    digest = remote.add("library/tiny", "latest", WEIGHTS, b"template")
    pull(remote, tmp_path)
    (tmp_path / blob(WEIGHTS)).write_bytes(damage)
    remote.forget()
    report = pull(remote, tmp_path, f"tiny@{digest}")
    assert report.changed
    assert report.bytes_fetched == remote.blob_bytes == len(WEIGHTS)
    assert (tmp_path / blob(WEIGHTS)).read_bytes() == WEIGHTS


def test_what_two_models_share_is_fetched_once(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS, b"one")
    remote.add("ada/tiny", "2", WEIGHTS, b"two")
    report = pull(remote, tmp_path, "tiny", "ada/tiny:2", "library/tiny:latest")
    assert [model.name for model in report.models] == ["tiny:latest", "ada/tiny:2"]
    assert remote.served[sha256(WEIGHTS)] == len(WEIGHTS)


def test_only_a_new_manifest_is_written_when_all_blobs_are_there(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    remote.add("library/tiny", "other", WEIGHTS)
    pull(remote, tmp_path)
    remote.forget()
    assert pull(remote, tmp_path, "tiny:other").changed
    assert remote.blob_bytes == 0


def test_the_manifest_comes_last(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS, b"template")
    del remote.blobs[sha256(b"template")]
    with pytest.raises(ModelNotFound, match=sha256(b"template")):
        pull(remote, tmp_path)
    assert MANIFEST not in files(tmp_path)


def test_a_failed_update_leaves_the_former_model_whole(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    pull(remote, tmp_path)
    before = files(tmp_path)
    remote.add("library/tiny", "latest", b"better" * 1000)
    remote.faults.wrong_bytes = 99
    with pytest.raises(BadBlob):
        pull(remote, tmp_path)
    assert files(tmp_path) == before


def test_what_belongs_to_others_is_never_removed(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    other = {"blobs/sha256-" + "9" * 64: b"other", "blobs/sha256-" + "8" * 64 + "-partial": b"coming", "notes": b"mine"}
    for name, content in other.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    pull(remote, tmp_path)
    assert other.items() <= files(tmp_path).items()


def test_too_little_space_is_found_before_anything_is_fetched(
    remote: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    monkeypatch.setattr(store_file, "free_bytes", lambda path: 200_000)
    with pytest.raises(NotEnoughSpace, match="needs 210002 bytes .* has 200000 free"):
        pull(remote, tmp_path)
    assert remote.blob_bytes == 0
    assert files(tmp_path) == {}


def test_a_link_in_the_target_is_refused_before_anything_is_fetched(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    target, outside = tmp_path / "models", tmp_path / "outside"
    target.mkdir()
    outside.mkdir()
    (target / "blobs").symlink_to(outside)
    with pytest.raises(UnsafePath):
        pull(remote, target)
    assert not list(outside.iterdir())
    assert remote.blob_bytes == 0


def test_a_digest_is_fetched_even_when_the_tag_has_moved(remote: Registry, tmp_path: Path) -> None:
    digest = remote.add("library/tiny", "latest", b"old")
    remote.add("library/tiny", "latest", b"new")
    assert pull(remote, tmp_path, f"tiny@{digest}").models[0].digest == digest
    assert blob(b"old") in files(tmp_path)


def test_a_registry_without_digests_is_asked_by_tag_and_compared(remote: Registry, tmp_path: Path) -> None:
    digest = remote.add("library/tiny", "latest", b"old")
    remote.faults.no_digests = True
    assert pull(remote, tmp_path, f"tiny@{digest}").models[0].digest == digest
    moved = remote.add("library/tiny", "latest", b"new")
    with pytest.raises(TagMoved, match=f"pinned to {digest}, but the source has {moved} .*--update-lock"):
        pull(remote, tmp_path / "other", f"tiny@{digest}")
    assert files(tmp_path / "other") == {}


def test_one_tag_with_two_digests_is_refused(remote: Registry, tmp_path: Path) -> None:
    with pytest.raises(BadLock, match="two digests"):
        pull(remote, tmp_path, "tiny", "tiny@" + "ab" * 32)
    assert not remote.requests


def test_names_that_differ_in_capitals_alone_are_one_model_to_ollama(remote: Registry, tmp_path: Path) -> None:
    with pytest.raises(BadName, match="tiny:latest and Tiny:latest are one model"):
        pull(remote, tmp_path, "tiny", "Tiny")
    assert not remote.requests


def test_a_model_that_is_not_there_is_said(remote: Registry, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="has no tiny:latest"):
        pull(remote, tmp_path)
    assert files(tmp_path) == {}


def test_a_prefix_in_the_registry_s_address_goes_before_each_repository(remote: Registry, tmp_path: Path) -> None:
    remote.add("team/models/library/tiny", "latest", WEIGHTS)
    fetch(["tiny"], Source(f"{remote.url}/team/models", limits=QUICK), tmp_path)
    assert MANIFEST in files(tmp_path)


def test_a_lock_pins_what_a_tag_meant(remote: Registry, tmp_path: Path) -> None:
    lock = tmp_path / "models.lock"
    old = remote.add("library/tiny", "latest", b"old")
    assert pull(remote, tmp_path / "one", lock=lock).lock_written
    new = remote.add("library/tiny", "latest", b"new")
    again = pull(remote, tmp_path / "two", lock=lock)
    assert (again.models[0].digest, again.lock_written) == (old, False)
    updated = pull(remote, tmp_path / "two", lock=lock, update_lock=True)
    assert (updated.models[0].digest, updated.lock_written) == (new, True)
    remote.forget()
    assert not pull(remote, tmp_path / "two", lock=lock).changed
    assert not remote.requests


def test_a_digest_that_contradicts_the_lock_is_refused(remote: Registry, tmp_path: Path) -> None:
    lock = tmp_path / "models.lock"
    old = remote.add("library/tiny", "latest", b"old")
    new = remote.add("library/tiny", "latest", b"new")
    pull(remote, tmp_path, f"tiny@{old}", lock=lock)
    with pytest.raises(BadLock, match="--update-lock"):
        pull(remote, tmp_path, f"tiny@{new}", lock=lock)
    assert pull(remote, tmp_path, f"tiny@{new}", lock=lock, update_lock=True).models[0].digest == new


def test_a_failed_fetch_pins_nothing(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS)
    remote.faults.wrong_bytes = 99
    with pytest.raises(BadBlob):
        pull(remote, tmp_path, lock=tmp_path / "models.lock")
    assert not (tmp_path / "models.lock").exists()


def test_names_are_resolved_without_fetching(remote: Registry) -> None:
    digest = remote.add("library/tiny", "latest", WEIGHTS)
    (found,) = resolve(["tiny"], Source(remote.url))
    assert (found.name, found.digest, found.size) == ("tiny:latest", digest, 200_002)
    assert remote.blob_bytes == 0


def test_a_folder_that_is_not_there_is_not_taken_for_a_good_one(tmp_path: Path) -> None:
    for look in (installed, verify):
        with pytest.raises(StoreError, match="not a folder"):
            look(tmp_path / "none")
    with pytest.raises(StoreError, match="not a folder"):
        seed(tmp_path / "none", tmp_path / "models")


def test_what_is_in_a_folder_is_listed_and_checked(remote: Registry, tmp_path: Path) -> None:
    remote.add("library/tiny", "latest", WEIGHTS, b"template")
    pull(remote, tmp_path)
    assert [check.problems for check in (*installed(tmp_path), *verify(tmp_path))] == [(), ()]
    times = (tmp_path / blob(WEIGHTS)).stat()
    (tmp_path / blob(WEIGHTS)).write_bytes(b"X" + WEIGHTS[1:])
    os.utime(tmp_path / blob(WEIGHTS), ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / blob(b"template")).unlink()
    (found,) = verify(tmp_path)
    assert found.problems == (f"blob {sha256(WEIGHTS)} is damaged", f"blob {sha256(b'template')} is missing")
    assert installed(tmp_path)[0].problems == (f"blob {sha256(b'template')} is missing",)
    assert verify(tmp_path, ["other"])[0].problems == ("it is not there",)
