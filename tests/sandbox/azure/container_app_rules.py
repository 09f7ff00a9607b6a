# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure refuses in a container app, beyond its schema.

Sources: research/azure.md section 4 and public reports of the service's answers. Codes that such a report shows are
Azure's own (ContainerAppOperationInProgress, ContainerAppOperationError, RevisionOperationError,
WorkloadProfilePropertyNotSupported); the others are in Azure's style.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from tests.sandbox.azure.arm import Json, canonical, same_text
from tests.sandbox.azure.errors import ArmError, bad_request
from tests.sandbox.azure.gpus import PROFILE_TYPES
from tests.sandbox.azure.world import Resource

APP_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])")
CONTAINER_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
SUFFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
SECRET_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(Gi|Mi)")
MAX_REPLICAS = 1000
MAX_REVISION_NAME = 54
RULE_KINDS = ("azureQueue", "custom", "http", "tcp")
CRON_KEYS = ("timezone", "start", "end", "desiredReplicas")


def invalid(field: str, details: str) -> ArmError:
    """Return the 400 for a field of the template or the configuration."""
    return bad_request(
        "InvalidParameterValueInContainerTemplate",
        "The following field(s) are either invalid or missing. Field "
        f"'{field}' is invalid with details: 'Invalid value: {details}';.",
    )


def check(name: str, properties: Json, environment: Resource, identity: Json | None, revisions: Sequence[str]) -> None:
    """Check the properties of an app after its defaults have been filled in."""
    if not APP_NAME.fullmatch(name) or "--" in name:
        raise bad_request(
            "ContainerAppInvalidName",
            f"Invalid ContainerApp name '{name}'. A name must consist of lower case alphanumeric characters or '-', "
            "start with a letter, end with an alphanumeric character and cannot have '--'. The length must not be more "
            "than 32 characters.",
        )
    template, configuration = properties["template"], properties["configuration"]
    profile = _check_profile(properties, environment)
    _check_secrets(configuration, identity)
    _check_registries(configuration, identity)
    _check_template(name, template, configuration)
    _check_resources(template["containers"], profile)
    _check_volumes(template, configuration)
    _check_scale(template["scale"])
    if configuration.get("ingress"):
        # Traffic may name the revision that the same request makes.
        _check_ingress(configuration["ingress"], [*revisions, f"{name}--{template.get('revisionSuffix')}"])


def _check_profile(properties: Json, environment: Resource) -> str:
    """Return the workload profile type that the app runs on."""
    profiles = environment.body["properties"].get("workloadProfiles") or []
    wanted = properties.get("workloadProfileName")
    if not profiles:
        if wanted:
            raise bad_request(
                "WorkloadProfilesNotSupported",
                f"The environment '{environment.id.name}' has no workload profiles; '{wanted}' cannot be used.",
            )
        return "Consumption"
    for profile in profiles:
        if same_text(profile["name"], wanted):
            return str(profile["workloadProfileType"])
    names = ", ".join(profile["name"] for profile in profiles)
    raise bad_request(
        "InvalidWorkloadProfileName",
        f"The workload profile '{wanted}' is not in environment '{environment.id.name}', which has: {names}.",
    )


def _own_identities(identity: Json | None) -> set[str]:
    named = {name.lower() for name in (identity or {}).get("userAssignedIdentities") or {}}
    return named | ({"system"} if "systemassigned" in str((identity or {}).get("type", "")).lower() else set())


def _check_secrets(configuration: Json, identity: Json | None) -> None:
    entries = configuration.get("secrets") or []
    names = [entry.get("name", "") for entry in entries]
    for entry in entries:
        name = entry.get("name", "")
        by_reference = entry.get("keyVaultUrl") and str(entry.get("identity", "")).lower() in _own_identities(identity)
        if not SECRET_NAME.fullmatch(name) or names.count(name) > 1 or not (entry.get("value") or by_reference):
            raise bad_request(
                "ContainerAppSecretInvalid",
                f"Invalid Request: Container app secret(s) with name(s) '{name}' are invalid: value or keyVaultUrl and "
                "identity should be provided.",
            )


def _check_registries(configuration: Json, identity: Json | None) -> None:
    for registry in configuration.get("registries") or []:
        server, named = registry.get("server"), registry.get("identity")
        if not server:
            raise invalid("configuration.registries.server", "empty")
        if named and named.lower() not in _own_identities(identity):
            raise bad_request(
                "ContainerAppRegistryIdentityNotFound",
                f"The identity '{named}' of registry '{server}' is not assigned to the container app.",
            )
        if not named:
            if not registry.get("username"):
                raise invalid(f"configuration.registries.{server}", "a username or an identity is needed")
            _need_secret(configuration, registry.get("passwordSecretRef"), f"registry '{server}'")


