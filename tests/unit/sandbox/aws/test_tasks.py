# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks: filters, pages of 100, tags, single tasks."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from .conftest import REGION, Aws


def run(aws: Aws, count: int = 1, **changes: object) -> list[str]:
    arguments = {
        "cluster": "main",
        "taskDefinition": "ollama",
        "count": count,
        "capacityProviderStrategy": [{"capacityProvider": "gpu", "weight": 1}],
        "networkConfiguration": aws.network,
    }
    return [task["taskArn"] for task in aws.ecs.run_task(**{**arguments, **changes})["tasks"]]


def test_tasks_are_listed_100_a_page_and_described_100_at_a_time(aws: Aws) -> None:
    # An image that cannot be pulled: tasks, and no processes.
    aws.register("missing")
    arns = [arn for _ in range(11) for arn in run(aws, 10)]
    first = aws.ecs.list_tasks(cluster="main", desiredStatus="STOPPED")
    while len(first["taskArns"]) < 100:
        first = aws.ecs.list_tasks(cluster="main", desiredStatus="STOPPED")
    assert len(first["taskArns"]) == 100
    with pytest.raises(ClientError) as caught:
        aws.ecs.describe_tasks(cluster="main", tasks=arns)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    assert len(aws.ecs.describe_tasks(cluster="main", tasks=arns[:100])["tasks"]) == 100
    with pytest.raises(ClientError):
        aws.ecs.list_tasks(cluster="main", maxResults=101)


def test_the_paginator_of_boto3_reads_all_pages(aws: Aws) -> None:
    aws.register("1.0-never-ready")
    wanted = {arn for _ in range(2) for arn in run(aws, 3)}
    pages = list(aws.ecs.get_paginator("list_tasks").paginate(cluster="main", PaginationConfig={"PageSize": 4}))
    assert [len(page["taskArns"]) for page in pages] == [4, 2]
    assert {arn for page in pages for arn in page["taskArns"]} == wanted


def test_tasks_are_filtered_by_service_family_starter_and_status(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    aws.register(family="other")
    (single,) = run(aws, taskDefinition="other", startedBy="someone")
    (of_service,) = aws.ecs.list_tasks(cluster="main", serviceName="chat")["taskArns"]
    assert of_service != single
    assert aws.ecs.list_tasks(cluster="main", family="other")["taskArns"] == [single]
    assert aws.ecs.list_tasks(cluster="main", startedBy="someone")["taskArns"] == [single]
    assert set(aws.ecs.list_tasks(cluster="main")["taskArns"]) == {single, of_service}
    aws.ecs.stop_task(cluster="main", task=single)
    assert aws.ecs.list_tasks(cluster="main")["taskArns"] == [of_service]
    assert aws.ecs.list_tasks(cluster="main", desiredStatus="STOPPED")["taskArns"] == [single]
    with pytest.raises(ClientError) as caught:
        aws.ecs.list_tasks(cluster="main", serviceName="nope")
    assert caught.value.response["Error"]["Code"] == "ServiceNotFoundException"


def test_unknown_tasks_are_failures(aws: Aws) -> None:
    answer = aws.ecs.describe_tasks(cluster="main", tasks=["nope"])
    assert answer["tasks"] == []
    assert answer["failures"] == [{"arn": f"arn:aws:ecs:{REGION}:123456789012:task/main/nope", "reason": "MISSING"}]


def test_tags_of_tasks_need_the_include_and_managed_tags_are_added(aws: Aws) -> None:
    definition = aws.register(tags=[{"key": "from", "value": "definition"}])
    aws.create(definition, propagateTags="TASK_DEFINITION", enableECSManagedTags=True)
    aws.steady()
    (task,) = aws.tasks()
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
        "from": "definition",
        "aws:ecs:clusterName": "main",
        "aws:ecs:serviceName": "chat",
    }
    assert aws.ecs.describe_tasks(cluster="main", tasks=[task["taskArn"]])["tasks"][0]["tags"] == []


def test_overrides_of_the_environment_reach_the_process(aws: Aws) -> None:
    aws.register()
    overrides = {"containerOverrides": [{"name": "ollama", "environment": [{"name": "EXTRA", "value": "1"}]}]}
    (arn,) = run(aws, overrides=overrides)
    aws.ecs.get_waiter("tasks_running").wait(cluster="main", tasks=[arn], WaiterConfig={"Delay": 1})
    assert aws.runtime.workloads()[0].spec.environment["EXTRA"] == "1"
    aws.ecs.stop_task(cluster="main", task=arn)
    aws.ecs.get_waiter("tasks_stopped").wait(cluster="main", tasks=[arn], WaiterConfig={"Delay": 1})
    assert aws.runtime.workloads() == []
