# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CreateService and UpdateService refuse, and the defaults that AWS fills in."""

from __future__ import annotations

import copy
from typing import Any

from tests.sandbox.aws.ecs import capacity_providers, errors, hooks, network
from tests.sandbox.aws.ecs.model import Cluster, TaskDefinition
from tests.sandbox.aws.ecs.world import ACCOUNT, Region

STRATEGIES = ("ROLLING", "BLUE_GREEN")
DEPLOYMENT_DEFAULTS: dict[str, Any] = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "alarms": {"alarmNames": [], "rollback": False, "enable": False},
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}
# Fields of a request that a service keeps as they are given.
KEPT = (
    "capacityProviderStrategy",
    "deploymentController",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "launchType",
    "loadBalancers",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "platformVersion",
    "propagateTags",
    "schedulingStrategy",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)


def deployment_configuration(request: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    """Return the deployment configuration after a request: its members replace the old or default ones."""
    given = request.get("deploymentConfiguration", {})
    merged: dict[str, Any] = copy.deepcopy((old or DEPLOYMENT_DEFAULTS) | given)
    if merged["strategy"] not in STRATEGIES:
        raise errors.InvalidParameterException(f"The strategy {merged['strategy']} is not supported by this sandbox.")
    turned = merged["strategy"] == "BLUE_GREEN" and (old is None or old["strategy"] != "BLUE_GREEN")
    if turned and "bakeTimeInMinutes" not in given:
        raise errors.InvalidParameterException("bakeTimeInMinutes must be provided for the BLUE_GREEN strategy.")
    if not 0 <= merged["bakeTimeInMinutes"] <= 1440:
        raise errors.InvalidParameterException("bakeTimeInMinutes must be between 0 and 1440.")
    low, high = merged["minimumHealthyPercent"], merged["maximumPercent"]
    if not 0 <= low <= 100:
        raise errors.InvalidParameterException("minimumHealthyPercent must be between 0 and 100.")
    if not 100 <= high <= 1000:
        raise errors.InvalidParameterException("maximumPercent must be between 100 and 1000.")
    if low == 100 and high == 100 and merged["strategy"] == "ROLLING":
        raise errors.InvalidParameterException(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    breaker = merged["deploymentCircuitBreaker"]
    if breaker.get("rollback") and not breaker.get("enable"):
        raise errors.InvalidParameterException("The circuit breaker's rollback requires that it is enabled.")
    if merged["alarms"].get("enable") and not merged["alarms"].get("alarmNames"):
        raise errors.InvalidParameterException("alarmNames cannot be empty when alarms are enabled.")
    hooks.check(merged.get("lifecycleHooks", []))
    return merged


def check_network(region: Region, definition: TaskDefinition, settings: dict[str, Any]) -> None:
    """Raise where network configuration and network mode do not fit, or EC2 does not know an id."""
    configuration = settings.get("networkConfiguration")
    if definition.awsvpc and configuration is None:
        raise errors.InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if configuration is None:
        return
    if not definition.awsvpc:
        raise errors.InvalidParameterException(
            "Network Configuration is not valid for the given networkMode of this task definition."
        )
    network.check(region.name, configuration)


def check_capacity(region: Region, cluster: Cluster, definition: TaskDefinition, settings: dict[str, Any]) -> None:
    """Raise where launch type or capacity provider strategy do not fit the cluster or the definition."""
    strategy = settings.get("capacityProviderStrategy", [])
    if strategy and "launchType" in settings:
        raise errors.InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported."
        )
    capacity_providers.check_known(region, [item["capacityProvider"] for item in strategy])
    capacity_providers.check_strategy(strategy, cluster.capacity_providers)
    wanted = settings.get("launchType", "EC2")
    if strategy:
        provider = capacity_providers.find(region, strategy[0]["capacityProvider"]) or {}
        kinds = {"EC2_AUTOSCALING": "EC2", "MANAGED_INSTANCES": "MANAGED_INSTANCES"}
        wanted = kinds.get(provider["type"], "FARGATE")
    elif wanted == "MANAGED_INSTANCES":
        raise errors.InvalidParameterException("Use a capacity provider strategy to run on managed instances.")
    if wanted not in definition.body["compatibilities"]:
        raise errors.InvalidParameterException(f"Task definition does not support launch_type {wanted}.")
    if settings.get("platformVersion") and wanted != "FARGATE":
        raise errors.InvalidParameterException("The platform version must be null when specifying an EC2 launch type.")


def fill_capacity(cluster: Cluster, settings: dict[str, Any]) -> None:
    """Choose the capacity where the caller did not: the cluster's default strategy, else EC2."""
    if settings.get("capacityProviderStrategy"):
        settings["capacityProviderStrategy"] = capacity_providers.filled(settings["capacityProviderStrategy"])
        return
    settings.pop("capacityProviderStrategy", None)
    if "launchType" not in settings:
        if cluster.default_strategy:
            settings["capacityProviderStrategy"] = copy.deepcopy(cluster.default_strategy)
            return
        settings["launchType"] = "EC2"


def fill_platform(settings: dict[str, Any]) -> None:
    """Add platform version and family on Fargate; remove them elsewhere."""
    names = [item["capacityProvider"] for item in settings.get("capacityProviderStrategy", [])]
    if settings.get("launchType") == "FARGATE" or any(name in capacity_providers.FARGATE for name in names):
        settings.setdefault("platformVersion", "LATEST")
        settings["platformFamily"] = "Linux"
    else:
        settings.pop("platformVersion", None)
        settings.pop("platformFamily", None)


def rebalancing(request: dict[str, Any], configuration: dict[str, Any], old: str | None) -> str:
    """Return availabilityZoneRebalancing: ENABLED by default on creation, where the service can have it."""
    possible = configuration["maximumPercent"] > 100
    chosen = request.get("availabilityZoneRebalancing")
    if chosen == "ENABLED" and not possible:
        raise errors.InvalidParameterException(
            "Availability Zone rebalancing does not support a maximumPercent that is less than or equal to 100."
        )
    if chosen is not None:
        return str(chosen)
    return old or ("ENABLED" if possible else "DISABLED")


def new_settings(
    region: Region, cluster: Cluster, definition: TaskDefinition, request: dict[str, Any]
) -> dict[str, Any]:
    """Return the settings of a new service; raises InvalidParameterException."""
    settings: dict[str, Any] = {
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        "loadBalancers": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "propagateTags": "NONE",
        "schedulingStrategy": "REPLICA",
        "serviceRegistries": [],
    }
    settings |= {key: copy.deepcopy(request[key]) for key in KEPT if key in request}
    _check_supported(settings)
    settings["deploymentConfiguration"] = deployment_configuration(request, None)
    settings["availabilityZoneRebalancing"] = rebalancing(request, settings["deploymentConfiguration"], None)
    fill_capacity(cluster, settings)
    check(region, cluster, definition, settings)
    if settings["loadBalancers"]:
        settings.setdefault("healthCheckGracePeriodSeconds", 0)
    settings["createdBy"] = f"arn:aws:iam::{ACCOUNT}:root"
    if definition.awsvpc or settings["loadBalancers"]:
        role = "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
        settings["roleArn"] = request.get("role", f"arn:aws:iam::{ACCOUNT}:role/{role}")
    return settings


def check(region: Region, cluster: Cluster, definition: TaskDefinition, settings: dict[str, Any]) -> None:
    """Check the parts of a service against each other, and fill in network and platform."""
    check_capacity(region, cluster, definition, settings)
    check_network(region, definition, settings)
    if "networkConfiguration" in settings:
        settings["networkConfiguration"] = network.filled(settings["networkConfiguration"])
    fill_platform(settings)
    names = {container["name"] for container in definition.containers}
    for balancer in settings["loadBalancers"]:
        if balancer.get("containerName") not in names:
            raise errors.InvalidParameterException(
                f"The container {balancer.get('containerName')} does not exist in the task definition."
            )


def _check_supported(settings: dict[str, Any]) -> None:
    if settings["deploymentController"]["type"] != "ECS":
        raise errors.InvalidParameterException("This sandbox supports the ECS deployment controller only.")
    if settings["schedulingStrategy"] != "REPLICA":
        raise errors.InvalidParameterException("This sandbox supports the REPLICA scheduling strategy only.")
