# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of an ECS deployment beside the service: cluster, log group, task definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..clients.aws import Aws, from_tag_list, tag_list
from ..compare import FieldChange, drop_empty
from ..errors import ApiError, NotFound, Refused
from ..release import DEPLOYMENT
from ..resource import Found, Kind, Wanted
from ..waiting import Look, Waiter
from . import normalise

CLUSTER_SECONDS = 300
ACTIVE = "ACTIVE"
NOT_EMPTY = {
    "ClusterContainsServicesException": "services",
    "ClusterContainsTasksException": "tasks",
    "ClusterContainsContainerInstancesException": "container instances",
    "ClusterContainsCapacityProviderException": "capacity providers",
}


class ClusterKind(Kind):
    """An ECS cluster. Only what is wanted is compared: other providers and settings are left alone.

    providers: the capacity providers that must be associated. own_services: how many services of ours are in it.
    """

    title = "ecs cluster"
    immutable = ("clusterName",)

    def __init__(self, aws: Aws, waiter: Waiter, wanted: Mapping[str, Any]) -> None:
        self._aws = aws
        self._waiter = waiter
        self._providers = tuple(wanted.get("capacityProviders", ()))
        self._settings = tuple(item["name"] for item in wanted.get("settings", ()))
        self.own_services = 0

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        settings = [item for item in body.get("settings", ()) if item["name"] in self._settings]
        providers = [name for name in body.get("capacityProviders", ()) if name in self._providers]
        cleaned: dict[str, Any] = drop_empty(
            {
                "clusterName": body["clusterName"],
                "settings": normalise.by(settings, "name"),
                "capacityProviders": sorted(providers),
            }
        )
        return cleaned

    def read(self, name: str) -> Found | None:
        answer = self._aws.call(
            "ecs", "describe_clusters", clusters=[name], include=["TAGS", "SETTINGS", "ATTACHMENTS"]
        )
        clusters = [item for item in answer["clusters"] if item["status"] != "INACTIVE"]
        return _found_cluster(clusters[0]) if clusters else None

    def create(self, wanted: Wanted) -> Found:
        with self._providers_named():
            self._aws.call("ecs", "create_cluster", **wanted.body, tags=tag_list(wanted.tags))
        return self._settled(wanted.name)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        changed = {field.path.partition(".")[0].partition("[")[0] for field in fields}
        if "tags" in changed:
            self._aws.call("ecs", "tag_resource", resourceArn=found.id, tags=tag_list(wanted.tags))
        if "settings" in changed:
            settings = wanted.body["settings"]
            self._aws.call("ecs", "update_cluster_settings", cluster=wanted.name, settings=settings)
        if "capacityProviders" in changed:
            with self._providers_named():
                self._aws.call(
                    "ecs",
                    "put_cluster_capacity_providers",
                    cluster=wanted.name,
                    capacityProviders=sorted({*found.raw.get("capacityProviders", ()), *self._providers}),
                    defaultCapacityProviderStrategy=found.raw.get("defaultCapacityProviderStrategy", []),
                )
        return self._settled(wanted.name)

    def delete(self, found: Found) -> None:
        def look() -> Look[bool]:
            try:
                self._aws.call("ecs", "delete_cluster", cluster=found.id)
            except NotFound:
                return Look(True)
            except ApiError as error:
                # Tasks of a service deleted just now take a moment to be gone.
                if error.code not in ("ClusterContainsTasksException", "UpdateInProgressException"):
                    raise
                return Look(None, NOT_EMPTY.get(error.code, "an update in progress"))
            return Look(True)

        self._waiter.until(f"cluster {found.body['clusterName']} to be empty", CLUSTER_SECONDS, look)

    def in_use(self, found: Found) -> str:
        services = int(found.raw.get("activeServicesCount", 0)) - self.own_services
        instances = int(found.raw.get("registeredContainerInstancesCount", 0))
        reasons = []
        if services > 0:
            reasons.append(f"{services} other service(s) use it")
        if instances > 0:
            reasons.append(f"{instances} container instance(s) are registered in it")
        return " and ".join(reasons)

    @contextmanager
    def _providers_named(self) -> Iterator[None]:
        """ECS does not say which capacity provider it does not know."""
        try:
            yield
        except ApiError as error:
            if "capacity provider" not in error.message.lower():
                raise
            names = ", ".join(self._providers)
            raise NotFound(
                f"{error.message} The deployment names: {names}.",
                hint="Create the capacity provider, or name another in platform.capacity_provider_strategy.",
            ) from error

    def _settled(self, name: str) -> Found:
        """Wait until capacity providers are attached: a service can refer to them only then."""

        def look() -> Look[Found]:
            found = self.read(name)
            if found is None:
                return Look(None, "no such cluster yet")
            state = (found.raw["status"], found.raw.get("attachmentsStatus", "UPDATE_COMPLETE"))
            if "FAILED" in state or "UPDATE_FAILED" in state:
                raise ApiError("ecs.CreateCluster", 200, state[1], f"the capacity providers of {name} were refused")
            return Look(found if state == (ACTIVE, "UPDATE_COMPLETE") else None, " ".join(state))

        return self._waiter.until(f"cluster {name} to be active", CLUSTER_SECONDS, look)


def _found_cluster(cluster: Mapping[str, Any]) -> Found:
    return Found(id=cluster["clusterArn"], body=cluster, tags=from_tag_list(cluster.get("tags")), raw=cluster)


