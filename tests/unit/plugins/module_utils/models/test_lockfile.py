# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""models.lock is made for version control: the same pins give the same bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import BadLock, StoreError
from ansible_collections.polycloud.ollama.plugins.module_utils.models.lockfile import LockFile
from ansible_collections.polycloud.ollama.plugins.module_utils.models.manifest import Blob, Manifest
from ansible_collections.polycloud.ollama.plugins.module_utils.models.names import parse

LAYER = Blob("sha256:" + "1" * 64, 10, "application/vnd.ollama.image.model")


def manifest(digit: str) -> Manifest:
    return Manifest(b"{}", "sha256:" + digit * 64, (LAYER,))


def test_an_entry_says_what_where_and_when(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "models.lock")
    lock.pin(parse("tiny"), "https://models.example.org", manifest("a"))
    assert lock.save()
    body = json.loads((tmp_path / "models.lock").read_text())
    entry = body["models"]["registry.ollama.ai/library/tiny:latest"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry.pop("fetched"))
    assert entry == {
        "registry": "https://models.example.org",
        "digest": "sha256:" + "a" * 64,
        "size": 10,
        "layers": [{"digest": LAYER.digest, "media_type": LAYER.media_type, "size": 10}],
    }
    assert LockFile(tmp_path / "models.lock").digest(parse("tiny")) == "sha256:" + "a" * 64
    assert LockFile(tmp_path / "models.lock").digest(parse("tiny:1")) == ""


def test_the_order_of_pins_does_not_matter(tmp_path: Path) -> None:
    for file, names in (("one", ["tiny", "ada/tiny"]), ("two", ["ada/tiny", "tiny"])):
        lock = LockFile(tmp_path / file)
        for name in names:
            lock.pin(parse(name), "folder", manifest("a"))
        lock.save()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_same_pin_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "models.lock"
    first = LockFile(path)
    first.pin(parse("tiny"), "folder", manifest("a"))
    first.save()
    body = path.read_text().replace(json.loads(path.read_text())["models"][parse("tiny").full]["fetched"], "2020-01-01")
    path.write_text(body)
    again = LockFile(path)
    again.pin(parse("tiny"), "elsewhere", manifest("a"))
    assert not again.save()
    assert path.read_text() == body


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"version": 2, "models": {}}',
        '{"version": 1}',
        '{"version": 1, "models": {"x": {}}}',
        '{"version": 1, "models": {"x": {"digest": "sha256:../../x"}}}',
        '{"version": 1, "models": {"x": "sha256"}}',
        "[" * 100_000,
    ],
)
def test_a_broken_file_is_not_taken_for_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models.lock"
    path.write_text(text)
    with pytest.raises(BadLock, match="version control"):
        LockFile(path)


def test_a_file_that_cannot_be_written_is_said_and_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "models.lock").mkdir()
    with pytest.raises(BadLock, match="cannot be read"):
        LockFile(tmp_path / "models.lock")
    lock = LockFile(tmp_path / "none" / "models.lock")
    lock.pin(parse("tiny"), "folder", manifest("a"))
    with pytest.raises(StoreError, match="cannot be written"):
        lock.save()
