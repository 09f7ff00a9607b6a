# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The template of a revision: containers, probes, scale, volumes. Pure.

A template is what a revision is: any change of it makes a new one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..deployment.environment import ollama_environment
from ..deployment.model import Secret
from ..deployment.seeding import SEED, seed_arguments, seed_environment, seed_secrets, seeds, server_secrets
from ..deployment.sidecar import LIVE, NAME, READY, grace_seconds, sidecar_environment, sidecar_secrets
from .capabilities import LONGEST_PERIOD, MOST_FAILURES
from .naming import CONTAINER, MODELS_VOLUME, SEED_VOLUME, Described, secret_name, seed_storage_name, storage_name
from .options import InitContainer
from .schedule import cron_window

HEALTH_PATH = "/api/version"
HTTP_RULE = "http"
HOURS_RULE = "working-hours"
Asked = tuple[str, int]  # path and port of a probe


def template(deployment: Described) -> dict[str, Any]:
    """The template without its revision suffix."""
    platform = deployment.platform
    body: dict[str, Any] = {
        "terminationGracePeriodSeconds": max(platform.termination_grace_period, grace_seconds(deployment)[1]),
        "containers": [_server(deployment), *_sidecar(deployment)],
        "scale": _scale(deployment),
    }
    first = [*_seed(deployment), *(_init_container(deployment, item) for item in platform.init_containers)]
    if first:
        body["initContainers"] = first
    if uses_volume(deployment):
        body["volumes"] = [_volume(deployment, MODELS_VOLUME, storage_name(deployment))]
    if seeds(deployment):
        body["volumes"].append(_volume(deployment, SEED_VOLUME, seed_storage_name(deployment)))
    return body


def uses_volume(deployment: Described) -> bool:
    """True if the models live on a share."""
    return deployment.storage.mode != "baked"


def wakes_on_request(deployment: Described) -> bool:
    """True if a request can start the first replica. With fixed replicas in working hours only the calendar can."""
    return deployment.schedule is None or deployment.scaling.min != deployment.scaling.max


def _server(deployment: Described) -> dict[str, Any]:
    platform = deployment.platform
    body: dict[str, Any] = {
        "name": CONTAINER,
        "image": deployment.image,
        "env": _variables(ollama_environment(deployment), server_secrets(deployment)),
        "resources": {"cpu": deployment.resources.cpu, "memory": f"{deployment.resources.memory_gib:g}Gi"},
    }
    if deployment.sidecar is None:
        port = deployment.network.port
        body["probes"] = _probes(deployment, (HEALTH_PATH, port), (HEALTH_PATH, port))
    if platform.command:
        body["command"] = list(platform.command)
    if platform.args:
        body["args"] = list(platform.args)
    if uses_volume(deployment):
        body["volumeMounts"] = [_mount(deployment)]
    return body


def _sidecar(deployment: Described) -> list[dict[str, Any]]:
    """The container that the ingress reaches. The probes are its own: Ollama is on loopback, where none can go."""
    sidecar = deployment.sidecar
    if sidecar is None:
        return []
    return [
        {
            "name": NAME,
            "image": sidecar.image,
            "env": _variables(sidecar_environment(deployment, sidecar), sidecar_secrets(deployment)),
            "resources": {"cpu": sidecar.cpu, "memory": f"{sidecar.memory_gib:g}Gi"},
            "probes": _probes(deployment, (LIVE, sidecar.metrics_port), (READY, deployment.network.port)),
        }
    ]


def _variables(environment: Mapping[str, str], secrets: Iterable[Secret]) -> list[dict[str, str]]:
    plain = [{"name": name, "value": value} for name, value in environment.items()]
    return plain + [_secret_variable(secret) for secret in secrets]


def _secret_variable(secret: Secret) -> dict[str, str]:
    return {"name": secret.name, "secretRef": secret_name(secret.name)}


