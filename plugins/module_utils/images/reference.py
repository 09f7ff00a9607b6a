# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to images in registries, as docker reads them: registry/repository[:tag][@sha256:digest]."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..models.errors import BadName
from ..text import one_line

DOCKER_HUB = "docker.io"
_REFERENCE = re.compile(
    r"(?:(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)/)?"
    r"(?P<repository>[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
LONGEST = 500


@dataclass(frozen=True)
class Reference:
    """An image. host: with the port where there is one. tag and digest: empty where they were not given."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The image without tag and digest."""
        return f"{self.host}/{self.repository}"

    def by_digest(self, digest: str) -> str:
        """The image pinned by `digest`."""
        return f"{self.name}@{digest}"


def read_reference(text: str) -> Reference:
    """Read a reference. A first part without dot, port and other than localhost belongs to Docker Hub's repository.

    Raises BadName.
    """
    found = _REFERENCE.fullmatch(text) if len(text) <= LONGEST else None
    if not found:
        raise BadName(
            f"{one_line(text, 120)} is not an image.", hint="Give registry/repository[:tag][@sha256:<64 hex digits>]."
        )
    host, repository = found["host"] or "", found["repository"]
    if host and not ("." in host or ":" in host or host == "localhost"):
        host, repository = "", f"{host}/{repository}"
    if host in ("", "index.docker.io", "registry-1.docker.io"):
        host = DOCKER_HUB
    if host == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(host, repository, found["tag"] or "", found["digest"] or "")


def pinned(image: Reference) -> Reference:
    """The image, which has a digest. Raises BadName."""
    if not image.digest:
        raise BadName(f"{image.name} is not pinned.", hint="Give the image with @sha256:<64 hex digits>.")
    return image
