# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capacity providers: Auto Scaling group and Managed Instances kinds, and the rules of a strategy."""

from __future__ import annotations

import copy
import re
from typing import Any

from tests.sandbox.aws.ecs import errors, tags
from tests.sandbox.aws.ecs.world import Region, page

FARGATE = ("FARGATE", "FARGATE_SPOT")
SCALING_DEFAULTS = {
    "status": "DISABLED",
    "targetCapacity": 100,
    "minimumScalingStepSize": 1,
    "maximumScalingStepSize": 10000,
    "instanceWarmupPeriod": 300,
}
NAME = re.compile(r"(?!aws|ecs|fargate)[a-zA-Z0-9_-]{1,255}", re.IGNORECASE)


def find(region: Region, name_or_arn: str) -> dict[str, Any] | None:
    """Return a provider of one's own, or one of the two Fargate providers."""
    name = name_or_arn.split("/")[-1]
    if name in FARGATE:
        arn = region.arn("capacity-provider", name)
        return {"name": name, "capacityProviderArn": arn, "status": "ACTIVE", "type": name, "tags": []}
    return region.providers.get(name)


def check_known(region: Region, names: list[str]) -> None:
    """Raise InvalidParameterException for a provider that does not exist."""
    for name in names:
        if find(region, name) is None:
            raise errors.InvalidParameterException(
                "The specified capacity provider was not found. Specify a valid name or ARN and try again."
            )


def check_strategy(strategy: list[dict[str, Any]], associated: list[str]) -> None:
    """Raise InvalidParameterException where a strategy breaks a rule of ECS."""
    if len(strategy) > 20:
        raise errors.InvalidParameterException("A capacity provider strategy can contain a maximum of 20 providers.")
    names = [item["capacityProvider"] for item in strategy]
    for name in names:
        if name.split("/")[-1] not in {known.split("/")[-1] for known in associated}:
            raise errors.InvalidParameterException(
                f"The capacity provider {name} is not associated with the cluster. "
                "Associate the capacity provider with the cluster and try again."
            )
    if len({name in FARGATE for name in names}) > 1:
        raise errors.InvalidParameterException(
            "A capacity provider strategy cannot contain a mix of capacity providers "
            "using Auto Scaling groups and Fargate."
        )
    if sum(1 for item in strategy if item.get("base", 0)) > 1:
        raise errors.InvalidParameterException("Only one capacity provider in a strategy can have a base defined.")
    if strategy and not any(item.get("weight", 1 if len(strategy) == 1 else 0) for item in strategy):
        raise errors.InvalidParameterException("At least one capacity provider must have a weight greater than zero.")


def filled(strategy: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a strategy with weight and base, as ECS returns it."""
    return [{"weight": 0, "base": 0} | item for item in copy.deepcopy(strategy)]


def create_capacity_provider(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Create a provider of one of the two kinds."""
    name = request["name"]
    group, managed = request.get("autoScalingGroupProvider"), request.get("managedInstancesProvider")
    if not NAME.fullmatch(name):
        raise errors.ClientException("The capacity provider name is invalid or starts with a reserved word.")
    if name in region.providers:
        raise errors.ClientException("A capacity provider with that name already exists.")
    if (group is None) == (managed is None):
        raise errors.ClientException("Specify either autoScalingGroupProvider or managedInstancesProvider.")
    body: dict[str, Any] = {
        "name": name,
        "capacityProviderArn": region.arn("capacity-provider", name),
        "status": "ACTIVE",
        "updateStatus": "CREATE_COMPLETE",
        "tags": tags.checked(request.get("tags")),
    }
    if group is not None:
        body |= {"autoScalingGroupProvider": _filled_group(group), "type": "EC2_AUTOSCALING"}
    else:
        if "cluster" not in request:
            raise errors.InvalidParameterException("A managed instances capacity provider needs a cluster.")
        cluster = region.cluster(request["cluster"])
        provider = {"propagateTags": "NONE"} | copy.deepcopy(managed or {})
        body |= {"managedInstancesProvider": provider, "type": "MANAGED_INSTANCES", "cluster": cluster.arn}
    region.providers[name] = body
    return {"capacityProvider": body}


def _filled_group(given: dict[str, Any]) -> dict[str, Any]:
    group: dict[str, Any] = {"managedTerminationProtection": "DISABLED", "managedDraining": "ENABLED"}
    group |= copy.deepcopy(given)
    group["managedScaling"] = SCALING_DEFAULTS | group.get("managedScaling", {})
    if group["managedTerminationProtection"] == "ENABLED" and group["managedScaling"]["status"] != "ENABLED":
        raise errors.ClientException("Managed termination protection requires managed scaling.")
    return group


def describe_capacity_providers(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return the named providers, or all of the account with Fargate's."""
    include = request.get("include", [])
    names = request.get("capacityProviders")
    failures = []
    if names:
        found = []
        for name in names:
            provider = find(region, name)
            if provider is None:
                arn = region.arn("capacity-provider", name.split("/")[-1])
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(provider)
    else:
        found = [each for name in FARGATE if (each := find(region, name))] + list(region.providers.values())
    if "cluster" in request:
        arn = region.cluster(request["cluster"]).arn
        found = [each for each in found if each.get("cluster") in (None, arn)]
    shown, token = page(found, request, 10, 10)
    bodies = [each if "TAGS" in include else each | {"tags": []} for each in shown]
    return {"capacityProviders": bodies, "failures": failures, "nextToken": token}


def update_capacity_provider(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Change the settings of a provider."""
    body = region.providers.get(request["name"])
    if body is None:
        raise errors.ClientException("The specified capacity provider does not exist.")
    group, managed = request.get("autoScalingGroupProvider"), request.get("managedInstancesProvider")
    if group is not None and "autoScalingGroupProvider" in body:
        old = body["autoScalingGroupProvider"]
        scaling = old["managedScaling"] | group.get("managedScaling", {})
        body["autoScalingGroupProvider"] = _filled_group(old | group | {"managedScaling": scaling})
    elif managed is not None and "managedInstancesProvider" in body:
        body["managedInstancesProvider"] |= copy.deepcopy(managed)
    else:
        raise errors.ClientException("The update does not match the kind of the capacity provider.")
    body["updateStatus"] = "UPDATE_COMPLETE"
    return {"capacityProvider": body}


def delete_capacity_provider(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Delete a provider that no cluster refers to."""
    name = request["capacityProvider"].split("/")[-1]
    body = region.providers.get(name)
    if body is None:
        raise errors.ClientException("The specified capacity provider does not exist. Specify a valid name or ARN.")
    if any(name in cluster.capacity_providers for cluster in region.clusters.values() if cluster.status == "ACTIVE"):
        raise errors.ResourceInUseException(
            "The capacity provider cannot be deleted because it is associated with cluster: remove it there first."
        )
    del region.providers[name]
    return {"capacityProvider": body | {"status": "INACTIVE", "updateStatus": "DELETE_COMPLETE"}}
