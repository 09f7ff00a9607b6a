# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a deployment to a compose file, as one mapping. Pure. There is no platform C(docker) yet: somebody starts it.

No secret is in the file: each stands as C(${NAME:?…}), which compose takes from the environment of who starts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..compare import drop_empty
from ..deployment.environment import ollama_environment
from ..deployment.hardening import Posture
from ..deployment.hardening import problems as hardening_problems
from ..deployment.model import Deployment, Secret
from ..deployment.parse import parse
from ..deployment.seeding import SEED, seed_arguments, seed_environment, seed_secrets, seeds, server_secrets
from ..deployment.sidecar import LIVE_COMMAND, NAME, grace_seconds, sidecar_environment, sidecar_secrets
from ..deployment.validate import problems
from ..errors import InvalidDeployment
from ..release import DEPLOYMENT
from .capabilities import CAPABILITIES

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NoPlatform:
    """A compose file needs no more than the description."""


Compose = Deployment[NoPlatform]

OLLAMA = "ollama"
NETWORK = "network"
SHARED = f"service:{NETWORK}"
BINARY = "/bin/ollama"
VOLUME = "models"
TMPFS = "/tmp:rw,nosuid,nodev,mode=1777,size=1g"  # noqa: S108 - the path inside the container
LOOPBACK = "127.0.0.1"
OWN_GRACE = 30


def compose(description: Mapping[str, Any]) -> Body:
    """The compose file of a description, with the options of a deployment. Raises InvalidDeployment."""
    deployment = parse({**description, "platform": None}, NoPlatform)
    found = [*problems(deployment, CAPABILITIES), *_rules(deployment, description)]
    found += hardening_problems(
        deployment,
        CAPABILITIES,
        Posture(user=_user(deployment), read_only_root=True, drop_capabilities=True),
    )
    if found:
        raise InvalidDeployment(found)
    return compose_file(deployment)


def _rules(deployment: Compose, description: Mapping[str, Any]) -> list[str]:
    found = []
    if deployment.scaling.max > 1:
        found.append(f"scaling.max {deployment.scaling.max} must be 1: a compose file is one replica")
    if deployment.overrides:
        found.append("overrides have no resource here: put a second file beside this one (compose -f … -f …)")
    if description.get("platform"):
        found.append("platform must be left out: a compose file has none")
    return found


def compose_file(deployment: Compose) -> Body:
    """All services. Compose stops them in the reverse order of C(depends_on): the sidecar before Ollama."""
    body: Body = {
        "name": deployment.name,
        "services": {OLLAMA: _ollama(deployment), **_sidecar(deployment), **_network(deployment), **_seed(deployment)},
    }
    if deployment.storage.mode != "baked":
        body["volumes"] = {VOLUME: {}}
    return body


def _ollama(deployment: Compose) -> Body:
    resources = deployment.resources
    body = {
        **_common(deployment, deployment.image),
        "command": ["serve"],
        "environment": _environment(ollama_environment(deployment), server_secrets(deployment)),
        **({"network_mode": SHARED} if deployment.sidecar else {"ports": _ports(deployment)}),
        "volumes": _mount(deployment, read_only=seeds(deployment)),
        "depends_on": {SEED: {"condition": "service_completed_successfully"}} if seeds(deployment) else {},
        "healthcheck": _check(_answers(deployment), start=deployment.health.startup_timeout),
        "stop_grace_period": f"{max(OWN_GRACE, grace_seconds(deployment)[1])}s",
        "restart": "unless-stopped",
        "deploy": {"resources": {"limits": _limits(resources.cpu, resources.memory_gib), **_gpu(deployment)}},
    }
    return dict(drop_empty(body))


def _sidecar(deployment: Compose) -> dict[str, Body]:
    sidecar = deployment.sidecar
    if sidecar is None:
        return {}
    body = {
        **_common(deployment, sidecar.image),
        "network_mode": SHARED,
        "environment": _environment(sidecar_environment(deployment, sidecar), sidecar_secrets(deployment)),
        "depends_on": {OLLAMA: {"condition": "service_started"}},
        "healthcheck": _check(list(LIVE_COMMAND), start=15),
        "stop_grace_period": f"{grace_seconds(deployment)[0]}s",
        "restart": "unless-stopped",
        "deploy": {"resources": {"limits": _limits(sidecar.cpu, sidecar.memory_gib)}},
    }
    return {NAME: dict(drop_empty(body))}


