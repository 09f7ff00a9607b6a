# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of the fleet: names that never collide, groups that are legal, variables that are few."""

from __future__ import annotations

import dataclasses
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.replica import Replica, http_url, name_hosts

ONE = Replica(
    id="arn:aws:ecs:us-east-1:123456789012:task/ml/0123456789abcdef0123456789abcdef",
    cloud="aws",
    platform="ecs",
    account="123456789012",
    region="us-east-1",
    deployment="chat",
    release="chat:7",
    image="ollama@sha256:" + "a" * 64,
    models=("gemma3:4b",),
    address="10.0.0.7",
    url="http://10.0.0.7:11434",
    gpu="yes",
    health="healthy",
    status="RUNNING",
    unit="0123456789abcdef0123456789abcdef",
)


def test_a_host_is_named_by_deployment_region_and_unit() -> None:
    assert list(name_hosts([ONE])) == ["chat-us-east-1-0123456789ab"]


def test_equal_addresses_in_two_regions_stay_two_hosts() -> None:
    other = dataclasses.replace(ONE, id=ONE.id.replace("us-east-1", "eu-west-1"), region="eu-west-1")

    assert len(name_hosts([ONE, other])) == 2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["x" * 12 + "1", "x" * 12 + "2", "y"])), max_size=8))
def test_no_replica_is_lost_however_alike_they_are(rows: list[tuple[str, str]]) -> None:
    replicas = [
        dataclasses.replace(ONE, id=f"id-{index}", account=account, unit=unit)
        for index, (account, unit) in enumerate(rows)
    ]

    named = name_hosts(replicas)

    assert {replica.id for replica in named.values()} == {replica.id for replica in replicas}
    assert name_hosts(reversed(replicas)) == named, "names do not depend on the order of the answers"


def test_groups_are_legal_names_for_every_dimension() -> None:
    groups = dataclasses.replace(ONE, models=("hf/llama3.2:1b", "gemma3:4b"), gpu="Consumption-GPU-NC8as-T4").groups()

    assert groups == [
        "cloud_aws",
        "platform_ecs",
        "region_us_east_1",
        "deployment_chat",
        "gpu_Consumption_GPU_NC8as_T4",
        "health_healthy",
        "model_hf_llama3_2_1b",
        "model_gemma3_4b",
    ]
    assert all(re.fullmatch(r"[A-Za-z_]\w*", group) for group in groups)
    assert "gpu_no" in dataclasses.replace(ONE, gpu="").groups()


def test_the_cache_gives_back_what_it_took() -> None:
    detailed = dataclasses.replace(ONE, details={"task": {"cpu": "4096"}})

    assert Replica.from_dict(json.loads(json.dumps(ONE.to_dict()))) == ONE
    assert Replica.from_dict(json.loads(json.dumps(detailed.to_dict()))) == detailed


def test_details_are_one_variable_more_and_only_where_they_were_asked_for() -> None:
    detailed = dataclasses.replace(ONE, details={"task": {"cpu": "4096"}})

    assert detailed.variables() == ONE.variables() | {"fleet_details": {"task": {"cpu": "4096"}}}
    assert "fleet_details" not in ONE.variables()


def test_urls_of_both_address_families_and_of_none() -> None:
    assert http_url("10.0.0.7", 11434) == "http://10.0.0.7:11434"
    assert http_url("fd00::7", 11434) == "http://[fd00::7]:11434"
    assert http_url("", 11434) == ""
