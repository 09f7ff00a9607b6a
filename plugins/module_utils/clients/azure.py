# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one Azure client: azure-mgmt-core's pipeline (retries, throttling, long-running operations) over raw ARM bodies.

It never uses the base class of azure.azcollection, which imports some 45 SDK packages for every module.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..errors import ApiError, NotFound, PolycloudError, WaitTimeout
from .azure_auth import cli_subscription, make_credential
from .azure_errors import answer_error, is_busy, transport_error
from .azure_options import AzureSettings, azure_settings
from .azure_polling import FIRST_DELAY, GROWTH, LONGEST_DELAY, BoundedPolling, finish_operation
from .azure_versions import SUBSCRIPTIONS

AZURE_IMPORT_ERROR: str | None = None
try:
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.core.pipeline import policies
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpRequest
    from azure.mgmt.core import ARMPipelineClient
except ImportError:
    AZURE_IMPORT_ERROR = traceback.format_exc()

USER_AGENT = "polycloud.ollama/0.1.0"
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
CALL_TIMEOUT = 180.0
MOST_PAGES = 1000
BUSY_DELAY = 0.4
# All our writes may be repeated: a PUT replaces, a PATCH merges, an action (start, stop, listKeys) is the same twice.
RETRIED_METHODS = frozenset({"GET", "PUT", "PATCH", "POST", "DELETE", "HEAD"})
ENDED = ("Succeeded", "Failed", "Canceled", "Cancelled", "Unhealthy")


class Emit(Protocol):
    def __call__(self, source: str, text: str) -> None: ...


def _silent(source: str, text: str) -> None:
    """The emit of who does not listen."""


class Operation:
    """A write that ARM has accepted. body: its first answer (the resource as it was taken)."""

    def __init__(self, client: AzureClient, call: str, first: Any, deadline: float) -> None:
        self.body: dict[str, Any] = _json(first.http_response)
        self._client = client
        self._call = call
        self._first = first
        self._deadline = deadline

    def wait(self) -> dict[str, Any]:
        """Follow the operation to its end and return ARM's last answer. Raises what made it fail, or WaitTimeout."""
        return self._client.follow(self._call, self._first, self._deadline)


