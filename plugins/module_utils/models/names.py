# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of models, resolved as Ollama does, and where they lie in Ollama's layout. Pure.

C(gemma3) means C(registry.ollama.ai/library/gemma3:latest), whose manifest is the file
C(manifests/registry.ollama.ai/library/gemma3/latest) of the models folder, and whose blobs are C(blobs/sha256-<hex>).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ..deployment.names import digest_problem, model_name_problem
from ..text import one_line
from .errors import BadName

if TYPE_CHECKING:
    from typing import TypeGuard  # Python 3.10; the fetcher runs on 3.9

PUBLIC_HOST = "registry.ollama.ai"
PUBLIC_NAMESPACE = "library"
DEFAULT_TAG = "latest"
MANIFESTS = "manifests"
BLOBS = "blobs"
LONGEST_HOST = 253

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?", re.ASCII)


@dataclass(frozen=True)
class ModelName:
    """A full name. `digest` is C(sha256:<64 hex digits>) of the manifest, or empty where the tag decides."""

    host: str
    namespace: str
    model: str
    tag: str
    digest: str = ""

    @property
    def repository(self) -> str:
        """The name of the repository in a registry."""
        return f"{self.namespace}/{self.model}"

    @property
    def full(self) -> str:
        """host/namespace/model:tag, without the digest."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """The name as Ollama shows it: what is the default is left out, the tag is not."""
        if self.host != PUBLIC_HOST:
            return self.full
        prefix = "" if self.namespace == PUBLIC_NAMESPACE else f"{self.namespace}/"
        return f"{prefix}{self.model}:{self.tag}"

    @property
    def path(self) -> PurePosixPath:
        """The manifest's path, relative to the models folder."""
        return PurePosixPath(MANIFESTS, self.host, self.namespace, self.model, self.tag)


def parse(text: str, *, allow_host: bool = False) -> ModelName:
    """Read C([namespace/]name[:tag][@sha256:<hex>]); with `allow_host` also C(host/namespace/name...).

    Raises BadName. A host is refused unless allowed: it would make us fetch from a machine of the name's choice.
    """
    bare, at, digest = text.partition("@")
    if at and digest_problem(digest) is not None:
        raise _bad(text, f"the digest {digest_problem(digest)}")
    host, rest = PUBLIC_HOST, bare
    if allow_host and bare.count("/") == 2:
        host, rest = bare.split("/", 1)
        if len(host) > LONGEST_HOST or not _HOST.fullmatch(host) or not _names_a_host(host):
            raise _bad(text, "the part before the first slash is not a registry host")
    problem = model_name_problem(rest)
    if problem is not None:
        raise _bad(text, f"it {problem}")
    path, dummy, tag = rest.partition(":")
    namespace, dummy, model = path.rpartition("/")
    full_digest = f"sha256:{digest.rpartition(':')[2]}" if at else ""
    return ModelName(host, namespace or PUBLIC_NAMESPACE, model, tag or DEFAULT_TAG, full_digest)


def from_path(parts: Sequence[str]) -> ModelName:
    """The name whose manifest lies at host/namespace/model/tag below the manifests folder. Raises BadName."""
    if len(parts) != 4:
        raise BadName(f"{one_line('/'.join(parts), 80)} is not the path of a manifest.")
    host, namespace, model, tag = parts
    return parse(f"{host}/{namespace}/{model}:{tag}", allow_host=True)


def is_full_digest(value: Any) -> TypeGuard[str]:
    """True for C(sha256:<64 hex digits>), which is how manifests and lock files write digests."""
    return isinstance(value, str) and value.startswith("sha256:") and digest_problem(value) is None


def blob_file(digest: str) -> str:
    """The file name of a blob in the blobs folder. Raises BadName."""
    if not is_full_digest(digest):
        raise BadName(f"'{one_line(digest, 80)}' is not the digest of a blob.")
    return digest.replace(":", "-")


def _names_a_host(host: str) -> bool:
    # As container tools tell a host from a namespace.
    return "." in host or ":" in host or host == "localhost"


def _bad(text: str, problem: str) -> BadName:
    return BadName(f"'{one_line(text, 80)}' is not the name of a model: {problem}.")
