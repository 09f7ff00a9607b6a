# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest is believed only when it is small and says where a model's blobs are."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import BadManifest
from ansible_collections.polycloud.ollama.plugins.module_utils.models.manifest import (
    MAX_LAYERS,
    MAX_MANIFEST,
    read_manifest,
)

ONE = {"digest": "sha256:" + "1" * 64, "size": 10, "mediaType": "config"}
TWO = {"digest": "sha256:" + "2" * 64, "size": 20, "mediaType": "application/vnd.ollama.image.model"}


def raw(**changes: Any) -> bytes:
    body = {"schemaVersion": 2, "config": ONE, "layers": [TWO], **changes}
    return json.dumps({key: value for key, value in body.items() if value is not None}).encode()


def test_the_digest_is_that_of_the_bytes_and_the_size_that_of_all_blobs() -> None:
    manifest = read_manifest(raw(), "tiny")
    assert manifest.digest == "sha256:" + hashlib.sha256(raw()).hexdigest()
    assert [blob.size for blob in manifest.blobs] == [10, 20]
    assert manifest.size == 30


def test_a_blob_that_is_named_twice_is_counted_once() -> None:
    assert read_manifest(raw(layers=[TWO, TWO]), "tiny").size == 30


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (raw(config=None), "no config"),
        (raw(layers=None), "layers"),
        (raw(layers=[]), "layers"),
        (raw(layers=[TWO] * (MAX_LAYERS + 1)), "layers"),
        (raw(layers={"0": TWO}), "layers"),
        (raw(layers=["x"]), "layer 1 is not an object"),
        (raw(manifests=[]), "several platforms"),
        (raw(layers=[{**TWO, "digest": "sha256:../../x"}]), "layer 1 has the digest"),
        (raw(layers=[{**TWO, "digest": "sha256-" + "2" * 64}]), "layer 1 has the digest"),
        (raw(layers=[{**TWO, "digest": "sha512:" + "2" * 128}]), "layer 1 has the digest"),
        (raw(layers=[{**TWO, "digest": "sha256:" + "2" * 64 + "\n"}]), "layer 1 has the digest"),
        (raw(layers=[{**TWO, "digest": 5}]), "layer 1 has the digest"),
        (raw(layers=[{**TWO, "size": -1}]), "no size"),
        (raw(layers=[{**TWO, "size": 2.5}]), "no size"),
        (raw(layers=[{**TWO, "size": True}]), "no size"),
        (raw(layers=[{**TWO, "size": "20"}]), "no size"),
        (raw(layers=[{**TWO, "size": 2**60}]), "no size"),
        (raw(layers=[{**TWO, "mediaType": None}]), "no media type"),
        (raw(layers=[TWO, {**TWO, "size": 21}]), "two sizes"),
        (b" " * (MAX_MANIFEST + 1), "larger than"),
    ],
)
def test_what_is_not_a_models_manifest_is_refused_in_one_line(content: bytes, problem: str) -> None:
    with pytest.raises(BadManifest, match=problem) as caught:
        read_manifest(content, "tiny")
    assert "tiny" in str(caught.value)
    assert str(caught.value).isprintable()


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_json_brings_down_the_reader(body: Any) -> None:
    for content in (body, {"config": body, "layers": [body]}, {"config": ONE, "layers": body}):
        with pytest.raises(BadManifest):
            read_manifest(json.dumps(content).encode(), "tiny")
