# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.ContainerInstance/containerGroupProfiles: bodies of container groups, kept as numbered revisions."""

from __future__ import annotations

import copy

from tests.sandbox.azure import container_group_rules as rules
from tests.sandbox.azure.arm import ArmRequest, ArmResponse, Json, ResourceId, check_tags, page
from tests.sandbox.azure.container_groups import SECRET_KEYS
from tests.sandbox.azure.errors import ArmError, bad_request
from tests.sandbox.azure.router import GROUP, SUBSCRIPTION, Route
from tests.sandbox.azure.service import Service, tracked, without_keys
from tests.sandbox.azure.world import Resource

NAMESPACE = "Microsoft.ContainerInstance"
TYPE = f"{NAMESPACE}/containerGroupProfiles"


class ContainerGroupProfiles(Service):
    """The profiles of one Azure. A resource's body keeps all revisions under "revisions", oldest first."""

    namespace = NAMESPACE

    def routes(self) -> list[Route]:
        """Return the routes."""
        profiles = f"{GROUP}/providers/{TYPE}"
        profile = profiles + "/{name}"
        return [
            Route("GET", f"{SUBSCRIPTION}/providers/{TYPE}", self.list_all),
            Route("GET", profiles, self.list_all),
            Route("GET", profile, self.get),
            Route("PUT", profile, self.put),
            Route("PATCH", profile, self.patch),
            Route("DELETE", profile, self.delete),
            Route("GET", profile + "/revisions", self.list_revisions),
            Route("GET", profile + "/revisions/{revision}", self.get_revision),
        ]

    def _id(self, request: ArmRequest) -> ResourceId:
        return request.resource_id(NAMESPACE, "containerGroupProfiles", request.params["name"])

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List profiles, each in its newest revision."""
        return self.list(request, TYPE, _show_newest)

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return the newest revision of a profile."""
        return ArmResponse(200, _show_newest(self.need(self._id(request))))

    def put(self, request: ArmRequest) -> ArmResponse:
        """Create a profile; a change of its properties makes a new revision."""
        identifier = self._id(request)
        rules.check_name(identifier.name)
        body = self.body(request, "ContainerGroupProfile")
        old = self.world.get(identifier)
        body["location"] = self.check_tracked(body, old)
        if not body.get("properties"):
            raise bad_request("InvalidContainers", f"Profile '{identifier.name}' needs properties.")
        rules.check_and_fill(identifier.name, body["location"], body)
        revisions: list[Json] = old.body["revisions"] if old else []
        if not revisions or revisions[-1] != body["properties"]:
            revisions = [*revisions, body["properties"]]
        stored = {key: value for key, value in body.items() if key != "properties"}
        resource = Resource(identifier, {**stored, "revisions": revisions})
        self.world.put(resource)
        return ArmResponse(200 if old else 201, _show_newest(resource))

    def patch(self, request: ArmRequest) -> ArmResponse:
        """Replace the tags."""
        found = self.need(self._id(request))
        change = self.body(request, "ContainerGroupProfilePatch", partial=True)
        check_tags(change.get("tags"))
        if "tags" in change:
            found.body["tags"] = change["tags"] or {}
        return ArmResponse(200, _show_newest(found))

    def delete(self, request: ArmRequest) -> ArmResponse:
        """Delete a profile with all its revisions."""
        identifier = self._id(request)
        if self.world.get(identifier) is None:
            return ArmResponse(204)
        self.world.remove(identifier)
        return ArmResponse(200)

    def list_revisions(self, request: ArmRequest) -> ArmResponse:
        """List all revisions."""
        found = self.need(self._id(request))
        return page(request, [_show(found, number + 1) for number in range(len(found.body["revisions"]))])

    def get_revision(self, request: ArmRequest) -> ArmResponse:
        """Return one revision."""
        found, number = self.need(self._id(request)), request.params["revision"]
        if not number.isdigit() or not 1 <= int(number) <= len(found.body["revisions"]):
            raise ArmError(
                404,
                "ResourceNotFound",
                f"Revision '{number}' of container group profile '{found.id.name}' was not found.",
            )
        return ArmResponse(200, _show(found, int(number)))


def _show_newest(resource: Resource) -> Json:
    return _show(resource, len(resource.body["revisions"]))


def _show(resource: Resource, number: int) -> Json:
    properties = without_keys(copy.deepcopy(resource.body["revisions"][number - 1]), SECRET_KEYS)
    properties["revision"] = number
    properties["registeredRevisions"] = list(range(1, len(resource.body["revisions"]) + 1))
    return {**tracked(resource), "properties": properties}
