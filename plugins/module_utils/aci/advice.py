# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person must know about a deployment on Azure Container Instances before saying yes. Pure."""

from __future__ import annotations

from ..deployment.model import Deployment
from . import capabilities as facts
from .options import AciPlatform
from .validate import total


def advice(deployment: Deployment[AciPlatform]) -> tuple[str, ...]:
    """Notes for the plan."""
    platform = deployment.platform
    cpu, memory = total(deployment)
    notes = {
        "storage.uid and storage.gid have no effect on ACI: the user of the image runs the server": (
            deployment.storage.mode != "baked"
        ),
        "ACI GPUs were retired on 14 July 2025: expect Azure to refuse this outside of private or sovereign regions": (
            deployment.wants_gpu
        ),
        f"{cpu:g} vCPU and {memory:g} GiB usually need more quota than a subscription has at first": (
            cpu > facts.COMMON_CPU or memory > facts.COMMON_MEMORY_GIB
        ),
        "priority Spot: Azure may take the group away at any time, and it has no address": platform.priority == "Spot",
    }
    return tuple(text for text, holds in notes.items() if holds)
