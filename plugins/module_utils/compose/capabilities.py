# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a compose file can say. Facts with their date and source; no behaviour."""

from __future__ import annotations

from ..capabilities import Capabilities

CAPABILITIES = Capabilities(
    platform="compose",
    as_of="2026-11-22",
    sources=("Compose Specification, services and deploy sections",),
    update_strategies=("in_place",),
    default_strategy="in_place",
    updates_while_stopped=True,
    autoscaling=False,
    schedule=False,
    public_exposure=True,
    allowed_cidrs=False,
    authentication=("none", "external"),
    gpu_sharing=False,
    secret_values=True,
    secret_references=(),
    volume=True,
    sets_user=True,
    non_root_with_volume=True,
    read_only_root=True,
    drop_capabilities=True,
    tag_value_chars=256,
)
