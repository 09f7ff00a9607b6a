# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No GPU is free, or none is allowed: the error says what to ask for, what serves goes on, and later it just works."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.lab import Lab
from tests.faults.subjects import SUBJECTS
from tests.sandbox.launcher import Sandbox

# What the error must name: something that a person can ask for, or do.
ADVICE = {
    ("ecs", "gpu"): ("RESOURCE:GPU", "higher quota of the GPU family's vCPUs"),
    ("ecs", "quota"): ("RESOURCE:GPU", "higher quota of the GPU family's vCPUs"),
    ("aci", "gpu"): ("no capacity", "choose another region"),
    ("aci", "quota"): ("Ask for more quota",),
    ("container_apps", "gpu"): ("No GPU of Consumption-GPU-NC8as-T4 is free in westus3", "ask for the quota"),
    ("container_apps", "quota"): ("Ask for more quota",),
}
REGION = "usgovvirginia"


def _with_gpu(name: str, lab: Lab) -> Lab:
    """One GPU, and waits that end soon where nothing comes."""
    timeouts: dict[str, Any] = {"update": {"timeout": 4}}
    if name == "ecs":
        # It gives up where nothing was placed for health.startup_timeout seconds, which are 10 at least.
        timeouts = {"update": {"timeout": 20}, "health": {"timeout": 5, "startup_timeout": 10}}
    lab.base = {**lab.base, **timeouts}
    if name == "ecs":
        lab.base["resources"] = {"cpu": 2, "memory_gib": 4, "gpu": {"count": 1}}
    if name == "aci":
        group = lab.sandbox.seeds["azure"]["resource_groups"][REGION]
        lab.base["resources"] = {"cpu": 2, "memory_gib": 4, "gpu": {"count": 1, "type": "V100"}}
        lab.base["network"] = {"exposure": "public", "authentication": "external"}
        # Its GPUs are to be had outside of virtual networks only, and there not without somebody at the door.
        proxy = {"name": "proxy", "image": "registry.example.com/proxy:1", "ports": [8443]}
        lab.base["platform"] = {
            "resource_group": group,
            "location": REGION,
            "accept_retired_gpu": True,
            "sidecars": [proxy],
        }
        lab.base["health"] = {"verify": "steady"}
    return lab


def _cases() -> list[object]:
    """Every spelling of no room. ECS gives up after ten seconds at the earliest: the update below waits for that."""
    return [
        pytest.param(*case, id="-".join(case), marks=[pytest.mark.sweep] if case[0] == "ecs" else []) for case in ADVICE
    ]


@pytest.mark.parametrize(("name", "limit"), _cases())
def test_a_first_release_without_a_gpu_leaves_nothing_that_runs_and_works_once_there_is_one(
    clouds: Sandbox, name: str, limit: str
) -> None:
    lab = _with_gpu(name, SUBJECTS[name].lab(clouds))
    image = lab.new_image()
    lab.sandbox.client.set_capacity(**{limit: 0})

    failed = lab.run(fails=True, image=image)

    for words in ADVICE[name, limit]:
        assert words in failed["msg"]
    assert lab.settled_workloads(0) == []
    lab.sandbox.client.set_capacity(gpu=None, quota=None)
    assert lab.run(image=image)["deployment"]["last_good"]
    assert len(lab.settled_workloads(1)) == 1


@pytest.mark.parametrize("name", ["ecs", "aci", "container_apps"])
def test_an_update_without_a_second_gpu_leaves_the_old_release_and_works_once_there_is_one(
    clouds: Sandbox, name: str
) -> None:
    lab = _with_gpu(name, SUBJECTS[name].lab(clouds))
    lab.image, better = lab.new_image(), lab.new_image()
    lab.run()
    lab.sandbox.client.set_capacity(gpu=1)

    with lab.watched(lab.image) as missed:
        failed = lab.run(fails=None, image=better)

    if lab.surge:
        assert failed["failed"]
        assert missed == []
        assert lab.serves(lab.image)
        for words in ADVICE[name, "gpu"]:
            assert words in failed["msg"]
        assert failed["deployment"]["rolled_back"]
    lab.sandbox.client.set_capacity(gpu=None)
    lab.run(image=better)
    assert [item.spec.image for item in lab.settled_workloads(1)] == [better]
