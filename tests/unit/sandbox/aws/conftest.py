# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One emulated AWS for all tests of this folder, empty and seeded for each of them, and a short way to use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.sandbox.aws.app import AwsCloud, create_app
from tests.sandbox.aws.ecs.timing import Timing
from tests.sandbox.faults import FaultSwitch
from tests.sandbox.http import Gate, RequestLog, Server
from tests.sandbox.runtime import ProcessRuntime

REGION = "us-east-1"
# Health checks give up sooner than in the sandbox: an idle test engine answers in a tenth of a second.
TIMING = Timing(hook_minute=1.0, unhealthy_floor=1.5, bake_minute=1.0)
HEALTH = {"command": ["CMD", "ollama", "ps"], "interval": 5, "timeout": 2, "retries": 1}


class Aws:
    """The emulated AWS, its clients, and the resources that most tests need."""

    def __init__(self, cloud: AwsCloud, runtime: ProcessRuntime, switch: FaultSwitch) -> None:
        self.cloud, self.runtime, self.switch = cloud, runtime, switch
        self.log = RequestLog()
        self._server = Server(Gate(cloud, switch, self.log)).start()
        self._clients: dict[tuple[str, str], Any] = {}
        self.seeds: dict[str, Any] = {}

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client that tries each call once."""
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(
                service,
                region_name=region,
                endpoint_url=self._server.url,
                aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
                aws_secret_access_key="example",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service, region]

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    @property
    def seed(self) -> dict[str, Any]:
        return self.seeds[REGION]

    def renew(self) -> None:
        """Forget everything and seed again, with the cluster ``main`` of the seeded capacity provider."""
        self.switch.reset()
        self.cloud.reset()
        self.log.clear()
        self.seeds = self.cloud.seed()
        self.ecs.create_cluster(clusterName="main", capacityProviders=["gpu", "FARGATE"])

    def close(self) -> None:
        self._server.close()
        self.cloud.close()

    def register(self, tag: str = "1.0", gpu: Any = None, health: Any = HEALTH, **changes: Any) -> str:
        """Register a definition of family ``ollama`` with one container; returns the ARN."""
        container: dict[str, Any] = {
            "name": "ollama",
            "image": f"example.test/ollama:{tag}",
            "memory": 512,
            "portMappings": [{"containerPort": 11434}],
            "environment": [{"name": "POLYCLOUD_MODELS", "value": "llama3.2:1b"}],
            **({"healthCheck": health} if health else {}),
            **({"resourceRequirements": [{"type": "GPU", **gpu}]} if gpu else {}),
            **changes.pop("container", {}),
        }
        wanted = {
            "family": "ollama",
            "networkMode": "awsvpc",
            "cpu": "1024",
            "memory": "2048",
            "executionRoleArn": self.seed["execution_role_arn"],
            "containerDefinitions": [container],
        }
        answer = self.ecs.register_task_definition(**{**wanted, **changes})
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    @property
    def network(self) -> dict[str, Any]:
        groups = [self.seed["security_group_id"]]
        return {"awsvpcConfiguration": {"subnets": self.seed["subnet_ids"], "securityGroups": groups}}

    def create(self, definition: str, count: int = 1, **changes: Any) -> dict[str, Any]:
        """Create service ``chat`` on the seeded capacity provider."""
        wanted = {
            "cluster": "main",
            "serviceName": "chat",
            "taskDefinition": definition,
            "desiredCount": count,
            "capacityProviderStrategy": [{"capacityProvider": "gpu", "weight": 1}],
            "networkConfiguration": self.network,
        }
        return dict(self.ecs.create_service(**{**wanted, **changes})["service"])

    def update(self, **changes: Any) -> dict[str, Any]:
        """Update service ``chat``."""
        return dict(self.ecs.update_service(cluster="main", service="chat", **changes)["service"])

    def service(self) -> dict[str, Any]:
        """Describe service ``chat``."""
        return dict(self.ecs.describe_services(cluster="main", services=["chat"], include=["TAGS"])["services"][0])

    def until(self, condition: Callable[[dict[str, Any]], Any], seconds: float = 15) -> dict[str, Any]:
        """Wait until the service fulfils a condition, and return it."""
        deadline = time.monotonic() + seconds
        while not condition(found := self.service()):
            messages = [event["message"] for event in found["events"]]
            assert time.monotonic() < deadline, f"not within {seconds} s: {found['deployments']} {messages}"
            time.sleep(0.03)
        return found

    def steady(self, definition: str | None = None) -> dict[str, Any]:
        """Wait until one deployment is left, completed and with all its tasks."""

        def reached(service: dict[str, Any]) -> bool:
            first = service["deployments"][0]
            return (
                len(service["deployments"]) == 1
                and first["rolloutState"] == "COMPLETED"
                and service["runningCount"] == service["desiredCount"]
                and definition in (None, first["taskDefinition"])
            )

        return self.until(reached)

    def tasks(self, **filters: Any) -> list[dict[str, Any]]:
        """Describe the tasks of the cluster."""
        arns = self.ecs.list_tasks(cluster="main", **filters)["taskArns"]
        return list(self.ecs.describe_tasks(cluster="main", tasks=arns, include=["TAGS"])["tasks"]) if arns else []

    def deployments(self) -> list[dict[str, Any]]:
        """Describe the service deployments of ``chat``, newest first."""
        briefs = self.ecs.list_service_deployments(cluster="main", service="chat")["serviceDeployments"]
        arns = [brief["serviceDeploymentArn"] for brief in briefs]
        found = self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
        return sorted(found, key=lambda each: arns.index(each["serviceDeploymentArn"]))

    def deployment_until(self, condition: Callable[[dict[str, Any]], Any], seconds: float = 15) -> dict[str, Any]:
        """Wait until the newest service deployment fulfils a condition, and return it."""
        deadline = time.monotonic() + seconds
        while not condition(found := self.deployments()[0]):
            assert time.monotonic() < deadline, f"not within {seconds} s: {found}"
            time.sleep(0.03)
        return found

    def messages(self) -> list[str]:
        """Return the messages of the service's events, newest first."""
        return [event["message"] for event in self.service()["events"]]


@pytest.fixture(scope="session")
def running_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    runtime = ProcessRuntime(tmp_path_factory.mktemp("aws"))
    switch = FaultSwitch()
    aws = Aws(create_app(runtime, switch, TIMING), runtime, switch)
    yield aws
    aws.close()
    assert runtime.workloads() == []
    runtime.close()


@pytest.fixture
def aws(running_aws: Aws) -> Iterator[Aws]:
    running_aws.renew()
    yield running_aws
    assert running_aws.log.emulator_errors() == []


def address_of(task: dict[str, Any]) -> str:
    """Return the private address of a task, as a client of AWS finds it."""
    details = {item["name"]: item["value"] for item in task["attachments"][0]["details"]}
    return str(details["privateIPv4Address"])
