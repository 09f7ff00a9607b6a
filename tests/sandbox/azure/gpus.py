# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs and workload profiles: dated facts, and who uses how many GPUs in a region.

Sources: research/azure.md (workload-profiles page 2025-11-04, gpu-types page 2025-06-02, ACI quota page 2025-11-17).
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.sandbox.azure.world import World

# Container groups: the feature was retired in public regions on 14 July 2025. The sandbox keeps it in one sovereign
# region, so that the `gpu` field of a container group can be tried at all; what a real one does is unknown.
ACI_GPU_REGIONS = ("usgovvirginia",)
ACI_GPU_SIZES = {"V100": {1: (6, 112), 2: (12, 224), 4: (24, 448)}}


@dataclass(frozen=True)
class ProfileType:
    """A workload profile type of Container Apps; memory in GiB."""

    category: str
    cores: int
    memory: int
    gpus: int = 0

    @property
    def consumption(self) -> bool:
        """Say whether it scales by itself, so that minimumCount and maximumCount are refused."""
        return self.category in ("Consumption", "GPU-Consumption")


PROFILE_TYPES = {
    "Consumption": ProfileType("Consumption", 4, 8),
    "Consumption-GPU-NC8as-T4": ProfileType("GPU-Consumption", 8, 56, 1),
    "Consumption-GPU-NC24-A100": ProfileType("GPU-Consumption", 24, 220, 1),
    "D4": ProfileType("GeneralPurpose", 4, 16),
    "D8": ProfileType("GeneralPurpose", 8, 32),
    "D16": ProfileType("GeneralPurpose", 16, 64),
    "D32": ProfileType("GeneralPurpose", 32, 128),
    "E4": ProfileType("MemoryOptimized", 4, 32),
    "E8": ProfileType("MemoryOptimized", 8, 64),
    "E16": ProfileType("MemoryOptimized", 16, 128),
    "E32": ProfileType("MemoryOptimized", 32, 256),
    "NC24-A100": ProfileType("GPU-NC-A100", 24, 220, 1),
    "NC48-A100": ProfileType("GPU-NC-A100", 48, 440, 2),
    "NC96-A100": ProfileType("GPU-NC-A100", 96, 880, 4),
}
# Regions with serverless GPUs as far as seen; the list of the real cloud grows.
SERVERLESS_GPU_REGIONS = ("westus3", "westus", "swedencentral", "australiaeast", "italynorth")
DEDICATED_GPU_REGIONS = ("westus3", "northeurope")


def profile_types(location: str) -> dict[str, ProfileType]:
    """Return the workload profile types that a region has."""
    found = {}
    for name, described in PROFILE_TYPES.items():
        regions = SERVERLESS_GPU_REGIONS if described.consumption else DEDICATED_GPU_REGIONS
        if not described.gpus or location in regions:
            found[name] = described
    return found


def gpus_in_use(world: World, location: str) -> int:
    """Return how many GPUs the running containers of a region hold."""
    machines = [resource.machine for resource in world.resources.values() if resource.machine is not None]
    return sum(machine.gpus_held for machine in machines if getattr(machine, "location", None) == location)
