# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure Container Apps can do, and the sizes of its workload profiles. Dated facts with their sources."""

from __future__ import annotations

from dataclasses import dataclass

from ..capabilities import Capabilities

CAPABILITIES = Capabilities(
    platform="container_apps",
    as_of="2026-11-22",
    sources=(
        "azure-mgmt-appcontainers 5.1.0, API version 2026-07-01",
        "Azure Container Apps documentation: revisions, workload profiles, GPU types, scaling, storage mounts, quotas",
        "microsoft/azure-container-apps issues 650, 664, 790, 1228, 1269, 1345, 1443, 1579",
        "microsoft/azure-container-apps issues 1001 (user, open) and 1232 (capabilities, open)",
    ),
    update_strategies=("surge", "stop_first"),
    default_strategy="surge",
    # No page of Microsoft says what an update of a stopped app does, and whether it stays stopped. Two third-party
    # observations (issue 1269, and provisioners that stop, update and start) say that it is taken. Until a real run
    # shows that no replica wakes, a change waits for the start: see docs/decisions/0011-container-apps-surge.md.
    updates_while_stopped=False,
    autoscaling=True,
    schedule=True,
    public_exposure=True,
    allowed_cidrs=True,
    authentication=("none", "client_certificate", "external"),
    gpu_sharing=False,
    secret_values=True,
    secret_references=("https://…vault.azure.net/secrets/…",),
    volume=True,
    sets_user=False,
    non_root_with_volume=True,
    read_only_root=False,
    drop_capabilities=False,
    tag_value_chars=256,
    image_gb=None,
    max_cpu=96,
    max_memory_gib=880,
    surge_needs="a spare GPU (quota of the environment for both revisions)",
    gaps={
        "sets_user": "the server runs as the user of its image (USER); the API has no setting for it",
        "read_only_root": "the API has no setting for it",
        "drop_capabilities": "the API has no setting for it",
    },
)


@dataclass(frozen=True, slots=True)
class Profile:
    """The size of one node of a workload profile type; a replica cannot be larger.

    gpus: on the node. quota: name of the quota to ask for, where a page names it.
    """

    cpu: float
    memory_gib: float
    gpus: int = 0
    consumption: bool = False
    quota: str = ""


# Sources: workload profiles page of 2025-11-04, GPU types page of 2025-06-02, quotas page. Checked 2026-11-22.
PROFILES = {
    "Consumption": Profile(4, 8, consumption=True),
    "Consumption-GPU-NC8as-T4": Profile(8, 56, 1, consumption=True, quota="Managed Environment Consumption T4 Gpus"),
    "Consumption-GPU-NC24-A100": Profile(
        24, 220, 1, consumption=True, quota="Managed Environment Consumption NCA100 Gpus"
    ),
    "D4": Profile(4, 16),
    "D8": Profile(8, 32),
    "D16": Profile(16, 64),
    "D32": Profile(32, 128),
    "E4": Profile(4, 32),
    "E8": Profile(8, 64),
    "E16": Profile(16, 128),
    "E32": Profile(32, 256),
    "NC24-A100": Profile(24, 220, 1, quota="Subscription NCA 100 Gpus"),
    "NC48-A100": Profile(48, 440, 2, quota="Subscription NCA 100 Gpus"),
    "NC96-A100": Profile(96, 880, 4, quota="Subscription NCA 100 Gpus"),
}
CONSUMPTION = "Consumption"
GPU_PROFILE = "gpu"
# On the plain Consumption profile vCPU come in quarters, with exactly 2 GiB for each vCPU.
CONSUMPTION_CPU_STEP = 0.25
CONSUMPTION_GIB_PER_CPU = 2.0
# A revision's name, C(<app>--<suffix>), has at most 54 characters (issue 1443); an app's name 32.
LONGEST_REVISION = 54
LONGEST_APP = 32
MOST_INACTIVE_REVISIONS = 100
# Limits of a probe, from the docstrings of the SDK.
MOST_FAILURES = 10
LONGEST_PERIOD = 240
LONGEST_GRACE = 600
