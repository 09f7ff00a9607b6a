# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service actions."""

from __future__ import annotations

import copy
from typing import Any

from tests.sandbox.aws.ecs import errors, rollout, service_rules, tags
from tests.sandbox.aws.ecs.definition_rules import NAME
from tests.sandbox.aws.ecs.model import Deployment, Service, TaskDefinition
from tests.sandbox.aws.ecs.world import Region, page

# Given with a service, and answered with its deployments.
DEPLOYMENT_ONLY = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")


def view(service: Service, with_tags: bool) -> dict[str, Any]:
    """Return a service in the API's shape."""
    tasks = service.tasks()
    body: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster.arn,
        "status": service.status,
        "desiredCount": service.desired_count,
        "taskDefinition": service.definition.arn,
        "deployments": [_deployment(each) for each in service.deployments],
        "events": list(service.events),
        "createdAt": service.created_at,
        **rollout.task_counts(tasks),
        **{key: value for key, value in service.settings.items() if key not in DEPLOYMENT_ONLY},
    }
    ongoing = next((record for record in service.records if record.ongoing), None)
    if ongoing is not None:
        body["currentServiceDeployment"] = ongoing.arn
    body["currentServiceRevisions"] = [
        {"arn": each.revision.arn, **revision_counts(each)} for each in service.deployments
    ]
    return body | ({"tags": service.tags} if with_tags else {})


def revision_counts(deployment: Deployment) -> dict[str, int]:
    """Return the counts of a revision's tasks: requested, running and pending."""
    counts = rollout.task_counts(deployment.tasks)
    return {
        "requestedTaskCount": _wanted(deployment),
        "runningTaskCount": counts["runningCount"],
        "pendingTaskCount": counts["pendingCount"],
    }


def _wanted(deployment: Deployment) -> int:
    return deployment.service.desired_count if deployment.status == "PRIMARY" else len(deployment.live())


def _deployment(deployment: Deployment) -> dict[str, Any]:
    config = deployment.revision.config
    shared = ("capacityProviderStrategy", "launchType", "platformVersion", "platformFamily", "networkConfiguration")
    kept = (*shared, *DEPLOYMENT_ONLY)
    return {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.revision.definition.arn,
        "desiredCount": _wanted(deployment),
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "rolloutState": deployment.rollout_state,
        "rolloutStateReason": deployment.reason,
        **rollout.task_counts(deployment.tasks),
        **{key: config[key] for key in kept if key in config},
    }


def _active_definition(region: Region, name: str) -> TaskDefinition:
    try:
        definition = region.definition(name)
    except errors.ClientException:
        raise errors.ClientException("TaskDefinition not found.") from None
    if definition.body["status"] != "ACTIVE":
        raise errors.ClientException("TaskDefinition is inactive")
    return definition


