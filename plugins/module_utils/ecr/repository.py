# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private repository of Amazon ECR in which no tag moves but those that are named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..clients.aws import Aws, from_tag_list, tag_list
from ..compare import FieldChange, drop_empty
from ..errors import ApiError, NotFound, PolycloudError
from ..resource import Found, Kind, Wanted
from ..resource_module import Bundle

KEY = "repository"
# Service model of ECR (PutImageTagMutability), read 2026-11: 1 to 5 filters, this pattern.
MOST_FILTERS = 5
_FILTER = re.compile(r"[0-9a-zA-Z._*-]{1,128}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*", re.ASCII)
LONGEST_NAME = 256
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "registry_id": {"type": "str"},
    "mutable_tags": {"type": "list", "elements": "str", "default": ["stable", "stable-previous"]},
    "scan_on_push": {"type": "bool"},
    "tags": {"type": "dict", "default": {}},
}


class RepositoryKind(Kind):
    """An ECR repository. Policies, lifecycle and encryption of an existing one are left alone; it is never deleted."""

    title = "ecr repository"

    def __init__(self, aws: Aws, registry: str | None, *, scans: bool) -> None:
        self._aws = aws
        self._registry = {"registryId": registry} if registry else {}
        self._scans = scans

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        filters = sorted(str(item["filter"]) for item in body.get("imageTagMutabilityExclusionFilters") or ())
        scan = (body.get("imageScanningConfiguration") or {}).get("scanOnPush", False)
        found = {
            "imageTagMutability": body.get("imageTagMutability") or "MUTABLE",
            "imageTagMutabilityExclusionFilters": filters,
            "scanOnPush": bool(scan) if self._scans else None,
        }
        return dict(drop_empty(found))

    def read(self, name: str) -> Found | None:
        try:
            answer = self._aws.call("ecr", "describe_repositories", **self._registry, repositoryNames=[name])
        except NotFound:
            return None
        raw = answer["repositories"][0]
        tags = self._aws.call("ecr", "list_tags_for_resource", resourceArn=raw["repositoryArn"]).get("tags")
        return Found(
            id=raw["repositoryArn"], body=raw, tags=from_tag_list(tags), attributes={"uri": raw["repositoryUri"]}
        )

    def create(self, wanted: Wanted) -> Found:
        tags = {"tags": tag_list(wanted.tags, upper=True)} if wanted.tags else {}
        given = {**self._registry, **wanted.body, **tags}
        try:
            self._aws.call("ecr", "create_repository", repositoryName=wanted.name, **given)
        except ApiError as error:
            # A retry after a lost answer finds what the first try made.
            if error.code != "RepositoryAlreadyExistsException":
                raise
        return self._again(wanted.name)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        changed = {field.path.partition(".")[0].partition("[")[0] for field in fields}
        place = {**self._registry, "repositoryName": wanted.name}
        if changed & {"imageTagMutability", "imageTagMutabilityExclusionFilters"}:
            keys = ("imageTagMutability", "imageTagMutabilityExclusionFilters")
            settings = {key: wanted.body[key] for key in keys if key in wanted.body}
            self._aws.call("ecr", "put_image_tag_mutability", **place, **settings)
        if "scanOnPush" in changed:
            scan = {"imageScanningConfiguration": wanted.body["imageScanningConfiguration"]}
            self._aws.call("ecr", "put_image_scanning_configuration", **place, **scan)
        if "tags" in changed:
            self._aws.call("ecr", "tag_resource", resourceArn=found.id, tags=tag_list(wanted.tags, upper=True))
        return self._again(wanted.name)

    def delete(self, found: Found) -> None:
        raise PolycloudError(f"ecr repository {found.id} is not deleted by this collection.")

    def _again(self, name: str) -> Found:
        found = self.read(name)
        if found is None:
            raise NotFound(f"ecr repository {name} is gone again right after it was written.")
        return found


def make_bundle(params: Mapping[str, Any], aws: Aws) -> Bundle:
    """The repository that a module's parameters describe. Raises PolycloudError."""
    _check(params)
    wanted = Wanted(key=KEY, name=params["name"], body=body(params), tags=params["tags"])
    kind = RepositoryKind(aws, params["registry_id"], scans=params["scan_on_push"] is not None)
    return Bundle([wanted], {KEY: kind}, result)


def body(params: Mapping[str, Any]) -> dict[str, Any]:
    """The repository in the API's shape. Pure."""
    filters = [{"filterType": "WILDCARD", "filter": tag} for tag in sorted(set(params["mutable_tags"]))]
    made: dict[str, Any] = {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION" if filters else "IMMUTABLE"}
    if filters:
        made["imageTagMutabilityExclusionFilters"] = filters
    if params["scan_on_push"] is not None:
        made["imageScanningConfiguration"] = {"scanOnPush": params["scan_on_push"]}
    return made


def result(found: Mapping[str, Found | None]) -> dict[str, Any]:
    """What the module returns of the repository. In check mode, what it would be."""
    repository = found[KEY]
    if repository is None:
        return {"repository": None}
    settings = repository.body
    return {
        "repository": {
            "arn": repository.id,
            "uri": repository.attributes.get("uri", ""),
            "tag_mutability": settings.get("imageTagMutability"),
            "mutable_tags": [item["filter"] for item in settings.get("imageTagMutabilityExclusionFilters") or ()],
            "tags": dict(repository.tags),
        }
    }


def _check(params: Mapping[str, Any]) -> None:
    name, tags = params["name"], params["mutable_tags"]
    if not 2 <= len(name) <= LONGEST_NAME or not _NAME.fullmatch(name):
        raise PolycloudError(f"name {name[:80]!r} is no name of an ECR repository.", hint="Such as team/ollama.")
    if len(set(tags)) > MOST_FILTERS:
        raise PolycloudError(f"mutable_tags names {len(set(tags))} tags; ECR takes {MOST_FILTERS} at most.")
    for tag in tags:
        if not _FILTER.fullmatch(tag):
            raise PolycloudError(f"mutable_tags: {tag[:80]!r} is no tag.", hint="Letters, digits, . _ - and * for any.")
