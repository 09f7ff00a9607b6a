# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated Azure as one WSGI application: the checks that Resource Manager makes before a service sees a call."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tests.sandbox.azure import seeds
from tests.sandbox.azure.arm import ArmRequest, ArmResponse, location_name, parse_id
from tests.sandbox.azure.container_apps import ContainerApps
from tests.sandbox.azure.container_group_profiles import ContainerGroupProfiles
from tests.sandbox.azure.container_groups import ContainerGroups
from tests.sandbox.azure.errors import ArmError, bad_request, invalid_content
from tests.sandbox.azure.file_shares import FileShares
from tests.sandbox.azure.ingress import Gateway
from tests.sandbox.azure.locations import Locations
from tests.sandbox.azure.managed_environments import ManagedEnvironments
from tests.sandbox.azure.operations import Operations
from tests.sandbox.azure.resource_groups import GivenResources, ResourceGroups
from tests.sandbox.azure.revisions import Revisions
from tests.sandbox.azure.router import Router
from tests.sandbox.azure.storage_accounts import StorageAccounts
from tests.sandbox.azure.world import Timing, World
from tests.sandbox.faults import FaultSwitch
from tests.sandbox.runtime import ProcessRuntime

# The api-versions that are served. The bodies are judged by the newest SDK models whichever is asked for.
API_VERSIONS = {
    "microsoft.resources": ("2022-12-01", "2021-04-01", "2022-09-01", "2024-03-01", "2025-04-01"),
    "microsoft.containerinstance": ("2023-05-01", "2025-09-01"),
    "microsoft.app": ("2025-01-01", "2025-07-01", "2026-07-01"),
    "microsoft.storage": ("2023-05-01", "2024-01-01", "2025-06-01", "2026-09-01"),
    "microsoft.managedidentity": ("2023-01-31", "2024-11-30"),
    "microsoft.network": ("2023-11-01", "2024-05-01", "2025-01-01"),
    "microsoft.operationalinsights": ("2022-10-01", "2023-09-01", "2025-07-01"),
}
ERRORS = {
    "throttle": ArmError(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for the operation. Please retry later.",
        {"Retry-After": "1"},
    ),
    "error500": ArmError(500, "InternalServerError", "An unexpected error has occurred."),
    "unavailable": ArmError(
        503, "ServerUnavailable", "The service is temporarily unavailable. Please retry later.", {"Retry-After": "1"}
    ),
    "expired_credentials": ArmError(
        401,
        "ExpiredAuthenticationToken",
        "The access token expiry is before the current time. Please refresh the access token.",
        {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="The access token has expired."'},
    ),
}


class AzureCloud:
    """One emulated Azure; the interface is ``tests.sandbox.http.Cloud``."""

    name = "azure"

    def __init__(self, runtime: ProcessRuntime, switch: FaultSwitch, timing: Timing | None = None) -> None:
        self.world = World(runtime, switch, timing)
        self._operations = Operations()
        self._groups = ResourceGroups(self.world, self._operations)
        self._gateway = Gateway()
        apps = ContainerApps(self.world, self._operations, self._gateway)
        services = (
            self._groups,
            GivenResources(self.world, self._operations),
            ContainerGroups(self.world, self._operations),
            ContainerGroupProfiles(self.world, self._operations),
            Locations(self.world, self._operations),
            StorageAccounts(self.world, self._operations),
            FileShares(self.world, self._operations),
            ManagedEnvironments(self.world, self._operations),
            apps,
            Revisions(apps),
        )
        routes = [route for service in services for route in service.routes()]
        self._router = Router([*routes, *self._operations.routes()])

    def seed(self) -> dict[str, Any]:
        """Create what a user would be given and return its ids."""
        with self.world.lock:
            return seeds.plant(self.world, self._groups)

    def reset(self) -> None:
        """Stop all workloads and forget everything."""
        with self.world.lock:
            self._groups.clear()
            self._operations.clear()
        self.world.clear()

    def close(self) -> None:
        """Stop for good."""
        self.world.close()
        self._gateway.close()

    # WSGI

    def wsgi(self) -> WSGIApplication:
        """Return the application."""
        return self._application

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = read_request(environ)
        try:
            answer = self._answer(request, environ)
        except ArmError as error:
            answer = ArmResponse(error.status, error.body(), error.headers)
        headers = _headers(request, answer)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.encode()]

    def _answer(self, request: ArmRequest, environ: WSGIEnvironment) -> ArmResponse:
        if self.world.failure is not None:
            raise RuntimeError("a step of the emulated Azure failed") from self.world.failure
        route, params, allowed = self._router.find(request.method, request.path)
        self._check_subscription(request)
        self._check_api_version(request)
        if route is None:
            if allowed:
                raise ArmError(405, "MethodNotAllowed", f"{request.method} is not one of {', '.join(allowed)} here.")
            raise ArmError(
                404, "NotImplementedInSandbox", f"The emulated Azure does not have {request.method} {request.path}."
            )
        if "group" in params and "/providers/" in request.path.lower():
            params["group"] = self._groups.find(params["group"])["name"]
        body = _read_body(environ)
        call = ArmRequest(request.method, request.path, request.base_url, request.query, request.headers, params, body)
        with self.world.lock:
            return route.handler(call)

    def _check_subscription(self, request: ArmRequest) -> None:
        match = re.match(r"/subscriptions/([^/]+)", request.path, re.IGNORECASE)
        if match is None:
            return
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", match[1]):
            raise bad_request(
                "InvalidSubscriptionId", f"The provided subscription identifier '{match[1]}' is malformed."
            )
        if match[1].lower() != self._groups.subscription:
            raise ArmError(404, "SubscriptionNotFound", f"The subscription '{match[1]}' could not be found.")

    def _check_api_version(self, request: ArmRequest) -> None:
        version = request.api_version
        if not version:
            raise bad_request(
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        namespace, kind = _provider(request.path)
        known = API_VERSIONS.get(namespace.lower())
        if known is None:
            raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
        if version in known:
            return
        supported = ", ".join(known)
        if namespace == "Microsoft.Resources":
            raise bad_request(
                "InvalidApiVersionParameter",
                f"The api-version '{version}' is invalid. The supported versions are '{supported}'.",
            )
        raise bad_request(
            "NoRegisteredProviderFound",
            f"No registered resource provider found for API version '{version}' for type '{kind}'. The supported "
            f"api-versions are '{supported}'.",
        )

    # What the gate asks

    def classify(self, environ: WSGIEnvironment) -> tuple[str, str, str]:
        """Return provider, operation ("PUT containerApps", "POST containerGroups/stop") and region of a call."""
        path = environ.get("PATH_INFO", "/")
        namespace, kind = _provider(path)
        return namespace, f"{environ['REQUEST_METHOD']} {kind}", self._region(environ, path)

    def _region(self, environ: WSGIEnvironment, path: str) -> str:
        named = re.search(r"/locations/([^/]+)", path, re.IGNORECASE)
        if named:
            return named[1].lower()
        identifier = parse_id(path)
        with self.world.lock:
            if identifier is not None:
                found = self.world.get(identifier)
                if found is not None and found.body.get("location"):
                    return str(found.body["location"])
            try:
                return location_name((_read_body(environ) or {}).get("location"))
            except ArmError:
                group = re.search(r"/resourceGroups/([^/]+)", path, re.IGNORECASE)
                return self._groups.location_of(group[1]) if group else ""

    def error_response(self, kind: str, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return Azure's own form of an error of ``faults.ERROR_KINDS``."""
        error = ERRORS[kind]
        answer = ArmResponse(error.status, error.body(), error.headers)
        return answer.status, _headers(read_request(environ), answer), answer.encode()


def create_app(runtime: ProcessRuntime, switch: FaultSwitch, timing: Timing | None = None) -> AzureCloud:
    """Return a new, empty emulated Azure."""
    return AzureCloud(runtime, switch, timing)


def read_request(environ: WSGIEnvironment) -> ArmRequest:
    """Return a call without its body."""
    headers = {
        key[5:].replace("_", "-").lower(): str(value) for key, value in environ.items() if key.startswith("HTTP_")
    }
    host = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    base_url = f"{environ['wsgi.url_scheme']}://{host}"
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    path = "/" + environ.get("PATH_INFO", "/").strip("/")
    return ArmRequest(environ["REQUEST_METHOD"], path, base_url, query, headers)


def _read_body(environ: WSGIEnvironment) -> dict[str, Any] | None:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    content = environ["wsgi.input"].read(length) if length else b""
    if not content.strip():
        return None
    try:
        body = json.loads(content)
    except ValueError as error:
        raise invalid_content(f"The request body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid_content("The request body is not a JSON object")
    return body


def _provider(path: str) -> tuple[str, str]:
    """Return (namespace, types) of a path: the types are its even segments after the namespace, and an action."""
    head, found, tail = path.partition("/providers/")
    if not found:
        kind = "resourceGroups" if "/resourcegroups" in head.lower() else head.strip("/").split("/")[-1]
        return "Microsoft.Resources", kind
    namespace, _slash, rest = tail.strip("/").partition("/")
    return namespace, "/".join(rest.split("/")[::2])


def _headers(request: ArmRequest, answer: ArmResponse) -> list[tuple[str, str]]:
    identifier = str(uuid.uuid4())
    headers = {
        "x-ms-request-id": identifier,
        "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", identifier),
        "Cache-Control": "no-cache",
    }
    client = request.headers.get("x-ms-client-request-id")
    if client and request.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers["x-ms-client-request-id"] = client
    kind = "reads" if request.method == "GET" else "deletes" if request.method == "DELETE" else "writes"
    headers[f"x-ms-ratelimit-remaining-subscription-{kind}"] = "11999"
    if answer.body is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    return [*headers.items(), *answer.headers.items()]
