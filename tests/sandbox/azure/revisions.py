# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft.App/containerApps/revisions and their replicas: list, get, activate, deactivate, restart."""

from __future__ import annotations

from tests.sandbox.azure.arm import ArmRequest, ArmResponse, page, same_text
from tests.sandbox.azure.container_app_bodies import show_replica, show_revision
from tests.sandbox.azure.container_app_machine import ContainerAppMachine
from tests.sandbox.azure.container_apps import TYPE, ContainerApps, check_idle, revision_error
from tests.sandbox.azure.errors import ArmError
from tests.sandbox.azure.revision import Revision
from tests.sandbox.azure.router import GROUP, Route
from tests.sandbox.azure.world import Resource


class Revisions:
    """The revisions of the container apps."""

    def __init__(self, apps: ContainerApps) -> None:
        self._apps = apps

    def routes(self) -> list[Route]:
        """Return the routes."""
        revisions = f"{GROUP}/providers/{TYPE}/{{name}}/revisions"
        revision = revisions + "/{revision}"
        return [
            Route("GET", revisions, self.list_all),
            Route("GET", revision, self.get),
            Route("POST", revision + "/activate", self.activate),
            Route("POST", revision + "/deactivate", self.deactivate),
            Route("POST", revision + "/restart", self.restart),
            Route("GET", revision + "/replicas", self.list_replicas),
            Route("GET", revision + "/replicas/{replica}", self.get_replica),
        ]

    def _find(self, request: ArmRequest) -> tuple[Resource, ContainerAppMachine, Revision]:
        app, machine = self._apps.find(request)
        for name, revision in machine.revisions.items():
            if same_text(name, request.params["revision"]):
                return app, machine, revision
        name = request.params["revision"]
        raise ArmError(
            404, "RevisionNotFound", f"The revision '{name}' of container app '{app.id.name}' was not found."
        )

    def list_all(self, request: ArmRequest) -> ArmResponse:
        """List all revisions, the inactive ones too."""
        app, machine = self._apps.find(request)
        return page(request, [show_revision(app, revision) for revision in machine.revisions.values()])

    def get(self, request: ArmRequest) -> ArmResponse:
        """Return one revision."""
        app, _machine, revision = self._find(request)
        return ArmResponse(200, show_revision(app, revision))

    def activate(self, request: ArmRequest) -> ArmResponse:
        """Activate a revision; in single mode it takes over when it is ready."""
        app, machine, revision = self._find(request)
        check_idle(app)
        _check_secret_references(app, revision)
        machine.activate(revision)
        return ArmResponse(200)

    def deactivate(self, request: ArmRequest) -> ArmResponse:
        """Deactivate a revision; also one that is being provisioned, which ends that operation."""
        _app, machine, revision = self._find(request)
        machine.deactivate(revision)
        return ArmResponse(200)

    def restart(self, request: ArmRequest) -> ArmResponse:
        """Restart all replicas; they read the secrets anew."""
        _app, _machine, revision = self._find(request)
        if not revision.active:
            raise revision_error(f"Error restarting revision {revision.name}: the revision is not active.")
        revision.halt()
        return ArmResponse(200)

    def list_replicas(self, request: ArmRequest) -> ArmResponse:
        """List the replicas of a revision."""
        app, _machine, revision = self._find(request)
        return ArmResponse(200, {"value": [show_replica(app, revision, replica) for replica in revision.replicas]})

    def get_replica(self, request: ArmRequest) -> ArmResponse:
        """Return one replica."""
        app, _machine, revision = self._find(request)
        for replica in revision.replicas:
            if same_text(replica.name, request.params["replica"]):
                return ArmResponse(200, show_replica(app, revision, replica))
        raise ArmError(404, "ReplicaNotFound", f"The replica '{request.params['replica']}' was not found.")


def _check_secret_references(app: Resource, revision: Revision) -> None:
    known = {entry["name"] for entry in app.body["properties"]["configuration"]["secrets"] or []}
    for container in revision.template["containers"]:
        for variable in container.get("env") or []:
            reference = variable.get("secretRef")
            if reference and reference not in known:
                raise revision_error(
                    f"Error activating revision {revision.name}. Details Reason: Bad Request. Body: the revision you "
                    f"are trying to activate references secret {reference} which is no longer defined."
                )
