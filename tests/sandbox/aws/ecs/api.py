# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ECS endpoint: one JSON request in, one JSON answer out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from tests.sandbox.aws.ecs import (
    capacity_providers,
    clusters,
    errors,
    service_deployments,
    services,
    tags,
    task_definitions,
    tasks,
    wire,
)
from tests.sandbox.aws.ecs.world import Region, World

Action = Callable[[Region, dict[str, Any]], dict[str, Any]]

ACTIONS: dict[str, Action] = {
    "ContinueServiceDeployment": service_deployments.continue_service_deployment,
    "CreateCapacityProvider": capacity_providers.create_capacity_provider,
    "CreateCluster": clusters.create_cluster,
    "CreateService": services.create_service,
    "DeleteCapacityProvider": capacity_providers.delete_capacity_provider,
    "DeleteCluster": clusters.delete_cluster,
    "DeleteService": services.delete_service,
    "DeleteTaskDefinitions": task_definitions.delete_task_definitions,
    "DeregisterTaskDefinition": task_definitions.deregister_task_definition,
    "DescribeCapacityProviders": capacity_providers.describe_capacity_providers,
    "DescribeClusters": clusters.describe_clusters,
    "DescribeServiceDeployments": service_deployments.describe_service_deployments,
    "DescribeServiceRevisions": service_deployments.describe_service_revisions,
    "DescribeServices": services.describe_services,
    "DescribeTaskDefinition": task_definitions.describe_task_definition,
    "DescribeTasks": tasks.describe_tasks,
    "ListAccountSettings": clusters.list_account_settings,
    "ListClusters": clusters.list_clusters,
    "ListServiceDeployments": service_deployments.list_service_deployments,
    "ListServices": services.list_services,
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListTaskDefinitionFamilies": task_definitions.list_task_definition_families,
    "ListTaskDefinitions": task_definitions.list_task_definitions,
    "ListTasks": tasks.list_tasks,
    "PutAccountSetting": clusters.put_account_setting,
    "PutAccountSettingDefault": clusters.put_account_setting,
    "PutClusterCapacityProviders": clusters.put_cluster_capacity_providers,
    "RegisterTaskDefinition": task_definitions.register_task_definition,
    "RunTask": tasks.run_task,
    "StopServiceDeployment": service_deployments.stop_service_deployment,
    "StopTask": tasks.stop_task,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateCapacityProvider": capacity_providers.update_capacity_provider,
    "UpdateCluster": clusters.update_cluster,
    "UpdateClusterSettings": clusters.update_cluster_settings,
    "UpdateService": services.update_service,
}


def call(world: World, region: str, operation: str, body: bytes) -> bytes:
    """Carry out one action; raises EcsError."""
    action = ACTIONS.get(operation)
    if action is None:
        raise errors.UnknownOperationException(f"The ECS action {operation} is not emulated by this sandbox.")
    request = wire.decode(operation, body)
    with world.lock:
        answer = action(world.region(region), request)
        return wire.encode(operation, answer)


def error_body(code: str, message: str) -> bytes:
    """Return the body of an error in the protocol's form."""
    return json.dumps({"__type": code, "message": message}).encode()


def headers() -> list[tuple[str, str]]:
    """Return the headers of every answer."""
    return [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4()))]
