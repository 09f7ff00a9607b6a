# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure refuses in a container group, beyond its schema.

Sources: research/azure.md section 3. The codes are Azure's own where a public report shows them
(InvalidContainerGroupUpdate, ContainerGroupTransitioning); the others are ours, in Azure's style.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.sandbox.azure.arm import Json, canonical, same_text
from tests.sandbox.azure.errors import ArmError, bad_request
from tests.sandbox.azure.gpus import ACI_GPU_REGIONS, ACI_GPU_SIZES

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{3,61}[a-zA-Z0-9])")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
MAX_CONTAINERS, MAX_VOLUMES, MAX_PORTS = 60, 20, 5
MAX_CPU, MAX_MEMORY = 31, 240
SPOT_CPU, SPOT_MEMORY = 4, 16
SPOT_REGIONS = ("eastus2", "westeurope", "westus")
VOLUME_KINDS = ("azureFile", "emptyDir", "secret", "secretReference", "gitRepo")


def check_name(name: str) -> None:
    """Check the name of a container group or a profile."""
    if not NAME.fullmatch(name) or "--" in name:
        raise bad_request(
            "InvalidContainerGroupName",
            f"The container group name '{name}' is invalid: lowercase letters, digits and single hyphens, 1 to 63 "
            "characters, beginning and ending with a letter or digit.",
        )


def check_and_fill(group: str, location: str, body: Json) -> None:
    """Check a new body, put enum values into Azure's spelling and add the defaults that Azure fills in."""
    properties = body["properties"]
    if not properties.get("osType"):
        raise bad_request("InvalidOsType", f"The 'osType' of container group '{group}' must be 'Linux' or 'Windows'.")
    properties["osType"] = canonical(properties["osType"], ("Linux", "Windows"), "properties.osType")
    policy = properties.get("restartPolicy", "Always")
    properties["restartPolicy"] = canonical(policy, ("Always", "OnFailure", "Never"), "properties.restartPolicy")
    properties.setdefault("sku", "Standard")
    properties.setdefault("initContainers", [])
    for check in (_check_containers, _check_network, _check_volumes, _check_priority, _check_gpu):
        check(group, location, body)


def _containers(properties: Json) -> list[Json]:
    found: list[Json] = properties["containers"]
    return found


def _check_containers(group: str, location: str, body: Json) -> None:
    properties = body["properties"]
    containers = _containers(properties)
    count = len(containers) + len(properties["initContainers"])
    if not containers or count > MAX_CONTAINERS:
        raise bad_request(
            "InvalidContainers", f"Container group '{group}' must have 1 to {MAX_CONTAINERS} containers, not {count}."
        )
    names = [container["name"] for container in (*containers, *properties["initContainers"])]
    for name in names:
        if not NAME.fullmatch(name) or names.count(name) > 1:
            raise bad_request("InvalidContainerName", f"The container name '{name}' is invalid or not unique.")
    for container in containers:
        _check_container(container, properties)
    requests = [container["properties"]["resources"]["requests"] for container in containers]
    cpu, memory = (round(sum(request[key] for request in requests), 2) for key in ("cpu", "memoryInGB"))
    if not _has_gpu(properties) and (cpu > MAX_CPU or memory > MAX_MEMORY):
        raise bad_request(
            "ResourceRequestsNotSupported",
            f"The requested resource is not available in the location '{location}': '{cpu}' CPU '{memory}' GB memory; "
            f"at most {MAX_CPU} CPU and {MAX_MEMORY} GB for a container group.",
        )


def _check_container(container: Json, properties: Json) -> None:
    name, settings = container["name"], container["properties"]
    if not settings.get("image") or re.search(r"\s", settings["image"]):
        raise bad_request("InvalidImageName", f"The image of container '{name}' is missing or malformed.")
    resources = settings.get("resources")
    if not resources:
        raise bad_request("InvalidContainerResources", f"The 'resources' of container '{name}' must be specified.")
    request, limit = resources["requests"], resources.get("limits") or {}
    for key in ("cpu", "memoryInGB"):
        if request[key] <= 0 or limit.get(key, request[key]) < request[key]:
            raise bad_request(
                "InvalidContainerResources", f"'{key}' of container '{name}' must be above 0 and not above its limit."
            )
    if abs(request["memoryInGB"] * 10 - round(request["memoryInGB"] * 10)) > 1e-6:
        raise bad_request(
            "InvalidMemoryRequirement", f"The memory of container '{name}' must be in increments of 0.1 GB."
        )
    if (settings.get("securityContext") or {}).get("privileged") and properties["sku"] != "Confidential":
        raise bad_request("PrivilegedContainerNotSupported", f"Container '{name}' cannot be privileged.")
    for port in settings.setdefault("ports", []):
        port["protocol"] = canonical(port.get("protocol", "TCP"), ("TCP", "UDP"), f"{name}.ports")
        _check_port(port["port"], name)
    for variable in settings.setdefault("environmentVariables", []):
        _check_variable(variable, name)
    for kind in ("livenessProbe", "readinessProbe"):
        _check_probe(settings.get(kind), name, kind)


