# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Amazon ECS can do. Facts with their date and source; no behaviour."""

from __future__ import annotations

from ..capabilities import Capabilities

CAPABILITIES = Capabilities(
    platform="ecs",
    as_of="2026-11-22",
    sources=(
        "botocore 1.44.5, ecs service model 2014-11-13",
        "Amazon ECS developer guide: task definition parameters, pause hooks, blue/green deployments, GPU workloads",
        "aws/containers-roadmap issue 88 (GPU on Fargate, closed)",
        "AWS announcement of 2026-01-06: tmpfs on Fargate and Managed Instances, before on EC2 only",
    ),
    update_strategies=("surge", "stop_first"),
    default_strategy="surge",
    updates_while_stopped=True,
    autoscaling=True,
    # Scheduled actions of Application Auto Scaling are not made by this collection yet.
    schedule=False,
    public_exposure=True,
    allowed_cidrs=False,
    authentication=("none", "external"),
    gpu_sharing=True,
    secret_values=False,
    secret_references=("arn:aws…:secretsmanager:…", "arn:aws…:ssm:…:parameter/…"),
    volume=True,
    sets_user=True,
    non_root_with_volume=True,
    read_only_root=True,
    drop_capabilities=True,
    tag_value_chars=256,
    image_gb=None,
    max_cpu=192,
    max_memory_gib=2048,
    surge_needs="a spare GPU (or room for a second replica) for each replica",
)

# CPU units to the memory sizes (MiB) that Fargate offers with them.
FARGATE_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(1024 * gib for gib in range(1, 5)),
    1024: tuple(1024 * gib for gib in range(2, 9)),
    2048: tuple(1024 * gib for gib in range(4, 17)),
    4096: tuple(1024 * gib for gib in range(8, 31)),
    8192: tuple(1024 * gib for gib in range(16, 61, 4)),
    16384: tuple(1024 * gib for gib in range(32, 121, 8)),
}
FARGATE_EPHEMERAL_GIB = (21, 200)
FARGATE_STOP_TIMEOUT = 120
# AWS's own providers of Fargate capacity.
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
EFS_FILE_SYSTEM = r"fs-[0-9a-f]{8,40}"
EFS_ACCESS_POINT = r"fsap-[0-9a-f]{8,40}"
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
