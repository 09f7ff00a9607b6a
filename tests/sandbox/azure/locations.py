# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a region offers and how much of it is used: capabilities, usages, workload profile types."""

from __future__ import annotations

from tests.sandbox.azure.arm import LOCATIONS, ArmRequest, ArmResponse, Json, location_name
from tests.sandbox.azure.container_group_rules import MAX_CPU, MAX_MEMORY
from tests.sandbox.azure.gpus import ACI_GPU_REGIONS, gpus_in_use, profile_types
from tests.sandbox.azure.router import SUBSCRIPTION, Route
from tests.sandbox.azure.service import Service

ACI = "Microsoft.ContainerInstance"
APP = "Microsoft.App"
GROUP_LIMIT = CORE_LIMIT = 100
GPU_LIMIT = 100


class Locations(Service):
    """The regional read-only calls of both services."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        aci = f"{SUBSCRIPTION}/providers/{ACI}/locations/{{location}}"
        app = f"{SUBSCRIPTION}/providers/{APP}/locations/{{location}}"
        return [
            Route("GET", aci + "/usages", self.list_group_usages),
            Route("GET", aci + "/capabilities", self.list_capabilities),
            Route("GET", app + "/usages", self.list_app_usages),
            Route("GET", app + "/availableManagedEnvironmentsWorkloadProfileTypes", self.list_profile_types),
        ]

    def list_group_usages(self, request: ArmRequest) -> ArmResponse:
        """Return how many groups and cores are used."""
        location = location_name(request.params["location"])
        groups = [group for group in self.world.find(f"{ACI}/containerGroups") if group.body["location"] == location]
        cores = sum(
            container["properties"]["resources"]["requests"]["cpu"]
            for group in groups
            for container in group.body["properties"]["containers"]
        )
        usages = [
            _usage("ContainerGroups", "Container Groups", len(groups), GROUP_LIMIT),
            _usage("StandardCores", "Standard Cores", round(cores), CORE_LIMIT),
        ]
        return ArmResponse(200, {"value": usages})

    def list_capabilities(self, request: ArmRequest) -> ArmResponse:
        """Return the largest container groups of the region."""
        location = location_name(request.params["location"])
        kinds = [("None", 0), *([("V100", 4)] if location in ACI_GPU_REGIONS else [])]
        found = [
            {
                "resourceType": "containerGroups",
                "osType": "Linux",
                "location": location,
                "ipAddressType": "Public",
                "gpu": gpu,
                "capabilities": {"maxMemoryInGB": MAX_MEMORY, "maxCpu": MAX_CPU, "maxGpuCount": count},
            }
            for gpu, count in kinds
        ]
        return ArmResponse(200, {"value": found})

    def list_app_usages(self, request: ArmRequest) -> ArmResponse:
        """Return how many GPUs are used, and the quota."""
        location = location_name(request.params["location"])
        quota = self.world.switch.quota
        limit = GPU_LIMIT if quota is None else quota
        environments = self.world.find(f"{APP}/managedEnvironments")
        count = sum(1 for environment in environments if environment.body["location"] == location)
        usages = [
            _usage("ManagedEnvironmentCount", "Managed Environment Count", count, 20),
            _usage("SubscriptionConsumptionT4Gpus", "Consumption T4 GPUs", gpus_in_use(self.world, location), limit),
            _usage("SubscriptionConsumptionNCA100Gpus", "Consumption NCA100 GPUs", 0, limit),
        ]
        return ArmResponse(200, {"value": usages})

    def list_profile_types(self, request: ArmRequest) -> ArmResponse:
        """Return the workload profile types of the region."""
        location = location_name(request.params["location"])
        head = f"/subscriptions/{request.params['subscription']}/providers/{APP}/locations/{location}"
        found = [
            {
                "id": f"{head}/availableManagedEnvironmentsWorkloadProfileTypes/{name}",
                "name": name,
                "type": f"{APP}/availableManagedEnvironmentsWorkloadProfileTypes",
                "location": LOCATIONS[location],
                "properties": {
                    "category": kind.category,
                    "applicability": "LocationDefault",
                    "cores": kind.cores,
                    "memoryGiB": kind.memory,
                    "gpus": kind.gpus,
                    "displayName": name,
                },
            }
            for name, kind in profile_types(location).items()
        ]
        return ArmResponse(200, {"value": found})


def _usage(name: str, shown: str, value: int, limit: int) -> Json:
    return {
        "unit": "Count",
        "currentValue": value,
        "limit": limit,
        "name": {"value": name, "localizedValue": shown},
    }
