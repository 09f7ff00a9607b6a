# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions of deployments on Azure Container Instances for tests: from small to everything that is translated."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.options import AciPlatform
from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.parse import parse

SCOPE = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg-ollama-swedencentral"
IDENTITY = f"{SCOPE}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ollama"
SUBNET = f"{SCOPE}/providers/Microsoft.Network/virtualNetworks/vnet-ollama/subnets/containers"

SMALL: dict[str, Any] = {
    "name": "chat",
    "image": "registry.example.com/ollama:0.24.0@sha256:" + "a" * 64,
    "models": [{"name": "gemma3:4b"}],
    "resources": {"cpu": 4.0, "memory_gib": 8.0},
    "platform": {"resource_group": "rg-ollama-swedencentral", "location": "swedencentral", "subnet_id": SUBNET},
}
FILES: dict[str, Any] = {"account_name": "ollamamodels", "share_name": "models", "account_key": "canary-account"}
FULL: dict[str, Any] = merge(
    SMALL,
    {
        "models": [{"name": "gemma3:4b", "digest": "b" * 64}, {"name": "nomic-embed-text"}],
        "runtime": {"num_parallel": 4, "environment": {"OLLAMA_DEBUG": "1"}},
        "storage": {"mode": "both"},
        "secrets": [
            {"name": "HF_TOKEN", "value": "canary-hf"},
            {"name": "LICENCE", "reference": "https://example.vault.azure.net/secrets/licence"},
        ],
        "tags": {"team": "search"},
        "platform": {
            "dns_servers": ["10.0.0.4"],
            "zones": ["1"],
            "identity": {"system_assigned": True, "user_assigned": [IDENTITY]},
            "key_vault_identity": IDENTITY,
            "registries": [
                {"server": "example.azurecr.io", "identity": IDENTITY},
                {"server": "registry.example.com", "username": "puller", "password": "canary-registry"},
            ],
            "azure_files": FILES,
            "init_containers": [
                {
                    "name": "prepare",
                    "image": "registry.example.com/prepare:1",
                    "command": ["prepare"],
                    "mount_models": True,
                }
            ],
            "sidecars": [
                {
                    "name": "metrics",
                    "image": "registry.example.com/metrics:1",
                    "environment": {"TARGET": "http://localhost:11434"},
                    "ports": [9090],
                }
            ],
            "log_analytics": {
                "workspace_id": "44444444-4444-4444-8444-444444444444",
                "workspace_key": "canary-log",
            },
        },
    },
)
SEEDED: dict[str, Any] = merge(
    FULL,
    {
        "models": [{"name": "gemma3:4b", "digest": "b" * 64}],
        "storage": {
            "mode": "volume",
            "seed": {
                "image": "registry.example.com/fetcher:1@sha256:" + "a" * 64,
                "registry": "https://models.example.com",
            },
        },
        "secrets": [
            {"name": "HF_TOKEN", "value": "canary-hf"},
            {"name": "POLYCLOUD_REGISTRY_USERNAME", "value": "puller"},
            {"name": "POLYCLOUD_REGISTRY_PASSWORD", "value": "canary-models"},
        ],
    },
)
PUBLIC: dict[str, Any] = merge(
    SMALL,
    {
        "network": {"exposure": "public", "authentication": "external"},
        "platform": {
            "subnet_id": None,
            "dns_name_label": "chat-example",
            "sidecars": [{"name": "proxy", "image": "registry.example.com/proxy:1", "ports": [8443]}],
        },
    },
)
SPOT: dict[str, Any] = merge(
    SMALL, {"health": {"verify": "steady"}, "platform": {"subnet_id": None, "priority": "Spot"}}
)
GPU: dict[str, Any] = merge(
    PUBLIC,
    {
        "resources": {"cpu": 6.0, "memory_gib": 112.0, "gpu": {"count": 1, "type": "V100"}},
        "platform": {"location": "usgovvirginia", "accept_retired_gpu": True},
    },
)
CANARIES = ("canary-hf", "canary-account", "canary-registry", "canary-log")
SEED_CANARY = "canary-models"


def describe(base: Mapping[str, Any] = SMALL, **changes: Any) -> Deployment[AciPlatform]:
    """A parsed deployment: a base with changes merged into it."""
    return parse(merge(copy.deepcopy(dict(base)), changes), AciPlatform)
