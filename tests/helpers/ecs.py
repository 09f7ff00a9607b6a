# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions of ECS deployments for tests, and the platform on the emulated cloud without a module around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.parse import parse
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.options import EcsPlatform
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.platform import Ecs
from ansible_collections.polycloud.ollama.plugins.module_utils.events import EventLog
from ansible_collections.polycloud.ollama.plugins.module_utils.outcome import Outcome
from ansible_collections.polycloud.ollama.plugins.module_utils.planner import Consent
from ansible_collections.polycloud.ollama.plugins.module_utils.reconcile import Reconciler
from ansible_collections.polycloud.ollama.plugins.module_utils.verification import verifier
from tests.sandbox.launcher import Sandbox

REGION = "us-east-1"
ACCOUNT = "123456789012"
DIGEST = "sha256:" + "a" * 64
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:token-AbCdEf"
TARGET_GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/chat/0123456789abcdef"
RULE = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/chat/0123/4567/89ab"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ollama"

GPU: dict[str, Any] = {
    "name": "chat",
    "image": f"registry.example.com/ollama:0.24.0@{DIGEST}",
    "models": [{"name": "gemma3:4b", "digest": "b" * 64}],
    "resources": {"cpu": 4.0, "memory_gib": 14.0, "gpu": {"count": 1}},
    "platform": {
        "cluster": "inference",
        "capacity_provider_strategy": [{"capacity_provider": "gpu", "weight": 1}],
        "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "security_groups": ["sg-0123456789abcdef0"],
        "execution_role": "ollama-execution",
        "task_role": "ollama-task",
    },
}
VOLUME: dict[str, Any] = merge(
    GPU,
    {
        "storage": {"mode": "volume"},
        "secrets": [{"name": "LICENCE", "reference": SECRET}],
        "tags": {"team": "search"},
        "update": {"strategy": "stop_first"},
        "platform": {
            "container_insights": "enhanced",
            "efs": {"file_system_id": "fs-0123456789abcdef0", "access_point_id": "fsap-0123456789abcdef0"},
            "deployment_alarms": ["chat-errors"],
            "enable_execute_command": True,
        },
    },
)
SEEDED: dict[str, Any] = merge(
    VOLUME,
    {
        "storage": {
            "seed": {"image": f"registry.example.com/fetcher:1@{DIGEST}", "registry": "https://models.example.com"}
        },
        "secrets": [
            {"name": "LICENCE", "reference": SECRET},
            {"name": "POLYCLOUD_REGISTRY_TOKEN", "reference": SECRET},
        ],
        "platform": {"no_new_privileges": True},
    },
)
FARGATE: dict[str, Any] = merge(
    GPU,
    {
        "resources": {"cpu": 8.0, "memory_gib": 32.0, "gpu": None},
        "platform": {
            "compatibility": "FARGATE",
            "capacity_provider_strategy": [],
            "cpu_architecture": "ARM64",
            "ephemeral_storage_gib": 60,
        },
    },
)
SHARED_GPU: dict[str, Any] = merge(
    GPU,
    {
        "resources": {"gpu": {"sharing": {"memory_mib": 8192, "max_compute_percent": 50}}},
        "platform": {"compatibility": "MANAGED_INSTANCES"},
    },
)
BALANCED: dict[str, Any] = merge(
    GPU,
    {
        "scaling": {"min": 2, "max": 4},
        "platform": {
            "load_balancers": [
                {
                    "target_group_arn": TARGET_GROUP,
                    "alternate_target_group_arn": TARGET_GROUP.replace("chat", "chat-green"),
                    "production_listener_rule_arn": RULE,
                    "role_arn": ROLE,
                }
            ],
            "health_check_grace_period": 300,
            "bake_time": 5,
            "circuit_breaker": {"threshold_type": "COUNT", "threshold_value": 2},
        },
    },
)
PLAIN_BALANCER: dict[str, Any] = merge(GPU, {"platform": {"load_balancers": [{"target_group_arn": TARGET_GROUP}]}})
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "gpu": GPU,
    "volume": VOLUME,
    "seeded": SEEDED,
    "fargate": FARGATE,
    "shared_gpu": SHARED_GPU,
    "balanced": BALANCED,
    "plain_balancer": PLAIN_BALANCER,
}


def describe(base: Mapping[str, Any] = GPU, **changes: Any) -> Deployment[EcsPlatform]:
    """A deployment as the module would parse it: the base with the changes merged in."""
    return parse(merge(base, changes), EcsPlatform)


class OnSandbox:
    """One deployment in the emulated cloud, reconciled in this process."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.events = EventLog()
        self.outcome: Outcome | None = None

    def params(self, fault: str = "good", **changes: Any) -> dict[str, Any]:
        """A deployment in what the sandbox gives its user. fault: the tag of the image."""
        seeds = self.sandbox.seeds["aws"][REGION]
        given = {
            "image": f"registry.example.com/ollama:{fault}@{DIGEST}",
            "models": [{"name": "gemma3:4b"}],
            "health": {"timeout": 15, "startup_timeout": 3},
            "update": {"timeout": 40},
            "platform": {
                "subnets": seeds["subnet_ids"],
                "security_groups": [seeds["security_group_id"]],
                "capacity_provider_strategy": [{"capacity_provider": seeds["capacity_provider"]}],
            },
        }
        return merge(merge(GPU, given), changes)

    def platform(self, fault: str = "good", *, state: str = "present", **changes: Any) -> Ecs:
        """The platform as the module would build it."""
        deployment = parse(self.params(fault, **changes), EcsPlatform)
        return Ecs(deployment, self.aws(), self.events.emit, state=state)

    def aws(self) -> Aws:
        """Clients of the emulated cloud."""
        return Aws(lambda service, config: boto3.client(service, region_name=REGION, config=config), REGION)

    def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One call past our code, as another person would make it."""
        return self.aws().call(service, operation, **parameters)

    def run(
        self, fault: str = "good", *, state: str = "present", check: bool = False, force: bool = False, **changes: Any
    ) -> Outcome:
        """Bring the deployment to the state. The outcome is kept for a run that fails."""
        platform = self.platform(fault, state=state, **changes)
        verify = verifier(platform.deployment, self.events.emit)
        reconciler = Reconciler(platform, verify, self.events.emit, consent=Consent(force=force), check=check)
        self.outcome = reconciler.outcome
        return reconciler.run(state)

    def service(self) -> dict[str, Any]:
        """The service as ECS answers it."""
        answer = self.call("ecs", "describe_services", cluster="inference", services=["chat"], include=["TAGS"])
        return dict(answer["services"][0])

    def told(self) -> str:
        """All events, one a line."""
        return "\n".join(event["text"] for event in self.events.events)

    def operations(self) -> list[str]:
        """The calls that the emulated cloud has seen since the log was cleared."""
        return [record.operation for record in self.sandbox.log.records("aws")]
