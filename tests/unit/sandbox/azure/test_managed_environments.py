# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments of container apps: workload profiles, storages, networks, logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ENVIRONMENTS = "Microsoft.App/managedEnvironments"
GROUP = "rg-ollama-westus3"
T4 = "Consumption-GPU-NC8as-T4"


def put(azure: Any, **properties: Any) -> Any:
    return azure.call("PUT", azure.path(ENVIRONMENTS, "env"), {"location": "westus3", "properties": properties})


def test_an_environment_is_made_and_its_region_comes_back_by_its_display_name(azure: Any) -> None:
    profiles = [{"name": "gpu", "workloadProfileType": T4}]
    wanted = {"location": "westus3", "tags": {"a": "b"}, "properties": {"workloadProfiles": profiles}}
    made = azure.apps.managed_environments.begin_create_or_update(GROUP, "env", wanted).result()
    assert (made.properties.provisioning_state, made.location, made.tags) == ("Succeeded", "West US 3", {"a": "b"})
    assert [profile.name for profile in made.properties.workload_profiles] == ["Consumption", "gpu"]
    assert [found.name for found in azure.apps.managed_environments.list_by_resource_group(GROUP)] == ["env"]


@pytest.mark.parametrize("key", ["minimumCount", "maximumCount"])
def test_a_consumption_profile_takes_no_counts(azure: Any, key: str) -> None:
    refused = put(azure, workloadProfiles=[{"name": "gpu", "workloadProfileType": T4, key: 0}])
    assert (refused.status, refused.code) == (400, "WorkloadProfilePropertyNotSupported")
    assert f"'{key[0].upper()}{key[1:]}' is not supported for CONSUMPTION_GPU_NC8AS_T4" in refused.message


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"name": "big", "workloadProfileType": "D4"}, "WorkloadProfileInvalidCounts"),
        ({"name": "gpu", "workloadProfileType": "Consumption-GPU-H100"}, "InvalidWorkloadProfile"),
        ({"name": "gpu"}, "InvalidRequestContent"),
    ],
)
def test_a_profile_is_refused(azure: Any, profile: Any, code: str) -> None:
    assert put(azure, workloadProfiles=[profile]).code == code


def test_gpu_profiles_exist_in_some_regions_only(azure: Any) -> None:
    kinds = {
        region: {found.name for found in azure.apps.available_workload_profiles.get(region)}
        for region in ("westus3", "eastus")
    }
    assert T4 in kinds["westus3"]
    assert T4 not in kinds["eastus"]
    refused = azure.call(
        "PUT",
        azure.path(ENVIRONMENTS, "env"),
        {"location": "eastus", "properties": {"workloadProfiles": [{"name": "gpu", "workloadProfileType": T4}]}},
    )
    assert refused.code == "InvalidWorkloadProfile"


def test_usages_show_the_quota(azure: Any) -> None:
    azure.switch.quota = 3
    usages = {usage.name.value: usage.limit for usage in azure.apps.usages.list("westus3")}
    assert usages["SubscriptionConsumptionT4Gpus"] == 3


def test_the_key_of_the_log_workspace_is_not_given_back(azure: Any) -> None:
    logs = {"customerId": azure.seeds["workspace_customer_id"], "sharedKey": "hidden"}
    azure.environment(appLogsConfiguration={"destination": "log-analytics", "logAnalyticsConfiguration": logs})
    found = azure.call("GET", azure.path(ENVIRONMENTS, "env")).body
    assert "hidden" not in str(found)
    assert found["properties"]["appLogsConfiguration"]["destination"] == "log-analytics"


def test_patch_merges_and_a_busy_environment_is_a_409(azure: Any) -> None:
    path = azure.environment(zoneRedundant=False)
    patched = azure.call("PATCH", path, {"tags": {"a": "b"}})
    assert patched.status == 202
    assert azure.call("PATCH", path, {"tags": {"a": "c"}}).status == 409
    found = azure.follow(patched).body
    assert (found["tags"], found["properties"]["provisioningState"]) == ({"a": "b"}, "Succeeded")
    assert len(found["properties"]["workloadProfiles"]) == 2


def test_the_network_of_an_environment_is_fixed(azure: Any) -> None:
    path = azure.environment()
    network = {"infrastructureSubnetId": azure.seeds["environment_subnet_ids"]["westus3"], "internal": True}
    refused = azure.call("PATCH", path, {"properties": {"vnetConfiguration": network}})
    assert refused.code == "VnetConfigurationImmutable"
    assert put(azure, vnetConfiguration={"internal": True}).code == "VnetConfigurationInvalid"


