# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Container Apps: each broken one names option, value and rule."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.capabilities import CAPABILITIES
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.validate import problems as general_problems
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY
from tests.helpers.container_apps import FULL, GPU, IDENTITY, SERVED, SMALL, SUBNET, describe
from tests.helpers.sidecar_options import SIDECAR

VOLUME = merge(SMALL, {"storage": {"mode": "volume"}})
SMB = {"share_name": "s", "account_name": "a", "account_key": "k"}
NFS = {"type": "nfs", "share_name": "/a/s", "server": "a.file.core.windows.net"}


@pytest.mark.parametrize("base", [SMALL, GPU, FULL, SERVED], ids=["small", "gpu", "full", "sidecar"])
def test_a_sound_deployment_breaks_no_rule(base: dict[str, Any]) -> None:
    deployment = describe(base)
    assert general_problems(deployment, CAPABILITIES) + problems(deployment) == []


def platform(**block: Any) -> dict[str, Any]:
    return {"platform": block}


BROKEN: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (SMALL, platform(resource_group="a/b"), "platform.resource_group 'a/b'"),
    (SMALL, platform(location=" "), "platform.location"),
    (SMALL, platform(environment={"name": "a--b"}), "platform.environment.name 'a--b'"),
    (SMALL, platform(environment={"subnet_id": "subnet-1"}), "platform.environment.subnet_id 'subnet-1'"),
    (SMALL, platform(environment={"internal": True}), "internal needs platform.environment.subnet_id"),
    (SMALL, platform(environment={"zone_redundant": True}), "zone_redundant needs"),
    (GPU, platform(environment={"minimum_nodes": 0}), "minimum_nodes and maximum_nodes must not be set"),
    (GPU, platform(workload_profile="Consumption"), "platform.workload_profile Consumption has no GPU"),
    (SMALL, platform(workload_profile="no_underscore"), "platform.workload_profile 'no_underscore'"),
    (GPU, {"resources": {"gpu": {"type": None}}}, "resources.gpu.type must name"),
    (GPU, {"resources": {"gpu": {"type": "D8"}}}, "resources.gpu.type 'D8' is not a GPU"),
    (GPU, {"resources": {"gpu": {"type": "V100"}}}, "resources.gpu.type 'V100' is not a GPU"),
    (GPU, {"resources": {"gpu": {"count": 2}}}, "resources.gpu.count 2 must be 1"),
    (GPU, {"resources": {"cpu": 16.0}}, "resources.cpu 16 is above the 8 vCPU of Consumption-GPU-NC8as-T4"),
    (GPU, {"resources": {"memory_gib": 64.0}}, "resources.memory_gib 64 is above the 56 GiB"),
    (SMALL, {"resources": {"memory_gib": 6.0}}, "resources.memory_gib 6 must be 8"),
    (SMALL, {"resources": {"cpu": 1.1, "memory_gib": 2.2}}, "resources.cpu 1.1 must be a multiple of 0.25"),
    (SMALL, {"resources": {"cpu": 8.0, "memory_gib": 16.0}}, "resources.cpu 8 is above the 4 vCPU of Consumption"),
    (SMALL, platform(storage=SMB), "storage.mode baked mounts nothing"),
    (VOLUME, {}, "storage.mode volume needs platform.storage"),
    (VOLUME, platform(storage={**SMB, "name": "A B"}), "platform.storage.name 'A B'"),
    (
        VOLUME,
        platform(storage={**SMB, "account_key_reference": "https://x"}),
        "either account_key or account_key_reference",
    ),
    (VOLUME, platform(storage={**SMB, "account_name": None}), "platform.storage.account_name"),
    (VOLUME, platform(storage=NFS), "platform.storage.type nfs needs platform.environment.subnet_id"),
    (VOLUME, platform(storage={**NFS, "server": None}, environment={"subnet_id": SUBNET}), "platform.storage.server"),
    (VOLUME, platform(storage={**NFS, "share_name": "s"}, environment={"subnet_id": SUBNET}), "share_name 's' must be"),
    (VOLUME, platform(storage={**NFS, "account_key": "k"}, environment={"subnet_id": SUBNET}), "NFS has no key"),
    (SMALL, platform(identity={"user_assigned": ["id-1"]}), "platform.identity.user_assigned 'id-1'"),
    (SMALL, platform(key_vault_identity="system"), "platform.key_vault_identity system needs"),
    (SMALL, platform(registries=[{"server": "r", "identity": IDENTITY}]), "must be in platform.identity.user_assigned"),
    (SMALL, platform(registries=[{"server": "r", "username": "u"}]), "username and password together"),
    (SMALL, platform(registries=[{"server": "r"}]), "either identity or username and password"),
    (SMALL, {"secrets": [{"name": "_X", "value": "v"}]}, "must begin and end with a letter or digit"),
    (SMALL, {"secrets": [{"name": "X", "reference": "https://v.vault.azure.net/secrets/x"}]}, "need platform.identity"),
    (SMALL, platform(ingress_scope="network"), "elsewhere such an ingress is public"),
    (SMALL, platform(ingress_scope="network", environment={"subnet_id": SUBNET}), "internal: true"),
    (
        SMALL,
        merge(
            platform(environment={"subnet_id": SUBNET, "internal": True}),
            {"network": {"exposure": "public", "authentication": "client_certificate"}},
        ),
        "network.exposure public is not possible in an internal environment",
    ),
    (SMALL, {"health": {"startup_timeout": 2401}}, "health.startup_timeout 2401 must be at most 2400"),
    (SMALL, platform(termination_grace_period=601), "platform.termination_grace_period 601"),
    (SMALL, {"sidecar": {**SIDECAR, "drain_seconds": 581}}, "sidecar.drain_seconds must be at most 580"),
    (SMALL, {"sidecar": SIDECAR}, "resources.cpu with sidecar 4.25 is above the 4 vCPU of Consumption"),
    (
        SMALL,
        {"resources": {"cpu": 2.0, "memory_gib": 4.0}, "sidecar": {**SIDECAR, "memory_gib": 1.0}},
        "resources.memory_gib with sidecar 5 must be 4.5 with resources.cpu with sidecar 2.25",
    ),
    (SMALL, platform(polling_interval=0), "platform.polling_interval 0"),
    (SMALL, platform(drain=-1), "platform.drain -1"),
    (SMALL, platform(init_containers=[{"name": "A", "image": "i"}]), "platform.init_containers.name 'A'"),
    (SMALL, {"overrides": {"apps": {}}}, "is no resource of the bundle"),
    (SMALL, {"overrides": {"app": "x"}}, "overrides.app must be a mapping"),
]


@pytest.mark.parametrize(("base", "change", "sentence"), BROKEN, ids=[sentence[:50] for *_, sentence in BROKEN])
def test_a_broken_rule_names_the_option_and_what_to_do(
    base: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    assert any(sentence in problem for problem in problems(describe(base, **change)))


def test_all_problems_come_at_once() -> None:
    found = problems(describe(GPU, resources={"cpu": 99.0, "gpu": {"count": 4}}, platform={"drain": -1}))
    assert len(found) == 3


def test_ids_that_check_mode_cannot_know_are_accepted() -> None:
    identity = {"user_assigned": [KNOWN_AFTER_APPLY]}
    deployment = describe(platform={"environment": {"subnet_id": KNOWN_AFTER_APPLY}, "identity": identity})
    assert problems(deployment) == []


def test_a_gpu_profile_newer_than_our_list_is_accepted() -> None:
    assert problems(describe(GPU, resources={"gpu": {"type": "Consumption-GPU-NC40-H100"}})) == []


def test_public_without_authentication_is_refused() -> None:
    found = general_problems(describe(network={"exposure": "public"}), CAPABILITIES)
    assert any("network.exposure public needs network.authentication" in problem for problem in found)