def _seed(deployment: Described) -> list[dict[str, Any]]:
    """The container that fills the share and ends. It alone mounts the storage that may be written."""
    seed = deployment.storage.seed
    if seed is None or not seeds(deployment):
        return []
    return [
        {
            "name": SEED,
            "image": seed.image,
            "command": list(seed.command),
            "args": seed_arguments(deployment),
            "env": _variables(seed_environment(), seed_secrets(deployment)),
            "volumeMounts": [{**_mount(deployment), "volumeName": SEED_VOLUME}],
        }
    ]


def _init_container(deployment: Described, item: InitContainer) -> dict[str, Any]:
    body: dict[str, Any] = {"name": item.name, "image": item.image}
    if item.command:
        body["command"] = list(item.command)
    if item.args:
        body["args"] = list(item.args)
    if item.environment:
        body["env"] = [{"name": name, "value": value} for name, value in sorted(item.environment.items())]
    if item.mount_models and uses_volume(deployment):
        body["volumeMounts"] = [_mount(deployment)]
    return body


def _mount(deployment: Described) -> dict[str, str]:
    mount = {"volumeName": MODELS_VOLUME, "mountPath": deployment.storage.path}
    storage = deployment.platform.storage
    if storage and storage.sub_path:
        mount["subPath"] = storage.sub_path
    return mount


def _volume(deployment: Described, name: str, storage_of_environment: str) -> dict[str, str]:
    """The share as a volume. An SMB share has no owners of its own: the mount says whose the files are."""
    storage = deployment.platform.storage
    kind = "NfsAzureFile" if storage and storage.type == "nfs" else "AzureFile"
    volume = {"name": name, "storageType": kind, "storageName": storage_of_environment}
    owner = f"uid={deployment.storage.uid},gid={deployment.storage.gid},dir_mode=0750,file_mode=0640"
    options = (storage.mount_options if storage else None) or (owner if kind == "AzureFile" else "")
    if options:
        volume["mountOptions"] = options
    return volume


def _probes(deployment: Described, live: Asked, ready: Asked) -> list[dict[str, Any]]:
    """Startup covers the start of the server, not the load of a model: that is what the verification waits for.

    Behind a sidecar liveness is asked where clients cannot take all connections, and the ingress sends requests only
    once the model is in memory.
    """
    timeout = deployment.health.startup_timeout
    period = min(LONGEST_PERIOD, math.ceil(timeout / MOST_FAILURES))
    alive, serves = ({"httpGet": {"path": path, "port": port, "scheme": "HTTP"}} for path, port in (live, ready))
    return [
        {
            "type": "Startup",
            **alive,
            # The image is pulled before; a server is up in seconds, so the first try need not cost a whole period.
            "initialDelaySeconds": 3,
            "periodSeconds": period,
            "timeoutSeconds": min(5, period),
            "failureThreshold": MOST_FAILURES,
        },
        {"type": "Liveness", **alive, "periodSeconds": 30, "timeoutSeconds": 10, "failureThreshold": 5},
        {"type": "Readiness", **serves, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
    ]


def _scale(deployment: Described) -> dict[str, Any]:
    """Replica bounds and rules. With a schedule the lower bound is 0 and a KEDA cron rule holds the working hours."""
    scaling, schedule = deployment.scaling, deployment.schedule
    rules: list[dict[str, Any]] = []
    if wakes_on_request(deployment):
        target = scaling.target_concurrency or deployment.runtime.num_parallel
        rules.append({"name": HTTP_RULE, "http": {"metadata": {"concurrentRequests": str(target)}}})
    if schedule is not None:
        start, end = cron_window(schedule)
        metadata = {
            "timezone": schedule.timezone,
            "start": start,
            "end": end,
            "desiredReplicas": str(max(scaling.min, 1)),
        }
        rules.append({"name": HOURS_RULE, "custom": {"type": "cron", "metadata": metadata}})
    return {
        "minReplicas": 0 if schedule is not None else scaling.min,
        "maxReplicas": scaling.max,
        "cooldownPeriod": scaling.cooldown,
        "pollingInterval": deployment.platform.polling_interval,
        "rules": rules,
    }
