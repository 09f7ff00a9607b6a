# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource kinds of Container Apps: managed environment, its storages, and the app as a single resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..clients.azure_versions import CONTAINER_APPS
from ..compare import FieldChange
from ..errors import NotFound, Refused
from ..resource import Found, Kind, Wanted, gather
from . import normalise
from .bodies import with_secrets
from .naming import PROVIDER, app_id, environment_id

Body = dict[str, Any]


class Write(Protocol):
    """A write that ARM has accepted."""

    def wait(self) -> Body: ...


class Arm(Protocol):
    """The calls of the Azure client that this package makes (clients/azure.py)."""

    @property
    def subscription_id(self) -> str: ...

    def group_id(self, resource_group: str) -> str: ...

    def get(self, resource_id: str, api_version: str) -> Body | None: ...

    def put(
        self, resource_id: str, api_version: str, body: Mapping[str, Any], *, timeout: float | None = None
    ) -> Body: ...

    def begin_put(
        self, resource_id: str, api_version: str, body: Mapping[str, Any], *, timeout: float | None = None
    ) -> Write: ...

    def patch(
        self, resource_id: str, api_version: str, body: Mapping[str, Any], *, timeout: float | None = None
    ) -> Body: ...

    def post(
        self,
        resource_id: str,
        action: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> Body: ...

    def delete(self, resource_id: str, api_version: str, *, timeout: float | None = None) -> None: ...

    def list(self, collection_id: str, api_version: str) -> list[Body]: ...


class EnvironmentKind(Kind):
    """A managed environment. secrets: values of its body by their path's last name (C(sharedKey))."""

    title = "managed environment"
    immutable = ("location", "properties.zoneRedundant", "properties.vnetConfiguration")

    def __init__(
        self,
        arm: Arm,
        resource_group: str,
        *,
        secrets: Mapping[str, str] | None = None,
        guest: str = "",
        storages: Iterable[str] = (),
    ) -> None:
        """guest and storages: the id of the app and the names of the storages that do not count as its users."""
        self._arm = arm
        self._group = resource_group
        self._secrets = dict(secrets or {})
        self._guest = guest
        self._storages = frozenset(storages)

    def id(self, name: str) -> str:
        return environment_id(self._arm.group_id(self._group), name)

    def normalise(self, body: Mapping[str, Any]) -> Body:
        return normalise.environment(body)

    def read(self, name: str) -> Found | None:
        raw = self._arm.get(self.id(name), CONTAINER_APPS)
        return _environment_found(raw) if raw else None

    def create(self, wanted: Wanted) -> Found:
        body = {**self._filled(wanted.body), "tags": dict(wanted.tags)}
        return _environment_found(self._arm.put(self.id(wanted.name), CONTAINER_APPS, body))

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        changed = self._filled(wanted.body)["properties"]
        patch: Body = {"tags": {**found.tags, **wanted.tags}}
        # Only what may change goes out: Azure refuses even equal values of some fixed fields.
        names = [key for key in ("workloadProfiles", "appLogsConfiguration") if key in changed]
        patch["properties"] = {key: changed[key] for key in names}
        return _environment_found(
            self._arm.patch(found.id, CONTAINER_APPS, {**patch, "location": found.raw["location"]})
        )

    def delete(self, found: Found) -> None:
        users = self.in_use(found)
        if users:
            raise Refused(f"{self.title} {_last(found.id)} is used by {users}.", hint="Delete them first.")
        self._arm.delete(found.id, CONTAINER_APPS)

    def in_use(self, found: Found) -> str:
        scope = f"/subscriptions/{self._arm.subscription_id}/{PROVIDER}"
        reads = gather(
            {
                "apps": lambda: self._arm.list(f"{scope}/containerApps", CONTAINER_APPS),
                "jobs": lambda: self._listed(f"{scope}/jobs"),
                "storages": lambda: self._listed(f"{found.id}/storages"),
            }
        )
        here = found.id.lower()
        mine = {self._guest.lower()}
        apps = [item for item in reads["apps"] if _environment_of(item) == here and item["id"].lower() not in mine]
        jobs = [item for item in reads["jobs"] if _environment_of(item) == here]
        storages = [item for item in reads["storages"] if item["name"] not in self._storages]
        counts = (("other app", len(apps)), ("job", len(jobs)), ("other storage", len(storages)))
        return ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts if count)

    def _listed(self, path: str) -> list[Body]:
        try:
            return self._arm.list(path, CONTAINER_APPS)
        except NotFound:
            # A cloud without jobs has none that could use the environment, and one that is being deleted no storages.
            return []

    def _filled(self, body: Mapping[str, Any]) -> Body:
        key = self._secrets.get("sharedKey")
        logs = (body["properties"].get("appLogsConfiguration") or {}).get("logAnalyticsConfiguration") or {}
        if not key or not logs:
            return dict(body)
        filled = {"destination": "log-analytics", "logAnalyticsConfiguration": {**logs, "sharedKey": key}}
        return {**body, "properties": {**body["properties"], "appLogsConfiguration": filled}}


