# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ECS platform under the reconciler, against the emulated cloud: what only ECS does.

The behaviours that all platforms share are in tests/contract.
"""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.scaling import BOUNDS_TAG
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import NotFound, Refused, ReleaseFailed
from tests.helpers.ecs import OnSandbox
from tests.sandbox.fixtures import clouds, sandbox  # noqa: F401
from tests.sandbox.launcher import Sandbox

SCALING = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/inference/chat",
    "ScalableDimension": "ecs:service:DesiredCount",
}


@pytest.fixture
def chat(clouds: Sandbox) -> OnSandbox:  # noqa: F811
    """A deployment that runs its first good release, chat:1."""
    deployed = OnSandbox(clouds)
    deployed.run()
    clouds.log.clear()
    deployed.events.events.clear()
    return deployed


def release_running(chat: OnSandbox) -> str:
    return str(chat.service()["taskDefinition"]).rsplit("/", 1)[-1]


def test_a_converged_deployment_costs_six_calls_and_none_of_them_writes(chat: OnSandbox) -> None:
    assert chat.run().changed is False
    assert sorted(chat.operations()) == [
        "DescribeClusters",
        "DescribeLogGroups",
        "DescribeServices",
        "DescribeTaskDefinition",
        "DescribeTasks",
        "ListTasks",
    ]


def test_the_calls_do_not_grow_with_history(chat: OnSandbox) -> None:
    for index in range(30):
        body = {"name": "ollama", "image": f"i:{index}", "memory": 128}
        chat.call("ecs", "register_task_definition", family="chat", containerDefinitions=[body])
    chat.sandbox.log.clear()
    assert chat.run().changed is False
    assert len(chat.operations()) == 7


def test_a_newer_revision_that_the_service_does_not_run_is_no_change(chat: OnSandbox) -> None:
    body = {"name": "ollama", "image": "other", "memory": 128}
    chat.call("ecs", "register_task_definition", family="chat", containerDefinitions=[body])
    assert chat.run().changed is False


def test_the_old_release_answers_until_the_new_one_is_proven(chat: OnSandbox) -> None:
    old = chat.run().endpoints
    chat.run("better")
    told = chat.told()
    asked, takes_over = told.index("asking http"), told.index("is good: let it take over")
    assert told.index("waits behind the pause") < asked < takes_over
    assert chat.outcome is not None
    assert set(chat.outcome.endpoints).isdisjoint(old)


def test_a_bad_release_never_takes_over(chat: OnSandbox) -> None:
    old = chat.run().endpoints
    with pytest.raises(ReleaseFailed) as failed:
        chat.run("no-model")
    assert failed.value.rolled_back
    assert release_running(chat) == "chat:1"
    assert chat.outcome is not None
    assert chat.outcome.endpoints == old
    assert "let it take over" not in chat.told()


def test_a_release_that_crashes_is_given_up_with_its_exit_code(chat: OnSandbox) -> None:
    with pytest.raises(ReleaseFailed, match="exited with 1"):
        chat.run("crash")
    assert release_running(chat) == "chat:1"


def test_an_image_that_cannot_be_pulled_is_not_waited_for(chat: OnSandbox) -> None:
    began = time.monotonic()
    with pytest.raises(ReleaseFailed, match="the image cannot be pulled"):
        chat.run("missing")
    assert time.monotonic() - began < 15


def test_a_missing_gpu_is_named_with_what_to_ask_for(chat: OnSandbox) -> None:
    chat.sandbox.switch.gpu_capacity = 1
    with pytest.raises(ReleaseFailed, match=r"No room for release .*RESOURCE:GPU.*quota of the GPU family"):
        chat.run("better")
    assert release_running(chat) == "chat:1"


def test_stop_first_needs_only_one_gpu_and_tells_the_outage(chat: OnSandbox) -> None:
    chat.sandbox.switch.gpu_capacity = 1
    outcome = chat.run("better", update={"strategy": "stop_first"})
    assert any("outage expected" in note for note in outcome.plan.notes)
    assert outcome.outage_seconds is not None
    assert release_running(chat) == "chat:2"


def test_a_bad_release_with_stop_first_is_replaced_by_the_former_one(chat: OnSandbox) -> None:
    with pytest.raises(ReleaseFailed) as failed:
        chat.run("no-model", update={"strategy": "stop_first"})
    assert failed.value.rolled_back
    assert failed.value.outage_seconds is not None
    assert release_running(chat) == "chat:1"


@pytest.mark.parametrize("strategy", ["surge", "stop_first"])
def test_a_bad_change_of_the_network_alone_is_taken_back_too(chat: OnSandbox, strategy: str) -> None:
    before = set(subnets(chat))
    one = [chat.sandbox.seeds["aws"]["us-east-1"]["subnet_ids"][0]]
    impossible = {"health": {"min_tokens_per_second": 1e9}, "update": {"strategy": strategy}}
    with pytest.raises(ReleaseFailed) as failed:
        chat.run(platform={"subnets": one}, **impossible)
    assert failed.value.rolled_back
    assert set(subnets(chat)) == before
    assert release_running(chat) == "chat:1"


def subnets(chat: OnSandbox) -> list[str]:
    return list(chat.service()["networkConfiguration"]["awsvpcConfiguration"]["subnets"])


def paused(chat: OnSandbox, fault: str) -> None:
    """Leave a deployment behind its pause, as a run that died does."""
    platform = chat.platform(fault)
    observed = platform.observe()
    wanted = {item.key: item for item in platform.wanted(observed)}
    kind = platform.kinds["task_definition"]
    definition = kind.create(wanted["task_definition"])
    chat.call("ecs", "update_service", cluster="inference", service="chat", taskDefinition=definition.id)
    for _ in range(200):
        found = chat.call("ecs", "list_service_deployments", cluster="inference", service="chat")
        arn = found["serviceDeployments"][0]["serviceDeploymentArn"]
        record = chat.call("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])["serviceDeployments"][0]
        if any(hook["status"] == "AWAITING_ACTION" for hook in record["lifecycleHookDetails"]):
            return
        time.sleep(0.05)
    raise AssertionError("the deployment never reached its pause")


def test_while_a_release_is_on_its_way_nobody_can_say_which_image_answers(chat: OnSandbox) -> None:
    assert chat.platform().observe().settled
    paused(chat, "better")
    assert not chat.platform().observe().settled


def test_a_release_that_a_former_run_left_paused_is_verified_if_it_is_what_is_wanted(chat: OnSandbox) -> None:
    paused(chat, "better")
    outcome = chat.run("better")
    assert [change.key for change in outcome.plan.acting()] == ["service"]
    assert release_running(chat) == "chat:2"
    assert outcome.record.last_good == "chat:2"


def test_a_release_that_a_former_run_left_paused_is_rolled_back_if_another_one_is_wanted(chat: OnSandbox) -> None:
    paused(chat, "no-model")
    outcome = chat.run("better")
    assert "roll it back first" in chat.told()
    assert outcome.record.last_good == "chat:3"
    assert outcome.record.previous_good == "chat:1"
    assert release_running(chat) == "chat:3"


def test_a_bad_first_release_is_removed_again(clouds: Sandbox) -> None:  # noqa: F811
    first = OnSandbox(clouds)
    with pytest.raises(ReleaseFailed, match="first release, so it was removed again"):
        first.run("no-model")
    assert first.service()["status"] != "ACTIVE"
    assert first.run().changed
    assert first.service()["status"] == "ACTIVE"


def test_an_update_of_a_stopped_service_does_not_wait_behind_its_pause(chat: OnSandbox) -> None:
    chat.run(state="stopped")
    chat.run("better")
    service = chat.service()
    assert service["desiredCount"] == 0
    assert "currentServiceDeployment" not in service
    assert chat.run("better", state="started").record.last_good == "chat:2"


def test_a_release_made_while_stopped_that_is_bad_when_started_gives_way_to_the_last_good_one(chat: OnSandbox) -> None:
    chat.run(state="stopped")
    chat.run("no-model")
    with pytest.raises(ReleaseFailed, match="Rolled back to chat:1"):
        chat.run("no-model", state="started")
    assert chat.service()["taskDefinition"].endswith("chat:1")
    assert (chat.service()["desiredCount"], chat.service()["runningCount"]) == (1, 1)


def test_a_stop_waits_until_the_last_process_is_gone(chat: OnSandbox) -> None:
    chat.run(state="stopped")
    assert [item for item in chat.sandbox.runtime.workloads() if item.alive()] == []


def test_an_autoscaled_count_is_left_alone(chat: OnSandbox) -> None:
    chat.call("application-autoscaling", "register_scalable_target", **SCALING, MinCapacity=1, MaxCapacity=4)
    chat.call("ecs", "update_service", cluster="inference", service="chat", desiredCount=3)
    assert chat.run(scaling={"min": 1, "max": 4}).changed is False
    assert chat.service()["desiredCount"] == 3


def test_a_count_that_nobody_owns_is_taken_back(chat: OnSandbox) -> None:
    chat.call("ecs", "update_service", cluster="inference", service="chat", desiredCount=2)
    outcome = chat.run()
    assert [field.path for field in outcome.plan["service"].fields] == ["desiredCount"]
    assert chat.service()["desiredCount"] == 1


def test_a_stop_binds_the_autoscaler_and_a_start_gives_its_bounds_back(chat: OnSandbox) -> None:
    chat.call("application-autoscaling", "register_scalable_target", **SCALING, MinCapacity=1, MaxCapacity=4)
    chat.run(state="stopped")
    assert bounds(chat) == (0, 0)
    assert {"key": BOUNDS_TAG, "value": "1:4"} in chat.service()["tags"]
    chat.run(state="started")
    assert bounds(chat) == (1, 4)
    assert BOUNDS_TAG not in {tag["key"] for tag in chat.service()["tags"]}


def bounds(chat: OnSandbox) -> tuple[int, int]:
    found = chat.call(
        "application-autoscaling",
        "describe_scalable_targets",
        ServiceNamespace="ecs",
        ResourceIds=[SCALING["ResourceId"]],
    )["ScalableTargets"][0]
    return int(found["MinCapacity"]), int(found["MaxCapacity"])


def test_the_schedules_zero_at_night_is_not_woken(chat: OnSandbox) -> None:
    chat.call("application-autoscaling", "register_scalable_target", **SCALING, MinCapacity=0, MaxCapacity=0)
    chat.call("ecs", "update_service", cluster="inference", service="chat", desiredCount=0)
    assert chat.run().changed is False
    assert chat.service()["desiredCount"] == 0


def test_a_rollback_returns_to_image_and_models_of_the_last_good_release(chat: OnSandbox) -> None:
    chat.run("better", models=[{"name": "llama3.2:1b"}])
    outcome = chat.run("better", state="rolled_back")
    assert release_running(chat) == "chat:1"
    assert outcome.record.last_good == "chat:1"
    assert "for gemma3:4b" in chat.told()
    assert chat.run().changed is False


def test_a_release_whose_definition_was_deregistered_cannot_be_restored(chat: OnSandbox) -> None:
    chat.run("better")
    chat.call("ecs", "deregister_task_definition", taskDefinition="chat:1")
    with pytest.raises(Refused, match="chat:1 was deregistered"):
        chat.run("better", state="rolled_back")


def test_old_revisions_go_but_never_one_that_is_needed(chat: OnSandbox) -> None:
    for fault in ("two", "three", "four"):
        chat.run(fault, update={"keep_revisions": 1})
    active = chat.call("ecs", "list_task_definitions", familyPrefix="chat", status="ACTIVE")["taskDefinitionArns"]
    assert [arn.rsplit("/", 1)[-1] for arn in active] == ["chat:3", "chat:4"]


def test_revisions_of_somebody_else_in_the_family_are_never_deregistered(chat: OnSandbox) -> None:
    body = {"name": "ollama", "image": "other", "memory": 128}
    chat.call("ecs", "register_task_definition", family="chat", containerDefinitions=[body])
    chat.run("better", update={"keep_revisions": 1})
    chat.run(state="absent")
    active = chat.call("ecs", "list_task_definitions", familyPrefix="chat", status="ACTIVE")["taskDefinitionArns"]
    assert [arn.rsplit("/", 1)[-1] for arn in active] == ["chat:2"]


def test_a_cluster_with_other_services_stays(chat: OnSandbox) -> None:
    arn = chat.service()["taskDefinition"]
    network = chat.service()["networkConfiguration"]
    chat.call(
        "ecs",
        "create_service",
        cluster="inference",
        serviceName="other",
        taskDefinition=arn,
        desiredCount=0,
        networkConfiguration=network,
    )
    outcome = chat.run(state="absent")
    assert any("1 other service(s) use it" in note for note in outcome.plan.notes)
    clusters = chat.call("ecs", "describe_clusters", clusters=["inference"])["clusters"]
    assert clusters[0]["status"] == "ACTIVE"


def test_a_log_group_of_somebody_else_is_refused(clouds: Sandbox) -> None:  # noqa: F811
    first = OnSandbox(clouds)
    first.call("logs", "create_log_group", logGroupName="/ecs/chat")
    with pytest.raises(Refused, match="log group /ecs/chat exists and is not managed"):
        first.run()


def test_what_an_interrupted_removal_left_is_removed_by_the_next_one(chat: OnSandbox) -> None:
    chat.call("ecs", "delete_service", cluster="inference", service="chat", force=True)
    chat.run(state="absent")
    active = chat.call("ecs", "list_task_definitions", familyPrefix="chat", status="ACTIVE")["taskDefinitionArns"]
    assert active == []
    assert chat.call("logs", "describe_log_groups", logGroupNamePrefix="/ecs/chat")["logGroups"] == []


def test_a_capacity_provider_that_ecs_does_not_know_is_named(clouds: Sandbox) -> None:  # noqa: F811
    first = OnSandbox(clouds)
    with pytest.raises(NotFound, match="The deployment names: nowhere"):
        first.run(platform={"capacity_provider_strategy": [{"capacity_provider": "nowhere"}]})


def test_requests_are_answered_all_the_while_a_bad_release_comes_and_goes(chat: OnSandbox) -> None:
    url = chat.run().endpoints[0]
    address = url.removeprefix("http://").split(":")[0]
    workload = next(item for item in chat.sandbox.runtime.workloads() if item.spec.address == address)
    answers: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.05):
            answers.append(workload.http("GET", "/api/version")[0])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        with pytest.raises(ReleaseFailed):
            chat.run("no-model")
    finally:
        done.set()
        asking.join()
    assert len(answers) > 5
    assert set(answers) == {200}