def _check_port(port: int, owner: str) -> None:
    if not 1 <= port <= 65535:
        raise bad_request("InvalidPort", f"The port {port} of '{owner}' must be from 1 to 65535.")


def _check_variable(variable: Json, container: str) -> None:
    given = [key for key in ("value", "secureValue", "secureValueReference") if variable.get(key) is not None]
    if not VARIABLE.fullmatch(variable["name"]) or len(given) != 1:
        raise bad_request(
            "InvalidEnvironmentVariable",
            f"The environment variable '{variable['name']}' of container '{container}' is invalid: one of value, "
            f"secureValue and secureValueReference is needed, and {', '.join(given) or 'none'} is given.",
        )


def _check_probe(probe: Json | None, container: str, kind: str) -> None:
    if probe is None:
        return
    if bool(probe.get("exec")) == bool(probe.get("httpGet")):
        raise bad_request("InvalidProbe", f"The {kind} of container '{container}' needs one of exec and httpGet.")
    numbers = ("periodSeconds", "failureThreshold", "successThreshold", "timeoutSeconds")
    if any(probe.get(key) is not None and probe[key] < 1 for key in numbers):
        raise bad_request("InvalidProbe", f"The numbers of the {kind} of container '{container}' must be above 0.")
    if kind == "livenessProbe" and probe.get("successThreshold", 1) != 1:
        raise bad_request("InvalidProbe", f"successThreshold of the {kind} of container '{container}' must be 1.")


def _check_network(group: str, location: str, body: Json) -> None:
    properties = body["properties"]
    address, subnets = properties.get("ipAddress"), properties.get("subnetIds") or []
    exposed = [
        (port["protocol"], port["port"])
        for container in _containers(properties)
        for port in container["properties"]["ports"]
    ]
    if len(exposed) != len(set(exposed)):
        raise bad_request("DuplicateContainerPorts", f"Duplicate ports in container group '{group}'.")
    if len(subnets) > 1:
        raise bad_request("InvalidSubnetIds", f"Container group '{group}' can be in one subnet only.")
    if address is None:
        return
    address["type"] = canonical(address["type"], ("Public", "Private"), "properties.ipAddress.type")
    if (address["type"] == "Private") != bool(subnets):
        raise bad_request(
            "InvalidIPAddressType",
            f"The IP address type '{address['type']}' of container group '{group}' is not supported: a group in a "
            "virtual network has a Private address, every other group a Public one.",
        )
    if address.get("dnsNameLabel") and (
        address["type"] == "Private" or not DNS_LABEL.fullmatch(address["dnsNameLabel"])
    ):
        raise bad_request("InvalidDnsNameLabel", f"The DNS name label of container group '{group}' is not valid here.")
    if not 1 <= len(address["ports"]) <= MAX_PORTS:
        raise bad_request("InvalidIPAddressPorts", f"The IP address of '{group}' must have 1 to {MAX_PORTS} ports.")
    for port in address["ports"]:
        port["protocol"] = canonical(port.get("protocol", "TCP"), ("TCP", "UDP"), "properties.ipAddress.ports")
        if (port["protocol"], port["port"]) not in exposed:
            raise bad_request(
                "PortsNotExposed",
                f"The port {port['port']} of the IP address of container group '{group}' is exposed by no container.",
            )


def _check_volumes(group: str, location: str, body: Json) -> None:
    properties = body["properties"]
    volumes = properties.get("volumes") or []
    names = [volume["name"] for volume in volumes]
    if len(volumes) > MAX_VOLUMES or len(names) != len(set(names)):
        raise bad_request("InvalidVolumes", f"Container group '{group}' has over {MAX_VOLUMES} or repeated volumes.")
    for volume in volumes:
        kinds = [kind for kind in VOLUME_KINDS if kind in volume]
        if len(kinds) != 1:
            raise bad_request("InvalidVolume", f"Volume '{volume['name']}' must be one of {', '.join(VOLUME_KINDS)}.")
        _check_volume(volume, properties)
    for container in (*_containers(properties), *properties["initContainers"]):
        mounts = container["properties"].get("volumeMounts") or []
        paths = [mount["mountPath"] for mount in mounts]
        for mount in mounts:
            if mount["name"] not in names or ":" in mount["mountPath"] or paths.count(mount["mountPath"]) > 1:
                raise bad_request(
                    "InvalidVolumeMount",
                    f"The mount '{mount['name']}' at '{mount['mountPath']}' of container '{container['name']}' needs a "
                    "volume of that name and a path of its own without a colon.",
                )