class EnvironmentStorageKind(Kind):
    """A file share as an environment knows it. Its key is never returned.

    The caller says whether the key has changed: a found body with C(accountKey: (former)) differs from a wanted one.
    """

    title = "environment storage"
    taggable = False
    secret_paths = ("properties.azureFile.accountKey",)

    def __init__(self, arm: Arm, environment: str, *, account_key: str | None = None) -> None:
        """environment: the id of the managed environment."""
        self._arm = arm
        self._environment = environment
        self.account_key = account_key

    def id(self, name: str) -> str:
        return f"{self._environment}/storages/{name}"

    def normalise(self, body: Mapping[str, Any]) -> Body:
        return normalise.environment_storage(body)

    def read(self, name: str) -> Found | None:
        raw = self._arm.get(self.id(name), CONTAINER_APPS)
        return _storage_found(raw) if raw else None

    def create(self, wanted: Wanted) -> Found:
        body = dict(wanted.body["properties"])
        if self.account_key and "accountKey" in (body.get("azureFile") or {}):
            body["azureFile"] = {**body["azureFile"], "accountKey": self.account_key}
        return _storage_found(self._arm.put(self.id(wanted.name), CONTAINER_APPS, {"properties": body}))

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        return self.create(wanted)

    def delete(self, found: Found) -> None:
        self._arm.delete(found.id, CONTAINER_APPS)


class ContainerAppKind(Kind):
    """A container app as a single resource: its template is that of the newest revision, traffic is as given."""

    title = "container app"
    immutable = ("location", "properties.environmentId")
    secret_paths = ("tags.polycloud-secrets", "tags.polycloud-storage-key")

    def __init__(self, arm: Arm, resource_group: str, *, secrets: Mapping[str, str] | None = None) -> None:
        """secrets: values by the secret's name, put in when the app is written."""
        self.arm = arm
        self._group = resource_group
        self.secrets = dict(secrets or {})

    def id(self, name: str) -> str:
        return app_id(self.arm.group_id(self._group), name)

    def normalise(self, body: Mapping[str, Any]) -> Body:
        return normalise.app(body)

    def read(self, name: str) -> Found | None:
        raw = self.arm.get(self.id(name), CONTAINER_APPS)
        return app_found(raw) if raw else None

    def create(self, wanted: Wanted) -> Found:
        body = {**with_secrets(wanted.body, self.secrets), "tags": dict(wanted.tags)}
        return app_found(self.arm.put(self.id(wanted.name), CONTAINER_APPS, body))

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        if all(field.path.startswith("tags.") for field in fields):
            tags = {**found.tags, **wanted.tags}
            return app_found(self.arm.patch(found.id, CONTAINER_APPS, {"tags": tags}))
        return self.create(
            Wanted(key=wanted.key, name=wanted.name, body=wanted.body, tags={**found.tags, **wanted.tags})
        )

    def delete(self, found: Found) -> None:
        self.arm.delete(found.id, CONTAINER_APPS)


def app_found(raw: Body, body: Mapping[str, Any] | None = None) -> Found:
    """A container app as read. body: in the shape of a wanted one where it is not the answer itself."""
    properties = raw.get("properties") or {}
    ingress = (properties.get("configuration") or {}).get("ingress") or {}
    return Found(
        id=raw["id"],
        body=body or {key: raw.get(key) for key in ("location", "identity", "properties")},
        tags=raw.get("tags") or {},
        raw=raw,
        attributes={"fqdn": ingress.get("fqdn") or "", "revision": properties.get("latestRevisionName") or ""},
    )


def _environment_found(raw: Body) -> Found:
    properties = raw.get("properties") or {}
    return Found(
        id=raw["id"],
        body={"location": raw.get("location"), "properties": properties},
        tags=raw.get("tags") or {},
        raw=raw,
        attributes={"default_domain": properties.get("defaultDomain"), "static_ip": properties.get("staticIp")},
    )


def _storage_found(raw: Body) -> Found:
    return Found(id=raw["id"], body={"properties": raw.get("properties") or {}}, raw=raw)


def _environment_of(app: Mapping[str, Any]) -> str:
    properties = app.get("properties") or {}
    return str(properties.get("environmentId") or properties.get("managedEnvironmentId") or "").lower()


def _last(resource_id: str) -> str:
    return resource_id.rsplit("/", 1)[-1]
