# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rolling deployments: limits, health, circuit breaker, rollback, events."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def watch(aws: Aws, until: Any, seconds: float = 15) -> list[tuple[int, int]]:
    """Return (healthy, running or pending) tasks of all looks until the service fulfils a condition."""
    seen = []
    deadline = time.monotonic() + seconds
    while True:
        tasks = [task for task in aws.tasks() if task["lastStatus"] in ("PROVISIONING", "PENDING", "RUNNING")]
        seen.append((sum(task["healthStatus"] == "HEALTHY" for task in tasks), len(tasks)))
        if until(aws.service()):
            return seen
        assert time.monotonic() < deadline, aws.service()["deployments"]
        time.sleep(0.02)


def runs(definition: str) -> Any:
    """Return the condition that one completed deployment of a definition is left."""
    return lambda service: (
        len(service["deployments"]) == 1
        and service["deployments"][0]["taskDefinition"] == definition
        and service["deployments"][0]["rolloutState"] == "COMPLETED"
    )


def test_a_new_definition_replaces_the_tasks_and_never_undershoots(aws: Aws) -> None:
    aws.create(aws.register(), count=3)
    aws.steady()
    new = aws.register("1.1")
    aws.update(taskDefinition=new)
    seen = watch(aws, runs(new))
    assert min(healthy for healthy, _ in seen) >= 3
    assert max(total for _, total in seen) <= 6
    assert {task["taskDefinitionArn"] for task in aws.tasks()} == {new}


def test_maximum_100_and_minimum_0_stops_before_it_starts(aws: Aws) -> None:
    aws.create(aws.register(), count=2, deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 0})
    aws.steady()
    new = aws.register("1.1")
    aws.update(taskDefinition=new)
    seen = watch(aws, runs(new))
    assert max(total for _, total in seen) <= 2
    assert min(healthy for healthy, _ in seen) < 2


def test_minimum_50_and_maximum_100_works_in_halves(aws: Aws) -> None:
    aws.create(aws.register(), count=2, deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 50})
    aws.steady()
    new = aws.register("1.1")
    aws.update(taskDefinition=new)
    seen = watch(aws, runs(new))
    assert max(total for _, total in seen) <= 2
    assert min(healthy for healthy, _ in seen) == 1


def test_limits_that_leave_no_step_are_reported_and_nothing_moves(aws: Aws) -> None:
    aws.create(aws.register(), deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 50})
    aws.steady()
    aws.update(taskDefinition=aws.register("1.1"))
    aws.until(
        lambda service: "was unable to stop or start tasks during a deployment" in service["events"][0]["message"]
    )
    assert [task["taskDefinitionArn"][-1] for task in aws.tasks()] == ["1"]


def test_an_unchanged_definition_starts_no_deployment(aws: Aws) -> None:
    definition = aws.register()
    aws.create(definition)
    first = aws.steady()["deployments"][0]["id"]
    for same in (definition, "ollama", "ollama:1"):
        aws.update(taskDefinition=same, networkConfiguration=aws.network)
    assert aws.service()["deployments"][0]["id"] == first
    assert len(aws.deployments()) == 1