def _check_volume(volume: Json, properties: Json) -> None:
    share = volume.get("azureFile")
    if share is not None:
        if properties["osType"] != "Linux":
            raise bad_request("AzureFileNotSupported", "Azure Files volumes need Linux containers.")
        if not (share.get("storageAccountKey") or share.get("storageAccountKeyReference")):
            raise bad_request("StorageAccountKeyMissing", f"Volume '{volume['name']}' needs a storageAccountKey.")
    for name, value in (volume.get("secret") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise bad_request("InvalidSecretVolume", f"The secret '{name}' must be encoded in base64.") from error


def _check_priority(group: str, location: str, body: Json) -> None:
    properties = body["properties"]
    if not same_text(properties.get("priority", "Regular"), "Spot"):
        return
    properties["priority"] = "Spot"
    requests = [container["properties"]["resources"]["requests"] for container in _containers(properties)]
    broken: dict[str, Any] = {
        f"the region '{location}'": location not in SPOT_REGIONS,
        "an IP address": properties.get("ipAddress") is not None,
        "a virtual network": bool(properties.get("subnetIds")),
        "zones": bool(body.get("zones")),
        "the Confidential sku": properties["sku"] == "Confidential",
        "a GPU": _has_gpu(properties),
        f"over {SPOT_CPU} CPU": sum(request["cpu"] for request in requests) > SPOT_CPU,
        f"over {SPOT_MEMORY} GB": sum(request["memoryInGB"] for request in requests) > SPOT_MEMORY,
    }
    found = [what for what, is_broken in broken.items() if is_broken]
    if found:
        raise bad_request("SpotPriorityNotSupported", f"Spot container groups do not support {', '.join(found)}.")


def gpu_requests(properties: Json) -> list[Json]:
    """Return the GPU requests of a group's containers."""
    requests = [container["properties"]["resources"]["requests"] for container in _containers(properties)]
    return [request["gpu"] for request in requests if request.get("gpu")]


def _has_gpu(properties: Json) -> bool:
    return bool(gpu_requests(properties))


def _check_gpu(group: str, location: str, body: Json) -> None:
    properties = body["properties"]
    if not _has_gpu(properties):
        return
    if location not in ACI_GPU_REGIONS:
        raise bad_request(
            "GpuResourcesNotSupported",
            f"GPU resources of container group '{group}' are not supported in the location '{location}': GPUs in "
            "container groups were retired on 14 July 2025.",
        )
    if properties["osType"] != "Linux" or properties.get("subnetIds"):
        raise bad_request("GpuResourcesNotSupported", "GPU container groups need Linux and no virtual network.")
    for request in gpu_requests(properties):
        if request["count"] not in ACI_GPU_SIZES.get(request["sku"], {}):
            raise bad_request("InvalidGpuSku", f"{request['count']} GPU(s) of sku '{request['sku']}' are not offered.")


# Updates

_FIXED: dict[str, Callable[[Json], Any]] = {
    "os type": lambda properties: properties["osType"],
    "restart policy": lambda properties: properties["restartPolicy"],
    "network profile": lambda properties: (
        sorted(str(subnet["id"]).lower() for subnet in properties.get("subnetIds") or []),
        (properties.get("ipAddress") or {}).get("type"),
    ),
    "ports": lambda properties: sorted(
        (port["protocol"], port["port"]) for port in (properties.get("ipAddress") or {}).get("ports") or []
    ),
    "CPU, memory or GPU": lambda properties: sorted(map(_resources, _containers(properties)), key=str),
    "sku or priority": lambda properties: (properties["sku"], properties.get("priority", "Regular")),
}


def _resources(container: Json) -> tuple[Any, ...]:
    request = container["properties"]["resources"]["requests"]
    return container["name"], float(request["cpu"]), float(request["memoryInGB"]), str(request.get("gpu"))


def check_update(group: str, old: Json, new: Json) -> None:
    """Refuse a PUT that changes what only delete and create can change."""
    changed = [what for what, value in _FIXED.items() if value(old["properties"]) != value(new["properties"])]
    if changed or sorted(old.get("zones") or []) != sorted(new.get("zones") or []):
        raise bad_request(
            "InvalidContainerGroupUpdate",
            f"The updates on container group '{group}' are invalid ({_listed(changed) or 'zones'}). If you are going "
            "to update the os type, restart policy, network profile, CPU, memory or GPU resources for a container "
            "group, you must delete it first and then create a new one.",
        )


def _listed(names: Iterable[str]) -> str:
    return "; ".join(names)


def transitioning(group: str) -> ArmError:
    """Return the 409 for a group that is on its way from one state to another."""
    return ArmError(
        409,
        "ContainerGroupTransitioning",
        f"The container group '{group}' is still transitioning, please retry later.",
    )