def _need_secret(configuration: Json, name: Any, owner: str) -> None:
    if name not in [entry["name"] for entry in configuration.get("secrets") or []]:
        raise bad_request("ContainerAppSecretRefNotFound", f"SecretRef '{name}' defined for {owner} not found.")


def _check_template(app: str, template: Json, configuration: Json) -> None:
    containers = template.get("containers")
    if not containers:
        raise bad_request("ContainerAppContainersRequired", f"Container app '{app}' needs at least one container.")
    suffix = template.get("revisionSuffix")
    if suffix and (not SUFFIX.fullmatch(suffix) or "--" in suffix or len(f"{app}--{suffix}") > MAX_REVISION_NAME):
        raise invalid(
            "template.revisionsuffix",
            f'"{suffix}": lower case letters, digits and single hyphens, {MAX_REVISION_NAME} with the name of the app',
        )
    everything = [*containers, *(template.get("initContainers") or [])]
    names = [container.get("name", "") for container in everything]
    for container in everything:
        name = container.get("name", "")
        if not CONTAINER_NAME.fullmatch(name) or names.count(name) > 1:
            raise invalid("template.containers.name", f'"{name}": missing, malformed or not unique')
        if not container.get("image") or re.search(r"\s", container["image"]):
            raise invalid(f"template.containers.{name}.image", f'"{container.get("image")}": missing or malformed')
        for variable in container.get("env") or []:
            if not variable.get("name") or ("value" in variable and variable.get("secretRef")):
                raise invalid(f"template.containers.{name}.env", f"{variable.get('name')!r}: a name, and one value")
            if variable.get("secretRef"):
                _need_secret(configuration, variable["secretRef"], f"container '{name}'")
        for probe in container.get("probes") or []:
            _check_probe(name, probe)


def _check_probe(container: str, probe: Json) -> None:
    field = f"template.containers.{container}.probes"
    probe["type"] = canonical(probe.get("type"), ("Liveness", "Readiness", "Startup"), field)
    if bool(probe.get("httpGet")) == bool(probe.get("tcpSocket")):
        raise invalid(field, f"{probe['type']}: one of httpGet and tcpSocket is needed")
    # The limits are those of the documentation in Microsoft's SDK models.
    limits = {
        "initialDelaySeconds": (1, 60),
        "periodSeconds": (1, 240),
        "timeoutSeconds": (1, 240),
        "failureThreshold": (1, 10),
        "successThreshold": (1, 10 if probe["type"] == "Readiness" else 1),
    }
    for key, (low, high) in limits.items():
        if probe.get(key) is not None and not low <= probe[key] <= high:
            raise invalid(field, f"{probe['type']}: {key} must be from {low} to {high}, not {probe[key]}")


def gibibytes(container: str, text: object) -> float:
    """Return a memory quantity in GiB."""
    match = QUANTITY.fullmatch(str(text))
    if match is None:
        raise invalid(f"template.containers.{container}.resources.memory", f'"{text}": write it like 1.5Gi')
    return float(match[1]) / (1024 if match[2] == "Mi" else 1)


def _check_resources(containers: Sequence[Json], profile: str) -> None:
    cpu = sum(container["resources"]["cpu"] for container in containers)
    memory = sum(gibibytes(container["name"], container["resources"]["memory"]) for container in containers)
    limit = PROFILE_TYPES[profile]
    fits = 0 < cpu <= limit.cores and 0 < memory <= limit.memory
    if profile == "Consumption":
        # Steps of a quarter of a core, with twice as many GiB.
        fits = fits and abs(cpu * 4 - round(cpu * 4)) < 1e-9 and abs(memory - 2 * cpu) < 1e-9
    if not fits:
        raise bad_request(
            "ContainerAppInvalidResourceTotal",
            f"The total requested CPU and memory resources for this application (CPU: {cpu}, memory: {memory}) is "
            f"invalid. On workload profile type '{profile}' a replica has at most {limit.cores} cores and "
            f"{limit.memory}Gi; on Consumption the memory in Gi is twice the cores, in steps of 0.25 cores.",
        )


