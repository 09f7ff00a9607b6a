# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of C(container_app) and C(container_app_environment), and what C(container_app_info) reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..clients.azure_versions import CONTAINER_APPS
from ..release import SECRETS, Record, secrets_digest
from ..resource import Found, Kind, Wanted, gather
from ..resource_module import Bundle, describe
from ..shape import from_api
from . import single
from .answers import image_of
from .naming import PROVIDER, app_id, environment_id, revision_id
from .resources import Arm, ContainerAppKind, EnvironmentKind, EnvironmentStorageKind
from .translate import HIDDEN, STORAGE_KEY

Body = dict[str, Any]
FORMER = "(former)"


def app_bundle(params: Mapping[str, Any], arm: Arm) -> Bundle:
    """A container app. It is read first: a tag of it tells whether the secret values are the same."""
    present = params["state"] == "present"
    body, values = single.container_app(params) if present else ({}, {})
    kind = ContainerAppKind(arm, params["resource_group"], secrets=values)
    existing = kind.read(params["name"])
    digest = secrets_digest(values, existing.tags.get(SECRETS, "") if existing else "")
    tags = {**params["tags"], **({SECRETS: digest} if digest else {})}
    wanted = Wanted(key="app", name=params["name"], body=body, tags=tags)

    def result(found: Mapping[str, Found | None]) -> Body:
        shown = describe(found["app"], wanted)
        return {"container_app": from_api(shown) if shown else None}

    return Bundle([wanted], {"app": kind}, result)


class _StorageKind(EnvironmentStorageKind):
    """A storage that knows whether its key is the one that was written last."""

    def __init__(self, arm: Arm, environment: str, *, account_key: str | None, same: bool) -> None:
        super().__init__(arm, environment, account_key=account_key)
        self._same = same

    def read(self, name: str) -> Found | None:
        found = super().read(name)
        share = (found.body["properties"] if found else {}).get("azureFile")
        if found is None or not share or self.account_key is None:
            return found
        marked = {**share, "accountKey": HIDDEN if self._same else FORMER}
        return dataclasses.replace(found, body={"properties": {"azureFile": marked}})


def environment_bundle(params: Mapping[str, Any], arm: Arm) -> Bundle:
    """A managed environment and its storages. Storages and workload profiles that are not named stay."""
    group, name = params["resource_group"], params["name"]
    shares = single.storages(params)
    reader = EnvironmentKind(arm, group)
    existing = reader.read(name)
    keys = {share: key for share, (_body, key) in shares.items() if key}
    known = existing.tags.get(STORAGE_KEY, "") if existing else ""
    digest = secrets_digest(keys, known)
    body, secrets = single.environment(params, existing.raw if existing else None)
    kind = EnvironmentKind(arm, group, secrets=secrets, storages=shares)
    tags = {**params["tags"], **({STORAGE_KEY: digest} if digest else {})}
    wanted = [Wanted(key="environment", name=name, body=body, tags=tags)]
    kinds: dict[str, Kind] = {"environment": kind}
    own_id = environment_id(arm.group_id(group), name)
    # An environment takes its storages with it.
    for share, (share_body, key) in shares.items() if params["state"] == "present" else ():
        place = f"storage_{share}"
        wanted.append(Wanted(key=place, name=share, body=share_body))
        kinds[place] = _StorageKind(arm, own_id, account_key=key, same=digest == known)

    def result(found: Mapping[str, Found | None]) -> Body:
        shown = describe(found["environment"], wanted[0])
        return {
            "environment": from_api(shown) if shown else None,
            "storages": {item.name: existing.id for item in wanted[1:] if (existing := found[item.key]) is not None},
        }

    return Bundle(wanted, kinds, result)


def read_apps(arm: Arm, resource_group: str, name: str | None, *, replicas: bool) -> list[Body]:
    """The container apps of a resource group, or one of them, with revisions and record, read in parallel."""
    group = arm.group_id(resource_group)
    if name:
        found = arm.get(app_id(group, name), CONTAINER_APPS)
        apps = [found] if found else []
    else:
        apps = arm.list(f"{group}/{PROVIDER}/containerApps", CONTAINER_APPS)

    def reader(app: Body) -> Callable[[], Body]:
        return lambda: _describe_app(arm, app, replicas=replicas)

    described = gather({app["id"]: reader(app) for app in apps})
    return [described[app["id"]] for app in apps]


def _describe_app(arm: Arm, app: Body, *, replicas: bool) -> Body:
    properties = app.get("properties") or {}
    configuration = properties.get("configuration") or {}
    ingress = configuration.get("ingress") or {}
    record = Record.from_tags(app.get("tags") or {})
    revisions = [_describe_revision(item) for item in arm.list(f"{app['id']}/revisions", CONTAINER_APPS)]
    if replicas:
        for revision in revisions:
            if revision["active"]:
                listed = arm.list(f"{revision_id(app['id'], revision['name'])}/replicas", CONTAINER_APPS)
                revision["replica_list"] = [_describe_replica(item) for item in listed]
    return {
        "id": app["id"],
        "name": app.get("name"),
        "location": app.get("location"),
        "environment_id": properties.get("environmentId"),
        "workload_profile_name": properties.get("workloadProfileName"),
        "provisioning_state": properties.get("provisioningState"),
        "running_status": properties.get("runningStatus"),
        "fqdn": ingress.get("fqdn") or None,
        "traffic": from_api(ingress.get("traffic") or []),
        "tags": app.get("tags") or {},
        "record": {
            "deployment": record.deployment or None,
            "release": record.release or None,
            "last_good": record.last_good or None,
            "previous_good": record.previous_good or None,
            "rejected": list(record.rejected),
            "config_hash": record.config_hash or None,
        },
        "revisions": revisions,
    }


def _describe_revision(revision: Body) -> Body:
    properties = revision.get("properties") or {}
    names = ("active", "replicas", "traffic_weight", "created_time", "fqdn")
    states = ("provisioning_state", "running_state", "health_state", "provisioning_error")
    shown = from_api({key: value for key, value in properties.items() if key != "template"})
    return {
        "name": revision.get("name"),
        "image": image_of({"properties": properties}) or None,
        **{name: shown.get(name) for name in (*names, *states)},
    }


def _describe_replica(replica: Body) -> Body:
    properties = replica.get("properties") or {}
    names = ("name", "ready", "started", "restart_count", "running_state", "running_state_details")
    containers = [from_api(item) for item in properties.get("containers") or ()]
    return {
        "name": replica.get("name"),
        "running_state": properties.get("runningState"),
        "running_state_details": properties.get("runningStateDetails"),
        "containers": [{name: item.get(name) for name in names} for item in containers],
    }
