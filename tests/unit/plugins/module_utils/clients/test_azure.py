# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure client against a server that answers what the test says."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.clients import azure
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import AzureClient, azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import (
    ApiError,
    NotFound,
    PolycloudError,
    Unreachable,
    WaitTimeout,
)
from tests.helpers.arm_server import CUT, ArmServer, arm_server
from tests.helpers.modules import module_environment

GROUP = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/chat"
DONE = {"id": GROUP, "name": "chat", "properties": {"provisioningState": "Succeeded"}}
VERSION = "2025-09-01"


@pytest.fixture
def arm() -> Iterator[ArmServer]:
    with arm_server() as server:
        yield server


class Heard(list[str]):
    def __call__(self, source: str, text: str) -> None:
        self.append(text)


def client_of(arm: ArmServer, heard: Heard | None = None, **options: Any) -> AzureClient:
    params = {"resource_manager_endpoint": arm.url, "subscription_id": "s"}
    return azure_client(params, Heard() if heard is None else heard, **options)


def test_a_resource_is_read_with_its_api_version_and_none_is_none(arm: ArmServer) -> None:
    arm.on(f"GET {GROUP}", 200, DONE)
    client = client_of(arm)

    assert client.get(GROUP, VERSION) == DONE
    assert client.get(f"{GROUP}2", VERSION) is None


def test_a_missing_subscription_is_an_error_and_not_none(arm: ArmServer) -> None:
    arm.on(f"GET {GROUP}", 404, {"error": {"code": "SubscriptionNotFound", "message": "no such subscription"}})

    with pytest.raises(NotFound, match="subscription_id"):
        client_of(arm).get(GROUP, VERSION)


def test_no_token_is_sent_to_a_loopback_address_without_tls(arm: ArmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", "c")
    monkeypatch.setenv("AZURE_SECRET", "canary")
    arm.on(f"GET {GROUP}", 200, DONE)

    client_of(arm).get(GROUP, VERSION)

    assert "authorization" not in arm.headers[0]
    assert arm.headers[0]["user-agent"].startswith("polycloud.ollama/")


class Wire:
    """Stands for the network: keeps the requests and answers each with an empty object."""

    connection_config = None
    requests: ClassVar[list[Any]] = []

    def __init__(self, **options: Any) -> None:
        self.options = options

    def send(self, request: Any, **_options: Any) -> Any:
        self.requests.append(request)
        return SimpleNamespace(status_code=200, headers={}, request=request, text=lambda: "{}", read=lambda: b"{}")

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing to wait for")


class Token:
    def get_token(self, *scopes: str, **_options: Any) -> Any:
        return SimpleNamespace(token=f"token for {scopes[0]}", expires_on=time.time() + 3600)


def test_a_token_for_the_clouds_own_audience_is_sent_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "RequestsTransport", Wire)
    monkeypatch.setattr(azure, "make_credential", lambda settings: Token())
    monkeypatch.setattr(Wire, "requests", [])
    principal = {"client_id": "c", "secret": "x", "tenant": "t", "subscription_id": "s"}

    azure_client({**principal, "cloud_environment": "AzureUSGovernment"}).get(GROUP, VERSION)

    (request,) = Wire.requests
    assert request.url == f"https://management.usgovcloudapi.net{GROUP}?api-version={VERSION}"
    assert request.headers["Authorization"] == "Bearer token for https://management.core.usgovcloudapi.net/.default"


def test_credentials_that_give_no_token_fail_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    def refuse(*_scopes: str, **_options: Any) -> Any:
        raise ClientAuthenticationError("AADSTS7000222: the provided client secret keys are expired")

    monkeypatch.setattr(azure, "RequestsTransport", Wire)
    monkeypatch.setattr(azure, "make_credential", lambda settings: SimpleNamespace(get_token=refuse))
    monkeypatch.setattr(Wire, "requests", [])

    with pytest.raises(ApiError, match=r"AADSTS7000222.*renew them"):
        azure_client({"client_id": "c", "secret": "x", "tenant": "t", "subscription_id": "s"}).get(GROUP, VERSION)
    assert Wire.requests == []


# ---- long operations


def test_a_put_waits_for_the_operation_that_it_began(arm: ArmServer) -> None:
    arm.on(f"PUT {GROUP}", 201, {"properties": {"provisioningState": "Pending"}}, Azure_AsyncOperation="{url}/op")
    for status in ("InProgress", "InProgress", "Succeeded"):
        arm.on("GET /op", 200, {"status": status})
    arm.on(f"GET {GROUP}", 200, DONE)
    heard = Heard()

    assert client_of(arm, heard).put(GROUP, VERSION, {"location": "westeurope"}) == DONE

    assert arm.asked.count("GET /op") == 3
    assert arm.bodies[0] == {"location": "westeurope"}
    assert heard == ["PUT containerGroups/chat: InProgress", "PUT containerGroups/chat: Succeeded"]


