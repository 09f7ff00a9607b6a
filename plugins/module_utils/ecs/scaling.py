# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's scalable target in Application Auto Scaling: who owns the count, and what a stop remembers."""

from __future__ import annotations

from ..clients.aws import Aws

# On the service while it is stopped: the bounds to restore, C(min:max).
BOUNDS_TAG = "polycloud-scaling"
_NAMESPACE = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


class ScalableTarget:
    """Reads and writes the bounds of one service's count."""

    def __init__(self, aws: Aws, cluster: str, service: str) -> None:
        self._aws = aws
        self._resource = f"service/{cluster}/{service}"

    def bounds(self) -> tuple[int, int] | None:
        """C((min, max)), None where no autoscaler owns the count."""
        answer = self._aws.call(
            "application-autoscaling", "describe_scalable_targets", ResourceIds=[self._resource], **_NAMESPACE
        )
        for target in answer["ScalableTargets"]:
            return int(target["MinCapacity"]), int(target["MaxCapacity"])
        return None

    def set(self, least: int, most: int) -> None:
        """Write the bounds."""
        self._aws.call(
            "application-autoscaling",
            "register_scalable_target",
            ResourceId=self._resource,
            MinCapacity=least,
            MaxCapacity=most,
            **_NAMESPACE,
        )


def to_tag(bounds: tuple[int, int]) -> str:
    """The bounds as a tag's value."""
    return f"{bounds[0]}:{bounds[1]}"


def from_tag(value: str) -> tuple[int, int] | None:
    """The inverse of to_tag; None for anything else."""
    parts = value.split(":")
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 and all(part.isdigit() for part in parts) else None
