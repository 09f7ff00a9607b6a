# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a deployment on Azure Container Instances: the profile that keeps releases, the group that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..clients.azure import AzureClient, Operation
from ..clients.azure_versions import CONTAINER_INSTANCE
from ..compare import FieldChange
from ..errors import ApiError, NotFound
from ..release import RELEASE, SECRETS
from ..resource import Found, Kind, Wanted
from .normalise import IMMUTABLE, container_group, container_group_profile
from .secrets import fill_secrets

PROVIDER = "providers/Microsoft.ContainerInstance"


class GroupKind(Kind):
    """A container group. Its body has one field of ours, C(release): the tag that names the profile revision it runs.

    secrets: values by place, see secrets.py. deployed: the group belongs to a deployment, whose platform waits for it;
    else every write waits by itself and the body has no release.
    """

    title = "aci container group"
    immutable = IMMUTABLE
    # A new salt makes a new digest each time it is computed: it must not show in a plan.
    secret_paths = (f"tags.{SECRETS}",)

    def __init__(self, client: AzureClient, resource_group: str, secrets: Mapping[str, str], *, deployed: bool) -> None:
        self.operation: Operation | None = None
        # What the platform does before running containers end.
        self.before_end: Callable[[Mapping[str, Any]], AbstractContextManager[None]] = lambda raw: nullcontext()
        self._client = client
        self._resource_group = resource_group
        self._secrets = secrets
        self._deployed = deployed

    def id(self, name: str) -> str:
        return f"{self._client.group_id(self._resource_group)}/{PROVIDER}/containerGroups/{name}"

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return container_group(body)

    def read(self, name: str) -> Found | None:
        raw = self._client.get(self.id(name), CONTAINER_INSTANCE)
        return None if raw is None else self.found(raw)

    def found(self, raw: Mapping[str, Any]) -> Found:
        tags = dict(raw.get("tags") or {})
        body = {key: raw[key] for key in ("location", "zones", "identity", "properties") if raw.get(key)}
        if self._deployed and tags.get(RELEASE):
            body["release"] = tags[RELEASE]
        address = (raw.get("properties") or {}).get("ipAddress") or {}
        attributes = {"ip": address.get("ip"), "fqdn": address.get("fqdn")}
        return Found(id=str(raw["id"]), body=body, tags=tags, raw=raw, attributes=attributes)

    def create(self, wanted: Wanted) -> Found:
        return self.put(wanted.name, wanted.body, wanted.tags)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        tags = {**found.tags, **wanted.tags}
        paths = [field.path for field in fields]
        if paths and all(path.startswith("tags.") and path != f"tags.{SECRETS}" for path in paths):
            return self.tag(wanted.name, tags)
        with self.before_end(found.raw):
            return self.put(wanted.name, wanted.body, tags)

    def put(self, name: str, body: Mapping[str, Any], tags: Mapping[str, str]) -> Found:
        """Send the whole body, secrets filled in. All containers of an existing group restart."""
        filled, missing = fill_secrets(body, self._secrets)
        if missing:
            raise NotFound(f"No value is given for the secret(s) {', '.join(missing)} of container group {name}.")
        release = filled.pop("release", None)
        sent = {**filled, "tags": {**tags, **({RELEASE: str(release)} if release else {})}}
        operation = self._client.begin_put(self.id(name), CONTAINER_INSTANCE, sent)
        if self._deployed:
            self.operation = operation
            return self.found(operation.body)
        return self.found(operation.wait())

    def tag(self, name: str, tags: Mapping[str, str]) -> Found:
        """Replace the tags, which is all that PATCH can do and the only change that restarts nothing."""
        return self.found(self._client.patch(self.id(name), CONTAINER_INSTANCE, {"tags": dict(tags)}))

    def delete(self, found: Found) -> None:
        with self.before_end(found.raw):
            self._client.delete(found.id, CONTAINER_INSTANCE)


class ProfileKind(Kind):
    """A container group profile. Each PUT makes a revision; revisions cannot be changed or deleted singly.

    more_tags: tags that it gets beside the compared ones, because a change of theirs alone must not make a release.
    """

    title = "aci container group profile"
    versioned = True

    def __init__(self, client: AzureClient, resource_group: str, more_tags: Mapping[str, str]) -> None:
        self._client = client
        self._resource_group = resource_group
        self._more_tags = more_tags

    def id(self, name: str) -> str:
        return f"{self._client.group_id(self._resource_group)}/{PROVIDER}/containerGroupProfiles/{name}"

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return container_group_profile(body)

    def read(self, name: str) -> Found | None:
        """Read the newest revision."""
        raw = self._client.get(self.id(name), CONTAINER_INSTANCE)
        return None if raw is None else _profile(raw, self.id(name), dict(raw.get("tags") or {}))

    def read_revision(self, name: str, revision: str, tags: Mapping[str, str]) -> Found | None:
        """Read one revision. tags: those of the profile, because nobody says that a revision has its own."""
        raw = self._client.get(f"{self.id(name)}/revisions/{revision}", CONTAINER_INSTANCE)
        return None if raw is None else _profile(raw, self.id(name), tags)

    def create(self, wanted: Wanted) -> Found:
        return self._put(wanted, {})

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        return self._put(wanted, found.tags)

    def _put(self, wanted: Wanted, tags: Mapping[str, str]) -> Found:
        merged = {**tags, **self._more_tags, **wanted.tags}
        operation = self._client.begin_put(self.id(wanted.name), CONTAINER_INSTANCE, {**wanted.body, "tags": merged})
        return _profile(operation.body, self.id(wanted.name), merged)

    def delete(self, found: Found) -> None:
        self._client.delete(found.id, CONTAINER_INSTANCE)


def _profile(raw: Mapping[str, Any], identifier: str, tags: Mapping[str, str]) -> Found:
    revision = (raw.get("properties") or {}).get("revision")
    if revision is None:
        raise ApiError("containerGroupProfiles", 200, "NoRevision", f"{identifier} has no revision number")
    body = {key: raw[key] for key in ("location", "zones", "properties") if raw.get(key)}
    return Found(id=identifier, body=body, tags=tags, raw=raw, attributes={"revision": str(revision)})
