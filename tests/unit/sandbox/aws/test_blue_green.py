# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blue/green deployments without load balancer, and the pause hooks of a deployment."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws


def configuration(*stages: str, timeout: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a blue/green configuration that pauses at some stages."""
    hook = {"targetType": "PAUSE", "lifecycleStages": list(stages)}
    hooks = [hook | ({"timeoutConfiguration": timeout} if timeout else {})] if stages else []
    return {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": hooks} | more


def release(aws: Aws, tag: str = "1.1", **changes: Any) -> tuple[str, str]:
    """Run a good blue revision without hooks, then start to release another; returns both definitions."""
    blue = aws.register()
    aws.create(blue, count=2, deploymentConfiguration=configuration())
    aws.steady()
    green = aws.register(tag)
    aws.update(taskDefinition=green, **changes)
    return blue, green


def waiting(record: dict[str, Any]) -> bool:
    return any(hook["status"] == "AWAITING_ACTION" for hook in record["lifecycleHookDetails"])


def running(aws: Aws) -> dict[str, int]:
    """Return the healthy tasks by definition."""
    counts: dict[str, int] = {}
    for task in aws.tasks():
        if task["healthStatus"] == "HEALTHY":
            counts[task["taskDefinitionArn"]] = counts.get(task["taskDefinitionArn"], 0) + 1
    return counts


def test_green_comes_up_beside_blue_and_blue_goes_at_the_end(aws: Aws) -> None:
    blue, green = release(aws, deploymentConfiguration=configuration("POST_SCALE_UP"))
    record = aws.deployment_until(waiting)
    assert record["status"] == "IN_PROGRESS"
    assert record["lifecycleStage"] == "POST_SCALE_UP"
    assert running(aws) == {blue: 2, green: 2}
    (hook,) = record["lifecycleHookDetails"]
    assert hook["targetType"] == "PAUSE"
    assert hook["timeoutAction"] == "ROLLBACK"
    assert hook["expiresAt"] > record["startedAt"]
    aws.ecs.continue_service_deployment(serviceDeploymentArn=record["serviceDeploymentArn"], hookId=hook["hookId"])
    aws.steady(green)
    assert running(aws) == {green: 2}
    done = aws.deployments()[0]
    assert (done["status"], done["lifecycleStage"]) == ("SUCCESSFUL", "CLEAN_UP")
    assert [each["status"] for each in done["lifecycleHookDetails"]] == ["SUCCEEDED"]


@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "ROLLING"])
def test_what_runs_is_kept_running_while_a_release_is_paused(aws: Aws, strategy: str) -> None:
    blue, _ = release(aws, deploymentConfiguration=configuration("PRE_SCALE_UP") | {"strategy": strategy})
    aws.deployment_until(waiting)
    lost = aws.tasks()[0]["taskArn"]
    aws.ecs.stop_task(cluster="main", task=lost)
    aws.until(lambda service: running(aws) == {blue: 2} and lost not in [task["taskArn"] for task in aws.tasks()])
    assert waiting(aws.deployments()[0])


def test_a_paused_deployment_can_be_sent_back_with_blue_untouched(aws: Aws) -> None:
    blue, _ = release(aws, "1.1-no-model", deploymentConfiguration=configuration("POST_SCALE_UP"))
    before = {task["taskArn"] for task in aws.tasks() if task["taskDefinitionArn"] == blue}
    record = aws.deployment_until(waiting)
    hook = record["lifecycleHookDetails"][0]["hookId"]
    aws.ecs.continue_service_deployment(
        serviceDeploymentArn=record["serviceDeploymentArn"], hookId=hook, action="ROLLBACK"
    )
    service = aws.steady(blue)
    assert service["taskDefinition"] == blue
    assert {task["taskArn"] for task in aws.tasks()} == before
    after = aws.deployments()[0]
    assert after["status"] == "ROLLBACK_SUCCESSFUL"
    assert after["rollback"]["serviceRevisionArn"] == after["sourceServiceRevisions"][0]["arn"]


def test_a_hook_that_nobody_answers_takes_its_timeout_action(aws: Aws) -> None:
    hooks = configuration("POST_SCALE_UP", timeout={"timeoutInMinutes": 1, "action": "ROLLBACK"})
    blue, _ = release(aws, deploymentConfiguration=hooks)
    aws.deployment_until(lambda record: record["status"] == "ROLLBACK_SUCCESSFUL")
    assert aws.steady()["taskDefinition"] == blue
    hooks = configuration("POST_SCALE_UP", timeout={"timeoutInMinutes": 1, "action": "CONTINUE"})
    green = aws.register("1.2")
    aws.update(taskDefinition=green, deploymentConfiguration=hooks)
    aws.steady(green)
    assert aws.deployments()[0]["lifecycleHookDetails"][0]["status"] == "TIMED_OUT"


def test_every_pause_stage_is_passed_in_order(aws: Aws) -> None:
    stages = [
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ]
    _, green = release(aws, deploymentConfiguration=configuration(*stages))
    seen = []
    for _ in stages:
        record = aws.deployment_until(waiting)
        seen.append(record["lifecycleStage"])
        hook = next(each for each in record["lifecycleHookDetails"] if each["status"] == "AWAITING_ACTION")
        aws.ecs.continue_service_deployment(
            serviceDeploymentArn=record["serviceDeploymentArn"], hookId=hook["hookId"], action="CONTINUE"
        )
    assert seen == stages
    aws.steady(green)


def test_before_the_scale_up_stage_no_green_task_exists(aws: Aws) -> None:
    blue, _ = release(aws, deploymentConfiguration=configuration("PRE_SCALE_UP"))
    aws.deployment_until(waiting)
    assert set(running(aws)) == {blue}


def test_both_revisions_run_during_the_bake_time_and_can_still_be_rolled_back(aws: Aws) -> None:
    blue, green = release(aws, deploymentConfiguration=configuration(bakeTimeInMinutes=30))
    record = aws.deployment_until(lambda record: record.get("lifecycleStage") == "BAKE_TIME")
    assert running(aws) == {blue: 2, green: 2}
    aws.ecs.stop_service_deployment(serviceDeploymentArn=record["serviceDeploymentArn"], stopType="ROLLBACK")
    aws.steady(blue)
    assert running(aws) == {blue: 2}


def test_a_broken_green_never_takes_over_and_the_breaker_rolls_back(aws: Aws) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    blue, _ = release(aws, "1.1-crash", deploymentConfiguration=configuration(**breaker))
    aws.deployment_until(lambda record: record["status"] == "ROLLBACK_SUCCESSFUL")
    assert running(aws) == {blue: 2}


def test_a_new_release_during_a_pause_removes_the_waiting_one_first(aws: Aws) -> None:
    blue, _ = release(aws, deploymentConfiguration=configuration("POST_SCALE_UP"))
    aws.deployment_until(waiting)
    last = aws.register("1.2")
    aws.update(taskDefinition=last, deploymentConfiguration=configuration())
    aws.steady(last)
    assert running(aws) == {last: 2}
    assert [record["status"] for record in aws.deployments()] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]
    assert blue != last


def test_a_first_deployment_obeys_its_hooks_and_has_no_way_back(aws: Aws) -> None:
    aws.create(aws.register(), deploymentConfiguration=configuration("POST_SCALE_UP"))
    record = aws.deployment_until(waiting)
    aws.ecs.continue_service_deployment(
        serviceDeploymentArn=record["serviceDeploymentArn"],
        hookId=record["lifecycleHookDetails"][0]["hookId"],
        action="ROLLBACK",
    )
    aws.deployment_until(lambda record: record["status"] == "ROLLBACK_FAILED")
    aws.until(lambda service: service["runningCount"] == 0)


def test_a_rolling_deployment_pauses_before_and_after_its_scale_up(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    hooks = [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"]}]
    new = aws.register("1.1")
    aws.update(taskDefinition=new, deploymentConfiguration={"lifecycleHooks": hooks})
    for stage in ("PRE_SCALE_UP", "POST_SCALE_UP"):
        record = aws.deployment_until(waiting)
        assert record["lifecycleStage"] == stage
        hook = record["lifecycleHookDetails"][-1]["hookId"]
        aws.ecs.continue_service_deployment(serviceDeploymentArn=record["serviceDeploymentArn"], hookId=hook)
    aws.steady(new)


@pytest.mark.parametrize(
    ("hook", "text"),
    [
        ({"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]}, "cannot be configured at"),
        ({"targetType": "PAUSE", "lifecycleStages": []}, "lifecycleStages must be provided"),
        ({"lifecycleStages": ["POST_SCALE_UP"]}, "hookTargetArn and roleArn are required"),
    ],
)
def test_hooks_that_aws_refuses_are_refused(aws: Aws, hook: dict[str, Any], text: str) -> None:
    hooks = configuration() | {"lifecycleHooks": [hook]}
    with pytest.raises(ClientError) as caught:
        aws.create(aws.register(), deploymentConfiguration=hooks)
    assert text in caught.value.response["Error"]["Message"]


def test_an_answer_to_a_hook_that_does_not_wait_is_refused(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    arn = aws.deployments()[0]["serviceDeploymentArn"]
    with pytest.raises(ClientError) as caught:
        aws.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="ecs-pause-x")
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    with pytest.raises(ClientError) as caught:
        aws.ecs.continue_service_deployment(serviceDeploymentArn=arn + "x", hookId="ecs-pause-x")
    assert caught.value.response["Error"]["Code"] == "ServiceDeploymentNotFoundException"


def test_unknown_deployments_and_revisions_are_failures(aws: Aws) -> None:
    answer = aws.ecs.describe_service_deployments(serviceDeploymentArns=["arn:aws:ecs:x"])
    assert answer["failures"] == [{"arn": "arn:aws:ecs:x", "reason": "MISSING"}]
    answer = aws.ecs.describe_service_revisions(serviceRevisionArns=["arn:aws:ecs:x"])
    assert answer["failures"] == [{"arn": "arn:aws:ecs:x", "reason": "MISSING"}]
