# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS modules as Ansible runs them: their own examples, check mode, secrets, faults of the cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY
from tests.helpers.modules import run_module
from tests.helpers.tree import constant
from tests.sandbox.fixtures import clouds, sandbox  # noqa: F401
from tests.sandbox.launcher import Sandbox

Args = dict[str, Any]
REGION = "us-east-1"


def examples(module: str, cloud: Sandbox, **registered: Any) -> list[tuple[str, Args]]:
    """The tasks of a module's EXAMPLES, filled in from what the sandbox gives its user: module and arguments."""
    seeds = cloud.seeds["aws"][REGION]
    variables = {
        "image_digest": "a" * 64,
        "subnet_ids": seeds["subnet_ids"],
        "security_group_id": seeds["security_group_id"],
        "secret_arn": seeds["secret_arn"],
        "storage": {"efs": {"file_system_id": "fs-0123456789abcdef0", "access_point_id": "fsap-0123456789abcdef0"}},
        **registered,
    }
    templar = Templar(DataLoader(), variables)
    tasks = yaml.safe_load(constant(f"plugins/modules/{module}.py", "EXAMPLES") or "")
    filled = []
    for task in tasks:
        names = [key.rpartition(".")[2] for key in task if key.startswith("polycloud.ollama.")]
        if not names:
            continue
        name = names[0]
        filled.append((name, json.loads(json.dumps(templar.template(trusted(task[f"polycloud.ollama.{name}"]))))))
    return filled


def trusted(value: Any) -> Any:
    """Text of our own documentation may be a template."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def run(module: str, args: Args, check: bool = False) -> dict[str, Any]:
    result = run_module(module, args, check=check)
    assert not result.get("failed"), result["msg"]
    return result


def test_the_examples_of_ecs_deployment_work(clouds: Sandbox) -> None:  # noqa: F811
    first, large, stop, back = [args for _, args in examples("ecs_deployment", clouds)]
    assert run("ecs_deployment", first)["deployment"]["answer"]
    assert run("ecs_deployment", first)["changed"] is False
    assert run("ecs_deployment", large, check=True)["plan"]["changes"][-1]["action"] == "create"
    assert run("ecs_deployment", stop)["deployment"]["running"] is False
    refused = run_module("ecs_deployment", back)
    assert "no earlier good release" in refused["msg"]


def test_the_examples_of_the_single_resources_work(clouds: Sandbox) -> None:  # noqa: F811
    clouds_own = examples("ecs_task_definition", clouds) + examples("ecs_service", clouds)
    (_, define), (_, deregister), (_, serve), (_, allow), (_, delete) = clouds_own
    inference = examples("ecs_deployment", clouds)[0][1]
    run("ecs_deployment", {**inference, "name": "other"})
    assert run("ecs_task_definition", define)["task_definition"]["revision"] == 1
    assert run("ecs_service", serve)["service"]["running_count"] == 1
    assert run("ecs_service", serve)["changed"] is False
    assert run("ecs_service", allow)["service"]["enable_execute_command"] is True
    assert run("ecs_service", serve)["changed"] is False
    found = run("ecs_service_info", examples("ecs_service_info", clouds)[0][1])["services"]
    assert [(item["name"], len(item["tasks"])) for item in found] == [("chat", 1)]
    assert run("ecs_service", delete)["changed"]
    assert run("ecs_task_definition", deregister)["changed"]


def test_the_examples_of_efs_storage_fit_a_deployment(clouds: Sandbox) -> None:  # noqa: F811
    make = examples("efs_storage", clouds)[0][1]
    foreseen = run("efs_storage", make, check=True)
    assert foreseen["efs"]["file_system_id"] == KNOWN_AFTER_APPLY
    _, deploy, delete = [args for _, args in examples("efs_storage", clouds, storage=foreseen)]
    plan = run("ecs_deployment", deploy, check=True)["plan"]
    assert plan["summary"] == "4 to create"
    run("efs_storage", make)
    assert run("efs_storage", delete)["changed"]


def test_a_service_of_a_cluster_that_does_not_exist_is_not_found(clouds: Sandbox) -> None:  # noqa: F811
    assert run("ecs_service_info", {"cluster": "nowhere", "region": REGION})["services"] == []
    allow = {"cluster": "nowhere", "name": "chat", "region": REGION, "task_definition": "none"}
    assert "task definition none does not exist" in run_module("ecs_service", allow)["msg"]


@pytest.mark.parametrize(
    ("kind", "word"), [("throttle", "throttled the call"), ("error500", "DescribeClusters failed")]
)
def test_a_cloud_that_goes_on_failing_is_given_up_in_one_sentence(
    clouds: Sandbox,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    word: str,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    clouds.client.arm("DescribeClusters", kind, times=50)
    args = examples("ecs_deployment", clouds)[0][1]
    failed = run_module("ecs_deployment", args)
    assert word in failed["msg"]
    assert "\n" not in failed["msg"]


def test_one_throttled_call_is_not_noticed(clouds: Sandbox) -> None:  # noqa: F811
    args = examples("ecs_deployment", clouds)[0][1]
    clouds.client.arm("DescribeClusters", "throttle", times=1)
    assert run("ecs_deployment", args, check=True)["changed"]


def test_a_lost_answer_makes_no_second_service(clouds: Sandbox) -> None:  # noqa: F811
    args = examples("ecs_deployment", clouds)[0][1]
    clouds.client.arm("CreateService", "reset_after")
    assert run("ecs_deployment", args)["deployment"]["last_good"] == "chat:1"


def test_the_value_of_a_secret_is_refused_and_not_shown(clouds: Sandbox) -> None:  # noqa: F811
    args = examples("ecs_deployment", clouds)[0][1]
    failed = run_module("ecs_deployment", {**args, "secrets": [{"name": "T", "value": "canary-value"}]}, diff=True)
    assert any("secrets[0].value is not safe on ecs" in problem for problem in failed["problems"])
    assert "canary-value" not in json.dumps({key: value for key, value in failed.items() if key != "invocation"})
    assert clouds.log.records("aws") == []
