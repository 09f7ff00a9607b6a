# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies that a deployment is translated into: golden files, and AWS's own service model as a witness."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs import translate
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.resource import Wanted
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import symbolic
from tests.helpers.ecs import (
    BALANCED,
    DEPLOYMENTS,
    FARGATE,
    GPU,
    PLAIN_BALANCER,
    REGION,
    SEEDED,
    SHARED_GPU,
    VOLUME,
    describe,
)

GOLDEN = Path(__file__).parents[4] / "golden" / "ecs"
OPERATIONS = {
    translate.CLUSTER: ("ecs", "CreateCluster"),
    translate.TASK_DEFINITION: ("ecs", "RegisterTaskDefinition"),
    translate.SERVICE: ("ecs", "CreateService"),
}


def bundle(deployment: Deployment[Any]) -> dict[str, Wanted]:
    return {wanted.key: wanted for wanted in translate.bundle(deployment, REGION)}


def containers(deployment: Deployment[Any]) -> list[dict[str, Any]]:
    return list(bundle(deployment)[translate.TASK_DEFINITION].body["containerDefinitions"])


def container(deployment: Deployment[Any]) -> dict[str, Any]:
    return containers(deployment)[0]


def rollout(deployment: Deployment[Any]) -> dict[str, Any]:
    return dict(bundle(deployment)[translate.SERVICE].body["deploymentConfiguration"])


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_is_translated_as_its_golden_file_says(name: str) -> None:
    found = [
        {"key": w.key, "name": w.name, "shared": w.shared, "tags": dict(w.tags), "body": symbolic(w.body)}
        for w in translate.bundle(describe(DEPLOYMENTS[name]), REGION)
    ]
    file = GOLDEN / f"{name}.json"
    # `POLYCLOUD_WRITE_GOLDEN=1 pytest ...` writes the files anew, for a person to read in the diff.
    if os.environ.get("POLYCLOUD_WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(file.read_text())


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_deployment_of_these_breaks_a_rule(name: str) -> None:
    assert problems(describe(DEPLOYMENTS[name])) == []


@pytest.mark.parametrize("name", DEPLOYMENTS)
@pytest.mark.parametrize("key", OPERATIONS)
def test_the_service_model_of_aws_takes_the_body(name: str, key: str) -> None:
    service, operation = OPERATIONS[key]
    model = botocore.session.get_session().get_service_model(service).operation_model(operation)
    body = symbolic(bundle(describe(DEPLOYMENTS[name]))[key].body)
    report = ParamValidator().validate(body, model.input_shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_nothing_runs_as_root_or_with_capabilities(name: str) -> None:
    for body in containers(describe(DEPLOYMENTS[name])):
        assert body["user"] == "10001:10001"
        assert body["readonlyRootFilesystem"] is True
        assert body["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}


def test_a_seeding_container_ends_before_the_server_starts_and_writes_alone() -> None:
    server, seed = containers(describe(SEEDED))
    assert server["dependsOn"] == [{"containerName": "seed-models", "condition": "SUCCESS"}]
    assert (seed["name"], seed["essential"]) == ("seed-models", False)
    assert [item["readOnly"] for item in (*server["mountPoints"], *seed["mountPoints"])] == [True, False]
    assert [*seed["entryPoint"], *seed["command"]] == [
        *("python3", "/fetch.pyz", "pull", f"gemma3:4b@sha256:{'b' * 64}", "--into", "/models"),
        *("--parallel", "4", "--registry", "https://models.example.com"),
    ]


def test_the_login_of_the_models_registry_reaches_the_seeding_container_only() -> None:
    server, seed = containers(describe(SEEDED))
    assert [item["name"] for item in server["secrets"]] == ["LICENCE"]
    assert [item["name"] for item in seed["secrets"]] == ["POLYCLOUD_REGISTRY_TOKEN"]


def test_the_seed_waits_as_long_as_the_models_take() -> None:
    """Fargate allows a startTimeout of 120 seconds at most; none means no limit."""
    assert "startTimeout" not in containers(describe(SEEDED))[1]


def test_no_new_privileges_is_asked_for_where_the_user_says_the_hosts_can() -> None:
    assert container(describe(SEEDED))["dockerSecurityOptions"] == ["no-new-privileges"]
    assert "dockerSecurityOptions" not in container(describe(GPU))


def test_capabilities_are_kept_for_an_image_that_needs_them() -> None:
    kept = describe(storage={"uid": 0, "gid": 0}, platform={"drop_capabilities": False, "read_only_root": False})
    body = container(kept)
    assert (body["user"], body["readonlyRootFilesystem"]) == ("0:0", False)
    assert "capabilities" not in body["linuxParameters"]


def test_home_lies_where_the_container_may_write() -> None:
    body = container(describe())
    home = next(item["value"] for item in body["environment"] if item["name"] == "HOME")
    assert any(home.startswith(f"{mount['containerPath']}/") for mount in body["linuxParameters"]["tmpfs"])


def test_a_baked_image_has_no_mount_that_would_hide_its_models() -> None:
    assert "mountPoints" not in container(describe(GPU))
    assert "volumes" not in bundle(describe(GPU))[translate.TASK_DEFINITION].body


def test_a_volume_is_mounted_encrypted_through_the_access_point() -> None:
    volume = bundle(describe(VOLUME))[translate.TASK_DEFINITION].body["volumes"][0]["efsVolumeConfiguration"]
    assert volume["transitEncryption"] == "ENABLED"
    assert volume["authorizationConfig"] == {"accessPointId": "fsap-0123456789abcdef0", "iam": "ENABLED"}
    assert "rootDirectory" not in volume


def test_a_gpu_is_exclusive_unless_it_is_shared() -> None:
    assert container(describe(GPU))["resourceRequirements"] == [{"type": "GPU", "value": "1"}]
    share = {"nvidiaMps": {"memory": 8192, "maxComputePercent": 50}}
    assert container(describe(SHARED_GPU))["resourceRequirements"] == [{"type": "GPU", "sharingStrategy": share}]
    assert "resourceRequirements" not in container(describe(FARGATE))


def test_the_health_check_asks_for_a_baked_model_and_for_the_server_where_models_arrive_later() -> None:
    assert container(describe(GPU))["healthCheck"]["command"] == ["CMD", "/bin/ollama", "show", "gemma3:4b"]
    assert container(describe(VOLUME))["healthCheck"]["command"] == ["CMD", "/bin/ollama", "ps"]


def test_a_health_check_of_the_users_own_is_taken() -> None:
    own = describe(platform={"health_check": {"command": ["CMD", "/check"], "interval": 60}})
    assert container(own)["healthCheck"]["command"] == ["CMD", "/check"]
    assert container(own)["healthCheck"]["interval"] == 60


def test_surge_is_a_blue_green_deployment_that_waits_for_us_and_rolls_back_alone() -> None:
    body = rollout(describe(GPU))
    assert body["strategy"] == "BLUE_GREEN"
    assert body["lifecycleHooks"] == [
        {
            "targetType": "PAUSE",
            "lifecycleStages": ["POST_SCALE_UP"],
            # 1800 s of rollout, 900 s of verification, 10 minutes to spare.
            "timeoutConfiguration": {"timeoutInMinutes": 55, "action": "ROLLBACK"},
        }
    ]


def test_stop_first_makes_room_before_it_starts() -> None:
    body = rollout(describe(VOLUME))
    assert (body["strategy"], body["minimumHealthyPercent"], body["maximumPercent"]) == ("ROLLING", 0, 100)
    assert body["lifecycleHooks"] == []


def test_blue_green_needs_an_alternate_target_group() -> None:
    assert rollout(describe(BALANCED))["strategy"] == "BLUE_GREEN"
    assert rollout(describe(PLAIN_BALANCER))["strategy"] == "ROLLING"


def test_a_service_starts_with_the_least_count_and_at_least_one_task_to_prove() -> None:
    assert bundle(describe(BALANCED))[translate.SERVICE].body["desiredCount"] == 2
    assert bundle(describe(scaling={"min": 0, "max": 3}))[translate.SERVICE].body["desiredCount"] == 1


def test_overrides_reach_the_body_they_name() -> None:
    wider = {"containerDefinitions": [{"name": "ollama", "ulimits": [{"name": "memlock", "softLimit": -1}]}]}
    deployment = describe(overrides={"task_definition": wider, "service": {"enableECSManagedTags": False}})
    assert {item["name"] for item in container(deployment)["ulimits"]} == {"nofile", "memlock"}
    assert bundle(deployment)[translate.SERVICE].body["enableECSManagedTags"] is False


def test_the_cluster_is_shared_and_everything_else_belongs_to_the_deployment() -> None:
    found = bundle(describe(tags={"team": "search"}))
    assert found["cluster"].shared
    assert "polycloud-deployment" not in found["cluster"].tags
    owned = [found[key].tags for key in ("log_group", "task_definition", "service")]
    assert owned == [{"team": "search", "polycloud-deployment": "chat"}] * 3