def test_an_environment_with_apps_cannot_be_deleted(azure: Any, app_body: Callable[..., Any]) -> None:
    app = azure.path("Microsoft.App/containerApps", "chat")
    azure.follow(azure.call("PUT", app, app_body()))
    path = azure.path(ENVIRONMENTS, "env")
    assert azure.call("DELETE", path).code == "ManagedEnvironmentHasContainerApps"
    azure.follow(azure.call("DELETE", app))
    azure.apps.managed_environments.begin_delete(GROUP, "env").result()
    assert azure.call("GET", path).status == 404


def storage(key: str, **changes: str) -> dict[str, Any]:
    share = {"accountName": "polycloudmodels", "shareName": "models", "accountKey": key, "accessMode": "ReadWrite"}
    return {"properties": {"azureFile": {**share, **changes}}}


def test_a_storage_is_kept_without_showing_its_key(azure: Any) -> None:
    azure.environment()
    made = azure.apps.managed_environments_storages.create_or_update(GROUP, "env", "models", storage("hidden"))
    assert (made.name, made.properties.azure_file.account_key) == ("models", None)
    listed = azure.apps.managed_environments_storages.list(GROUP, "env").value
    assert [found.name for found in listed] == ["models"]
    azure.apps.managed_environments_storages.delete(GROUP, "env", "models")
    assert azure.call("GET", azure.path(ENVIRONMENTS, "env", "storages", "models")).status == 404


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"azureFile": {"accountName": "a", "shareName": "s", "accessMode": "ReadWrite"}},
        {"azureFile": {"accountName": "a", "shareName": "s", "accountKey": "k", "accessMode": "Write"}},
        {"nfsAzureFile": {"server": "s", "shareName": "/a/s", "accessMode": "ReadWrite"}},
    ],
)
def test_a_storage_is_refused_that_lacks_something(azure: Any, properties: Any) -> None:
    azure.environment()
    path = azure.path(ENVIRONMENTS, "env", "storages", "models")
    assert azure.call("PUT", path, {"properties": properties}).status == 400


def with_volume(make: Callable[..., Any], kind: str = "AzureFile") -> Any:
    body = make(template={"volumes": [{"name": "models", "storageType": kind, "storageName": "models"}]})
    mounts = [{"volumeName": "models", "mountPath": "/models"}]
    body["properties"]["template"]["containers"][0]["volumeMounts"] = mounts
    return body


def test_an_app_mounts_a_storage_and_holds_it(azure: Any, app_body: Callable[..., Any]) -> None:
    body = with_volume(app_body)
    app = azure.path("Microsoft.App/containerApps", "chat")
    assert azure.call("PUT", app, body).code == "ManagedEnvironmentStorageNotFound"
    path = azure.path(ENVIRONMENTS, "env", "storages", "models")
    azure.call("PUT", path, storage(azure.account()))
    assert azure.follow(azure.call("PUT", app, body)).body["status"] == "Succeeded"
    assert azure.call("DELETE", path).code == "ManagedEnvironmentStorageInUse"


def test_an_app_with_a_wrong_key_fails_to_mount(azure: Any, app_body: Callable[..., Any]) -> None:
    azure.account()
    body = with_volume(app_body)
    azure.call("PUT", azure.path(ENVIRONMENTS, "env", "storages", "models"), storage("wrong"))
    app = azure.path("Microsoft.App/containerApps", "chat")
    ended = azure.follow(azure.call("PUT", app, body)).body
    assert (ended["status"], "VolumeMountFailure" in ended["error"]["message"]) == ("Failed", True)
    revision = azure.call("GET", app + "/revisions").body["value"][0]["properties"]
    assert (revision["runningState"], revision["healthState"]) == ("ActivationFailed", "Unhealthy")


def test_an_nfs_share_needs_a_network_and_no_key(azure: Any, app_body: Callable[..., Any]) -> None:
    account = {
        "sku": {"name": "Premium_LRS"},
        "kind": "FileStorage",
        "properties": {"supportsHttpsTrafficOnly": False},
    }
    azure.account("polycloudnfs", **account)
    network = {"infrastructureSubnetId": azure.seeds["environment_subnet_ids"]["westus3"]}
    environment = azure.environment(name="inside", vnetConfiguration=network)
    share = {"server": "polycloudnfs.file.core.windows.net", "shareName": "/polycloudnfs/models"}
    path = environment + "/storages/models"
    wanted = {"properties": {"nfsAzureFile": {**share, "accessMode": "ReadWrite"}}}
    assert azure.call("PUT", path, wanted).status == 200
    body = with_volume(app_body, "NfsAzureFile")
    body["properties"]["environmentId"] = environment
    ended = azure.follow(azure.call("PUT", azure.path("Microsoft.App/containerApps", "chat"), body))
    assert ended.body["status"] == "Succeeded"
