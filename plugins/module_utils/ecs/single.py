# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task definition or a service as a single resource: what the fine-grained modules run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..clients.aws import Aws
from ..compare import FieldChange
from ..errors import InvalidDeployment
from ..resource import Found, Wanted
from ..resource_module import Bundle
from ..shape import from_api, to_api
from ..unknown import is_unknown
from ..waiting import Waiter
from .resources import TaskDefinitionKind
from .rollout import Emit, Limits, Rollouts
from .service import ServiceKind
from .single_options import SERVICE_OPTIONS, TASK_DEFINITION_OPTIONS

TASK_DEFINITION, SERVICE = "task_definition", "service"


def task_definition_bundle(params: Mapping[str, Any], aws: Aws) -> Bundle:
    """The bundle of C(ecs_task_definition): the latest active revision of a family."""
    family = params["family"]
    if params["state"] == "present" and not params["container_definitions"]:
        raise InvalidDeployment(["container_definitions must hold at least one container"])
    body = to_api(params, TASK_DEFINITION_OPTIONS)
    for container in body.get("containerDefinitions", ()):
        _texts(container)
    wanted = Wanted(key=TASK_DEFINITION, name=family, body=body, tags=text_map(params["tags"]))
    kinds = {TASK_DEFINITION: TaskDefinitionKind(aws)}
    return Bundle([wanted], kinds, lambda found: {TASK_DEFINITION: shown_definition(found[TASK_DEFINITION])})


def _texts(container: dict[str, Any]) -> None:
    """Maps of text to text: YAML makes numbers and booleans of some values."""
    if "dockerLabels" in container:
        container["dockerLabels"] = text_map(container["dockerLabels"])
    log = container.get("logConfiguration", {})
    if "options" in log:
        log["options"] = text_map(log["options"])


def text_map(values: Mapping[str, Any]) -> dict[str, str]:
    """A map of which every value is text."""
    return {str(key): str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()}


def shown_definition(found: Found | None) -> dict[str, Any] | None:
    """A task definition for the result: its members in snake_case, its ARN, its tags as a map."""
    if found is None:
        return None
    shown: dict[str, Any] = from_api(found.body)
    revision = found.id if is_unknown(found.id) else shown["revision"]
    return {**shown, "arn": found.id, "task_definition_arn": found.id, "revision": revision, "tags": dict(found.tags)}


class WaitingServiceKind(ServiceKind):
    """A service whose create and update wait until ECS has brought the change about (or waits behind a pause)."""

    rollouts: Rollouts | None = None

    def create(self, wanted: Wanted) -> Found:
        counted = dataclasses.replace(wanted, body={"desiredCount": 1, **wanted.body})
        return self._waited(super().create(counted), wanted)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        if self.rollouts is not None:
            self.rollouts.learn(found.raw)
        return self._waited(super().update(wanted, found, fields), wanted)

    def _waited(self, service: Found, wanted: Wanted) -> Found:
        if self.rollouts is None:
            return service
        if service.attributes["deploys"]:
            self.rollouts.wait_ready(self.rollouts.started(service), str(service.raw["taskDefinition"]))
        else:
            self.rollouts.wait_ready(None, str(service.raw["taskDefinition"]))
        return self.require(wanted.name)


def service_bundle(params: Mapping[str, Any], aws: Aws, emit: Emit) -> Bundle:
    """The bundle of C(ecs_service). Only the options that were given are compared and changed."""
    name = params["name"]
    body = {"cluster": params["cluster"], "serviceName": name, **to_api(params, SERVICE_OPTIONS)}
    present = params["state"] == "present"
    if present and "taskDefinition" in body:
        body["taskDefinition"] = _pinned(aws, body["taskDefinition"])
    waiter = Waiter()
    kind = WaitingServiceKind(aws, waiter, body)
    if params["wait"]:
        limits = Limits(total=params["wait_timeout"], placement=params["wait_timeout"])
        kind.rollouts = Rollouts(aws, waiter, kind, name, emit, limits)
    wanted = Wanted(key=SERVICE, name=name, body=body, tags=text_map(params["tags"]))
    return Bundle([wanted], {SERVICE: kind}, lambda found: {SERVICE: shown_service(found[SERVICE])})


def _pinned(aws: Aws, definition: str) -> str:
    """A bare family means its latest revision, so that a later revision is seen as a change."""
    if is_unknown(definition) or ":" in definition.rsplit("/", 1)[-1]:
        return definition
    return TaskDefinitionKind(aws).require(definition).id


def shown_service(found: Found | None) -> dict[str, Any] | None:
    """A service for the result: its members in snake_case, its tags as a map."""
    if found is None:
        return None
    kept = {key: value for key, value in found.body.items() if key not in ("events", "tags")}
    shown: dict[str, Any] = from_api(kept)
    return {**shown, "arn": found.id, "service_arn": found.id, "tags": dict(found.tags)}