def _network(deployment: Compose) -> dict[str, Body]:
    """A container that only holds the network of the two others, so that loopback is theirs alone.

    In the network of one of them, the other would be cut off for good when that one is started anew after a crash.
    """
    sidecar = deployment.sidecar
    if sidecar is None:
        return {}
    body = {
        **_common(deployment, sidecar.image),
        "entrypoint": ["sleep", "infinity"],
        "ports": _ports(deployment),
        # The image's own asks the sidecar, and without any C(up --wait) fails.
        "healthcheck": _check(["true"], start=0),
        "restart": "unless-stopped",
    }
    return {NETWORK: dict(drop_empty(body))}


def _seed(deployment: Compose) -> dict[str, Body]:
    seed = deployment.storage.seed
    if seed is None or not seeds(deployment):
        return {}
    body = {
        **_common(deployment, seed.image),
        "entrypoint": list(seed.command),
        "command": seed_arguments(deployment),
        "environment": _environment(seed_environment(), seed_secrets(deployment)),
        "volumes": _mount(deployment, read_only=False),
        "restart": "no",
    }
    return {SEED: dict(drop_empty(body))}


def _common(deployment: Compose, image: str) -> Body:
    """What every container has: its image, and as little as it needs."""
    return {
        "image": image,
        "user": _user(deployment),
        "read_only": True,
        "tmpfs": [TMPFS],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "init": True,
        "labels": {**{key: _plain(value) for key, value in deployment.tags.items()}, DEPLOYMENT: deployment.name},
    }


def _user(deployment: Compose) -> str:
    return f"{deployment.storage.uid}:{deployment.storage.gid}"


def _environment(environment: Mapping[str, str], secrets: Iterable[Secret]) -> dict[str, str]:
    """Values are no templates; a secret is asked of whoever starts the file."""
    plain = {name: _plain(value) for name, value in environment.items()}
    return {**plain, **{secret.name: f"${{{secret.name}:?set it in the environment}}" for secret in secrets}}


def _plain(text: str) -> str:
    return text.replace("$", "$$")


def _ports(deployment: Compose) -> list[str]:
    """At loopback of the machine, where nothing but the machine comes. In public all of its addresses for clients."""
    public, sidecar, port = deployment.network.exposure == "public", deployment.sidecar, deployment.network.port
    clients = f"{port}:{port}" if public else f"{LOOPBACK}:{port}:{port}"
    if sidecar is None:
        return [clients]
    return [clients, f"{LOOPBACK}:{sidecar.metrics_port}:{sidecar.metrics_port}"]


def _mount(deployment: Compose, *, read_only: bool) -> list[Body]:
    if deployment.storage.mode == "baked":
        return []
    return [{"type": "volume", "source": VOLUME, "target": deployment.storage.path, "read_only": read_only}]


def _answers(deployment: Compose) -> list[str]:
    """On a volume that somebody else fills, the model may come after the start: the server must answer."""
    there = deployment.storage.mode != "volume" or seeds(deployment)
    return [BINARY, "show", deployment.main_model.name] if there else [BINARY, "ps"]


def _check(command: list[str], *, start: int) -> Body:
    return {
        "test": ["CMD", *command],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "start_period": f"{start}s",
    }


def _limits(cpu: float, memory_gib: float) -> dict[str, str]:
    return {"cpus": f"{cpu:g}", "memory": f"{round(memory_gib * 1024)}m"}


def _gpu(deployment: Compose) -> Body:
    gpu = deployment.resources.gpu
    if gpu is None:
        return {}
    device = {"driver": "nvidia", "count": gpu.count, "capabilities": ["gpu"]}
    return {"reservations": {"devices": [device]}}
