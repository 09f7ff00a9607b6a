# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One resource of a cloud: what is wanted, what is found, and the few calls that every kind answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .compare import FieldChange

T = TypeVar("T")
MOST_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A resource as translated. key: its place in the bundle, unique.

    body: the API's shape, may hold Ref. shared: may serve other deployments too (a cluster,
    an environment): created if missing, never deleted while used, owned by the collection and not by one deployment.
    """

    key: str
    name: str
    body: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A resource as read. id: ARN or resource id. body: in the shape of Wanted.body. raw: the API's whole answer.

    attributes: what a Ref may ask for beside C(id).
    """

    id: str
    body: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def attribute(self, name: str) -> Any:
        return self.id if name == "id" else self.attributes[name]


class Kind(ABC):
    """The calls of one resource kind. Errors are ours (errors.py), never the SDK's.

    title: for a person, C(ecs service). immutable: top-level fields (or dotted prefixes) whose change needs a replace.
    secret_paths: dotted prefixes never rendered. versioned: an update makes a new version with a new id.
    taggable: carries our tags; an untaggable kind is owned by being the child of an owned one.
    """

    title: str = ""
    immutable: tuple[str, ...] = ()
    secret_paths: tuple[str, ...] = ()
    versioned: bool = False
    taggable: bool = True

    @abstractmethod
    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Bring a wanted or a found body into the one form that is compared. Pure and idempotent."""

    @abstractmethod
    def read(self, name: str) -> Found | None:
        """Read the resource, None if it does not exist."""

    @abstractmethod
    def create(self, wanted: Wanted) -> Found:
        """Create the resource and wait until others may refer to it."""

    @abstractmethod
    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        """Change the resource. fields: what differs (C(tags.…) for tags)."""

    @abstractmethod
    def delete(self, found: Found) -> None:
        """Delete the resource and wait until it is gone. Deleting what is gone already is no error."""

    def in_use(self, found: Found) -> str:
        """For shared resources: why it must stay (C(2 other services)), empty if it may go."""
        return ""


def gather(calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Make independent reads at the same time and return their answers by key; the first error is raised."""
    if not calls:
        return {}
    with ThreadPoolExecutor(max_workers=min(MOST_THREADS, len(calls))) as pool:
        futures = {key: pool.submit(call) for key, call in calls.items()}
        return {key: future.result() for key, future in futures.items()}
