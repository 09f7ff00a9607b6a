# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a deployment, declared once. The doc fragment and the roles are held equal to this by a test."""

from __future__ import annotations

from typing import Any

Spec = dict[str, dict[str, Any]]

STATES = ("present", "started", "stopped", "absent", "rolled_back")
UPDATE_STRATEGIES = ("surge", "stop_first", "in_place")

MODELS: Spec = {
    "name": {"type": "str", "required": True},
    "digest": {"type": "str"},
}
RUNTIME: Spec = {
    "ollama_version": {"type": "str"},
    "num_parallel": {"type": "int", "default": 1},
    "max_loaded_models": {"type": "int"},
    "keep_alive": {"type": "str", "default": "-1"},
    "context_length": {"type": "int", "default": 4096},
    "flash_attention": {"type": "bool"},
    "kv_cache_type": {"type": "str", "choices": ["f16", "q8_0", "q4_0"]},
    "load_timeout": {"type": "int", "default": 300},
    "environment": {"type": "dict", "default": {}},
}
GPU: Spec = {
    "count": {"type": "int", "default": 1},
    "type": {"type": "str"},
    "sharing": {
        "type": "dict",
        "options": {
            "memory_mib": {"type": "int", "required": True},
            "max_compute_percent": {"type": "int"},
        },
    },
}
RESOURCES: Spec = {
    "cpu": {"type": "float", "default": 4.0},
    "memory_gib": {"type": "float", "default": 16.0},
    "gpu": {"type": "dict", "options": GPU},
}
SEED: Spec = {
    "image": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "default": ["python3", "/fetch.pyz"]},
    "registry": {"type": "str"},
    "insecure": {"type": "bool", "default": False},
    "parallel": {"type": "int", "default": 4},
}
STORAGE: Spec = {
    "mode": {"type": "str", "choices": ["baked", "volume", "both"], "default": "baked"},
    "path": {"type": "str", "default": "/models"},
    "uid": {"type": "int", "default": 10001},
    "gid": {"type": "int", "default": 10001},
    "seed": {"type": "dict", "options": SEED},
}
NETWORK: Spec = {
    "port": {"type": "int", "default": 11434},
    "exposure": {"type": "str", "choices": ["private", "public"], "default": "private"},
    "authentication": {"type": "str", "choices": ["none", "client_certificate", "external"], "default": "none"},
    "allowed_cidrs": {"type": "list", "elements": "str", "default": []},
    "endpoint_url": {"type": "str"},
}
SCALING: Spec = {
    "min": {"type": "int", "default": 1},
    "max": {"type": "int", "default": 1},
    "target_concurrency": {"type": "int"},
    "cooldown": {"type": "int", "default": 300},
}
SCHEDULE: Spec = {
    "timezone": {"type": "str", "required": True},
    "start": {"type": "str", "required": True},
    "stop": {"type": "str", "required": True},
    "days": {
        "type": "list",
        "elements": "str",
        "choices": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "default": ["mon", "tue", "wed", "thu", "fri"],
    },
}
HEALTH: Spec = {
    "verify": {"type": "str", "choices": ["prompt", "steady"], "default": "prompt"},
    "prompt": {"type": "str", "default": "Reply with one word: ready"},
    "timeout": {"type": "int", "default": 900},
    "startup_timeout": {"type": "int", "default": 600},
    "min_tokens_per_second": {"type": "float", "no_log": False},
    "require_gpu": {"type": "bool"},
}
UPDATE: Spec = {
    "strategy": {"type": "str", "choices": list(UPDATE_STRATEGIES)},
    "timeout": {"type": "int", "default": 1800},
    "auto_rollback": {"type": "bool", "default": True},
    "keep_revisions": {"type": "int", "default": 10},
}
LOGGING: Spec = {"retention_days": {"type": "int", "default": 30}}
SECRETS: Spec = {
    "name": {"type": "str", "required": True},
    "reference": {"type": "str"},
    "value": {"type": "str", "no_log": True},
}

DEPLOYMENT_OPTIONS: Spec = {
    "name": {"type": "str", "required": True},
    "image": {"type": "str"},
    "image_size": {"type": "int"},
    "hardening": {"type": "str", "choices": ["standard", "strict"], "default": "standard"},
    "models": {"type": "list", "elements": "dict", "options": MODELS},
    "runtime": {"type": "dict", "options": RUNTIME, "apply_defaults": True},
    "resources": {"type": "dict", "options": RESOURCES, "apply_defaults": True},
    "storage": {"type": "dict", "options": STORAGE, "apply_defaults": True},
    "network": {"type": "dict", "options": NETWORK, "apply_defaults": True},
    "scaling": {"type": "dict", "options": SCALING, "apply_defaults": True},
    "schedule": {"type": "dict", "options": SCHEDULE},
    "health": {"type": "dict", "options": HEALTH, "apply_defaults": True},
    "update": {"type": "dict", "options": UPDATE, "apply_defaults": True},
    "logging": {"type": "dict", "options": LOGGING, "apply_defaults": True},
    "secrets": {"type": "list", "elements": "dict", "options": SECRETS, "default": [], "no_log": False},
    "tags": {"type": "dict", "default": {}},
    "overrides": {"type": "dict", "default": {}},
}
RUN_OPTIONS: Spec = {
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
    "adopt": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
}


def argument_spec(platform_options: Spec) -> Spec:
    """The argument spec of a deployment module: the shared options, how to run, and the platform's own block."""
    block = {"platform": {"type": "dict", "required": True, "options": platform_options}}
    return {**DEPLOYMENT_OPTIONS, **RUN_OPTIONS, **block}