def test_an_operation_can_be_waited_for_later(arm: ArmServer) -> None:
    arm.on(f"PUT {GROUP}", 200, {"properties": {"provisioningState": "Pending"}}, Azure_AsyncOperation="{url}/op")
    arm.on("GET /op", 200, {"status": "Succeeded"})
    arm.on(f"GET {GROUP}", 200, DONE)

    operation = client_of(arm).begin_put(GROUP, VERSION, {})

    assert arm.asked == [f"PUT {GROUP}"]
    assert operation.body["properties"]["provisioningState"] == "Pending"
    assert operation.wait() == DONE


def test_a_delete_follows_its_location_and_what_is_gone_is_no_error(arm: ArmServer) -> None:
    arm.on(f"DELETE {GROUP}", 202, None, Location="{url}/result")
    arm.on("GET /result", 202, None, Location="{url}/result")
    arm.on("GET /result", 204)
    client = client_of(arm)

    client.delete(GROUP, VERSION)
    client.delete(f"{GROUP}2", VERSION)

    assert arm.asked.count("GET /result") == 2


def test_an_operation_that_fails_says_why(arm: ArmServer) -> None:
    failure = {"status": "Failed", "error": {"code": "InaccessibleImage", "message": "cannot pull"}}
    arm.on(f"PUT {GROUP}", 201, {}, Azure_AsyncOperation="{url}/op")
    arm.on("GET /op", 200, failure)

    with pytest.raises(ApiError, match="InaccessibleImage: cannot pull Check the image reference") as caught:
        client_of(arm).put(GROUP, VERSION, {})
    assert caught.value.code == "InaccessibleImage"


def test_an_operation_is_waited_for_within_its_time_and_no_longer(arm: ArmServer) -> None:
    arm.on(f"PUT {GROUP}", 201, {}, Azure_AsyncOperation="{url}/op")
    arm.on("GET /op", 200, {"status": "InProgress"})
    began = time.monotonic()

    with pytest.raises(WaitTimeout, match="last seen InProgress"):
        client_of(arm).put(GROUP, VERSION, {}, timeout=0.5)
    assert 0.4 < time.monotonic() - began < 5


def test_the_service_says_how_long_to_wait_between_two_looks(arm: ArmServer) -> None:
    arm.on(f"PUT {GROUP}", 201, {}, Azure_AsyncOperation="{url}/op")
    arm.on("GET /op", 200, {"status": "InProgress"}, Retry_After="1")
    arm.on("GET /op", 200, {"status": "Succeeded"})
    arm.on(f"GET {GROUP}", 200, DONE)
    began = time.monotonic()

    client_of(arm).put(GROUP, VERSION, {})

    assert time.monotonic() - began >= 1


def test_an_interrupted_operation_is_resumed_by_its_provisioning_state(arm: ArmServer) -> None:
    for state in ("Creating", "Creating", "Succeeded"):
        arm.on(f"GET {GROUP}", 200, {"properties": {"provisioningState": state}})
    heard = Heard()

    body = client_of(arm, heard).wait_provisioned(GROUP, VERSION)

    assert body == {"properties": {"provisioningState": "Succeeded"}}
    assert heard == ["containerGroups/chat: Creating"]
    assert client_of(arm).wait_provisioned(f"{GROUP}2", VERSION) is None


# ---- what passes by itself


def test_a_resource_that_is_still_transitioning_is_tried_again(arm: ArmServer) -> None:
    busy = {"error": {"code": "ContainerGroupTransitioning", "message": "still transitioning, please retry later."}}
    arm.on(f"PUT {GROUP}", 409, busy)
    arm.on(f"PUT {GROUP}", 200, DONE)
    heard = Heard()

    assert client_of(arm, heard).put(GROUP, VERSION, {}) == DONE
    assert heard[0] == "containerGroups/chat is busy (ContainerGroupTransitioning), trying again"


def test_a_busy_resource_is_waited_for_within_the_time_and_no_longer(arm: ArmServer) -> None:
    arm.on(f"POST {GROUP}/start", 409, {"error": {"code": "OperationInProgress", "message": "busy"}})

    with pytest.raises(WaitTimeout, match="OperationInProgress"):
        client_of(arm).post(GROUP, "start", VERSION, timeout=0.1)