def _check_volumes(template: Json, configuration: Json) -> None:
    volumes = {volume.get("name", ""): volume for volume in template.get("volumes") or []}
    for name, volume in volumes.items():
        kinds = ("AzureFile", "EmptyDir", "Secret", "NfsAzureFile")
        kind = canonical(volume.get("storageType", "EmptyDir"), kinds, "template.volumes.storageType")
        volume["storageType"] = kind
        if not name or (kind.endswith("AzureFile") and not volume.get("storageName")):
            raise invalid("template.volumes", f'"{name}": a name, and for a share a storageName')
        for item in volume.get("secrets") or []:
            _need_secret(configuration, item.get("secretRef"), f"volume '{name}'")
    if len(volumes) != len(template.get("volumes") or []):
        raise invalid("template.volumes", "two volumes have the same name")
    for container in [*template["containers"], *(template.get("initContainers") or [])]:
        for mount in container.get("volumeMounts") or []:
            if mount.get("volumeName") not in volumes or not str(mount.get("mountPath", "")).startswith("/"):
                raise invalid(
                    f"template.containers.{container['name']}.volumeMounts",
                    f'"{mount.get("volumeName")}": no such volume, or no absolute mountPath',
                )


def check_storages(template: Json, known: Sequence[str]) -> None:
    """Check that the storages of the volumes are in the environment."""
    for volume in template.get("volumes") or []:
        if volume.get("storageName") and volume["storageName"] not in known:
            raise bad_request(
                "ManagedEnvironmentStorageNotFound",
                f"The storage '{volume['storageName']}' of volume '{volume['name']}' is not in the environment.",
            )


def _check_scale(scale: Json) -> None:
    low, high = scale["minReplicas"] or 0, scale["maxReplicas"]
    if low < 0 or not 1 <= high <= MAX_REPLICAS or low > high:
        raise invalid("template.scale", f"minReplicas {low}, maxReplicas {high}: 0 <= min <= max, 1 <= max <= 1000")
    names = [rule.get("name") for rule in scale["rules"] or []]
    for rule in scale["rules"] or []:
        kinds = [kind for kind in RULE_KINDS if rule.get(kind)]
        if not rule.get("name") or names.count(rule["name"]) > 1 or len(kinds) != 1:
            raise invalid("template.scale.rules", f"{rule.get('name')!r}: a name of its own, and one kind of rule")
        custom = rule.get("custom") or {}
        missing = [key for key in CRON_KEYS if key not in (custom.get("metadata") or {})]
        if custom and (not custom.get("type") or (custom["type"] == "cron" and missing)):
            raise invalid("template.scale.rules", f"{rule['name']!r}: a type, and for cron {', '.join(CRON_KEYS)}")


def _check_ingress(ingress: Json, revisions: Sequence[str]) -> None:
    if not 1 <= (ingress.get("targetPort") or 0) <= 65535:
        raise invalid("configuration.ingress.targetPort", f"{ingress.get('targetPort')}: 1 to 65535")
    transport = canonical(ingress["transport"], ("Auto", "Http", "Http2", "Tcp"), "configuration.ingress.transport")
    ingress["transport"] = transport
    if ingress["exposedPort"] and transport != "Tcp":
        raise invalid("configuration.ingress.exposedPort", "only the transport Tcp has an exposed port")
    _check_restrictions(ingress["ipSecurityRestrictions"] or [])
    total = 0
    for entry in ingress["traffic"]:
        total += entry.get("weight") or 0
        named = entry.get("revisionName")
        if bool(named) == bool(entry.get("latestRevision")):
            raise invalid("configuration.ingress.traffic", "one of revisionName and latestRevision is needed")
        if named and named not in revisions:
            raise invalid("configuration.ingress.traffic", f'"{named}": no active revision of this name')
    if total != 100 or any((entry.get("weight") or 0) < 0 for entry in ingress["traffic"]):
        raise invalid("configuration.ingress.traffic", f"the weights add up to {total}, not to 100")
    labels = [entry["label"] for entry in ingress["traffic"] if entry.get("label")]
    if len(labels) != len(set(labels)):
        raise invalid("configuration.ingress.traffic", "a label is used twice")


def _check_restrictions(rules: Sequence[Json]) -> None:
    if len({rule["action"] for rule in rules}) > 1 or len({rule["name"] for rule in rules}) != len(rules):
        raise invalid("configuration.ingress.ipSecurityRestrictions", "all rules Allow or all Deny, each its own name")
    for rule in rules:
        if rule["action"] not in ("Allow", "Deny"):
            raise invalid("configuration.ingress.ipSecurityRestrictions", f"{rule['action']!r}: Allow or Deny")
        try:
            ipaddress.ip_network(rule["ipAddressRange"])
        except ValueError as error:
            raise invalid("configuration.ingress.ipSecurityRestrictions", f"{error}") from error
