# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags: their rules, and the three tagging actions."""

from __future__ import annotations

import re
from typing import Any

from tests.sandbox.aws.ecs import errors
from tests.sandbox.aws.ecs.model import Tags
from tests.sandbox.aws.ecs.world import Region

# Letters, spaces and digits of any script, and these signs; botocore's model writes it with \p{L}\p{Z}\p{N}.
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def checked(tags: Tags | None) -> Tags:
    """Return a copy of the tags; raises InvalidParameterException where ECS would."""
    result = [{"key": tag.get("key", ""), "value": tag.get("value", "")} for tag in tags or []]
    keys = [tag["key"] for tag in result]
    if len(result) > 50:
        raise errors.InvalidParameterException("Too many tags. You can specify a maximum of 50 tags.")
    if len(set(keys)) != len(keys):
        raise errors.InvalidParameterException("Duplicate tag keys found. Each tag key must be unique.")
    for tag in result:
        if not 1 <= len(tag["key"]) <= 128 or not _ALLOWED.fullmatch(tag["key"]):
            raise errors.InvalidParameterException(f"A tag key has invalid characters or length: '{tag['key']}'.")
        if tag["key"].lower().startswith("aws:"):
            raise errors.InvalidParameterException("Tag keys cannot start with the reserved prefix 'aws:'.")
        if len(tag["value"]) > 256 or not _ALLOWED.fullmatch(tag["value"]):
            raise errors.InvalidParameterException(
                f"A tag value has invalid characters or length: the one of key '{tag['key']}'."
            )
    return result


def merged(old: Tags, new: Tags) -> Tags:
    """Return the old tags with the new ones added or replaced."""
    values = {tag["key"]: tag["value"] for tag in old} | {tag["key"]: tag["value"] for tag in new}
    return [{"key": key, "value": value} for key, value in values.items()]


def _holder(region: Region, arn: str) -> Any:
    """Return what carries the tags of an ARN: an object with ``tags``, or a capacity provider's dictionary."""
    match = re.fullmatch(r"arn:aws[\w-]*:ecs:([\w-]+):\d{12}:([\w-]+)/(.+)", arn)
    if match is None or match[1] != region.name:
        raise errors.InvalidParameterException("The ARN provided is invalid.")
    kind, path = match[2], match[3]
    if kind == "cluster":
        return region.cluster(path)
    if kind == "task-definition":
        return region.definition(path)
    if kind == "service":
        cluster, _, name = path.partition("/")
        return region.service(region.cluster(cluster), name)
    if kind == "task" and path.split("/")[-1] in region.tasks:
        return region.tasks[path.split("/")[-1]]
    if kind == "capacity-provider" and path in region.providers:
        return region.providers[path]
    raise errors.InvalidParameterException("The specified resource was not found. Check the ARN and try again.")


def _read(holder: Any) -> Tags:
    return list(holder.get("tags", []) if isinstance(holder, dict) else holder.tags)


def _write(holder: Any, tags: Tags) -> None:
    if isinstance(holder, dict):
        holder["tags"] = tags
    else:
        holder.tags = tags


def list_tags_for_resource(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return the tags of a resource."""
    return {"tags": _read(_holder(region, request["resourceArn"]))}


def tag_resource(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Add or replace tags."""
    holder = _holder(region, request["resourceArn"])
    _write(holder, checked(merged(_read(holder), checked(request["tags"]))))
    return {}


def untag_resource(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Remove tags; unknown keys are ignored."""
    holder = _holder(region, request["resourceArn"])
    _write(holder, [tag for tag in _read(holder) if tag["key"] not in request["tagKeys"]])
    return {}