@pytest.mark.parametrize("method", ["get", "put", "patch", "post", "delete"])
def test_throttling_and_errors_of_the_server_are_tried_again(arm: ArmServer, method: str) -> None:
    path = f"{GROUP}/stop" if method == "post" else GROUP
    arm.on(f"{method.upper()} {path}", 429, {"error": {"code": "TooManyRequests", "message": "slow"}}, Retry_After="0")
    arm.on(f"{method.upper()} {path}", 500, {"error": {"code": "InternalServerError", "message": "oops"}})
    arm.on(f"{method.upper()} {path}", 200, DONE)
    client = client_of(arm)

    if method == "get":
        client.get(GROUP, VERSION)
    elif method == "post":
        client.post(GROUP, "stop", VERSION)
    elif method == "delete":
        client.delete(GROUP, VERSION)
    else:
        getattr(client, method)(GROUP, VERSION, {})

    assert arm.asked == [f"{method.upper()} {path}"] * 3


def test_a_wait_that_the_service_asks_for_is_kept(arm: ArmServer) -> None:
    arm.on(f"GET {GROUP}", 429, {"error": {"code": "TooManyRequests", "message": "slow"}}, Retry_After="1")
    arm.on(f"GET {GROUP}", 200, DONE)
    began = time.monotonic()

    client_of(arm).get(GROUP, VERSION)

    assert time.monotonic() - began >= 1


def test_a_connection_that_is_cut_once_is_made_again(arm: ArmServer) -> None:
    arm.on(f"PUT {GROUP}", 200, CUT)
    arm.on(f"PUT {GROUP}", 200, DONE)

    assert client_of(arm).put(GROUP, VERSION, {}) == DONE


def test_a_cloud_that_is_down_is_unreachable(arm: ArmServer) -> None:
    arm.on(f"GET {GROUP}", 200, CUT)

    with pytest.raises(Unreachable, match=r"GET containerGroups/chat got no answer from http://127\.0\.0\.1"):
        client_of(arm).get(GROUP, VERSION)


# ---- errors that stay


@pytest.mark.parametrize(
    ("status", "code", "message", "hint"),
    [
        (409, "QuotaExceeded", "StandardCores", "Ask for more quota in this region"),
        (409, "ContainerGroupQuotaReached", "quota exceeded", "Ask for more quota in this region"),
        (401, "ExpiredAuthenticationToken", "The token expired", "The credentials are expired"),
        (
            403,
            "AuthorizationFailed",
            "does not have authorization to perform action 'Microsoft.ContainerInstance/containerGroups/write' over",
            "a role with the permission Microsoft.ContainerInstance/containerGroups/write on the resource group",
        ),
        (404, "ResourceGroupNotFound", "Resource group 'rg' could not be found.", "Create the resource group first"),
        (400, "InvalidRequestContent", "Could not find member 'x'", ""),
    ],
)
def test_an_error_names_code_message_and_what_to_do(
    arm: ArmServer, status: int, code: str, message: str, hint: str
) -> None:
    arm.on(f"PUT {GROUP}", status, {"error": {"code": code, "message": message}})

    with pytest.raises((ApiError, NotFound)) as caught:
        client_of(arm).put(GROUP, VERSION, {})

    assert str(caught.value).startswith(f"PUT containerGroups/chat failed: {code}: {message}")
    assert hint in caught.value.hint
    assert arm.asked == [f"PUT {GROUP}"]


def test_an_answer_that_is_no_json_is_an_error_with_its_status(arm: ArmServer) -> None:
    arm.on(f"PUT {GROUP}", 400, "a page of a proxy")

    with pytest.raises(ApiError, match="400"):
        client_of(arm).put(GROUP, VERSION, {})


# ---- lists


def test_a_list_reads_all_pages(arm: ArmServer) -> None:
    arm.on("GET /items", 200, {"value": [{"n": 1}], "nextLink": f"{arm.url}/page2?$skipToken=x"})
    arm.on("GET /page2", 200, {"value": [{"n": 2}]})

    assert client_of(arm).list("/items", VERSION) == [{"n": 1}, {"n": 2}]


# ---- the price of an import


def test_the_client_is_imported_without_loading_azure_identity() -> None:
    code = (
        "import sys\n"
        "from ansible_collections.polycloud.ollama.plugins.module_utils.clients import azure\n"
        "sys.exit('azure.identity' in sys.modules or 'msal' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=module_environment(), check=False)

    assert done.returncode == 0


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "AZURE_IMPORT_ERROR", "ModuleNotFoundError: azure")

    with pytest.raises(PolycloudError, match="azure-mgmt-core"):
        azure_client({"subscription_id": "s"})
