# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a task: Ollama, the sidecar in front of it, the one that seeds its volume. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..compare import drop_empty
from ..deployment.environment import ollama_environment
from ..deployment.model import Deployment, Secret
from ..deployment.seeding import SEED, seed_arguments, seed_environment, seed_secrets, seeds, server_secrets
from ..deployment.sidecar import LIVE_COMMAND, NAME, grace_seconds, sidecar_environment, sidecar_secrets
from ..resource import Found
from .options import EcsPlatform

Ecs = Deployment[EcsPlatform]

CONTAINER = "ollama"
VOLUME = "models"
OLLAMA = "/bin/ollama"
TMP = "/tmp"  # noqa: S108 - the path inside the container
OPEN_FILES = 65536
LIVE_CHECK = {"interval": 10, "timeout": 5, "retries": 3, "startPeriod": 15}


def containers(deployment: Ecs, region: str, log_group: str) -> list[dict[str, Any]]:
    """All containers, Ollama's first."""
    log = {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": log_group,
            "awslogs-region": region,
            "awslogs-stream-prefix": deployment.name,
        },
    }
    return [_server(deployment, log), *_sidecar(deployment, log), *_seed(deployment, log)]


def unserved(service: Found | None, definition: Found) -> str:
    """A container that the service's load balancers lead to and the definition lacks, as before a sidecar came."""
    names = {item.get("name") for item in definition.body.get("containerDefinitions") or ()}
    named = (item.get("containerName") for item in (service.body.get("loadBalancers") or () if service else ()))
    return next((name for name in named if name and name not in names), "")


def _server(deployment: Ecs, log: dict[str, Any]) -> dict[str, Any]:
    body = {
        "name": CONTAINER,
        "image": deployment.image,
        "essential": True,
        **_hardened(deployment),
        "environment": _plain(ollama_environment(deployment)),
        "secrets": _secrets(server_secrets(deployment)),
        "portMappings": [] if deployment.sidecar is not None else [_port(deployment.network.port)],
        "mountPoints": _mounts(deployment, read_only=seeds(deployment)),
        "resourceRequirements": _gpu(deployment),
        "ulimits": [{"name": "nofile", "softLimit": OPEN_FILES, "hardLimit": OPEN_FILES}],
        "stopTimeout": max(deployment.platform.stop_timeout, grace_seconds(deployment)[1]),
        "healthCheck": health_check(deployment),
        "logConfiguration": log,
        "dependsOn": [{"containerName": SEED, "condition": "SUCCESS"}] if seeds(deployment) else [],
    }
    return dict(drop_empty(body))


def _sidecar(deployment: Ecs, log: dict[str, Any]) -> list[dict[str, Any]]:
    """The container that clients reach. It depends on Ollama's, so ECS stops it first and waits for its drain.

    Its health is that it lives: a task whose model is not in memory yet, or that drains, must not be replaced for it.
    """
    sidecar = deployment.sidecar
    if sidecar is None:
        return []
    body = {
        "name": NAME,
        "image": sidecar.image,
        "essential": True,
        **_hardened(deployment),
        "environment": _plain(sidecar_environment(deployment, sidecar)),
        "secrets": _secrets(sidecar_secrets(deployment)),
        "portMappings": [_port(deployment.network.port), _port(sidecar.metrics_port)],
        "ulimits": [{"name": "nofile", "softLimit": OPEN_FILES, "hardLimit": OPEN_FILES}],
        "stopTimeout": grace_seconds(deployment)[0],
        "healthCheck": {"command": ["CMD", *LIVE_COMMAND], **LIVE_CHECK},
        "logConfiguration": log,
        "dependsOn": [{"containerName": CONTAINER, "condition": "START"}],
    }
    return [dict(drop_empty(body))]


def _port(port: int) -> dict[str, Any]:
    return {"containerPort": port, "protocol": "tcp"}


def _seed(deployment: Ecs, log: dict[str, Any]) -> list[dict[str, Any]]:
    """The container that fills the volume and ends. Without startTimeout, of which Fargate has 120 seconds at most."""
    seed = deployment.storage.seed
    if seed is None or not seeds(deployment):
        return []
    body = {
        "name": SEED,
        "image": seed.image,
        "essential": False,
        "entryPoint": list(seed.command),
        "command": seed_arguments(deployment),
        **_hardened(deployment),
        "environment": _plain(seed_environment()),
        "secrets": _secrets(seed_secrets(deployment)),
        "mountPoints": _mounts(deployment, read_only=False),
        "logConfiguration": log,
    }
    return [dict(drop_empty(body))]


def _hardened(deployment: Ecs) -> dict[str, Any]:
    """What all our containers may do, the same for each."""
    platform, storage = deployment.platform, deployment.storage
    return {
        "user": f"{storage.uid}:{storage.gid}",
        "readonlyRootFilesystem": platform.read_only_root,
        "dockerSecurityOptions": ["no-new-privileges"] if platform.no_new_privileges else [],
        "linuxParameters": {
            "capabilities": {"drop": ["ALL"]} if platform.drop_capabilities else {},
            "initProcessEnabled": True,
            # Ollama writes its key pair and the CUDA cache below HOME, which lies in /tmp.
            "tmpfs": [{"containerPath": TMP, "size": platform.tmp_mib, "mountOptions": ["rw", "nosuid", "nodev"]}],
        },
    }


def _plain(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(environment.items())]


def _secrets(secrets: Iterable[Secret]) -> list[dict[str, str | None]]:
    return [{"name": secret.name, "valueFrom": secret.reference} for secret in secrets]


def _mounts(deployment: Ecs, *, read_only: bool) -> list[dict[str, Any]]:
    if deployment.storage.mode == "baked":
        return []
    return [{"sourceVolume": VOLUME, "containerPath": deployment.storage.path, "readOnly": read_only}]


def health_check(deployment: Ecs) -> dict[str, Any]:
    """The container health check: no shell, no curl. See docs/decisions/ecs-health-check.

    With baked models the main model must be there; on a volume it may arrive after the start: the server must answer.
    """
    check = deployment.platform.health_check
    baked = deployment.storage.mode == "baked"
    # Without models nothing is deployed: a stop, a rollback or a removal names none.
    named = baked and deployment.models
    asked = ["CMD", OLLAMA, "show", deployment.main_model.name] if named else ["CMD", OLLAMA, "ps"]
    return {
        "command": list(check.command) or asked,
        "interval": check.interval,
        "timeout": check.timeout,
        "retries": check.retries,
        "startPeriod": check.start_period,
    }


def _gpu(deployment: Ecs) -> list[dict[str, Any]]:
    gpu = deployment.resources.gpu
    if gpu is None:
        return []
    if gpu.sharing is None:
        return [{"type": "GPU", "value": str(gpu.count)}]
    share = {"memory": gpu.sharing.memory_mib, "maxComputePercent": gpu.sharing.max_compute_percent}
    return [{"type": "GPU", "sharingStrategy": {"nvidiaMps": drop_empty(share)}}]
