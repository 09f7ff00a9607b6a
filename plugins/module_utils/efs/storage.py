# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put an EFS storage together: what is wanted, the kinds, and the result of the module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clients.aws import Aws
from ..errors import InvalidDeployment, Refused
from ..resource import Found, Kind, Wanted
from ..resource_module import Bundle
from ..waiting import Waiter
from .resources import AccessPointKind, FileSystemKind, FileSystems, MountTargetKind
from .translate import ACCESS_POINT, FILE_SYSTEM, bundle, problems


def make_bundle(params: Mapping[str, Any], aws: Aws, waiter: Waiter | None = None) -> Bundle:
    """The storage that a module's parameters describe. Raises InvalidDeployment, and Refused for an unsaid delete."""
    broken = problems(params)
    if broken:
        raise InvalidDeployment(broken)
    wanted = bundle(params)
    waiter = waiter or Waiter()
    aws.warm("efs")
    systems = FileSystems(aws, params["name"])
    seconds = params["timeout"]
    system = FileSystemKind(aws, waiter, systems, seconds, delete_data=params["delete_data"])
    system.compare_key = params["kms_key_id"] is not None
    kinds: dict[str, Kind] = {FILE_SYSTEM: system, ACCESS_POINT: AccessPointKind(aws, waiter, systems, seconds)}
    for resource in wanted:
        if resource.key not in kinds:
            groups = bool(params["security_groups"])
            kinds[resource.key] = MountTargetKind(aws, waiter, systems, seconds, groups=groups)
    if params["state"] == "absent" and not params["delete_data"] and systems.find() is not None:
        # Said before the first call that changes something: the access point would be gone already.
        raise Refused(
            f"efs file system {params['name']} ({systems.id()}) would be deleted with all models in it.",
            hint="Set delete_data: true if you mean it, or leave it: storage costs little where nothing is stored.",
        )
    return Bundle(wanted, kinds, lambda found: result(found, wanted))


def result(found: Mapping[str, Found | None], wanted: list[Wanted]) -> dict[str, Any]:
    """file_system_id, access_point_id, mount_targets, and C(efs), which fits the platform block of ecs_deployment."""
    system, point = found[FILE_SYSTEM], found[ACCESS_POINT]
    targets = {
        item.name: existing.id
        for item in wanted
        if item.key not in (FILE_SYSTEM, ACCESS_POINT) and (existing := found[item.key]) is not None
    }
    efs = {"file_system_id": system.id, "access_point_id": point.id} if system and point else None
    return {
        "file_system_id": system.id if system else None,
        "access_point_id": point.id if point else None,
        "mount_targets": targets,
        "efs": efs,
    }
