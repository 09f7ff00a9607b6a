# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conventions of Azure Resource Manager: resource ids, requests, answers, locations, tags, paging, merge patch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.sandbox.azure.errors import bad_request, invalid_content

Json = dict[str, Any]

PAGE_SIZE = 50
# Tag limits of Azure Resource Manager; storage accounts have a shorter tag name (128).
TAG_COUNT, TAG_NAME, TAG_VALUE = 50, 512, 256
TAG_NAME_FORBIDDEN = "<>%&\\?/"

# Regions that the sandbox knows, with the display name that Microsoft.App gives back.
LOCATIONS = {
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "eastus": "East US",
    "eastus2": "East US 2",
    "northeurope": "North Europe",
    "westeurope": "West Europe",
    "swedencentral": "Sweden Central",
    "italynorth": "Italy North",
    "germanywestcentral": "Germany West Central",
    "switzerlandnorth": "Switzerland North",
    "francecentral": "France Central",
    "uksouth": "UK South",
    "australiaeast": "Australia East",
    "usgovvirginia": "USGov Virginia",
}


@dataclass(frozen=True)
class ResourceId:
    """An id below a resource group. ``path`` is the type and name pairs, e.g. ("containerApps", "web")."""

    subscription: str
    group: str
    namespace: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        tail = "/".join(self.path)
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{self.namespace}/{tail}"

    @property
    def key(self) -> str:
        """Return the form in which ids are compared: Azure ignores case."""
        return str(self).lower()

    @property
    def name(self) -> str:
        """Return the last name."""
        return self.path[-1]

    @property
    def type(self) -> str:
        """Return the resource type, e.g. Microsoft.App/managedEnvironments/storages."""
        return "/".join((self.namespace, *self.path[::2]))

    def child(self, *path: str) -> ResourceId:
        """Return the id of a child resource."""
        return ResourceId(self.subscription, self.group, self.namespace, self.path + path)


def parse_id(text: object) -> ResourceId | None:
    """Return a resource id below a resource group, or None where the text is none."""
    parts = str(text).strip("/").split("/")
    heads = [part.lower() for part in parts[0:6:2]]
    if len(parts) < 8 or len(parts) % 2 or heads != ["subscriptions", "resourcegroups", "providers"]:
        return None
    return ResourceId(parts[1], parts[3], parts[5], tuple(parts[6:]))


@dataclass(frozen=True)
class ArmRequest:
    """One call. ``params`` are the placeholders of the route; ``body`` is the JSON object, if there was one."""

    method: str
    path: str
    base_url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None

    @property
    def api_version(self) -> str:
        """Return the api-version of the query."""
        return self.query.get("api-version", "")

    def json(self) -> Json:
        """Return the body; raises the 400 for a call that needs one and has none."""
        if self.body is None:
            raise invalid_content("The request body is empty")
        return self.body

    def resource_id(self, namespace: str, *path: str) -> ResourceId:
        """Return the id of a resource in the call's subscription and resource group."""
        return ResourceId(self.params["subscription"], self.params["group"], namespace, path)


@dataclass(frozen=True)
class ArmResponse:
    """One answer; a body of None is sent as no content at all."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return b"" if self.body is None else json.dumps(self.body).encode()


def now_text() -> str:
    """Return the time in the form that Azure uses."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def location_name(text: object) -> str:
    """Return the canonical name of a region ("West US 3" is westus3); raises 400 where it is unknown."""
    name = str(text).replace(" ", "").lower()
    if name not in LOCATIONS:
        known = ",".join(LOCATIONS)
        raise bad_request(
            "LocationNotAvailableForResourceType",
            f"The provided location '{text}' is not available. List of available regions is '{known}'.",
        )
    return name


def required_location(body: Json) -> str:
    """Return the region of a new tracked resource."""
    if not body.get("location"):
        raise bad_request("LocationRequired", "The location property is required for this definition.")
    return location_name(body["location"])


def check_tags(tags: object, name_limit: int = TAG_NAME) -> None:
    """Raise 400 where tags break a limit of Azure."""
    if tags is None:
        return
    if not isinstance(tags, dict):
        raise invalid_content("tags must be an object of strings. Path 'tags'")
    if len(tags) > TAG_COUNT:
        raise bad_request("InvalidTags", f"The number of tags cannot be more than {TAG_COUNT}; there are {len(tags)}.")
    for name, value in tags.items():
        if not name or len(name) > name_limit or any(sign in name for sign in TAG_NAME_FORBIDDEN):
            raise bad_request(
                "InvalidTagNameCharacters",
                f"The tag name '{name[:64]}' is invalid: 1 to {name_limit} characters, none of {TAG_NAME_FORBIDDEN}.",
            )
        if not isinstance(value, str) or len(value) > TAG_VALUE:
            raise bad_request(
                "InvalidTagValueLength",
                f"The value of the tag '{name}' must be text of at most {TAG_VALUE} characters.",
            )


def merge_patch(old: Any, change: Any) -> Any:
    """Return JSON Merge Patch (RFC 7396): objects merge, null removes, everything else replaces."""
    if not isinstance(change, dict):
        return change
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def without_nulls(value: Any) -> Any:
    """Return a copy in which no object has a property that is null: Azure reads null as absent."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def page(request: ArmRequest, items: Sequence[Any]) -> ArmResponse:
    """Answer a list call with one page, and with nextLink where there is more."""
    token = request.query.get("$skipToken", "0")
    if not token.isdigit():
        raise bad_request("InvalidSkipToken", f"The skip token '{token}' is not one that this service gave out.")
    start = int(token)
    body: Json = {"value": list(items[start : start + PAGE_SIZE])}
    if start + PAGE_SIZE < len(items):
        query = {"api-version": request.api_version, "$skipToken": str(start + PAGE_SIZE)}
        body["nextLink"] = f"{request.base_url}{request.path}?{urlencode(query)}"
    return ArmResponse(200, body)


def same_text(one: object, other: object) -> bool:
    """Compare two texts as Azure compares ids and enum values."""
    return str(one).lower() == str(other).lower()


def canonical(value: object, known: Iterable[str], path: str) -> str:
    """Return an enum value in Azure's own spelling; raises 400 for a value that the service cannot act on."""
    names = list(known)
    for name in names:
        if same_text(name, value):
            return name
    raise invalid_content(f"The value '{value}' is not one of {', '.join(names)}. Path '{path}'")