class LogGroupKind(Kind):
    """A CloudWatch Logs group. CloudWatch answers tags in a call of its own, so they are read only when asked for.

    taggable: False makes it the child of a service that is known to be ours.
    """

    title = "log group"
    immutable = ("logGroupName",)

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.taggable = True

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        days = body.get("retentionInDays")
        kept = {"logGroupName": body["logGroupName"], "retentionInDays": None if days is None else int(days)}
        return dict(drop_empty(kept))

    def read(self, name: str) -> Found | None:
        found = self.read_untagged(name)
        return self.with_tags(found) if found and self.taggable else found

    def read_untagged(self, name: str) -> Found | None:
        """The group without its tags. The exact name sorts before all longer ones, so one result is enough."""
        answer = self._aws.call("logs", "describe_log_groups", logGroupNamePrefix=name, limit=1)
        for group in answer.get("logGroups", ()):
            if group["logGroupName"] == name:
                return Found(id=group["arn"].removesuffix(":*"), body=group, raw=group)
        return None

    def with_tags(self, found: Found) -> Found:
        """The same group with its tags."""
        answer = self._aws.call("logs", "list_tags_for_resource", resourceArn=found.id)
        return Found(id=found.id, body=found.body, tags=answer.get("tags", {}), raw=found.raw)

    def create(self, wanted: Wanted) -> Found:
        try:
            self._aws.call("logs", "create_log_group", logGroupName=wanted.name, tags=dict(wanted.tags))
        except ApiError as error:
            # A retry after a lost answer finds what the first try made.
            if error.code != "ResourceAlreadyExistsException":
                raise
        self._retain(wanted)
        return self._again(wanted.name)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        if any(field.path.startswith("tags.") for field in fields):
            self._aws.call("logs", "tag_resource", resourceArn=found.id, tags=dict(wanted.tags))
        if any(field.path == "retentionInDays" for field in fields):
            self._retain(wanted)
        return self._again(wanted.name)

    def delete(self, found: Found) -> None:
        try:
            self._aws.call("logs", "delete_log_group", logGroupName=found.body["logGroupName"])
        except NotFound:
            return

    def _retain(self, wanted: Wanted) -> None:
        days = wanted.body.get("retentionInDays")
        if days is not None:
            self._aws.call("logs", "put_retention_policy", logGroupName=wanted.name, retentionInDays=days)

    def _again(self, name: str) -> Found:
        found = self.read(name)
        if found is None:
            raise NotFound(f"log group {name} is gone again right after it was written")
        return found


class TaskDefinitionKind(Kind):
    """A family of task definitions. An update registers a new revision; a change of tags alone does not.

    taggable: False where the definition is the child of a service that is known to be ours.
    """

    title = "ecs task definition"
    versioned = True

    def __init__(self, aws: Aws, *, taggable: bool = True) -> None:
        self._aws = aws
        self.taggable = taggable

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return normalise.definition(body)

    def read(self, name: str) -> Found | None:
        """Read C(family) (its latest active revision), C(family:revision) or an ARN."""
        try:
            answer = self._aws.call("ecs", "describe_task_definition", taskDefinition=name, include=["TAGS"])
        except ApiError as error:
            # ECS has no code of its own for an unknown definition.
            if error.code == "ClientException" and "describe task definition" in error.message:
                return None
            raise
        return found_definition(answer["taskDefinition"], answer.get("tags"))

    def create(self, wanted: Wanted) -> Found:
        answer = self._aws.call("ecs", "register_task_definition", **wanted.body, tags=tag_list(wanted.tags))
        return found_definition(answer["taskDefinition"], answer.get("tags"))

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        if all(field.path.startswith("tags.") for field in fields):
            self._aws.call("ecs", "tag_resource", resourceArn=found.id, tags=tag_list(wanted.tags))
            return Found(id=found.id, body=found.body, tags={**found.tags, **wanted.tags}, raw=found.raw)
        return self.create(wanted)

    def delete(self, found: Found) -> None:
        """Deregister every active revision of the family with the owner of the one found; without owner that one."""
        owner = found.tags.get(DEPLOYMENT)
        if owner is None:
            self.deregister(found.id, None)
            return
        for arn in self.revisions(str(found.body["family"])):
            self.deregister(arn, owner)

    def revisions(self, family: str, most: int | None = None) -> list[str]:
        """ARNs of the active revisions, newest first. most: look no further than one page of that many."""
        call = {"familyPrefix": family, "status": ACTIVE, "sort": "DESC", "maxResults": most or 100}
        if most is not None:
            arns = self._aws.call("ecs", "list_task_definitions", **call)["taskDefinitionArns"]
        else:
            arns = list(self._aws.pages("ecs", "list_task_definitions", "taskDefinitionArns", **call))
        return [arn for arn in arns if normalise.revision_of(arn).rpartition(":")[0] == family]

    def deregister(self, arn: str, owner: str | None) -> bool:
        """Deregister a revision if it has the owner; False where it is someone else's."""
        found = self.read(arn)
        if found is None or found.raw.get("status") != ACTIVE or found.tags.get(DEPLOYMENT) != owner:
            return False
        self._aws.call("ecs", "deregister_task_definition", taskDefinition=arn)
        return True

    def require(self, name: str) -> Found:
        """Read a definition that must exist."""
        found = self.read(name)
        if found is None:
            raise Refused(f"task definition {name} does not exist.", hint="Register it first.")
        return found


def found_definition(definition: Mapping[str, Any], tags: Any) -> Found:
    """A task definition as Found. The id is its ARN."""
    return Found(id=definition["taskDefinitionArn"], body=definition, tags=from_tag_list(tags), raw=definition)
