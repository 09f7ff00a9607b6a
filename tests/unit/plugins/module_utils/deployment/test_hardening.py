# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan says of hardening, and what strict refuses, for each platform's capability data."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.capabilities import CAPABILITIES as ACI
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.validate import problems as aci_problems
from ansible_collections.polycloud.ollama.plugins.module_utils.capabilities import Capabilities
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.capabilities import (
    CAPABILITIES as CONTAINER_APPS,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.validate import problems as app_problems
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import model as m
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.hardening import Posture, measures, problems
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.capabilities import CAPABILITIES as ECS
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.hardening import posture
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.validate import problems as ecs_problems
from ansible_collections.polycloud.ollama.plugins.module_utils.plan import Measure, Plan
from tests.helpers import aci, container_apps, ecs

SWITCHES = ("sets_user", "non_root_with_volume", "read_only_root", "drop_capabilities")
PLATFORMS = (ECS, ACI, CONTAINER_APPS)
HARDENED = Posture(user="10001:10001", read_only_root=True, drop_capabilities=True)
BAKED = m.Deployment(name="chat", image="", models=(), platform=None)
GIB = 2**30


def rows(deployment: m.Deployment[Any], capabilities: Capabilities, asked: Posture = HARDENED) -> dict[str, Measure]:
    return {row.measure: row for row in measures(deployment, capabilities, asked)}


def strict(capabilities: Capabilities, asked: Posture = HARDENED, **changes: Any) -> list[str]:
    return list(problems(dataclasses.replace(BAKED, hardening="strict", **changes), capabilities, asked))


@pytest.mark.parametrize("capabilities", PLATFORMS, ids=lambda row: row.platform)
def test_what_a_platform_cannot_do_has_its_reason_and_what_it_can_has_none(capabilities: Capabilities) -> None:
    assert set(capabilities.gaps) == {name for name in SWITCHES if not getattr(capabilities, name)}


@pytest.mark.parametrize("capabilities", PLATFORMS, ids=lambda row: row.platform)
def test_a_capability_is_met_where_it_is_asked_for_and_a_gap_is_shown_with_its_reason(
    capabilities: Capabilities,
) -> None:
    found = rows(BAKED, capabilities)
    for measure, switch in (("user", "sets_user"), ("read_only_root", "read_only_root")):
        assert found[measure].met is getattr(capabilities, switch)
        assert found[measure].met or found[measure].detail == capabilities.gaps[switch]


def test_strict_is_content_where_everything_is_given() -> None:
    assert strict(ECS) == []


def test_standard_refuses_nothing() -> None:
    assert list(problems(BAKED, ACI, Posture())) == []


@pytest.mark.parametrize("capabilities", [ACI, CONTAINER_APPS], ids=lambda row: row.platform)
def test_strict_names_each_gap_with_its_reason_and_a_way_out(capabilities: Capabilities) -> None:
    said = strict(capabilities, image_size=GIB)
    assert [line.split(",")[0] for line in said] == [
        "hardening strict needs a user other than root",
        "hardening strict needs a read-only root filesystem",
        "hardening strict needs a server without Linux capabilities",
    ]
    assert all("hardening: standard" in line and capabilities.platform in line for line in said)


def test_a_volume_that_only_root_can_use_is_a_gap_of_its_own() -> None:
    on_volume = dataclasses.replace(BAKED, storage=m.Storage(mode="volume"))
    assert "Azure Files belongs to root" in rows(on_volume, ACI)["user"].detail
    assert "Azure Files" not in rows(BAKED, ACI)["user"].detail
    assert rows(on_volume, ECS)["user"].met


@pytest.mark.parametrize("user", ["", "0:0", "root", "0"])
def test_a_server_that_runs_as_root_is_no_hardened_one(user: str) -> None:
    asked = dataclasses.replace(HARDENED, user=user)
    assert rows(BAKED, ECS, asked)["user"].met is False
    assert "set storage.uid" in strict(ECS, asked)[0]


@pytest.mark.parametrize("switch", ["read_only_root", "drop_capabilities"])
def test_what_the_description_turns_off_is_shown_and_refused_by_strict(switch: str) -> None:
    asked = dataclasses.replace(HARDENED, **{switch: False})
    assert rows(BAKED, ECS, asked)[switch].met is False
    assert f"platform.{switch}" in strict(ECS, asked)[0]


@pytest.mark.parametrize(("size", "met"), [(None, None), (15 * 10**9, True), (15 * 10**9 + 1, False), (GIB, True)])
def test_the_size_of_the_image_is_compared_with_the_limit_of_the_platform(size: int | None, met: bool | None) -> None:
    found = rows(dataclasses.replace(BAKED, image_size=size), ACI)["image_size"]
    assert found.met is met
    assert "15 GB" in found.detail
    assert any("image within the platform's limit" in line for line in strict(ACI, image_size=size)) is not (
        met is True
    )


def test_a_platform_without_a_limit_needs_no_size() -> None:
    assert rows(BAKED, ECS)["image_size"].met is True


# ---- on ECS the body decides, overrides included


def asked_of_ecs(**changes: Any) -> Posture:
    return posture(ecs.describe(ecs.SEEDED, **changes))


def container(**fields: Any) -> dict[str, Any]:
    return {"overrides": {"task_definition": {"containerDefinitions": [{"name": "ollama", **fields}]}}}


def test_all_containers_of_a_task_are_hardened() -> None:
    assert asked_of_ecs() == HARDENED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"storage": {"uid": 0}}, {"user": "0:10001"}),
        ({"platform": {"read_only_root": False}}, {"read_only_root": False}),
        ({"platform": {"drop_capabilities": False}}, {"drop_capabilities": False}),
        (container(user="root"), {"user": "root"}),
        (container(user=None), {"user": ""}),
        (container(readonlyRootFilesystem=False), {"read_only_root": False}),
        (container(privileged=True), {"drop_capabilities": False}),
        (container(linuxParameters={"capabilities": {"add": ["SYS_PTRACE"]}}), {"drop_capabilities": False}),
        (
            {"overrides": {"task_definition": {"containerDefinitions": [{"name": "agent", "image": "agent:1"}]}}},
            {"user": "", "read_only_root": False, "drop_capabilities": False},
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_lets_a_container_off_is_seen_wherever_it_is_said(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert asked_of_ecs(**changes) == dataclasses.replace(HARDENED, **expected)


def test_strict_is_among_the_rules_of_every_platform() -> None:
    assert ecs_problems(ecs.describe(hardening="strict")) == []
    assert any("storage.uid" in line for line in ecs_problems(ecs.describe(hardening="strict", storage={"uid": 0})))
    assert len([line for line in aci_problems(aci.describe(hardening="strict")) if "hardening strict" in line]) == 4
    found = app_problems(container_apps.describe(hardening="strict"))
    assert len([line for line in found if "hardening strict" in line]) == 3


# ---- the plan


def test_the_plan_shows_every_measure_as_text_and_as_data() -> None:
    plan = Plan("chat on aci", hardening=measures(BAKED, ACI, Posture()))
    text = plan.render()
    assert "  hardening user: no, the server runs as the user of its image (USER)" in text
    assert "  hardening read only root: no, the API has no setting for it\n" in text
    assert "  hardening image size: not known, at most 15 GB" in text
    assert plan.to_dict()["hardening"][1] == {
        "measure": "read_only_root",
        "met": False,
        "detail": "the API has no setting for it",
    }
    assert "  hardening user: yes, 10001:10001\n" in Plan("chat", hardening=measures(BAKED, ECS, HARDENED)).render()
