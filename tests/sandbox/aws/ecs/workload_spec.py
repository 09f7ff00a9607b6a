# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task to the process that stands for it: container, environment, secrets, image, address."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core.exceptions import ServiceException
from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from tests.sandbox.aws.ecs.definition_rules import gpu_requirements
from tests.sandbox.aws.ecs.model import Task
from tests.sandbox.aws.ecs.world import ACCOUNT
from tests.sandbox.runtime import PORT, ImagePullError, WorkloadSpec, image_faults

MODELS = "POLYCLOUD_MODELS"
PULL_FAILED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:"
)


class SecretError(Exception):
    """A secret of a container cannot be read; the text is the task's stopped reason."""


class DependencyError(Exception):
    """A container that has to end well before the serving one did not; the text is the task's stopped reason."""


def serving_container(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the container that serves Ollama: the one with its port, else the first essential one with a port."""

    def rank(container: dict[str, Any]) -> tuple[bool, bool, bool]:
        ports = [mapping.get("containerPort") for mapping in container["portMappings"]]
        return (PORT not in ports, not ports, not container["essential"])

    return min(containers, key=rank)


def build(task: Task, region: str, address: str) -> WorkloadSpec:
    """Return what to run for a task; raises SecretError."""
    containers = task.definition.containers
    serving = serving_container(containers)
    environment = {item["name"]: item.get("value", "") for item in serving["environment"]}
    overrides = task.overrides.get("containerOverrides", [])
    for override in overrides:
        if override.get("name") == serving["name"]:
            environment |= {item["name"]: item.get("value", "") for item in override.get("environment", [])}
    for secret in serving.get("secrets", []):
        environment[secret["name"]] = read_secret(region, secret["valueFrom"])
    if MODELS not in environment:
        # The models may be named on a side container, for example the one that pulls them.
        values = [item["value"] for each in containers for item in each["environment"] if item["name"] == MODELS]
        environment |= {MODELS: values[0]} if values else {}
    ports = [mapping["containerPort"] for mapping in serving["portMappings"] if "containerPort" in mapping]
    return WorkloadSpec(
        image=serving["image"],
        environment=environment,
        address=address,
        port=PORT if PORT in ports or not ports else ports[0],
        gpu=any(gpu_requirements([serving])),
        name=f"{task.group}/{task.id}",
    )


def check_secrets(task: Task, region: str) -> None:
    """Read the secrets of every container, as the agent does before it starts any; raises SecretError."""
    for container in task.definition.containers:
        for secret in container.get("secrets", []):
            read_secret(region, secret["valueFrom"])


def check_dependencies(task: Task) -> None:
    """Run what the serving container waits for: it ends well at once, unless its image is faulty.

    Raises ImagePullError, DependencyError.
    """
    serving = serving_container(task.definition.containers)
    first = {item["containerName"] for item in serving.get("dependsOn", []) if item["condition"] == "SUCCESS"}
    for container in task.definition.containers:
        if container["name"] not in first:
            continue
        faults = image_faults(container["image"])
        if "missing" in faults:
            raise ImagePullError(f"failed to pull {container['image']}: manifest unknown")
        if "crash" in faults:
            raise DependencyError(f"dependency of container {serving['name']}: {container['name']} exited with 1")


def read_secret(region: str, reference: str) -> str:
    """Return the value behind a ``valueFrom``: a Secrets Manager ARN with optional key, or an SSM parameter."""
    if ":secretsmanager:" in reference:
        return _secrets_manager(region, reference)
    found_region = reference.split(":")[3] if reference.startswith("arn:") else region
    name = re.sub(r"^arn:aws[\w-]*:ssm:[^/]*:parameter", "", reference)
    parameter = ssm_backends[ACCOUNT][found_region].get_parameter(name)
    if parameter is None:
        raise SecretError(f"{PULL_FAILED} unable to retrieve secrets from ssm: invalid parameters: {reference}")
    return str(parameter.decrypt(parameter.value))


def _secrets_manager(region: str, reference: str) -> str:
    parts = reference.split(":")
    arn, (key, stage, version) = ":".join(parts[:7]), (*parts[7:10], "", "", "")[:3]
    try:
        backend = secretsmanager_backends[ACCOUNT][parts[3] or region]
        value = str(backend.get_secret_value(arn, version or None, stage or None)["SecretString"])  # type: ignore[arg-type]
        return str(json.loads(value)[key]) if key else value
    except (SecretsManagerClientError, ServiceException, KeyError, ValueError) as error:
        raise SecretError(
            f"{PULL_FAILED} unable to retrieve secret from asm: {arn}: not found, or no such key"
        ) from error
