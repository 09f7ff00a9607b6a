# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hardening and storage modes on every platform, against the sandbox: what is sent, shown and refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.capabilities import CAPABILITIES as ACI
from ansible_collections.polycloud.ollama.plugins.module_utils.capabilities import Capabilities
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.capabilities import (
    CAPABILITIES as CONTAINER_APPS,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.capabilities import CAPABILITIES as ECS
from tests.contract.adapters import ACI_GROUP, APP, GOOD, Args, arm, bad, ecs_client, group_path
from tests.contract.subject import Subject, actions
from tests.helpers.warm import run_warm
from tests.sandbox.launcher import Sandbox

CAPABILITIES: dict[str, Capabilities] = {row.platform: row for row in (ECS, ACI, CONTAINER_APPS)}
# Which capability a measure stands on, for models in the image.
GIVEN_BY = {"user": "sets_user", "read_only_root": "read_only_root", "drop_capabilities": "drop_capabilities"}
FETCHER = "registry.example.com/fetcher:good@sha256:" + "d4" * 32
PINNED = [{"name": "gemma3:1b", "digest": "b" * 64}]
MODE = "POLYCLOUD_STORAGE"


# ---- what the cloud was sent, as one shape for all platforms: containers by name


def ecs_containers(sandbox: Sandbox) -> dict[str, Args]:
    client = ecs_client(sandbox)
    service = client.describe_services(cluster="ml", services=["chat"])["services"][0]
    definition = client.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    return {
        item["name"]: {
            **item,
            "read_only": [mount["readOnly"] for mount in item["mountPoints"]],
            "env": {variable["name"]: variable["value"] for variable in item["environment"]},
        }
        for item in definition["containerDefinitions"]
    }


def aci_containers(sandbox: Sandbox) -> dict[str, Args]:
    properties = arm(sandbox, "GET", group_path(sandbox, *ACI_GROUP))["properties"]
    return {
        item["name"]: {
            **item["properties"],
            "read_only": [mount["readOnly"] for mount in item["properties"].get("volumeMounts") or ()],
            "env": {v["name"]: v.get("value") for v in item["properties"].get("environmentVariables") or ()},
        }
        for item in (*properties["containers"], *properties["initContainers"])
    }


def container_apps_containers(sandbox: Sandbox) -> dict[str, Args]:
    template = arm(sandbox, "GET", group_path(sandbox, *APP))["properties"]["template"]
    storages = {volume["name"]: volume["storageName"] for volume in template["volumes"] or ()}
    return {
        item["name"]: {
            **item,
            "read_only": [
                access_mode(sandbox, storages[mount["volumeName"]]) == "ReadOnly"
                for mount in item.get("volumeMounts") or ()
            ],
            "env": {variable["name"]: variable.get("value") for variable in item["env"]},
        }
        for item in (*template["containers"], *(template["initContainers"] or ()))
    }


def access_mode(sandbox: Sandbox, storage: str) -> str:
    path = group_path(sandbox, APP[0], f"Microsoft.App/managedEnvironments/ml/storages/{storage}", APP[2])
    return str(arm(sandbox, "GET", path)["properties"]["azureFile"]["accessMode"])


CONTAINERS: dict[str, Callable[[Sandbox], dict[str, Args]]] = {
    "ecs": ecs_containers,
    "aci": aci_containers,
    "container_apps": container_apps_containers,
}
SENT = {
    "user": lambda container: container["user"] == "10001:10001",
    "read_only_root": lambda container: container["readonlyRootFilesystem"] is True,
    "drop_capabilities": lambda container: container["linuxParameters"]["capabilities"]["drop"] == ["ALL"],
}


def containers(subject: Subject) -> dict[str, Args]:
    return CONTAINERS[subject.adapter.platform](subject.sandbox)


def on_volume(subject: Subject) -> Args:
    """The arguments that put the models on a volume, which is made."""
    platform = subject.base["platform"]
    if subject.adapter.platform == "ecs":
        made = run_warm("efs_storage", {"name": "models", "region": "us-east-1", "subnets": platform["subnets"]})
        return {"platform": {**platform, "efs": made["efs"]}}
    place = {key: platform[key] for key in ("resource_group", "location")}
    share = run_warm("azure_files_storage", {**place, "account_name": "contractmodels"})["azure_files"]
    return {"platform": {**platform, "azure_files" if subject.adapter.platform == "aci" else "storage": share}}


def seeded(subject: Subject, image: str = FETCHER) -> Args:
    return {**on_volume(subject), "models": PINNED, "storage": {"mode": "volume", "seed": {"image": image}}}


# ---- hardening


def test_each_measure_is_sent_and_shown_as_given_or_shown_with_the_reason_why_not(subject: Subject) -> None:
    capabilities = CAPABILITIES[subject.adapter.platform]
    shown = {row["measure"]: row for row in subject.run()["plan"]["hardening"]}
    server = containers(subject)["ollama"]

    assert set(shown) == {*GIVEN_BY, "image_size"}
    for measure, capability in GIVEN_BY.items():
        given = getattr(capabilities, capability)
        assert shown[measure]["met"] is given
        assert SENT[measure](server) if given else shown[measure]["detail"] == capabilities.gaps[capability]


def test_the_hardening_is_in_the_text_of_the_plan(subject: Subject) -> None:
    planned = subject.run(check=True)
    text = planned["diff"]["prepared"]
    state = {True: "yes", False: "no", None: "not known"}
    for row in planned["plan"]["hardening"]:
        assert f"  hardening {row['measure'].replace('_', ' ')}: {state[row['met']]}" in text


def test_strict_refuses_every_gap_before_the_first_call_and_is_content_without_one(subject: Subject) -> None:
    gaps = [row for row in subject.run(check=True)["plan"]["hardening"] if row["met"] is not True]
    subject.clear()
    if not gaps:
        assert subject.run(hardening="strict")["changed"]
        return

    refused = subject.run(fails=True, hardening="strict")

    assert len(refused["problems"]) == len(gaps)
    for row in gaps:
        problem = next(line for line in refused["problems"] if row["detail"] in line)
        assert problem.startswith("hardening strict needs")
        assert "hardening: standard" in problem
    assert subject.sandbox.client.requests() == []


def test_strict_refuses_a_volume_that_only_root_can_use(subject: Subject) -> None:
    capabilities = CAPABILITIES[subject.adapter.platform]
    volume = on_volume(subject)
    planned = subject.run(check=True, **volume, storage={"mode": "volume"})["plan"]["hardening"]
    user = next(row for row in planned if row["measure"] == "user")

    assert user["met"] is (capabilities.sets_user and capabilities.non_root_with_volume)
    if not capabilities.non_root_with_volume:
        refused = subject.run(fails=True, hardening="strict", **volume, storage={"mode": "volume"})
        assert any(capabilities.gaps["non_root_with_volume"] in line for line in refused["problems"])


@pytest.mark.parametrize(("size", "word"), [(14 * 10**9, True), (16 * 10**9, False), (None, None)])
def test_an_image_is_measured_against_the_limit_of_the_platform(
    subject: Subject,
    size: int | None,
    word: bool | None,
) -> None:
    planned = subject.run(check=True, **({"image_size": size} if size else {}))["plan"]["hardening"]
    row = next(row for row in planned if row["measure"] == "image_size")
    limited = CAPABILITIES[subject.adapter.platform].image_gb is not None
    assert row["met"] is (word if limited else True)


def test_a_server_below_the_least_version_is_refused_by_its_option_before_any_call(subject: Subject) -> None:
    refused = subject.run(fails=True, runtime={"ollama_version": "0.17.0"})
    assert "runtime.ollama_version '0.17.0' is below 0.17.1" in refused["msg"]
    assert subject.sandbox.client.requests() == []


# ---- storage


@pytest.mark.parametrize("mode", ["volume", "both"])
def test_a_volume_is_mounted_where_the_server_reads_and_the_image_learns_the_mode(
    subject: Subject,
    mode: str,
) -> None:
    volume = on_volume(subject)
    assert subject.run(**volume, storage={"mode": mode})["deployment"]["answer"]
    found = containers(subject)
    assert set(found) == {"ollama"}
    assert found["ollama"]["read_only"] == [False]
    assert (found["ollama"]["env"][MODE], found["ollama"]["env"]["OLLAMA_NOPRUNE"]) == (mode, "1")
    assert not subject.run(**volume, storage={"mode": mode})["changed"]


def test_models_in_the_image_need_no_mount(deployed: Subject) -> None:
    server = containers(deployed)["ollama"]
    assert (server["env"][MODE], server["read_only"]) == ("baked", [])


def test_a_seeded_volume_is_written_by_its_container_only_and_a_second_run_changes_nothing(
    subject: Subject,
) -> None:
    seed = seeded(subject)
    assert subject.run(check=True, **seed)["changed"]
    created = subject.run(**seed)

    assert created["deployment"]["answer"]
    assert {name: item["read_only"] for name, item in containers(subject).items()} == {
        "ollama": [True],
        "seed-models": [False],
    }
    subject.clear()
    again = subject.run(**seed)
    assert not again["changed"]
    assert subject.writes() == []
    assert set(actions(again).values()) == {"keep"}


@pytest.mark.parametrize("fault", ["crash", "missing"])
def test_a_release_whose_models_do_not_arrive_is_bad_and_the_good_one_stays(
    subject: Subject,
    fault: str,
) -> None:
    seed = seeded(subject)
    subject.run(**seed)
    other = {**seed, "storage": {"mode": "volume", "seed": {"image": bad(fault)}}}

    failed = subject.run(fails=True, **other)

    assert failed["rolled_back"]
    assert GOOD in failed["deployment"]["serving"]
    assert subject.answers(failed["deployment"]["endpoints"][0])


def test_a_volume_that_was_seeded_can_go_on_without(subject: Subject) -> None:
    seed = seeded(subject)
    subject.run(**seed)
    without: dict[str, Any] = {**seed, "storage": {"mode": "volume"}}

    assert subject.run(**without)["changed"]

    assert set(containers(subject)) == {"ollama"}
    assert not subject.run(**without)["changed"]
    assert subject.run(state="absent")["changed"]
