# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container groups and app replicas of one Azure subscription that are ours."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

from ..clients.azure import AzureClient
from ..clients.azure_versions import CONTAINER_APPS, CONTAINER_INSTANCE
from ..deployment.environment import MODELS_VARIABLE
from ..release import DEPLOYMENT, RELEASE
from .details import app_details, app_replica_details, group_details, revision_details
from .replica import HEALTHY, STARTING, UNHEALTHY, UNKNOWN, Replica, http_url, model_names

GROUPS = "providers/Microsoft.ContainerInstance/containerGroups"
APPS = "providers/Microsoft.App/containerApps"
DEFAULT_PORT = 11434
# Both services' words for what a container does, lower case.
HEALTH = {
    "running": HEALTHY,
    "notrunning": UNHEALTHY,
    "failed": UNHEALTHY,
    "terminated": UNHEALTHY,
    "stopped": UNHEALTHY,
    "waiting": STARTING,
    "pending": STARTING,
}


def azure_replicas(
    client: AzureClient, pool: Executor, *, managed_only: bool = True, details: bool = False
) -> list[Replica]:
    """All container groups and app replicas of a subscription: two lists, then one read for each of ours.

    ARM's lists leave the state out, so a group is read again by its id, and an app by its active revisions' replicas.
    details: keep what the API said, less its secrets.
    """
    scope = f"/subscriptions/{client.subscription_id}"
    lists = pool.map(
        lambda kind: client.list(f"{scope}/{kind[0]}", kind[1]),
        [(GROUPS, CONTAINER_INSTANCE), (APPS, CONTAINER_APPS)],
    )
    groups, apps = ([item for item in items if _ours(item, managed_only)] for items in lists)
    reads = [pool.submit(_read_group, client, item, details) for item in groups]
    reads += [pool.submit(_read_app, client, item, details) for item in apps]
    return [replica for read in reads for replica in read.result()]


def _ours(item: Mapping[str, Any], managed_only: bool) -> bool:
    if (item.get("tags") or {}).get(DEPLOYMENT):
        return True
    return not managed_only and bool(_server(_containers(item))[MODELS_VARIABLE])


def _containers(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    properties = item.get("properties") or {}
    template = properties.get("template") or {}
    return list(properties.get("containers") or template.get("containers") or [])


def _server(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """Image, models and GPU of the container that is the Ollama server."""
    chosen: dict[str, Any] = {"image": "", MODELS_VARIABLE: "", "gpu": "", "state": ""}
    for container in containers:
        inner = container.get("properties") or container
        environment = inner.get("environmentVariables") or inner.get("env") or []
        models = next((item.get("value") or "" for item in environment if item["name"] == MODELS_VARIABLE), "")
        if models or not chosen["image"]:
            gpu = ((inner.get("resources") or {}).get("requests") or {}).get("gpu") or {}
            view = (inner.get("instanceView") or {}).get("currentState") or {}
            chosen = {"image": inner.get("image", ""), MODELS_VARIABLE: models, "gpu": gpu.get("sku", "")}
            chosen |= {"state": view.get("state", ""), "started": view.get("startTime", "")}
        if models:
            break
    return chosen


def _read_group(client: AzureClient, item: Mapping[str, Any], details: bool) -> list[Replica]:
    group = client.get(item["id"], CONTAINER_INSTANCE)
    if group is None:
        return []
    properties = group["properties"]
    server = _server(_containers(group))
    reached = properties.get("ipAddress") or {}
    address = reached.get("fqdn") or reached.get("ip") or ""
    ports = reached.get("ports") or []
    status = (properties.get("instanceView") or {}).get("state") or properties.get("provisioningState", "")
    return [
        _replica(
            group,
            platform="aci",
            release=(group.get("tags") or {}).get(RELEASE, ""),
            server=server,
            address=address,
            url=http_url(address, ports[0]["port"] if ports else DEFAULT_PORT),
            gpu=server["gpu"],
            health=HEALTH.get(str(server["state"] or status).lower(), UNKNOWN),
            status=status,
            unit=group["name"],
            unit_id=group["id"],
            started_at=server.get("started") or "",
            details={"container_group": group_details(group)} if details else {},
        )
    ]


def _read_app(client: AzureClient, app: Mapping[str, Any], details: bool) -> list[Replica]:
    found: list[Replica] = []
    for revision in client.list(f"{app['id']}/revisions", CONTAINER_APPS):
        if revision["properties"].get("active"):
            replicas = client.list(f"{revision['id']}/replicas", CONTAINER_APPS)
            found += [_app_replica(app, revision, replica, details) for replica in replicas]
    return found


def _app_replica(
    app: Mapping[str, Any], revision: Mapping[str, Any], replica: Mapping[str, Any], details: bool
) -> Replica:
    """A replica has no address of its own: its revision's is the nearest that can be asked."""
    properties = revision["properties"]
    ingress = ((app["properties"].get("configuration") or {}).get("ingress")) or {}
    address = properties.get("fqdn") or ingress.get("fqdn") or ""
    profile = app["properties"].get("workloadProfileName") or ""
    server = _server(list((properties.get("template") or {}).get("containers") or []))
    state = (replica.get("properties") or {}).get("runningState") or properties.get("runningState") or ""
    return _replica(
        app,
        platform="container_apps",
        release=revision["name"],
        server=server,
        address=address,
        url=f"https://{address}" if address else "",
        gpu=profile if "gpu" in profile.lower() else "",
        health=HEALTH.get(str(state).lower(), UNKNOWN),
        status=state,
        unit=replica["name"],
        unit_id=replica.get("id") or f"{revision['id']}/replicas/{replica['name']}",
        started_at=(replica.get("properties") or {}).get("createdTime") or "",
        details=_app_details(app, revision, replica) if details else {},
    )


def _app_details(app: Mapping[str, Any], revision: Mapping[str, Any], replica: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "container_app": app_details(app),
        "revision": revision_details(revision),
        "replica": app_replica_details(replica),
    }


def _replica(item: Mapping[str, Any], *, server: Mapping[str, Any], unit_id: str, **known: Any) -> Replica:
    return Replica(
        id=unit_id,
        cloud="azure",
        account=item["id"].split("/")[2],
        region=str(item.get("location", "")).replace(" ", "").lower(),
        deployment=(item.get("tags") or {}).get(DEPLOYMENT, ""),
        image=server["image"],
        models=model_names(server[MODELS_VARIABLE]),
        **known,
    )
