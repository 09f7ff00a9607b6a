# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ECS service as a kind: read, create, update, delete. What a rollout does is in rollout.py."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..clients.aws import Aws, from_tag_list, tag_list
from ..compare import FieldChange, diff
from ..errors import ApiError, NotFound, Refused
from ..resource import Found, Kind, Wanted
from ..waiting import Look, Waiter
from . import normalise

SERVICE_SECONDS = 900
ACTIVE, DRAINING = "ACTIVE", "DRAINING"
# Members of UpdateService that make ECS start a deployment. Source: botocore 1.44.5, UpdateServiceRequest.
DEPLOYING = ("taskDefinition", "networkConfiguration", "loadBalancers", "serviceRegistries", "platformVersion")
UPDATABLE = (
    *DEPLOYING,
    *("desiredCount", "capacityProviderStrategy", "deploymentConfiguration", "availabilityZoneRebalancing"),
    *("placementConstraints", "placementStrategy", "healthCheckGracePeriodSeconds", "enableExecuteCommand"),
    *("enableECSManagedTags", "propagateTags"),
)


class Deployments(Protocol):
    """What an update needs to know of deployments under way."""

    def settle(self, found: Found) -> bool:
        """End what an earlier run left under way; True if the service is another one now."""

    def pass_through(self, service: Found) -> None:
        """Bring the deployment just started to its end."""


class ServiceKind(Kind):
    """A service in one cluster.

    wanted: the body whose members are ours to compare. deployments: looks after deployments under way; without it
    they are left to ECS.
    """

    title = "ecs service"
    immutable = ("serviceName", "cluster", "schedulingStrategy")

    def __init__(
        self,
        aws: Aws,
        waiter: Waiter,
        wanted: Mapping[str, Any],
    ) -> None:
        self._aws = aws
        self._waiter = waiter
        self.deployments: Deployments | None = None
        self.cluster = str(wanted.get("cluster", "default"))
        vpc = (wanted.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        groups = ["networkConfiguration.securityGroups"] if "securityGroups" in vpc else []
        self._managed = [*wanted, *groups]

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return normalise.service(body, self._managed)

    def read(self, name: str) -> Found | None:
        service = self.describe(name)
        return found_service(service) if service and service["status"] == ACTIVE else None

    def describe(self, name: str) -> dict[str, Any] | None:
        """The service whatever its status; None if it, or its cluster, does not exist."""
        try:
            answer = self._aws.call("ecs", "describe_services", cluster=self.cluster, services=[name], include=["TAGS"])
        except NotFound:
            return None
        services: list[dict[str, Any]] = answer["services"]
        return services[0] if services else None

    def create(self, wanted: Wanted) -> Found:
        self._await_gone(wanted.name)
        body = {key: value for key, value in wanted.body.items() if value not in ([], {})}
        answer = self._aws.call(
            "ecs", "create_service", **body, clientToken=uuid.uuid4().hex, tags=tag_list(wanted.tags)
        )
        return found_service(answer["service"], deploys=True)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        if self.deployments is not None and in_flight(found.raw) and self.deployments.settle(found):
            found = self.require(wanted.name)
        if any(field.path.startswith("tags.") for field in fields):
            self._aws.call("ecs", "tag_resource", resourceArn=found.id, tags=tag_list(wanted.tags))
        changed = self.changed(found, wanted.body)
        if "launchType" in changed and not {"capacityProviderStrategy"} & changed:
            raise Refused(
                f"service {wanted.name}: the launch type cannot be changed in place.",
                hint="Use a capacity_provider_strategy (FARGATE is a provider too), or delete the service first.",
            )
        members = {key: wanted.body.get(key) for key in UPDATABLE if key in changed}
        updated = self.apply(wanted.name, members, tags={**found.tags, **wanted.tags})
        if self.deployments is not None and updated.attributes["deploys"] and not updated.raw["desiredCount"]:
            # Nobody would answer the pause of a stopped service: there is nothing to verify before it starts.
            self.deployments.pass_through(updated)
        return updated

    def changed(self, found: Found, body: Mapping[str, Any]) -> set[str]:
        """The members of the body that differ from what is found, compared in normal form."""
        before, after = self.normalise(found.body), self.normalise(body)
        return {key for key in {*before, *after} if diff(before.get(key), after.get(key))}

    def apply(self, name: str, members: Mapping[str, Any], tags: Mapping[str, str]) -> Found:
        """UpdateService with the members, None meaning empty. tags: those known, its answer holds none."""
        if not members:
            return self.require(name)
        call = {key: [] if value is None else value for key, value in members.items()}
        deploys = any(key in call for key in DEPLOYING)
        if "capacityProviderStrategy" in call:
            # Running tasks move to other capacity only with a deployment.
            call["forceNewDeployment"] = deploys = True
        answer = self._aws.call("ecs", "update_service", cluster=self.cluster, service=name, **call)
        return found_service({**answer["service"], "tags": tag_list(tags)}, deploys=deploys)

    def delete(self, found: Found) -> None:
        name = str(found.body["serviceName"])
        try:
            self._aws.call("ecs", "delete_service", cluster=self.cluster, service=name, force=True)
        except NotFound:
            return
        except ApiError as error:
            if error.code != "ServiceNotActiveException":
                raise
        self._await_gone(name)

    def require(self, name: str) -> Found:
        """Read a service that must exist."""
        found = self.read(name)
        if found is None:
            raise NotFound(f"service {name} does not exist in cluster {self.cluster}")
        return found

    def _await_gone(self, name: str) -> None:
        def look() -> Look[bool]:
            service = self.describe(name)
            if service is None or service["status"] != DRAINING:
                return Look(True)
            return Look(None, f"{DRAINING}, {service['runningCount']} task(s) running")

        self._waiter.until(f"the deleted service {name} to be gone", SERVICE_SECONDS, look)


def found_service(service: Mapping[str, Any], *, deploys: bool = False) -> Found:
    """A service as Found. The attribute C(deploys) says that the call just made starts a deployment."""
    body = {**service, "cluster": service.get("clusterArn", "")}
    return Found(
        id=service["serviceArn"],
        body=body,
        tags=from_tag_list(service.get("tags")),
        raw=service,
        attributes={"deploys": deploys},
    )


def in_flight(service: Mapping[str, Any]) -> bool:
    """True if a deployment of the service is under way (or paused)."""
    deployments = service.get("deployments", ())
    ongoing = any(item.get("rolloutState") == "IN_PROGRESS" for item in deployments)
    return bool(service.get("currentServiceDeployment")) or ongoing or len(deployments) > 1


def running_release(service: Mapping[str, Any]) -> str:
    """C(family:revision) that the service refers to."""
    return str(normalise.revision_of(service["taskDefinition"]))


def primary(service: Mapping[str, Any]) -> dict[str, Any]:
    """The newest deployment of a service; an empty one where ECS lists none (a service being deleted)."""
    deployments = service.get("deployments", ())
    return dict(next((item for item in deployments if item.get("status") == "PRIMARY"), {}))
