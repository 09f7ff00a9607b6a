# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every service needs: its schemas, its api-versions, and the checks that Resource Manager makes for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.sandbox.azure import derived_specs, schema, sdk_models
from tests.sandbox.azure.arm import (
    TAG_NAME,
    ArmRequest,
    ArmResponse,
    Json,
    ResourceId,
    check_tags,
    page,
    parse_id,
    required_location,
    same_text,
    without_nulls,
)
from tests.sandbox.azure.errors import ArmError, bad_request, conflict, not_found
from tests.sandbox.azure.operations import Operations
from tests.sandbox.azure.world import Resource, World


class Service:
    """Base of the services; a subclass names its provider."""

    namespace = ""

    def __init__(self, world: World, operations: Operations) -> None:
        self.world = world
        self.operations = operations

    # Bodies

    def body(self, request: ArmRequest, model: str, partial: bool = False) -> Json:
        """Return the request's body, checked against both schemas and without read-only properties.

        A partial body is a merge patch: it keeps its nulls, which mean removal.
        """
        content: Json = schema.clean(sdk_models.schema(self.namespace, model), request.json(), partial)
        derived = derived_specs.schema(self.namespace, request.api_version, model)
        if derived is not None:
            content = schema.clean(derived, content, partial)
        return content if partial else without_nulls(content)

    def check_tracked(self, body: Json, old: Resource | None, tag_name_limit: int = TAG_NAME) -> str:
        """Check location and tags of a PUT; returns the region."""
        location = required_location(body)
        check_tags(body.get("tags"), tag_name_limit)
        if old is not None and location != old.body["location"]:
            raise conflict(
                "InvalidResourceLocation",
                f"The resource '{old.id.name}' already exists in location '{old.body['location']}' in resource group "
                f"'{old.id.group}'. A resource with the same name cannot be created in location '{location}'. "
                "Please select a new resource name.",
            )
        return location

    # Resources

    def need(self, identifier: ResourceId) -> Resource:
        """Return a resource or raise the 404."""
        found = self.world.get(identifier)
        if found is None:
            raise not_found(identifier.type, "/".join(identifier.path[1::2]), identifier.group)
        return found

    def refer(self, text: object, resource_type: str, path: str) -> Resource:
        """Return the resource that a body names by id; raises 400 where there is none of that type."""
        identifier = parse_id(text)
        if identifier is None or not same_text(identifier.type, resource_type):
            raise bad_request("LinkedInvalidPropertyId", f"Property id '{text}' at path '{path}' is invalid.")
        found = self.world.get(identifier)
        if found is None:
            raise bad_request(
                "LinkedResourceNotFound", f"The resource '{identifier}' that is named at path '{path}' was not found."
            )
        return found

    def list(self, request: ArmRequest, resource_type: str, show: Any) -> ArmResponse:
        """Answer a list call at resource group or subscription scope."""
        below = f"/subscriptions/{request.params['subscription']}/"
        if "group" in request.params:
            below += f"resourceGroups/{request.params['group']}/"
        return page(request, [show(resource) for resource in self.world.find(resource_type, below)])

    # Identity

    def check_identity(self, identity: Mapping[str, Any] | None) -> Json | None:
        """Check a managed identity of a body; returns it as Azure shows it, with the ids that it fills in."""
        if not identity or same_text(identity.get("type"), "None"):
            return None
        kinds = {kind.strip().lower() for kind in str(identity.get("type", "")).split(",")}
        if not kinds <= {"systemassigned", "userassigned"}:
            raise bad_request("InvalidIdentityType", f"The identity type '{identity.get('type')}' is not supported.")
        shown: Json = {"type": identity["type"]}
        if "systemassigned" in kinds:
            shown.update(principalId="00000000-0000-0000-0000-0000000000aa", tenantId=TENANT_ID)
        named = identity.get("userAssignedIdentities") or {}
        if "userassigned" in kinds and not named:
            raise bad_request(
                "InvalidIdentityValues", "Invalid value for the identities. The identity type needs identity ids."
            )
        if named:
            shown["userAssignedIdentities"] = {name: self._user_identity(name) for name in named}
        return shown

    def _user_identity(self, name: str) -> Json:
        try:
            found = self.refer(name, "Microsoft.ManagedIdentity/userAssignedIdentities", "identity")
        except ArmError as error:
            raise bad_request("FailedIdentityOperation", f"Identity operation failed: {error.message}") from error
        return {key: found.body["properties"][key] for key in ("principalId", "clientId")}


TENANT_ID = "11111111-1111-4111-8111-111111111111"


def tracked(resource: Resource, location: str | None = None) -> Json:
    """Return the envelope of a tracked resource, without its properties."""
    shown: Json = {"id": str(resource.id), "name": resource.id.name, "type": resource.id.type}
    shown["location"] = location or resource.body["location"]
    shown["tags"] = dict(resource.body.get("tags") or {})
    return shown


def without_keys(value: Any, secret: Sequence[str]) -> Any:
    """Return a copy without the properties that a service never gives back."""
    if isinstance(value, dict):
        return {name: without_keys(item, secret) for name, item in value.items() if name not in secret}
    if isinstance(value, list):
        return [without_keys(item, secret) for item in value]
    return value
