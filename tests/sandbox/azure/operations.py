# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running operations, in both styles of Azure Resource Manager.

Azure-AsyncOperation names a status document (200 with status InProgress, Succeeded or Failed); Location names a place
that answers 202 until the operation has ended and then gives the result. Retry-After is 0: the sandbox is quick.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.azure.arm import ArmRequest, ArmResponse, now_text
from tests.sandbox.azure.errors import ArmError
from tests.sandbox.azure.router import SUBSCRIPTION, Route

# The names that the providers give to the two kinds of places.
STATUS_TYPE = {"Microsoft.App": "containerappOperationStatuses", "Microsoft.ContainerInstance": "operations"}
RESULT_TYPE = {
    "Microsoft.App": "containerappOperationResults",
    "Microsoft.ContainerInstance": "operationResults",
    "Microsoft.Storage": "asyncoperations",
}


@dataclass
class Operation:
    """One running or ended operation. ``result`` gives the answer at the Location when it has succeeded."""

    namespace: str
    location: str
    result: Callable[[], ArmResponse]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    error: ArmError | None = None
    started: str = field(default_factory=now_text)
    ended: str | None = None

    @property
    def running(self) -> bool:
        """Say whether it has not ended."""
        return self.status == "InProgress"

    def succeed(self) -> None:
        """End it well; an ended operation stays as it is."""
        self._end("Succeeded", None)

    def fail(self, code: str, message: str, status: str = "Failed") -> None:
        """End it badly; ``status`` may be Canceled."""
        self._end(status, ArmError(400, code, message))

    def _end(self, status: str, error: ArmError | None) -> None:
        if self.running:
            self.status, self.error, self.ended = status, error, now_text()


class Operations:
    """All operations of one Azure."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    def begin(
        self, namespace: str, location: str, result: Callable[[], ArmResponse] = lambda: ArmResponse(204)
    ) -> Operation:
        """Start an operation."""
        operation = Operation(namespace, location, result)
        self._operations[operation.id] = operation
        return operation

    def clear(self) -> None:
        """Forget all operations."""
        self._operations.clear()

    def routes(self) -> list[Route]:
        """Return the routes of the places that clients poll."""
        routes = []
        for table, handler in ((STATUS_TYPE, self.get_status), (RESULT_TYPE, self.get_result)):
            for namespace, kind in table.items():
                pattern = f"{SUBSCRIPTION}/providers/{namespace}/locations/{{location}}/{kind}/{{operation}}"
                routes.append(Route("GET", pattern, handler))
        return routes

    def get_status(self, request: ArmRequest) -> ArmResponse:
        """Answer at an Azure-AsyncOperation address."""
        operation = self._find(request)
        body: dict[str, Any] = {
            "id": request.path,
            "name": operation.id,
            "status": operation.status,
            "startTime": operation.started,
        }
        if operation.ended:
            body["endTime"] = operation.ended
        if operation.error:
            body.update(operation.error.body())
        return ArmResponse(200, body, {"Retry-After": "0"} if operation.running else {})

    def get_result(self, request: ArmRequest) -> ArmResponse:
        """Answer at a Location address."""
        operation = self._find(request)
        if operation.running:
            return ArmResponse(202, None, location_header(request, operation))
        if operation.error:
            raise operation.error
        return operation.result()

    def _find(self, request: ArmRequest) -> Operation:
        operation = self._operations.get(request.params["operation"])
        if operation is None:
            raise ArmError(404, "OperationNotFound", f"The operation '{request.params['operation']}' was not found.")
        return operation


def _address(request: ArmRequest, operation: Operation, kind: str) -> str:
    subscription = request.params["subscription"]
    place = f"providers/{operation.namespace}/locations/{operation.location}/{kind}/{operation.id}"
    return f"{request.base_url}/subscriptions/{subscription}/{place}?api-version={request.api_version}"


def status_header(request: ArmRequest, operation: Operation) -> dict[str, str]:
    """Return the headers of the Azure-AsyncOperation style."""
    address = _address(request, operation, STATUS_TYPE[operation.namespace])
    return {"Azure-AsyncOperation": address, "Retry-After": "0"}


def location_header(request: ArmRequest, operation: Operation) -> dict[str, str]:
    """Return the headers of the Location style."""
    return {"Location": _address(request, operation, RESULT_TYPE[operation.namespace]), "Retry-After": "0"}