class AzureClient:
    """Calls on resources by their id. Safe for several threads at once.

    timeout: budget of one long operation in seconds, waits for a busy resource included. read_timeout: longest
    silence of one call. Raises ApiError, NotFound (404 on a write), Unreachable and WaitTimeout of ours only.
    """

    def __init__(
        self,
        settings: AzureSettings,
        emit: Emit = _silent,
        *,
        timeout: float = 1800.0,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self.settings = settings
        self.timeout = timeout
        self._emit = emit
        self._subscription = settings.subscription_id
        plain = settings.source == "none"
        transport = RequestsTransport(
            connection_timeout=CONNECT_TIMEOUT,
            read_timeout=min(read_timeout, timeout),
            connection_verify=settings.verify,
            # A proxy has no business between us and a loopback address.
            use_env_settings=not plain,
        )
        self._pipeline = ARMPipelineClient(settings.endpoint, policies=_policies(settings), transport=transport)

    @property
    def subscription_id(self) -> str:
        """The subscription: given, or the one that Azure CLI or the managed identity stands in."""
        if not self._subscription:
            self._subscription = (
                cli_subscription(os.environ) if self.settings.source == "cli" else self._first_subscription()
            )
        return self._subscription

    def group_id(self, resource_group: str) -> str:
        """The id of a resource group in the subscription."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{resource_group}"

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """Read a resource; None if it does not exist (or its resource group)."""
        try:
            return _json(self._send("GET", resource_id, api_version).http_response)
        except NotFound as error:
            if "SubscriptionNotFound" in error.message:
                raise
            return None

    def put(
        self, resource_id: str, api_version: str, body: Mapping[str, Any], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Create or replace a resource and wait until ARM says that it is done. Returns the resource."""
        return self._begin("PUT", resource_id, api_version, body, timeout).wait()

    def begin_put(
        self, resource_id: str, api_version: str, body: Mapping[str, Any], *, timeout: float | None = None
    ) -> Operation:
        """Create or replace a resource without waiting: the caller waits for the operation when it is time."""
        return self._begin("PUT", resource_id, api_version, body, timeout)

    def patch(
        self, resource_id: str, api_version: str, body: Mapping[str, Any], *, timeout: float | None = None
    ) -> dict[str, Any]:
        """Merge into a resource and wait. Returns the resource."""
        return self._begin("PATCH", resource_id, api_version, body, timeout).wait()

    def post(
        self,
        resource_id: str,
        action: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Call an action (C(start), C(listKeys)) and wait. Returns its answer, empty where it has none."""
        return self._begin("POST", f"{resource_id}/{action}", api_version, body, timeout).wait()

    def delete(self, resource_id: str, api_version: str, *, timeout: float | None = None) -> None:
        """Delete a resource and wait until it is gone. What is gone already is no error."""
        try:
            self._begin("DELETE", resource_id, api_version, None, timeout).wait()
        except NotFound:
            return

    def list(self, collection_id: str, api_version: str) -> list[dict[str, Any]]:
        """Read all pages of a collection."""
        items: list[dict[str, Any]] = []
        body = _json(self._send("GET", collection_id, api_version).http_response)
        for _page in range(MOST_PAGES):
            items += body.get("value") or []
            link = body.get("nextLink")
            if not link:
                return items
            body = _json(self._send("GET", link, "").http_response)
        raise ApiError(_call("GET", collection_id), 200, "TooManyPages", f"more than {MOST_PAGES} pages")

    def wait_provisioned(
        self,
        resource_id: str,
        api_version: str,
        *,
        timeout: float | None = None,
        state: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> dict[str, Any] | None:
        """Poll a resource until its provisioningState has ended, whoever began the operation.

        So an interrupted run is resumed. state: another reading of the body than C(properties.provisioningState).
        Returns the resource as it is then, None if it is gone.
        """
        call = _call("GET", resource_id)
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        delay, told = FIRST_DELAY, ""
        while True:
            body = self.get(resource_id, api_version)
            if body is None:
                return None
            seen = (state or provisioning_state)(body)
            if seen in ("", *ENDED):
                return body
            if seen != told:
                told = seen
                self._emit("Azure", f"{_short(resource_id)}: {seen}")
            _pause(call, deadline, delay, seen)
            delay = min(delay * GROWTH, LONGEST_DELAY)

    # ---- one call

    def _begin(
        self, method: str, resource_id: str, api_version: str, body: Mapping[str, Any] | None, timeout: float | None
    ) -> Operation:
        """Send a write, waiting out a busy resource; the operation that it began is followed by Operation.wait."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        first = self._send_patiently(method, resource_id, api_version, body, deadline)
        return Operation(self, _call(method, resource_id), first, deadline)

    def follow(self, call: str, first: Any, deadline: float) -> dict[str, Any]:
        """Follow the operation that an answer began to its end. Used by Operation."""
        polling = BoundedPolling(call, deadline, lambda text: self._emit("Azure", text))
        try:
            result: dict[str, Any] = finish_operation(
                self._pipeline, first, polling, lambda answer: _json(answer.http_response)
            )
        except HttpResponseError as error:
            raise answer_error(call, error.response) from None
        except AzureError as error:
            raise transport_error(call, self.settings.endpoint, error) from None
        return result

    def _send_patiently(
        self, method: str, resource_id: str, api_version: str, body: Mapping[str, Any] | None, deadline: float
    ) -> Any:
        delay = BUSY_DELAY
        while True:
            try:
                return self._send(method, resource_id, api_version, body)
            except ApiError as error:
                if not is_busy(error):
                    raise
                self._emit("Azure", f"{_short(resource_id)} is busy ({error.code}), trying again")
                _pause(_call(method, resource_id), deadline, delay, error.code)
                delay = min(delay * GROWTH, LONGEST_DELAY)

    def _send(self, method: str, path: str, api_version: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call through the pipeline; returns its pipeline response, raises ours."""
        call = _call(method, path)
        url = path if path.startswith(("http://", "https://")) else f"{self.settings.endpoint}{path}"
        params = {"api-version": api_version} if api_version else {}
        request = (
            HttpRequest(method, url, params=params, json=body)
            if body is not None
            else HttpRequest(method, url, params=params)
        )
        try:
            answer = self._pipeline.send_request(request, _return_pipeline_response=True)
        except PolycloudError:
            raise
        except AzureError as error:
            raise transport_error(call, self.settings.endpoint, error) from None
        if answer.http_response.status_code >= 400:
            raise answer_error(call, answer.http_response)
        return answer

    def _first_subscription(self) -> str:
        found = self.list("/subscriptions", SUBSCRIPTIONS)
        if not found:
            raise NotFound(
                "The managed identity may see no subscription.", hint="Set subscription_id, or give it a role."
            )
        return str(found[0]["subscriptionId"])


def _policies(settings: AzureSettings) -> list[Any]:
    """The pipeline: no policy that logs, follows a redirect or registers a provider by itself."""
    retry = policies.RetryPolicy(
        retry_total=6, retry_connect=3, retry_read=3, retry_status=5, retry_backoff_factor=0.4, retry_backoff_max=30
    )
    chain = [
        policies.RequestIdPolicy(),
        policies.HeadersPolicy({"Accept": "application/json"}),
        policies.UserAgentPolicy(USER_AGENT, user_agent_use_env=False),
        _RetryOptions(),
        retry,
    ]
    if settings.source != "none":
        scope = f"{settings.cloud.audience}/.default"
        chain.append(policies.BearerTokenCredentialPolicy(_LazyCredential(settings), scope))
    return chain


class _RetryOptions(policies.SansIOHTTPPolicy if AZURE_IMPORT_ERROR is None else object):  # type: ignore[misc]
    """Let the retry policy repeat every method of ours, inside one time budget."""

    def on_request(self, request: Any) -> None:
        request.context.options.setdefault("retry_on_methods", RETRIED_METHODS)
        request.context.options.setdefault("timeout", CALL_TIMEOUT)


class _LazyCredential:
    """A token credential that loads azure-identity when the first token is asked for."""

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._credential: Any = None

    def get_token(self, *scopes: str, **options: Any) -> Any:
        if self._credential is None:
            self._credential = make_credential(self._settings)
        return self._credential.get_token(*scopes, **options)


def azure_client(params: Mapping[str, Any], emit: Emit = _silent, *, timeout: float = 1800.0) -> AzureClient:
    """The client for a module's parameters. Raises PolycloudError where a Python package is missing; calls nobody."""
    if AZURE_IMPORT_ERROR is not None:
        from ansible.module_utils.basic import missing_required_lib

        raise PolycloudError(missing_required_lib("azure-mgmt-core"))
    return AzureClient(azure_settings(params, os.environ), emit, timeout=timeout)


def provisioning_state(body: Mapping[str, Any]) -> str:
    """C(properties.provisioningState), empty where the resource has none."""
    return str((body.get("properties") or {}).get("provisioningState") or "")


def _json(response: Any) -> dict[str, Any]:
    text = response.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError:
        raise ApiError("Azure", int(response.status_code), "InvalidAnswer", "the answer is not JSON") from None
    return body if isinstance(body, dict) else {"value": body}


def _pause(call: str, deadline: float, delay: float, seen: str) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise WaitTimeout(
            f"{call}: not finished in time, last seen {seen}.", hint="Run again to resume it, or raise the time-out."
        )
    time.sleep(min(delay, left))


def _short(resource_id: str) -> str:
    """The last type and name of an id: C(containerGroups/chat)."""
    return "/".join(resource_id.partition("?")[0].rstrip("/").split("/")[-2:])


def _call(method: str, resource_id: str) -> str:
    return f"{method} {_short(resource_id)}"