def test_force_and_a_changed_network_start_a_deployment(aws: Aws) -> None:
    aws.create(aws.register())
    first = aws.steady()["deployments"][0]["id"]
    aws.update(forceNewDeployment=True)
    second = aws.steady()["deployments"][0]["id"]
    network = {"awsvpcConfiguration": aws.network["awsvpcConfiguration"] | {"securityGroups": []}}
    aws.update(networkConfiguration=network)
    third = aws.steady()["deployments"][0]["id"]
    assert len({first, second, third}) == 3
    (revision,) = [each["arn"] for each in aws.service()["currentServiceRevisions"]]
    found = aws.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
    assert found["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == []


def test_the_events_tell_the_story_newest_first(aws: Aws) -> None:
    aws.create(aws.register())
    service = aws.until(lambda service: "steady state" in (service["events"] or [{"message": ""}])[0]["message"])
    (task,) = aws.tasks()
    task_id, deployment = task["taskArn"].split("/")[-1], service["deployments"][0]["id"]
    assert aws.messages() == [
        "(service chat) has reached a steady state.",
        f"(service chat) (deployment {deployment}) deployment completed.",
        f"(service chat) has started 1 tasks: (task {task_id}).",
    ]
    assert service["deployments"][0]["rolloutStateReason"] == f"ECS deployment {deployment} completed."


def test_a_crashing_release_fails_and_rolls_back_while_the_old_one_serves(aws: Aws) -> None:
    good = aws.register()
    aws.create(good, count=2, deploymentConfiguration=BREAKER)
    old = aws.steady()["deployments"][0]["id"]
    bad = aws.register("1.1-crash")
    aws.update(taskDefinition=bad)
    failing = aws.until(lambda service: any(each["rolloutState"] == "FAILED" for each in service["deployments"]))
    failed = next(each for each in failing["deployments"] if each["rolloutState"] == "FAILED")
    assert failed["taskDefinition"] == bad
    assert failed["rolloutStateReason"].startswith("ECS deployment circuit breaker: tasks failed to start: rolling")
    seen = watch(aws, runs(good))
    assert min(healthy for healthy, _ in seen) == 2
    service = aws.service()
    assert service["taskDefinition"] == good
    assert service["deployments"][0]["id"] == old
    messages = aws.messages()
    assert f"(service chat) (deployment {failed['id']}) deployment failed: tasks failed to start." in messages
    assert f"(service chat) rolling back to deployment {old}." in messages
    record = aws.deployments()[0]
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    # Two tasks can fail at the same moment.
    assert record["deploymentCircuitBreaker"]["failureCount"] in (3, 4)
    assert record["rollback"]["serviceRevisionArn"] == record["sourceServiceRevisions"][0]["arn"]


@pytest.mark.parametrize("fault", ["missing", "never-ready"])
def test_other_faults_of_a_release_trip_the_breaker_too(aws: Aws, fault: str) -> None:
    good = aws.register()
    aws.create(good, deploymentConfiguration=BREAKER)
    aws.steady()
    bad = aws.register(f"1.1-{fault}")
    aws.update(taskDefinition=bad)
    aws.until(lambda service: service["taskDefinition"] == good and runs(good)(service), seconds=30)
    stopped = [task for task in aws.tasks(desiredStatus="STOPPED") if task["taskDefinitionArn"] == bad]
    reason = {"missing": "CannotPullContainerError", "never-ready": "Task failed container health checks"}[fault]
    assert all(task["stoppedReason"].startswith(reason) for task in stopped[:3])
    assert len(stopped) >= 3


def test_the_grace_period_lets_an_unhealthy_task_live(aws: Aws) -> None:
    aws.create(aws.register("1.0-never-ready"), healthCheckGracePeriodSeconds=100000)
    aws.until(lambda service: [task["healthStatus"] for task in aws.tasks()] == ["UNHEALTHY"])
    time.sleep(0.3)
    assert len(aws.tasks()) == 1
    assert aws.service()["deployments"][0]["failedTasks"] == 0


def test_a_release_without_its_model_is_healthy_for_ecs(aws: Aws) -> None:
    aws.create(aws.register(), deploymentConfiguration=BREAKER)
    aws.steady()
    empty = aws.register("1.1-no-model")
    aws.update(taskDefinition=empty)
    aws.steady(empty)


def test_without_rollback_the_failed_deployment_stays_and_the_old_tasks_go_on(aws: Aws) -> None:
    good = aws.register()
    aws.create(good, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    aws.steady()
    bad = aws.register("1.1-crash")
    aws.update(taskDefinition=bad)
    service = aws.until(lambda service: service["deployments"][0]["rolloutState"] == "FAILED")
    assert service["deployments"][0]["taskDefinition"] == bad
    time.sleep(0.3)
    assert [task["taskDefinitionArn"] for task in aws.tasks()] == [good]
    assert aws.deployments()[0]["status"] == "STOPPED"


def test_a_first_deployment_has_nothing_to_roll_back_to(aws: Aws) -> None:
    bad = aws.register("1.0-crash")
    aws.create(bad, deploymentConfiguration=BREAKER)
    service = aws.until(lambda service: service["deployments"][0]["rolloutState"] == "FAILED")
    assert [each["taskDefinition"] for each in service["deployments"]] == [bad]
    assert aws.deployments()[0]["status"] == "ROLLBACK_FAILED"
    assert not any("rolling back" in message for message in aws.messages())
    good = aws.register("1.1")
    aws.update(taskDefinition=good)
    aws.steady(good)


def test_without_breaker_a_crashing_release_is_tried_on_and_on(aws: Aws) -> None:
    aws.create(aws.register("1.0-crash"))
    service = aws.until(lambda service: service["deployments"][0]["failedTasks"] >= 4)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert any("is unable to consistently start tasks successfully" in message for message in aws.messages())


@pytest.mark.parametrize(
    ("count", "configured", "threshold"),
    [
        (1, None, 3),
        (25, None, 13),
        (1000, None, 200),
        (25, {"type": "COUNT", "value": 1}, 1),
        (40, {"type": "UNBOUNDED_PERCENT", "value": 2}, 1),
        (40, {"type": "BOUNDED_PERCENT", "value": 20}, 8),
    ],
)
def test_the_threshold_follows_the_desired_count(
    aws: Aws, count: int, configured: dict[str, Any] | None, threshold: int
) -> None:
    aws.switch.gpu_capacity = 0
    breaker = {"enable": True, "rollback": False} | ({"thresholdConfiguration": configured} if configured else {})
    aws.create(
        aws.register(gpu={"value": "1"}), count=count, deploymentConfiguration={"deploymentCircuitBreaker": breaker}
    )
    assert aws.deployments()[0]["deploymentCircuitBreaker"]["threshold"] == threshold


def test_a_configured_threshold_of_one_needs_one_failure(aws: Aws) -> None:
    breaker = {"enable": True, "rollback": False, "thresholdConfiguration": {"type": "COUNT", "value": 1}}
    aws.create(aws.register("1.0-crash"), deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    service = aws.until(lambda service: service["deployments"][0]["rolloutState"] == "FAILED")
    assert service["deployments"][0]["failedTasks"] == 1


def test_a_task_without_health_check_counts_after_it_has_run_a_while(aws: Aws) -> None:
    aws.create(aws.register(health=None))
    service = aws.until(lambda service: service["runningCount"] == 1)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    aws.steady()
    assert aws.tasks()[0]["healthStatus"] == "UNKNOWN"


def test_an_alarm_ends_a_deployment_and_rolls_it_back(aws: Aws) -> None:
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="x", MetricName="y", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    good = aws.register()
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    aws.create(good, deploymentConfiguration={"alarms": alarms})
    aws.steady()
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    aws.update(taskDefinition=aws.register("1.1"))
    aws.deployment_until(lambda record: record["status"] == "ROLLBACK_SUCCESSFUL")
    assert aws.steady()["taskDefinition"] == good


def test_an_update_in_the_middle_of_a_deployment_supersedes_it(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    aws.update(taskDefinition=aws.register("1.1-never-ready"))
    aws.until(lambda service: len(service["deployments"]) == 2)
    last = aws.register("1.2")
    aws.update(taskDefinition=last)
    aws.steady(last)
    assert [record["status"] for record in aws.deployments()] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


def test_a_deployment_can_be_stopped_with_a_rollback(aws: Aws) -> None:
    good = aws.register()
    aws.create(good)
    aws.steady()
    aws.update(taskDefinition=aws.register("1.1-never-ready"))
    aws.until(lambda service: len(service["deployments"]) == 2)
    arn = aws.service()["currentServiceDeployment"]
    aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    aws.steady(good)
    record = aws.deployments()[0]
    assert (record["serviceDeploymentArn"], record["status"]) == (arn, "ROLLBACK_SUCCESSFUL")
    with pytest.raises(ClientError) as caught:
        aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    assert caught.value.response["Error"]["Code"] == "ConflictException"


def test_a_deployment_can_be_aborted_where_it_is(aws: Aws) -> None:
    good = aws.register()
    aws.create(good)
    aws.steady()
    aws.update(taskDefinition=aws.register("1.1-never-ready"))
    aws.until(lambda service: len(service["deployments"]) == 2)
    aws.ecs.stop_service_deployment(serviceDeploymentArn=aws.deployments()[0]["serviceDeploymentArn"], stopType="ABORT")
    assert aws.deployments()[0]["status"] == "STOPPED"
    assert aws.service()["deployments"][0]["rolloutState"] == "FAILED"
    assert good in {task["taskDefinitionArn"] for task in aws.tasks()}
