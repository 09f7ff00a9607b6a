# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the task definition asks of ECS's hardening. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compare import merge
from ..deployment.hardening import Posture
from .translate import TASK_DEFINITION, Ecs, task_definition


def posture(deployment: Ecs) -> Posture:
    """Of all containers of a task, those that overrides add included: one that is let off lets the task off."""
    body = merge(task_definition(deployment, ""), deployment.overrides.get(TASK_DEFINITION) or {})
    containers = [item for item in body.get("containerDefinitions") or () if isinstance(item, Mapping)]
    users = [str(item.get("user") or "") for item in containers]
    weakest = next((user for user in users if user.split(":")[0] in ("", "0", "root")), users[0] if users else "")
    return Posture(
        user=weakest,
        read_only_root=all(item.get("readonlyRootFilesystem") for item in containers),
        drop_capabilities=all(_drops(item) for item in containers),
    )


def _drops(container: Mapping[str, Any]) -> bool:
    capabilities = (container.get("linuxParameters") or {}).get("capabilities") or {}
    return "ALL" in (capabilities.get("drop") or ()) and not capabilities.get("add") and not container.get("privileged")
