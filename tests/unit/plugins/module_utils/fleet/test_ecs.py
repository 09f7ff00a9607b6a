# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running tasks of one region, read at the paging minimum from an ECS of which every answer is written here."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, cast

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.ecs import ecs_replicas
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.replica import Replica

PREFIX = "arn:aws:ecs:us-east-1:123456789012"
CLUSTER, DEFINITION = f"{PREFIX}:cluster/ml", f"{PREFIX}:task-definition/chat:7"
CANARY = "canary-7d1f-do-not-print"


class ConfiguredText(str):
    """A text of the configuration, which ansible-core marks as one that may be templated."""


class CannedEcs:
    """An ECS with one cluster and a number of tasks of one definition; remembers the calls."""

    region = ConfiguredText("us-east-1")

    def __init__(self, tasks: int) -> None:
        self.tasks = [f"{PREFIX}:task/ml/{number:032x}" for number in range(tasks)]
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> None:
        """There is none to make."""

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        return list(self.call(service, operation, **parameters)[key])

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        answer: dict[str, Any] = getattr(self, operation)(**parameters)
        return answer

    def list_clusters(self, **_: Any) -> dict[str, Any]:
        return {"clusterArns": [CLUSTER]}

    def list_tasks(self, **request: Any) -> dict[str, Any]:
        start = int(request.get("nextToken", 0))
        end = start + request["maxResults"]
        more = {"nextToken": str(end)} if end < len(self.tasks) else {}
        return {"taskArns": self.tasks[start:end], **more}

    def describe_tasks(self, *, tasks: list[str], include: tuple[str, ...] = (), **_: Any) -> dict[str, Any]:
        tags = [{"key": "team", "value": "search"}] if "TAGS" in include else []
        return {"tasks": [self._task(arn) | {"tags": tags} for arn in tasks]}

    def describe_task_definition(self, **_: Any) -> dict[str, Any]:
        container = {
            "name": "ollama",
            "image": "ollama:1",
            "environment": [{"name": "POLYCLOUD_MODELS", "value": "gemma3:4b"}, {"name": "TOKEN", "value": CANARY}],
            "secrets": [{"name": "LICENCE", "valueFrom": f"arn:aws:secretsmanager:us-east-1:1:secret:{CANARY}"}],
            "command": ["serve", CANARY],
        }
        body = {"taskDefinitionArn": DEFINITION, "family": "chat", "containerDefinitions": [container]}
        return {"taskDefinition": body, "tags": [{"key": "polycloud-deployment", "value": "chat"}]}

    def _task(self, arn: str) -> dict[str, Any]:
        return {
            "taskArn": arn,
            "taskDefinitionArn": DEFINITION,
            "availabilityZone": "us-east-1a",
            "lastStatus": "RUNNING",
            "healthStatus": "HEALTHY",
            "startedAt": datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC),
            "overrides": {"containerOverrides": [{"environment": [{"name": "TOKEN", "value": CANARY}]}]},
        }


def read(ecs: CannedEcs, **options: bool) -> list[Replica]:
    with ThreadPoolExecutor(2) as pool:
        return ecs_replicas(cast(Aws, ecs), pool, **options)


def test_250_tasks_take_three_lists_three_descriptions_and_one_definition() -> None:
    plain, detailed = CannedEcs(250), CannedEcs(250)

    assert len(read(plain)) == len(read(detailed, details=True)) == 250
    operations = sorted(name for name, _parameters in plain.calls)
    assert operations == ["describe_task_definition", *["describe_tasks"] * 3, "list_clusters", *["list_tasks"] * 3]
    assert sorted(name for name, _parameters in detailed.calls) == operations


def test_details_hold_the_task_and_its_definition_without_their_secrets() -> None:
    [replica] = read(CannedEcs(1), details=True)
    written = json.dumps(replica.to_dict())

    assert replica.details["task"]["availability_zone"] == "us-east-1a"
    assert replica.details["task"]["started_at"] == replica.started_at == "2026-11-22T03:04:05+00:00"
    assert replica.details["task"]["tags"] == {"team": "search"}
    assert replica.details["task_definition"]["container_definitions"] == [{"name": "ollama", "image": "ollama:1"}]
    assert CANARY not in written
    assert Replica.from_dict(json.loads(written)) == replica


def test_without_details_neither_they_nor_the_tags_are_asked_for() -> None:
    ecs = CannedEcs(1)
    [replica] = read(ecs)

    assert "fleet_details" not in replica.variables()
    assert all("include" not in parameters for name, parameters in ecs.calls if name == "describe_tasks")


def test_the_region_is_the_clouds_word_and_not_a_template_of_the_configuration() -> None:
    [replica] = read(CannedEcs(1))

    assert replica.region == "us-east-1"
    assert type(replica.region) is str


class Served(CannedEcs):
    """Tasks whose Ollama is behind a sidecar."""

    def describe_task_definition(self, **_: Any) -> dict[str, Any]:
        answer = super().describe_task_definition()
        ports = [{"containerPort": 8080}, {"containerPort": 9091}]
        answer["taskDefinition"]["containerDefinitions"].append({"name": "sidecar", "portMappings": ports})
        return answer

    def _task(self, arn: str) -> dict[str, Any]:
        return super()._task(arn) | {
            "attachments": [
                {
                    "type": "ElasticNetworkInterface",
                    "details": [{"name": "privateIPv4Address", "value": "10.0.0.4"}],
                }
            ]
        }


def test_behind_a_sidecar_the_url_is_the_sidecars() -> None:
    [replica] = read(Served(1))
    assert (replica.url, replica.image) == ("http://10.0.0.4:8080", "ollama:1")
