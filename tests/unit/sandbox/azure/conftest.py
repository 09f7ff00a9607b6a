# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One emulated Azure for all tests of this folder, empty and seeded for each of them.

Microsoft's SDK clients are the independent client; ``call`` is for what they hide.
"""

from __future__ import annotations

import copy
import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.storage import StorageManagementClient

from tests.sandbox.azure.cloud import AzureCloud, create_app
from tests.sandbox.azure.world import Timing
from tests.sandbox.faults import FaultSwitch
from tests.sandbox.http import Gate, RequestLog, Server
from tests.sandbox.runtime import ProcessRuntime

REGION = "westus3"
VERSIONS = {
    "Microsoft.ContainerInstance": "2025-09-01",
    "Microsoft.App": "2026-07-01",
    "Microsoft.Storage": "2025-06-01",
    "Microsoft.Network": "2025-01-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.OperationalInsights": "2025-07-01",
}
RESOURCES_VERSION = "2024-03-01"
TIMING = Timing(tick=0.02, operation=0.05, probe_floor=0.05)


class NoCredential:
    """Credentials that are never asked: on plain http no token may be sent."""

    def get_token(self, *scopes: str, **settings: Any) -> AccessToken:
        raise AssertionError("a token was asked for")


@dataclass(frozen=True)
class Answer:
    """A raw answer."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


