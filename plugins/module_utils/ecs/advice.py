# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person must know about a deployment on ECS before saying yes. Pure."""

from __future__ import annotations

from ..deployment import sidecar
from ..deployment.model import Deployment
from .options import EcsPlatform
from .strategy import is_blue_green, update_strategy


def advice(deployment: Deployment[EcsPlatform]) -> tuple[str, ...]:
    """Notes for the plan."""
    scaling = deployment.scaling
    notes = {
        "the load balancer has no alternate target group, so ECS replaces task by task: the new release gets "
        "traffic once its health check passes, before the prompt is answered": (
            update_strategy(deployment) == "surge" and not is_blue_green(deployment)
        ),
        f"scaling.max {scaling.max} needs a scalable target of yours: this module starts with {scaling.min} "
        "and leaves the count to it": scaling.min != scaling.max,
        f"the health check of the target groups is yours: it should ask {sidecar.READY}, so that a task gets "
        "requests only while its model is in memory": (
            deployment.sidecar is not None and bool(deployment.platform.load_balancers)
        ),
    }
    return (*(text for text, holds in notes.items() if holds), *sidecar.notes(deployment))
