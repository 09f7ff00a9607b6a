# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of ECS's deployment strategies a deployment uses, and why. Pure."""

from __future__ import annotations

from ..deployment.model import Deployment
from .capabilities import CAPABILITIES
from .options import EcsPlatform

SPARE_MINUTES = 10
HOOK_STAGE = "POST_SCALE_UP"


def update_strategy(deployment: Deployment[EcsPlatform]) -> str:
    """The update strategy in force: the user's or the platform's default."""
    return deployment.update.strategy or CAPABILITIES.default_strategy


def shifts_traffic(deployment: Deployment[EcsPlatform]) -> bool:
    """True if every load balancer has what blue/green needs (trivially so without one)."""
    return all(balancer.alternate_target_group_arn for balancer in deployment.platform.load_balancers)


def is_blue_green(deployment: Deployment[EcsPlatform]) -> bool:
    """True if a new release waits behind a pause until it is proven, while the old one serves."""
    return update_strategy(deployment) == "surge" and shifts_traffic(deployment)


def hook_minutes(deployment: Deployment[EcsPlatform]) -> int:
    """How long ECS keeps a paused release whose run died, before it rolls back by itself (1 to 20160)."""
    seconds = deployment.update.timeout + deployment.health.timeout
    return min(20160, max(1, -(-seconds // 60) + SPARE_MINUTES))
