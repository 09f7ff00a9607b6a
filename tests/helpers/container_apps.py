# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions of Container Apps deployments for tests: from small to everything that has a translation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.options import ContainerAppsPlatform
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.parse import parse

SCOPE = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg-ollama-westus3"
IDENTITY = f"{SCOPE}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ollama"
SUBNET = f"{SCOPE}/providers/Microsoft.Network/virtualNetworks/vnet-ollama/subnets/apps"
T4 = "Consumption-GPU-NC8as-T4"

SMALL: dict[str, Any] = {
    "name": "chat",
    "image": "registry.example.com/ollama:0.24.0@sha256:" + "a" * 64,
    "models": [{"name": "gemma3:4b"}],
    "resources": {"cpu": 4.0, "memory_gib": 8.0},
    "platform": {"resource_group": "rg-ollama-westus3", "location": "westus3", "environment": {"name": "ollama"}},
}
GPU: dict[str, Any] = merge(SMALL, {"resources": {"cpu": 8.0, "memory_gib": 56.0, "gpu": {"type": T4}}})
FULL: dict[str, Any] = merge(
    GPU,
    {
        "models": [{"name": "gemma3:4b", "digest": "b" * 64}, {"name": "nomic-embed-text"}],
        "runtime": {"num_parallel": 4, "environment": {"OLLAMA_DEBUG": "1"}},
        "storage": {"mode": "volume"},
        "network": {"allowed_cidrs": ["10.0.0.0/8", "192.168.1.0/24"]},
        "scaling": {"min": 1, "max": 3, "cooldown": 600},
        "schedule": {"timezone": "Europe/Berlin", "start": "07:30", "stop": "20:00"},
        "secrets": [
            {"name": "HF_TOKEN", "value": "canary-hf"},
            {"name": "LICENCE", "reference": "https://example.vault.azure.net/secrets/licence"},
        ],
        "tags": {"team": "search"},
        "platform": {
            "environment": {
                "subnet_id": SUBNET,
                "internal": True,
                "log_analytics": {
                    "workspace_id": "44444444-4444-4444-8444-444444444444",
                    "workspace_key": "canary-log",
                },
            },
            "ingress_scope": "network",
            "storage": {"account_name": "models", "share_name": "ollama", "account_key": "canary-account"},
            "identity": {"system_assigned": True, "user_assigned": [IDENTITY]},
            "registries": [
                {"server": "example.azurecr.io", "identity": IDENTITY},
                {"server": "registry.example.com", "username": "puller", "password": "canary-registry"},
            ],
            "init_containers": [
                {"name": "prepare", "image": "registry.example.com/prepare:1", "args": ["--once"], "mount_models": True}
            ],
        },
    },
)
SEEDED: dict[str, Any] = merge(
    FULL,
    {
        "models": [{"name": "gemma3:4b", "digest": "b" * 64}],
        "storage": {
            "seed": {
                "image": "registry.example.com/fetcher:1@sha256:" + "a" * 64,
                "registry": "https://models.example.com",
            }
        },
        "secrets": [
            {"name": "HF_TOKEN", "value": "canary-hf"},
            {"name": "POLYCLOUD_REGISTRY_TOKEN", "value": "canary-models"},
        ],
    },
)
CANARIES = ("canary-hf", "canary-log", "canary-account", "canary-registry", "canary-models")


def describe(base: Mapping[str, Any] = SMALL, **changes: Any) -> Deployment[ContainerAppsPlatform]:
    """A parsed deployment: a base with changes merged into it."""
    return parse(merge(copy.deepcopy(dict(base)), changes), ContainerAppsPlatform)
