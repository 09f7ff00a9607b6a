# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure Container Instances can do, and its limits. Dated data with sources."""

from __future__ import annotations

from ..capabilities import Capabilities

CAPABILITIES = Capabilities(
    platform="aci",
    as_of="2026-11-22",
    sources=(
        "MicrosoftDocs/azure-compute-docs: container-instances-resource-and-quota-limits.md (2025-11-17)",
        "MicrosoftDocs/azure-compute-docs: container-instances-gpu.md (2025-11-17)",
        "MicrosoftDocs/azure-compute-docs: container-instances-faq.yml (largest image)",
        "MicrosoftDocs/azure-compute-docs: container-instances-update.md, container-instances-volume-azure-files.md",
        "MicrosoftDocs/azure-compute-docs: container-instances-spot-containers-overview.md",
        "Azure/azure-rest-api-specs: containerInstance.json, stable/2025-09-01",
        "hashicorp/terraform-provider-azurerm 23034; changelog of Azure.ResourceManager.ContainerInstance 1.1.0-beta.4",
    ),
    # A PUT replaces the body and restarts all containers of the group.
    update_strategies=("in_place",),
    default_strategy="in_place",
    updates_while_stopped=False,
    autoscaling=False,
    schedule=False,
    public_exposure=True,
    allowed_cidrs=False,
    authentication=("none", "external"),
    gpu_sharing=False,
    secret_values=True,
    secret_references=("https://…",),
    volume=True,
    # The API has securityContext (user, capabilities; no read-only root), and takes it with the Confidential SKU only.
    sets_user=False,
    # The SMB mount belongs to root.
    non_root_with_volume=False,
    read_only_root=False,
    drop_capabilities=False,
    tag_value_chars=256,
    # Larger ones may run, without guarantee. The page does not say whether that is the packed size.
    image_gb=15,
    max_cpu=31,
    max_memory_gib=240,
    gaps={
        "sets_user": "the server runs as the user of its image (USER); the API takes one for the Confidential SKU only",
        "non_root_with_volume": "a share of Azure Files belongs to root: the image must run as root",
        "read_only_root": "the API has no setting for it",
        "drop_capabilities": "the API takes capabilities for the Confidential SKU only",
    },
)

GPU_RETIRED = (
    "GPUs on Azure Container Instances were retired on 14 July 2025 (all SKUs); use container_apps with a GPU workload "
    "profile, or set platform.accept_retired_gpu: true for a private or sovereign region that still has them"
)
GPU_TYPES = ("K80", "P100", "V100")
GPU_COUNTS = (1, 2, 4)
DEFAULT_GPU_TYPE = "V100"
MOST_PORTS = 5
MOST_CONTAINERS = 60
SPOT_CPU = 4
SPOT_MEMORY_GIB = 16
# Above this a subscription usually needs more quota first.
COMMON_CPU = 4
COMMON_MEMORY_GIB = 16
