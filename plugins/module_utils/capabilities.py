# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform can do. Each platform's row is dated data with its sources, in C(<platform>/capabilities.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Facts about a platform that validation, plan and docs read.

    as_of: ISO date of the last check. sources: names of the pages or files.
    tag_value_chars: longest tag value. image_gb: largest image, None where there is no stated limit.
    sets_user: the API takes the user that the server runs as; elsewhere the image decides. non_root_with_volume: a
    user other than root can use the volume. gaps: why, for each of these, read_only_root and drop_capabilities that is
    False, as a clause that goes on after the platform's name and a colon.
    surge_needs: what must be spare for an update without outage, in words.
    """

    platform: str
    as_of: str
    sources: tuple[str, ...]
    update_strategies: tuple[str, ...]
    default_strategy: str
    updates_while_stopped: bool
    autoscaling: bool
    schedule: bool
    public_exposure: bool
    allowed_cidrs: bool
    authentication: tuple[str, ...]
    gpu_sharing: bool
    secret_values: bool
    secret_references: tuple[str, ...]
    volume: bool
    sets_user: bool
    non_root_with_volume: bool
    read_only_root: bool
    drop_capabilities: bool
    tag_value_chars: int
    image_gb: int | None = None
    max_cpu: float | None = None
    max_memory_gib: float | None = None
    surge_needs: str = ""
    gaps: Mapping[str, str] = field(default_factory=dict)
