# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract suite must know about a platform: how to describe a deployment, and how to tamper with it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.sandbox.launcher import Sandbox

Args = dict[str, Any]
DIGEST = "sha256:" + "a1" * 32
OTHER_DIGEST = "sha256:" + "b2" * 32
CANARY = "canary-5e0f7c21-do-not-print"
GOOD, BETTER = f"registry.example.com/ollama:good@{DIGEST}", f"registry.example.com/ollama:better@{OTHER_DIGEST}"


def bad(fault: str) -> str:
    """An image whose tag names its fault, see tests/sandbox/runtime.py."""
    return f"registry.example.com/ollama:{fault}@sha256:" + "c3" * 32


@dataclass(frozen=True)
class Adapter:
    """One platform under contract.

    args: a whole deployment from the sandbox's seeds. drift: change a managed field behind our back. disown: take the
    ownership tag off the carrier, as if it had been made by hand. immutable: change
    the arguments where the platform cannot follow in place, None where it always can. write: pattern of its first
    write. gpu: resources with one, None where the platform has none any more. carrier: bundle key that holds the
    record. secret_value: it takes secret values, not only references.
    """

    platform: str
    module: str
    cloud: str
    carrier: str
    write: str
    args: Callable[[Sandbox], Args]
    drift: Callable[[Sandbox], None]
    disown: Callable[[Sandbox], None]
    immutable: Callable[[Args], Args] | None
    secret_value: bool
    surge: bool
    gpu: Args | None


def _common(image: str = GOOD) -> Args:
    return {
        "name": "chat",
        "image": image,
        "models": [{"name": "gemma3:1b"}],
        "resources": {"cpu": 2, "memory_gib": 4},
        "health": {"timeout": 10, "startup_timeout": 10},
        "update": {"timeout": 20},
    }


# ---- ecs


def ecs_args(sandbox: Sandbox) -> Args:
    seeds = sandbox.seeds["aws"]["us-east-1"]
    return {
        **_common(),
        "region": "us-east-1",
        "secrets": [{"name": "LICENCE", "reference": seeds["secret_arn"]}],
        "platform": {
            "cluster": "ml",
            "subnets": seeds["subnet_ids"],
            "security_groups": [seeds["security_group_id"]],
            "execution_role": seeds["execution_role_arn"],
            "task_role": seeds["task_role_arn"],
            "capacity_provider_strategy": [{"capacity_provider": seeds["capacity_provider"]}],
        },
    }


def ecs_client(sandbox: Sandbox) -> Any:
    import boto3

    return boto3.client(
        "ecs",
        region_name="us-east-1",
        endpoint_url=sandbox.exports["AWS_ENDPOINT_URL"],
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox-only",
    )


def ecs_drift(sandbox: Sandbox) -> None:
    ecs_client(sandbox).update_service(cluster="ml", service="chat", enableExecuteCommand=True)


def ecs_disown(sandbox: Sandbox) -> None:
    client = ecs_client(sandbox)
    arn = client.describe_services(cluster="ml", services=["chat"])["services"][0]["serviceArn"]
    client.untag_resource(resourceArn=arn, tagKeys=["polycloud-deployment"])


# ---- aci and container_apps


def arm(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Any:
    """One call to the emulated ARM, path beginning with /subscriptions or a provider of the seeded group."""
    url = sandbox.exports["AZURE_RESOURCE_MANAGER_ENDPOINT"] + path
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def group_path(sandbox: Sandbox, region: str, rest: str, version: str) -> str:
    seeds = sandbox.seeds["azure"]
    group = seeds["resource_groups"][region]
    return f"/subscriptions/{seeds['subscription_id']}/resourceGroups/{group}/providers/{rest}?api-version={version}"


def aci_args(sandbox: Sandbox) -> Args:
    return {
        **_common(),
        "secrets": [{"name": "LICENCE", "value": CANARY}],
        "platform": {
            "resource_group": sandbox.seeds["azure"]["resource_groups"]["swedencentral"],
            "location": "swedencentral",
            "subnet_id": sandbox.seeds["azure"]["subnet_ids"]["swedencentral"],
        },
    }


ACI_GROUP = ("swedencentral", "Microsoft.ContainerInstance/containerGroups/chat", "2025-09-01")


def _disown(sandbox: Sandbox, resource: tuple[str, str, str]) -> None:
    path = group_path(sandbox, *resource)
    tags = arm(sandbox, "GET", path)["tags"]
    arm(sandbox, "PATCH", path, {"tags": {**tags, "polycloud-deployment": "somebody-else"}})


def aci_drift(sandbox: Sandbox) -> None:
    path = group_path(sandbox, *ACI_GROUP)
    tags = arm(sandbox, "GET", path)["tags"]
    arm(sandbox, "PATCH", path, {"tags": {**tags, "team": "drifted"}})


def aci_immutable(args: Args) -> Args:
    return {**args, "resources": {"cpu": 3, "memory_gib": 4}}


def container_apps_args(sandbox: Sandbox) -> Args:
    return {
        **_common(),
        "resources": {"cpu": 8, "memory_gib": 56, "gpu": {"count": 1, "type": "Consumption-GPU-NC8as-T4"}},
        "network": {"endpoint_url": "http://{host}:8080"},
        "secrets": [{"name": "LICENCE", "value": CANARY}],
        "platform": {
            "resource_group": sandbox.seeds["azure"]["resource_groups"]["westus3"],
            "location": "westus3",
            "environment": {"name": "ml"},
            # Nobody waits for a long answer here.
            "drain": 0,
        },
    }


APP = ("westus3", "Microsoft.App/containerApps/chat", "2026-07-01")


def container_apps_drift(sandbox: Sandbox) -> None:
    arm(sandbox, "PATCH", group_path(sandbox, *APP), {"properties": {"configuration": {"maxInactiveRevisions": 77}}})


ADAPTERS = (
    Adapter(
        platform="ecs",
        module="ecs_deployment",
        cloud="aws",
        carrier="service",
        write="ecs (CreateCluster|CreateService)",
        args=ecs_args,
        drift=ecs_drift,
        disown=ecs_disown,
        immutable=None,
        secret_value=False,
        surge=True,
        gpu={"cpu": 2, "memory_gib": 4, "gpu": {"count": 1}},
    ),
    Adapter(
        platform="aci",
        module="aci_deployment",
        cloud="azure",
        carrier="group",
        write="PUT containerGroups",
        args=lambda sandbox: {**aci_args(sandbox), "tags": {"team": "ml"}},
        drift=aci_drift,
        disown=lambda sandbox: _disown(sandbox, ACI_GROUP),
        immutable=aci_immutable,
        secret_value=True,
        surge=False,
        gpu=None,
    ),
    Adapter(
        platform="container_apps",
        module="container_app_deployment",
        cloud="azure",
        carrier="app",
        write="PUT containerApps",
        args=container_apps_args,
        drift=container_apps_drift,
        disown=lambda sandbox: _disown(sandbox, APP),
        immutable=None,
        secret_value=True,
        surge=True,
        gpu={"cpu": 8, "memory_gib": 56, "gpu": {"count": 1, "type": "Consumption-GPU-NC8as-T4"}},
    ),
)
