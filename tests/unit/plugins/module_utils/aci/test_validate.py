# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Azure Container Instances: all problems at once, each naming the option."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.capabilities import CAPABILITIES
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import validate
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY
from tests.helpers.aci import FILES, FULL, GPU, IDENTITY, PUBLIC, SERVED, SMALL, SPOT, SUBNET, describe
from tests.helpers.sidecar_options import SIDECAR


@pytest.mark.parametrize(
    "base", [SMALL, FULL, SERVED, PUBLIC, SPOT, GPU], ids=["small", "full", "sidecar", "public", "spot", "gpu"]
)
def test_the_samples_of_these_tests_break_no_rule(base: dict[str, Any]) -> None:
    deployment = describe(base)

    assert problems(deployment) == []
    assert validate.problems(deployment, CAPABILITIES) == []


def test_a_gpu_is_refused_with_the_sentence_of_its_retirement() -> None:
    (problem,) = problems(describe(GPU, platform={"accept_retired_gpu": False}))

    assert problem.startswith("resources.gpu: GPUs on Azure Container Instances were retired on 14 July 2025")
    assert "platform.accept_retired_gpu: true" in problem


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "resource group id": (SMALL, {"platform": {"resource_group": "/subscriptions/x"}}, "platform.resource_group"),
    "region": (SMALL, {"platform": {"location": "West Europe"}}, "platform.location"),
    "two zones": (SMALL, {"platform": {"zones": ["1", "2"]}}, "at most one zone"),
    "gpu type": (GPU, {"resources": {"gpu": {"type": "H100"}}}, "must be one of K80, P100, V100"),
    "gpu count": (GPU, {"resources": {"gpu": {"count": 3}}}, "resources.gpu.count 3"),
    "gpu in a subnet": (
        GPU,
        {"network": {"exposure": "private"}, "platform": {"subnet_id": SUBNET, "dns_name_label": None}},
        "cannot be in a virtual network",
    ),
    "memory step": (SMALL, {"resources": {"memory_gib": 1.25}}, "multiple of 0.1"),
    "too big with sidecars": (FULL, {"resources": {"cpu": 31}}, "come to 31.5"),
    "too big with the sidecar": (SMALL, {"resources": {"cpu": 31}, "sidecar": SIDECAR}, "come to 31.25"),
    "memory step of the sidecar": (SMALL, {"sidecar": {**SIDECAR, "memory_gib": 0.55}}, "sidecar.memory_gib 0.55"),
    "a container with its name": (
        FULL,
        {"sidecar": SIDECAR, "platform": {"sidecars": [{"name": "sidecar", "image": "i", "ports": [1]}]}},
        "'sidecar' is reserved or used twice",
    ),
    "the port of its metrics": (FULL, {"sidecar": {**SIDECAR, "metrics_port": 9090}}, "port 9090 is used twice"),
    "subnet id": (SMALL, {"platform": {"subnet_id": "containers"}}, "must be the resource id of a subnet"),
    "public in a subnet": (PUBLIC, {"platform": {"subnet_id": SUBNET}}, "has no public address"),
    "private without a subnet": (SMALL, {"platform": {"subnet_id": None}}, "platform.subnet_id is needed"),
    "name servers alone": (PUBLIC, {"platform": {"dns_servers": ["10.0.0.1"]}}, "platform.dns_servers needs"),
    "label of a private group": (SMALL, {"platform": {"dns_name_label": "chat-1"}}, "needs network.exposure public"),
    "label": (PUBLIC, {"platform": {"dns_name_label": "a"}}, "5 to 63"),
    "public without a proxy": (PUBLIC, {"platform": {"sidecars": []}}, "only its ports are published"),
    "spot in public": (PUBLIC, {"platform": {"priority": "Spot"}}, "Spot does not go with network.exposure public"),
    "spot with a zone": (SPOT, {"platform": {"zones": ["1"]}}, "Spot does not go with platform.zones"),
    "big spot": (SPOT, {"resources": {"cpu": 8}}, "Spot does not go with more than 4 vCPU"),
    "spot that is asked": (SPOT, {"health": {"verify": "prompt"}}, "health.verify must be steady"),
    "identity id": (
        FULL,
        {"platform": {"identity": {"user_assigned": ["me", IDENTITY]}}},
        "'me' must be the resource id",
    ),
    "vault identity": (FULL, {"platform": {"key_vault_identity": IDENTITY + "2"}}, "platform.key_vault_identity"),
    "registry": (
        SMALL,
        {"platform": {"registries": [{"server": "a", "username": "u"}]}},
        "either identity, or username",
    ),
    "registry twice": (
        SMALL,
        {"platform": {"registries": [{"server": "a", "username": "u", "password": "p"}] * 2}},
        "names 'a' twice",
    ),
    "volume without a share": (SMALL, {"storage": {"mode": "volume"}}, "needs platform.azure_files"),
    "share without a volume": (SMALL, {"platform": {"azure_files": FILES}}, "needs storage.mode volume or both"),
    "two keys": (
        FULL,
        {"platform": {"azure_files": {"account_key_reference": "https://v/secrets/k"}}},
        "takes either account_key or account_key_reference",
    ),
    "seed of a read-only share": (
        FULL,
        {"platform": {"azure_files": {"read_only": True}}},
        "the image seeds the share",
    ),
    "reserved name": (SMALL, {"platform": {"sidecars": [{"name": "ollama", "image": "x"}]}}, "reserved or used twice"),
    "port twice": (
        SMALL,
        {"platform": {"sidecars": [{"name": "a", "image": "x", "ports": [11434]}]}},
        "port 11434 is used twice",
    ),
    "models for a sidecar": (
        SMALL,
        {"platform": {"sidecars": [{"name": "a", "image": "x", "mount_models": True}]}},
        "mount_models needs",
    ),
    "reference without identity": (
        SMALL,
        {"secrets": [{"name": "LICENCE", "reference": "https://v/secrets/l"}]},
        "platform.key_vault_identity is needed to read LICENCE",
    ),
    "replicas": (SMALL, {"scaling": {"min": 2, "max": 2}}, "a container group is one replica"),
    "override": (SMALL, {"overrides": {"service": {}}}, "overrides.'service' must be one of profile, group"),
    "tag": (SMALL, {"tags": {"a/b": "c"}}, "on Azure"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_broken_rule_is_named(name: str) -> None:
    base, changes, rule = CASES[name]

    assert any(rule in problem for problem in problems(describe(base, **changes))), problems(describe(base, **changes))


def test_all_problems_come_at_once() -> None:
    broken = describe(SMALL, resources={"gpu": {"count": 3}}, platform={"location": "X", "zones": ["1", "2"]})

    assert len(problems(broken)) == 5


def test_an_id_that_is_known_after_apply_breaks_no_rule() -> None:
    later = describe(
        SMALL, platform={"subnet_id": KNOWN_AFTER_APPLY, "identity": {"user_assigned": [KNOWN_AFTER_APPLY]}}
    )

    assert problems(later) == []


def test_public_exposure_without_authentication_is_refused() -> None:
    found = validate.problems(describe(PUBLIC, network={"authentication": "none"}), CAPABILITIES)

    assert any("network.exposure public needs network.authentication" in problem for problem in found)


@pytest.mark.parametrize("changes", [{"update": {"strategy": "surge"}}, {"scaling": {"min": 1, "max": 2}}])
def test_what_the_platform_cannot_do_is_refused(changes: dict[str, Any]) -> None:
    assert validate.problems(describe(SMALL, **changes), CAPABILITIES)
