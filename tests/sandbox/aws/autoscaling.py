# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moto's Application Auto Scaling lacks: the look at our ECS services, and tags."""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from tests.sandbox.aws.ecs.errors import EcsError
from tests.sandbox.aws.ecs.world import World


class _NotFound(JsonRESTError):
    code = 400

    def __init__(self, arn: str) -> None:
        super().__init__("ResourceNotFoundException", f"No scalable target found for resource ARN: {arn}")


def install(world: World) -> None:
    """Replace and add the methods; later worlds replace earlier ones."""

    def service_exists(backend: ApplicationAutoscalingBackend, resource_id: str) -> bool:
        region = world.region(backend.region_name)
        try:
            _, cluster, name = resource_id.split("/")
            active = region.service(region.cluster(cluster), name).status == "ACTIVE"
        except (EcsError, ValueError):
            active = False
        if not active:
            raise AWSValidationException(f"ECS service doesn't exist: {resource_id}")
        return True

    ApplicationAutoscalingBackend._ecs_service_exists_for_target = service_exists  # type: ignore[method-assign,assignment]
    actions: dict[str, Any] = {
        "register_scalable_target": _register(ApplicationAutoScalingResponse.register_scalable_target),
        "list_tags_for_resource": _list_tags,
        "tag_resource": _tag,
        "untag_resource": _untag,
        "describe_scaling_activities": _no_activities,
    }
    for name, method in actions.items():
        if not getattr(getattr(ApplicationAutoScalingResponse, name, None), "of_sandbox", False):
            method.of_sandbox = True
            setattr(ApplicationAutoScalingResponse, name, method)


def _target(response: Any, arn: str) -> Any:
    for targets in response.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise _NotFound(arn)


def _register(stock: Any) -> Any:
    """Return RegisterScalableTarget with the checks and tags that moto leaves out."""

    def register_scalable_target(self: Any) -> str:
        least, most = self._get_int_param("MinCapacity"), self._get_int_param("MaxCapacity")
        known = self.applicationautoscaling_backend.targets.get(self._get_param("ScalableDimension"), {})
        if self._get_param("ResourceId") not in known and (least is None or most is None):
            raise AWSValidationException("MinCapacity and MaxCapacity are required to register a new scalable target.")
        if least is not None and most is not None and least > most:
            raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
        answer = str(stock(self))
        tags = self._get_param("Tags")
        if tags:
            _target(self, json.loads(answer)["ScalableTargetARN"]).tags = dict(tags)
        return answer

    return register_scalable_target


def _list_tags(self: Any) -> str:
    return json.dumps({"Tags": getattr(_target(self, self._get_param("ResourceARN")), "tags", {})})


def _tag(self: Any) -> str:
    target = _target(self, self._get_param("ResourceARN"))
    target.tags = getattr(target, "tags", {}) | self._get_param("Tags")
    return "{}"


def _untag(self: Any) -> str:
    target = _target(self, self._get_param("ResourceARN"))
    keys = self._get_param("TagKeys")
    target.tags = {key: value for key, value in getattr(target, "tags", {}).items() if key not in keys}
    return "{}"


def _no_activities(self: Any) -> str:
    """Return no activities: nothing scales by itself here."""
    return json.dumps({"ScalingActivities": []})
