# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move a tag to an image that the registry has, and keep what it meant before under another tag."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.errors import BadName, ModelNotFound
from .reference import Reference, pinned, read_reference
from .registry import ImageRegistry


@dataclass(frozen=True)
class Moved:
    """What the tags meant before and mean now: digest by tag."""

    before: dict[str, str]
    after: dict[str, str]


def move_tag(registry: ImageRegistry, image: Reference, tag: str, previous: str = "", *, check: bool = False) -> Moved:
    """Let `tag` mean `image`, and `previous`, where it is given, what `tag` meant before.

    With `check` nothing is written. A second run moves nothing. Raises ModelError.
    """
    _check(image, tag, previous)
    wanted = registry.manifest(image, image.digest)
    if wanted is None:
        raise ModelNotFound(
            f"{image.host} has no {image.by_digest(image.digest)}.",
            hint="Push the image first; a tag is moved only to what exists.",
        )
    tags = [name for name in (tag, previous) if name]
    found = {name: registry.manifest(image, name) for name in tags}
    before = {name: manifest.digest for name, manifest in found.items() if manifest is not None}
    moves = {tag: wanted}
    current = found[tag]
    if current is not None and current.digest == wanted.digest:
        return Moved(before, before)
    if previous and current is not None:
        # First, so that there is a way back whatever happens then.
        moves = {previous: current, tag: wanted}
    moves = {name: manifest for name, manifest in moves.items() if before.get(name) != manifest.digest}
    for name, manifest in moves.items() if not check else ():
        registry.tag(image, manifest, name)
    return Moved(before, {**before, **{name: manifest.digest for name, manifest in moves.items()}})


def _check(image: Reference, tag: str, previous: str) -> None:
    pinned(image)
    for name in filter(None, (tag, previous)):
        if read_reference(f"{image.name}:{name}") != Reference(image.host, image.repository, name):
            raise BadName(f"{name} is not a tag.")
    if tag == previous:
        raise BadName("The previous image needs another tag than the new one.")
