# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure refuses in a container group is refused, with the name of what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

GROUPS = "Microsoft.ContainerInstance/containerGroups"
GPU = {"count": 1, "sku": "V100"}


def settings(body: Any) -> Any:
    return body["properties"]["containers"][0]["properties"]


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no os type": (lambda b: b["properties"].pop("osType"), "InvalidOsType"),
    "unknown restart policy": (lambda b: b["properties"].update(restartPolicy="Often"), "InvalidRequestContent"),
    "no container": (lambda b: b["properties"].update(containers=[]), "InvalidContainers"),
    "61 containers": (
        lambda b: b["properties"].update(
            containers=[{**b["properties"]["containers"][0], "name": f"c{n}"} for n in range(61)]
        ),
        "InvalidContainers",
    ),
    "capitals in a container name": (
        lambda b: b["properties"]["containers"][0].update(name="Ollama"),
        "InvalidContainerName",
    ),
    "no image": (lambda b: settings(b).pop("image"), "InvalidImageName"),
    "no resources": (lambda b: settings(b).pop("resources"), "InvalidContainerResources"),
    "no cpu": (lambda b: settings(b)["resources"]["requests"].update(cpu=0), "InvalidContainerResources"),
    "limit below request": (
        lambda b: settings(b)["resources"].update(limits={"cpu": 1, "memoryInGB": 4}),
        "InvalidContainerResources",
    ),
    "hundredths of a GB": (
        lambda b: settings(b)["resources"]["requests"].update(memoryInGB=1.55),
        "InvalidMemoryRequirement",
    ),
    "32 cores": (lambda b: settings(b)["resources"]["requests"].update(cpu=32), "ResourceRequestsNotSupported"),
    "241 GB": (lambda b: settings(b)["resources"]["requests"].update(memoryInGB=241), "ResourceRequestsNotSupported"),
    "privileged": (
        lambda b: settings(b).update(securityContext={"privileged": True}),
        "PrivilegedContainerNotSupported",
    ),
    "port 0": (lambda b: settings(b).update(ports=[{"port": 0}]), "InvalidPort"),
    "port that no container exposes": (lambda b: settings(b).update(ports=[{"port": 80}]), "PortsNotExposed"),
    "six ports": (
        lambda b: (
            settings(b).update(ports=[{"port": n} for n in range(1, 7)]),
            b["properties"]["ipAddress"].update(ports=[{"port": n} for n in range(1, 7)]),
        ),
        "InvalidIPAddressPorts",
    ),
    "two values of a variable": (
        lambda b: settings(b)["environmentVariables"].append({"name": "A", "value": "1", "secureValue": "2"}),
        "InvalidEnvironmentVariable",
    ),
    "no value of a variable": (
        lambda b: settings(b)["environmentVariables"].append({"name": "A"}),
        "InvalidEnvironmentVariable",
    ),
    "empty probe": (lambda b: settings(b).update(livenessProbe={"periodSeconds": 5}), "InvalidProbe"),
    "address type none": (lambda b: b["properties"]["ipAddress"].update(type="none"), "InvalidRequestContent"),
    "private without subnet": (
        lambda b: b["properties"]["ipAddress"].update(type="Private"),
        "InvalidIPAddressType",
    ),
    "21 volumes": (
        lambda b: b["properties"].update(volumes=[{"name": f"v{n}", "emptyDir": {}} for n in range(21)]),
        "InvalidVolumes",
    ),
    "volume of no kind": (lambda b: b["properties"].update(volumes=[{"name": "v"}]), "InvalidVolume"),
    "mount of no volume": (
        lambda b: settings(b).update(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        "InvalidVolumeMount",
    ),
    "share without key": (
        lambda b: b["properties"].update(
            volumes=[{"name": "v", "azureFile": {"shareName": "s", "storageAccountName": "a"}}]
        ),
        "StorageAccountKeyMissing",
    ),
    "secret not in base64": (
        lambda b: b["properties"].update(volumes=[{"name": "v", "secret": {"a": "plain text!"}}]),
        "InvalidSecretVolume",
    ),
    "spot with an address": (lambda b: b["properties"].update(priority="Spot"), "SpotPriorityNotSupported"),
    "registry without credentials": (
        lambda b: b["properties"].update(imageRegistryCredentials=[{"server": "example.test"}]),
        "InvalidImageRegistryCredential",
    ),
    "registry with a foreign identity": (
        lambda b: b["properties"].update(imageRegistryCredentials=[{"server": "example.test", "identity": "/x"}]),
        "InvalidImageRegistryCredentialIdentity",
    ),
    "unknown subnet": (
        lambda b: (
            b["properties"].update(subnetIds=[{"id": "/subscriptions/x"}]),
            b["properties"]["ipAddress"].update(type="Private"),
        ),
        "LinkedInvalidPropertyId",
    ),
    "retired gpu": (lambda b: settings(b)["resources"]["requests"].update(gpu=GPU), "GpuResourcesNotSupported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_group_is_refused_for(azure: Any, group_body: Any, case: str) -> None:
    change, code = REFUSED[case]
    change(group_body)
    refused = azure.call("PUT", azure.path(GROUPS, "chat"), group_body)
    assert (refused.status, refused.code) == (400, code)
    assert azure.call("GET", azure.path(GROUPS, "chat")).status == 404


@pytest.mark.parametrize("name", ["Chat", "a--b", "-a", "a" * 64])
def test_a_name_is_refused(azure: Any, group_body: Any, name: str) -> None:
    assert azure.call("PUT", azure.path(GROUPS, name), group_body).code == "InvalidContainerGroupName"


def test_a_public_address_in_a_subnet_is_refused(azure: Any, group_body: Any) -> None:
    group_body["properties"]["subnetIds"] = [{"id": azure.seeds["subnet_ids"]["westus3"]}]
    assert azure.call("PUT", azure.path(GROUPS, "chat"), group_body).code == "InvalidIPAddressType"


def test_a_subnet_of_another_service_is_refused(azure: Any, group_body: Any) -> None:
    group_body["properties"]["subnetIds"] = [{"id": azure.seeds["environment_subnet_ids"]["westus3"]}]
    group_body["properties"]["ipAddress"]["type"] = "Private"
    assert azure.call("PUT", azure.path(GROUPS, "chat"), group_body).code == "SubnetDelegationMissing"


def gpu_group(body: Any) -> Any:
    settings(body)["resources"]["requests"] = {"cpu": 6, "memoryInGB": 112, "gpu": GPU}
    return {**body, "location": "usgovvirginia"}


def test_the_sovereign_region_still_has_gpus_and_gives_them_to_the_container(azure: Any, group_body: Any) -> None:
    path = azure.path(GROUPS, "chat", region="usgovvirginia")
    ended = azure.follow(azure.call("PUT", path, gpu_group(group_body)))
    assert ended.body["status"] == "Succeeded"
    assert azure.runtime.workloads()[0].spec.gpu is True


def test_a_stockout_fails_the_deployment_and_a_quota_refuses_it(azure: Any, group_body: Any) -> None:
    path = azure.path(GROUPS, "chat", region="usgovvirginia")
    azure.switch.quota = 0
    refused = azure.call("PUT", path, gpu_group(group_body))
    assert (refused.status, refused.code) == (409, "ContainerGroupQuotaReached")
    azure.switch.quota, azure.switch.gpu_capacity = None, 0
    ended = azure.follow(azure.call("PUT", path, gpu_group(group_body))).body
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "ServiceUnavailable")