class Azure:
    """The emulated Azure and short ways to use it."""

    def __init__(self, cloud: AzureCloud, runtime: ProcessRuntime, switch: FaultSwitch) -> None:
        self.cloud, self.runtime, self.switch = cloud, runtime, switch
        self.log = RequestLog()
        self._server = Server(Gate(cloud, switch, self.log)).start()
        self.seeds: dict[str, Any] = {}
        self._clients: dict[Any, Any] = {}

    def renew(self) -> None:
        self.switch.reset()
        self.cloud.reset()
        self.cloud.world.timing = TIMING
        self.log.clear()
        self.seeds = self.cloud.seed()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._server.close()
        self.cloud.close()

    def timing(self, **changes: float) -> None:
        """Make this test's Azure faster or slower."""
        self.cloud.world.timing = replace(TIMING, **changes)

    # Microsoft's clients

    def _client(self, kind: Any, version: str) -> Any:
        if kind not in self._clients:
            self._clients[kind] = kind(
                NoCredential(),
                self.subscription,
                base_url=self._server.url,
                api_version=version,
                authentication_policy=SansIOHTTPPolicy(),
                polling_interval=0.02,
                retry_total=0,
            )
        return self._clients[kind]

    @property
    def aci(self) -> Any:
        return self._client(ContainerInstanceManagementClient, VERSIONS["Microsoft.ContainerInstance"])

    @property
    def apps(self) -> Any:
        return self._client(ContainerAppsAPIClient, VERSIONS["Microsoft.App"])

    @property
    def storage(self) -> Any:
        return self._client(StorageManagementClient, VERSIONS["Microsoft.Storage"])

    # Raw calls

    @property
    def subscription(self) -> str:
        return "22222222-2222-4222-8222-222222222222"

    def group(self, region: str = REGION) -> str:
        return f"rg-ollama-{region}"

    def path(self, kind: str, *names: str, region: str = REGION) -> str:
        """Return the path of a resource: ``path("Microsoft.App/containerApps", "web", "stop")``."""
        head = f"/subscriptions/{self.subscription}/resourceGroups/{self.group(region)}/providers/{kind}"
        return "/".join([head, *names])

    def call(self, method: str, path: str, body: Any = None, version: str | None = None, **headers: str) -> Answer:
        """Send one request, with the provider's usual api-version where the path has none."""
        path = path.removeprefix(self._server.url)
        if "api-version=" not in path and version != "":
            namespace = path.partition("/providers/")[2].partition("/")[0]
            version = version or VERSIONS.get(namespace, RESOURCES_VERSION)
            path += ("&" if "?" in path else "?") + f"api-version={version}"
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=20)
        try:
            content = body if isinstance(body, (str, type(None))) else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return Answer(answer.status, dict(answer.headers), json.loads(text) if is_json else text.decode() or None)
        finally:
            connection.close()

    def follow(self, answer: Answer, seconds: float = 15.0) -> Answer:
        """Poll an operation to its end; returns the last answer of its address."""
        assert answer.status < 300, answer.body
        address = answer.headers.get("Azure-AsyncOperation") or answer.headers["Location"]
        deadline = time.monotonic() + seconds
        while True:
            found = self.call("GET", address)
            running = found.status == 202 or (found.body or {}).get("status") == "InProgress"
            if not running:
                return found
            assert time.monotonic() < deadline, "the operation did not end"
            time.sleep(0.02)

    def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait until a condition holds, and return what it gave."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not so within {seconds} s"
            time.sleep(0.02)
        return found

    def ollama(self, address: str, path: str, port: int = 11434, body: Any = None) -> tuple[int, Any]:
        """Ask a container or an ingress."""
        connection = http.client.HTTPConnection(address, port, timeout=20)
        try:
            connection.request("POST" if body else "GET", path, json.dumps(body) if body else None)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) and "\n{" not in text else text
        finally:
            connection.close()

    # What most tests need

    def environment(self, region: str = REGION, name: str = "env", **properties: Any) -> str:
        """Create an environment and return its id."""
        path = self.path("Microsoft.App/managedEnvironments", name, region=region)
        profiles = [{"name": "gpu", "workloadProfileType": "Consumption-GPU-NC8as-T4"}]
        body = {"location": region, "properties": {"workloadProfiles": profiles, **properties}}
        self.follow(self.call("PUT", path, body))
        return path

    def account(self, name: str = "polycloudmodels", **changes: Any) -> str:
        """Create a storage account with share ``models`` and return its first key."""
        body = {"location": REGION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", **changes}
        path = self.path("Microsoft.Storage/storageAccounts", name)
        self.follow(self.call("PUT", path, body))
        premium = body["kind"] == "FileStorage"
        share = {"properties": {"shareQuota": 100, **({"enabledProtocols": "NFS"} if premium else {})}}
        assert self.call("PUT", f"{path}/fileServices/default/shares/models", share).status == 201
        return str(self.call("POST", f"{path}/listKeys").body["keys"][0]["value"])


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    runtime, switch = ProcessRuntime(tmp_path_factory.mktemp("azure")), FaultSwitch()
    azure = Azure(create_app(runtime, switch, TIMING), runtime, switch)
    yield azure
    azure.close()
    runtime.close()


@pytest.fixture
def azure(started: Azure) -> Iterator[Azure]:
    """The emulated Azure, fresh; an error of the emulator itself fails the test."""
    started.renew()
    yield started
    broken = started.log.emulator_errors()
    assert not broken, broken[0].response_body
    assert started.cloud.world.failure is None


@pytest.fixture
def group_body() -> dict[str, Any]:
    """A container group with Ollama, as a plain ARM body."""
    container = {
        "image": "example.test/ollama:1.0",
        "ports": [{"port": 11434}],
        "environmentVariables": [
            {"name": "POLYCLOUD_MODELS", "value": "llama3.2:1b"},
            {"name": "TOKEN", "secureValue": "hidden"},
        ],
        "resources": {"requests": {"cpu": 2, "memoryInGB": 4}},
    }
    properties = {
        "osType": "Linux",
        "containers": [{"name": "ollama", "properties": container}],
        "ipAddress": {"type": "Public", "ports": [{"port": 11434}]},
    }
    return {"location": REGION, "tags": {"team": "ml"}, "properties": properties}


@pytest.fixture
def app_body(azure: Azure) -> Callable[..., dict[str, Any]]:
    """Make the body of a container app in a fresh environment."""
    environment = azure.environment()
    wanted: dict[str, Any] = {
        "location": REGION,
        "properties": {
            "environmentId": environment,
            "workloadProfileName": "gpu",
            "configuration": {"ingress": {"external": False, "targetPort": 11434}},
            "template": {
                "containers": [
                    {
                        "name": "ollama",
                        "image": "example.test/ollama:1.0",
                        "env": [{"name": "POLYCLOUD_MODELS", "value": "llama3.2:1b"}],
                        "resources": {"cpu": 4, "memory": "28Gi"},
                    }
                ],
                "scale": {"minReplicas": 1, "maxReplicas": 2},
            },
        },
    }

    def make(tag: str = "1.0", **changes: Any) -> dict[str, Any]:
        """``template``, ``configuration`` and ``ingress`` are merged into the body's sections."""
        body = copy.deepcopy(wanted)
        properties = body["properties"]
        properties["template"]["containers"][0]["image"] = f"example.test/ollama:{tag}"
        properties["template"].update(changes.pop("template", {}))
        properties["configuration"]["ingress"].update(changes.pop("ingress", {}))
        properties["configuration"].update(changes.pop("configuration", {}))
        properties.update(changes)
        return body

    return make
