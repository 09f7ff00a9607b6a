# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster actions, and the account settings."""

from __future__ import annotations

from typing import Any

from tests.sandbox.aws.ecs import capacity_providers, errors, tags
from tests.sandbox.aws.ecs.definition_rules import NAME
from tests.sandbox.aws.ecs.model import Cluster
from tests.sandbox.aws.ecs.world import Region, page

INSIGHTS = ("enabled", "disabled", "enhanced")


def view(region: Region, cluster: Cluster, include: set[str]) -> dict[str, Any]:
    """Return a cluster in the API's shape; settings, configuration, statistics and tags only when included."""
    tasks = [task for task in region.tasks.values() if task.cluster is cluster and task.last_status != "STOPPED"]
    running = [task for task in tasks if task.last_status == "RUNNING"]
    services = [each for each in region.services if each.cluster is cluster and each.status == "ACTIVE"]
    body: dict[str, Any] = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": len(running),
        "pendingTasksCount": len(tasks) - len(running),
        "activeServicesCount": len(services),
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    }
    if "SETTINGS" in include:
        body["settings"] = cluster.settings
    if "TAGS" in include:
        body["tags"] = cluster.tags
    if "CONFIGURATIONS" in include and cluster.configuration is not None:
        body["configuration"] = cluster.configuration
    if cluster.service_connect_defaults is not None:
        body["serviceConnectDefaults"] = cluster.service_connect_defaults
    return body


ALL_PARTS = {"SETTINGS", "TAGS", "CONFIGURATIONS", "STATISTICS"}


def _checked_settings(settings: list[dict[str, str]]) -> list[dict[str, str]]:
    for setting in settings:
        if setting.get("value") not in INSIGHTS:
            raise errors.InvalidParameterException(f"Setting value should be one of [{', '.join(INSIGHTS)}].")
    return settings


def create_cluster(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Create a cluster; an active one of the same name is returned unchanged, as ECS does."""
    name = request.get("clusterName", "default")
    if not NAME.fullmatch(name):
        raise errors.InvalidParameterException("Cluster name contains invalid characters.")
    found = region.clusters.get(name)
    if found is not None and found.status == "ACTIVE":
        return {"cluster": view(region, found, ALL_PARTS)}
    providers = request.get("capacityProviders", [])
    strategy = request.get("defaultCapacityProviderStrategy", [])
    capacity_providers.check_known(region, providers)
    capacity_providers.check_strategy(strategy, providers)
    cluster = Cluster(
        name=name,
        arn=region.arn("cluster", name),
        settings=_checked_settings(request.get("settings", [])) or [{"name": "containerInsights", "value": "disabled"}],
        configuration=request.get("configuration"),
        capacity_providers=list(providers),
        default_strategy=capacity_providers.filled(strategy),
        service_connect_defaults=request.get("serviceConnectDefaults"),
        tags=tags.checked(request.get("tags")),
    )
    region.clusters[name] = cluster
    return {"cluster": view(region, cluster, ALL_PARTS)}


def describe_clusters(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return up to 100 clusters; unknown ones are failures with reason MISSING."""
    names = request.get("clusters") or ["default"]
    if len(names) > 100:
        raise errors.InvalidParameterException("Clusters cannot have more than 100 entries.")
    include = set(request.get("include", []))
    found, failures = [], []
    for name in dict.fromkeys(names):
        cluster = region.clusters.get(name.split("/")[-1])
        if cluster is None:
            failures.append({"arn": region.arn("cluster", name.split("/")[-1]), "reason": "MISSING"})
        else:
            found.append(view(region, cluster, include))
    return {"clusters": found, "failures": failures}


def list_clusters(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List the ARNs of active clusters."""
    arns = [cluster.arn for cluster in region.clusters.values() if cluster.status == "ACTIVE"]
    shown, token = page(arns, request, 100, 100)
    return {"clusterArns": shown, "nextToken": token}


def update_cluster(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Change settings, configuration or the Service Connect default."""
    cluster = region.cluster(request["cluster"])
    if "settings" in request:
        cluster.settings = _checked_settings(request["settings"])
    cluster.configuration = request.get("configuration", cluster.configuration)
    cluster.service_connect_defaults = request.get("serviceConnectDefaults", cluster.service_connect_defaults)
    return {"cluster": view(region, cluster, ALL_PARTS)}


def update_cluster_settings(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Change settings only."""
    cluster = region.cluster(request["cluster"])
    cluster.settings = _checked_settings(request["settings"])
    return {"cluster": view(region, cluster, ALL_PARTS)}


def put_cluster_capacity_providers(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Replace the capacity providers and the default strategy of a cluster."""
    cluster = region.cluster(request["cluster"])
    providers, strategy = request["capacityProviders"], request["defaultCapacityProviderStrategy"]
    capacity_providers.check_known(region, providers)
    capacity_providers.check_strategy(strategy, providers)
    used = {
        item["capacityProvider"]
        for service in region.services
        if service.cluster is cluster and service.status == "ACTIVE"
        for item in service.settings.get("capacityProviderStrategy", [])
    }
    if used - set(providers):
        raise errors.ResourceInUseException("The specified capacity provider is in use and cannot be removed.")
    cluster.capacity_providers = list(providers)
    cluster.default_strategy = capacity_providers.filled(strategy)
    return {"cluster": view(region, cluster, ALL_PARTS)}


def delete_cluster(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Make an empty cluster INACTIVE."""
    cluster = region.cluster(request["cluster"])
    if any(each.cluster is cluster and each.status == "ACTIVE" for each in region.services):
        raise errors.ClusterContainsServicesException("The Cluster cannot be deleted while Services are active.")
    if any(task.cluster is cluster and task.last_status != "STOPPED" for task in region.tasks.values()):
        raise errors.ClusterContainsTasksException("The Cluster cannot be deleted while Tasks are active.")
    cluster.status = "INACTIVE"
    return {"cluster": view(region, cluster, ALL_PARTS)}


def list_account_settings(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List the settings that were put, by name and value."""
    found = [
        {"name": name, "value": value}
        for name, value in sorted(region.account_settings.items())
        if request.get("name") in (None, name) and request.get("value") in (None, value)
    ]
    return {"settings": found}


def put_account_setting(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Set an account setting; the default setting of all principals is the same one here."""
    region.account_settings[request["name"]] = request["value"]
    return {"setting": {"name": request["name"], "value": request["value"]}}