def create_service(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Create a service and start its first deployment."""
    cluster = region.cluster(request.get("cluster"))
    name = request["serviceName"]
    if not NAME.fullmatch(name):
        raise errors.InvalidParameterException("Service name contains invalid characters.")
    for existing in region.services:
        if existing.cluster is cluster and existing.name == name and existing.status != "INACTIVE":
            if request.get("clientToken") and existing.client_token == request["clientToken"]:
                return {"service": view(existing, True)}
            if existing.status == "DRAINING":
                raise errors.InvalidParameterException("Unable to Start a service that is still Draining.")
            raise errors.InvalidParameterException("Creation of service was not idempotent.")
    if "taskDefinition" not in request:
        raise errors.InvalidParameterException("TaskDefinition can not be blank.")
    if request.get("desiredCount", -1) < 0:
        raise errors.InvalidParameterException("Desired count must be given and cannot be negative.")
    definition = _active_definition(region, request["taskDefinition"])
    service = Service(
        name=name,
        arn=region.arn("service", f"{cluster.name}/{name}"),
        cluster=cluster,
        settings=service_rules.new_settings(region, cluster, definition, request),
        desired_count=request["desiredCount"],
        definition=definition,
        tags=tags.checked(request.get("tags")),
        client_token=request.get("clientToken"),
    )
    # A deleted service of the same name makes room, as it does in the cloud.
    region.services = [each for each in region.services if not (each.cluster is cluster and each.name == name)]
    region.services.append(service)
    rollout.start(region, service)
    return {"service": view(service, True)}


def update_service(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Change a service; a change of its revision, or force, starts a deployment."""
    service = region.service(region.cluster(request.get("cluster")), request["service"])
    if service.status != "ACTIVE":
        raise errors.ServiceNotActiveException()
    if request.get("desiredCount", 0) < 0:
        raise errors.InvalidParameterException("Desired count cannot be negative.")
    definition = service.definition
    if "taskDefinition" in request:
        definition = _active_definition(region, request["taskDefinition"])
    settings = _updated_settings(region, service, definition, request)
    changed = definition is not service.definition or any(
        settings.get(key) != service.settings.get(key) for key in rollout.REVISION_KEYS
    )
    service.settings, service.definition = settings, definition
    if request.get("desiredCount", service.desired_count) != service.desired_count:
        service.desired_count = request["desiredCount"]
        service.steady = False
    if changed or request.get("forceNewDeployment"):
        rollout.start(region, service)
    return {"service": view(service, True)}


def _updated_settings(
    region: Region, service: Service, definition: TaskDefinition, request: dict[str, Any]
) -> dict[str, Any]:
    settings = copy.deepcopy(service.settings)
    settings |= {key: copy.deepcopy(request[key]) for key in service_rules.KEPT if key in request}
    if "capacityProviderStrategy" in request:
        settings.pop("launchType", None)
        if not request["capacityProviderStrategy"]:
            # An empty list leads back from capacity providers to the launch type.
            settings |= {"launchType": "EC2"}
        service_rules.fill_capacity(service.cluster, settings)
    configuration = service_rules.deployment_configuration(request, service.settings["deploymentConfiguration"])
    settings["deploymentConfiguration"] = configuration
    old = service.settings["availabilityZoneRebalancing"]
    settings["availabilityZoneRebalancing"] = service_rules.rebalancing(request, configuration, old)
    service_rules.check(region, service.cluster, definition, settings)
    return settings


def describe_services(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return up to ten services; unknown ones are failures with reason MISSING."""
    cluster = region.cluster(request.get("cluster"))
    names = request["services"]
    if not names:
        raise errors.InvalidParameterException("Services cannot be empty.")
    if len(names) > 10:
        raise errors.InvalidParameterException("Services cannot have more than 10 elements.")
    found, failures = [], []
    for name in dict.fromkeys(names):
        try:
            found.append(view(region.service(cluster, name), "TAGS" in request.get("include", [])))
        except errors.ServiceNotFoundException:
            arn = name if name.startswith("arn:") else region.arn("service", f"{cluster.name}/{name}")
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"services": found, "failures": failures}


def list_services(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List the ARNs of a cluster's active services, 10 a page unless asked for up to 100."""
    cluster = region.cluster(request.get("cluster"))
    arns = [
        each.arn
        for each in region.services
        if each.cluster is cluster
        and each.status == "ACTIVE"
        and request.get("launchType") in (None, each.settings.get("launchType"))
        and request.get("schedulingStrategy") in (None, each.settings["schedulingStrategy"])
    ]
    shown, token = page(arns, request, 100, 10)
    return {"serviceArns": shown, "nextToken": token}


def delete_service(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Drain a service; one that still wants tasks needs ``force``."""
    service = region.service(region.cluster(request.get("cluster")), request["service"])
    if service.status == "INACTIVE":
        raise errors.ServiceNotActiveException()
    if service.desired_count > 0 and not request.get("force"):
        raise errors.InvalidParameterException("The service cannot be stopped while it is scaled above 0.")
    service.status = "DRAINING"
    service.desired_count = 0
    for record in service.records:
        if record.ongoing:
            record.move("STOPPED", "The service was deleted.")
            record.stopped_at = record.updated_at
    return {"service": view(service, True)}
