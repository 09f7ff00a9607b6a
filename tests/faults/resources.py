# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List what exists in the emulated clouds, so that a duplicate or an orphan is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contract.adapters import arm
from tests.sandbox.launcher import Sandbox

# Made by a run, by type. Past releases (task definitions, revisions of an app or of a profile) are history, not here.
Inventory = dict[str, list[str]]

APPS, INSTANCES, STORAGE = "2026-07-01", "2025-09-01", "2025-06-01"


def aws_resources(sandbox: Sandbox) -> Inventory:
    """Clusters, services, families, log groups, EFS with its children, in the seeded region."""
    ecs, efs, logs = (_aws(sandbox, service) for service in ("ecs", "efs", "logs"))
    clusters = list(ecs.list_clusters()["clusterArns"])
    services = [
        arn.rsplit("/", 1)[-1] for cluster in clusters for arn in ecs.list_services(cluster=cluster)["serviceArns"]
    ]
    systems = efs.describe_file_systems()["FileSystems"]
    return {
        "clusters": sorted(arn.rsplit("/", 1)[-1] for arn in clusters),
        "services": sorted(services),
        "families": sorted(ecs.list_task_definition_families(status="ACTIVE")["families"]),
        "log groups": sorted(item["logGroupName"] for item in logs.describe_log_groups()["logGroups"]),
        "file systems": sorted(item["CreationToken"] for item in systems),
        "mount targets": sorted(
            target["SubnetId"]
            for item in systems
            for target in efs.describe_mount_targets(FileSystemId=item["FileSystemId"])["MountTargets"]
        ),
        "access points": sorted(item["ClientToken"] for item in efs.describe_access_points()["AccessPoints"]),
    }


def _aws(sandbox: Sandbox, service: str) -> Any:
    import boto3

    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=sandbox.exports["AWS_ENDPOINT_URL"],
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox-only",
    )


def azure_resources(sandbox: Sandbox) -> Inventory:
    """Container groups, profiles, environments with storages, apps with active revisions, accounts with shares."""
    subscription = f"/subscriptions/{sandbox.seeds['azure']['subscription_id']}/providers"

    def names(path: str, version: str) -> list[str]:
        return sorted(item["id"].partition("/providers/")[2] for item in _list(sandbox, path, version))

    found = {
        "container groups": names(f"{subscription}/Microsoft.ContainerInstance/containerGroups", INSTANCES),
        "profiles": names(f"{subscription}/Microsoft.ContainerInstance/containerGroupProfiles", INSTANCES),
        "environments": names(f"{subscription}/Microsoft.App/managedEnvironments", APPS),
        "apps": names(f"{subscription}/Microsoft.App/containerApps", APPS),
        "accounts": names(f"{subscription}/Microsoft.Storage/storageAccounts", STORAGE),
    }
    for app in _list(sandbox, f"{subscription}/Microsoft.App/containerApps", APPS):
        revisions = _list(sandbox, f"{app['id']}/revisions", APPS)
        active = sum(bool(item["properties"]["active"]) for item in revisions)
        found[f"active revisions of {app['name']}"] = [str(active)]
    for account in _list(sandbox, f"{subscription}/Microsoft.Storage/storageAccounts", STORAGE):
        shares = _list(sandbox, f"{account['id']}/fileServices/default/shares", STORAGE)
        found[f"shares of {account['name']}"] = sorted(item["name"] for item in shares)
    return found


def _list(sandbox: Sandbox, path: str, version: str) -> list[Any]:
    return list(arm(sandbox, "GET", f"{path}?api-version={version}")["value"])


RESOURCES: dict[str, Callable[[Sandbox], Inventory]] = {"aws": aws_resources, "azure": azure_resources}
