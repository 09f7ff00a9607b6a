# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source of models must do. There are two: a registry (registry.py) and a folder (folder.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .manifest import Blob
from .names import ModelName
from .progress import Meter
from .store import Store

# As many as Ollama opens, since storage services limit the rate of each connection.
STREAMS, MOST_STREAMS = 16, 64


class Source(Protocol):
    """`describe` is what the lock file and messages call it: a URL, or C(folder)."""

    @property
    def describe(self) -> str: ...

    def manifest(self, name: ModelName, digest: str) -> bytes:
        """The manifest's bytes: by `digest` where that is given and can be served, else by the tag.

        The caller compares digests. Raises ModelNotFound and other ModelErrors.
        """

    def bring(self, name: ModelName, blobs: Sequence[Blob], store: Store, meter: Meter, parallel: int) -> None:
        """Put checked blobs into the store. Raises BadBlob and other ModelErrors."""
