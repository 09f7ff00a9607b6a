# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a model: which blobs it has, how large they are. Pure.

It is Docker's schema 2 (or OCI's image manifest, which has the same fields). Its digest is the sha256 of its bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..text import one_line
from .errors import BadManifest
from .names import is_full_digest

MAX_MANIFEST = 4 * 1024 * 1024  # bytes; real ones have a few thousand
MAX_LAYERS = 1000
MAX_SIZE = 2**50  # bytes of one blob
MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)


@dataclass(frozen=True)
class Blob:
    """A file of a model. `digest` is C(sha256:<hex>), `size` in bytes."""

    digest: str
    size: int
    media_type: str


@dataclass(frozen=True)
class Manifest:
    """`raw` is what lies on the disk, byte by byte; `blobs` are its distinct blobs, the config first."""

    raw: bytes = field(repr=False)
    digest: str
    blobs: tuple[Blob, ...]

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def read_manifest(raw: bytes, of: str) -> Manifest:
    """Check the manifest of the model `of` and return it. Raises BadManifest."""
    if len(raw) > MAX_MANIFEST:
        raise BadManifest(f"The manifest of {of} is larger than {MAX_MANIFEST} bytes.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise _bad(of, "it is not JSON") from None
    if not isinstance(body, dict):
        raise _bad(of, "it is not an object")
    if "manifests" in body:
        raise _bad(of, "it is a list of images for several platforms, not a model")
    config, layers = body.get("config"), body.get("layers")
    if not isinstance(config, dict):
        raise _bad(of, "it has no config")
    if not isinstance(layers, list) or not layers or len(layers) > MAX_LAYERS:
        raise _bad(of, f"it must have 1 to {MAX_LAYERS} layers")
    found: dict[str, Blob] = {}
    for place, item in enumerate([config, *layers]):
        blob = _blob(item, of, "config" if place == 0 else f"layer {place}")
        if found.setdefault(blob.digest, blob).size != blob.size:
            raise _bad(of, f"blob {blob.digest} has two sizes")
    return Manifest(raw, digest_of(raw), tuple(found.values()))


def _blob(item: Any, of: str, where: str) -> Blob:
    if not isinstance(item, Mapping):
        raise _bad(of, f"{where} is not an object")
    digest, size, media_type = item.get("digest"), item.get("size"), item.get("mediaType")
    if not is_full_digest(digest):
        raise _bad(of, f"{where} has the digest '{one_line(str(digest), 80)}', which is not sha256:<64 hex digits>")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
        raise _bad(of, f"{where} has no size in bytes")
    if not isinstance(media_type, str):
        raise _bad(of, f"{where} has no media type")
    return Blob(digest, size, one_line(media_type, 120))


def _bad(of: str, problem: str) -> BadManifest:
    return BadManifest(
        f"The manifest of {of} is not one of a model: {problem}.",
        hint="Check the name and the registry; nothing was written.",
    )
