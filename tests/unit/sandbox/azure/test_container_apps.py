# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container apps as Microsoft's own client sees them: bodies, secrets, rules, stop and start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

APPS = "Microsoft.App/containerApps"
TARGET = ("rg-ollama-westus3", "chat")


@pytest.fixture
def path(azure: Any) -> str:
    return str(azure.path(APPS, "chat"))


def deploy(azure: Any, body: Any) -> Any:
    return azure.apps.container_apps.begin_create_or_update(*TARGET, body).result()


def test_an_app_runs_and_answers_through_its_ingress(azure: Any, app_body: Callable[..., Any]) -> None:
    app = deploy(azure, app_body())
    assert (app.properties.provisioning_state, app.properties.running_status) == ("Succeeded", "Running")
    assert app.properties.latest_revision_name == app.properties.latest_ready_revision_name
    assert app.properties.latest_revision_name.startswith("chat--")
    address = app.properties.configuration.ingress.fqdn
    assert address.startswith("127.66.")
    assert azure.ollama(address, "/api/tags", 8080)[1]["models"][0]["name"] == "llama3.2:1b"


def test_what_is_not_set_comes_back_with_azure_s_defaults(azure: Any, app_body: Callable[..., Any], path: str) -> None:
    body = app_body()
    del body["properties"]["template"]["scale"]
    shown = azure.call("PUT", path, body).body
    assert (shown["location"], shown["identity"]) == ("West US 3", {"type": "None"})
    properties = shown["properties"]
    assert properties["configuration"]["activeRevisionsMode"] == "Single"
    assert properties["configuration"]["ingress"]["traffic"] == [{"weight": 100, "latestRevision": True}]
    assert properties["configuration"]["ingress"]["transport"] == "Auto"
    assert properties["managedEnvironmentId"] == properties["environmentId"]
    container = properties["template"]["containers"][0]
    assert (container["imageType"], container["probes"]) == ("ContainerImage", [])
    assert container["resources"]["ephemeralStorage"] == "8Gi"
    scale = {"minReplicas": None, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30, "rules": None}
    assert properties["template"]["scale"] == scale


def test_a_body_that_azure_showed_may_be_sent_back_but_for_what_only_azure_knows(
    azure: Any, app_body: Callable[..., Any], path: str
) -> None:
    azure.follow(azure.call("PUT", path, app_body()))
    shown = azure.call("GET", path).body
    refused = azure.call("PUT", path, shown)
    assert "imageType" in refused.message
    del shown["properties"]["template"]["containers"][0]["imageType"]
    assert azure.follow(azure.call("PUT", path, shown)).body["status"] == "Succeeded"
    assert len(azure.call("GET", path + "/revisions").body["value"]) == 1


def test_secret_values_come_from_list_secrets_only_and_reach_the_container(
    azure: Any, app_body: Callable[..., Any], path: str
) -> None:
    body = app_body(configuration={"secrets": [{"name": "token", "value": "hidden"}]})
    body["properties"]["template"]["containers"][0]["env"].append({"name": "TOKEN", "secretRef": "token"})
    created = azure.call("PUT", path, body)
    azure.follow(created)
    assert "hidden" not in str(created.body) + str(azure.call("GET", path).body)
    assert azure.apps.container_apps.list_secrets(*TARGET).value[0].value == "hidden"
    assert azure.runtime.workloads()[0].spec.environment["TOKEN"] == "hidden"


def test_a_changed_secret_reaches_a_revision_when_it_restarts(
    azure: Any, app_body: Callable[..., Any], path: str
) -> None:
    def body(value: str) -> Any:
        wanted = app_body(configuration={"secrets": [{"name": "token", "value": value}]})
        wanted["properties"]["template"]["containers"][0]["env"].append({"name": "TOKEN", "secretRef": "token"})
        return wanted

    make = [body("one"), body("two")]
    app = deploy(azure, make[0])
    deploy(azure, make[1])
    assert azure.runtime.workloads()[0].spec.environment["TOKEN"] == "one"
    azure.call("POST", f"{path}/revisions/{app.properties.latest_revision_name}/restart")
    azure.until(lambda: [w.spec.environment["TOKEN"] for w in azure.runtime.workloads()] == ["two"])


def test_a_secret_without_value_is_refused_even_if_it_exists(
    azure: Any, app_body: Callable[..., Any], path: str
) -> None:
    body = app_body(configuration={"secrets": [{"name": "token", "value": "hidden"}]})
    azure.follow(azure.call("PUT", path, body))
    refused = azure.call("PATCH", path, {"properties": {"configuration": {"secrets": [{"name": "token"}]}}})
    assert (refused.status, refused.code) == (400, "ContainerAppSecretInvalid")


def test_patch_merges_objects_and_replaces_arrays(azure: Any, app_body: Callable[..., Any], path: str) -> None:
    deploy(azure, app_body())
    change = {"tags": {"a": "b"}, "properties": {"template": {"scale": {"maxReplicas": 5}}}}
    patched = azure.call("PATCH", path, change)
    assert patched.status == 202
    found = azure.follow(patched).body
    scale = found["properties"]["template"]["scale"]
    assert (found["tags"], scale["minReplicas"], scale["maxReplicas"]) == ({"a": "b"}, 1, 5)


def test_put_replaces_what_is_not_named(azure: Any, app_body: Callable[..., Any]) -> None:
    deploy(azure, {**app_body(), "tags": {"a": "b"}})
    body = app_body(configuration={"ingress": None})
    app = deploy(azure, body)
    assert app.tags == {}
    assert app.properties.configuration.ingress is None


def test_a_busy_app_refuses_changes_but_not_its_deletion(azure: Any, app_body: Callable[..., Any], path: str) -> None:
    body = app_body()
    azure.call("PUT", path, body)
    refused = azure.call("PUT", path, body)
    assert (refused.status, refused.code) == (409, "ContainerAppOperationInProgress")
    assert azure.call("POST", path + "/stop").status == 409
    assert azure.follow(azure.call("DELETE", path)).status == 204


def test_a_stopped_app_has_no_replica_and_starts_again(azure: Any, app_body: Callable[..., Any], path: str) -> None:
    app = deploy(azure, app_body())
    stopped = azure.apps.container_apps.begin_stop(*TARGET).result()
    assert stopped.properties.running_status == "Stopped"
    azure.until(lambda: azure.runtime.workloads() == [])
    status, text = azure.ollama(app.properties.configuration.ingress.fqdn, "/", 8080)
    assert (status, "stopped or does not exist" in text) == (404, True)
    assert azure.call("GET", path + "/revisions").body["value"][0]["properties"]["runningState"] == "Stopped"
    started = azure.apps.container_apps.begin_start(*TARGET).result()
    assert started.properties.running_status == "Running"
    assert len(azure.runtime.workloads()) == 1


def test_delete_ends_replicas_and_ingress(azure: Any, app_body: Callable[..., Any]) -> None:
    app = deploy(azure, app_body())
    azure.apps.container_apps.begin_delete(*TARGET).result()
    azure.until(lambda: azure.runtime.workloads() == [])
    with pytest.raises(ConnectionError):
        azure.ollama(app.properties.configuration.ingress.fqdn, "/", 8080)
    assert azure.call("DELETE", azure.path(APPS, "chat")).status == 204


def test_lists_are_by_group_and_subscription(azure: Any, app_body: Callable[..., Any]) -> None:
    deploy(azure, app_body())
    assert [app.name for app in azure.apps.container_apps.list_by_resource_group(TARGET[0])] == ["chat"]
    assert [app.name for app in azure.apps.container_apps.list_by_subscription()] == ["chat"]


def template(body: Any) -> Any:
    return body["properties"]["template"]


def container(body: Any) -> Any:
    return template(body)["containers"][0]


INVALID = "InvalidParameterValueInContainerTemplate"
REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no environment": (lambda b: b["properties"].pop("environmentId"), "ManagedEnvironmentIdRequired"),
    "another region": (lambda b: b.update(location="eastus"), "ContainerAppLocationMismatch"),
    "an unknown profile": (
        lambda b: b["properties"].update(workloadProfileName="none"),
        "InvalidWorkloadProfileName",
    ),
    "no container": (lambda b: template(b).update(containers=[]), "ContainerAppContainersRequired"),
    "no image": (lambda b: container(b).pop("image"), INVALID),
    "capitals in a name": (lambda b: container(b).update(name="Ollama"), INVALID),
    "too much for the profile": (
        lambda b: container(b).update(resources={"cpu": 16, "memory": "28Gi"}),
        "ContainerAppInvalidResourceTotal",
    ),
    "memory without unit": (lambda b: container(b).update(resources={"cpu": 1, "memory": "2"}), INVALID),
    "odd sizes on Consumption": (
        lambda b: (
            b["properties"].update(workloadProfileName="Consumption"),
            container(b).update(resources={"cpu": 1, "memory": "4Gi"}),
        ),
        "ContainerAppInvalidResourceTotal",
    ),
    "gpu in the resources": (
        lambda b: container(b).update(resources={"cpu": 1, "memory": "2Gi", "gpu": 1}),
        "InvalidRequestContent",
    ),
    "an unknown secret": (
        lambda b: container(b)["env"].append({"name": "T", "secretRef": "none"}),
        "ContainerAppSecretRefNotFound",
    ),
    "a probe of two kinds": (
        lambda b: container(b).update(probes=[{"type": "Liveness", "httpGet": {"port": 1}, "tcpSocket": {"port": 1}}]),
        INVALID,
    ),
    "a delay above 60 s": (
        lambda b: container(b).update(probes=[{"type": "Liveness", "httpGet": {"port": 1}, "initialDelaySeconds": 61}]),
        INVALID,
    ),
    "11 failures": (
        lambda b: container(b).update(probes=[{"type": "Startup", "httpGet": {"port": 1}, "failureThreshold": 11}]),
        INVALID,
    ),
    "a mount of no volume": (
        lambda b: container(b).update(volumeMounts=[{"volumeName": "v", "mountPath": "/v"}]),
        INVALID,
    ),
    "min above max": (lambda b: template(b).update(scale={"minReplicas": 3, "maxReplicas": 2}), INVALID),
    "max of 0": (lambda b: template(b).update(scale={"minReplicas": 0, "maxReplicas": 0}), INVALID),
    "a cron rule without end": (
        lambda b: template(b)["scale"].update(
            rules=[{"name": "night", "custom": {"type": "cron", "metadata": {"timezone": "UTC"}}}]
        ),
        INVALID,
    ),
    "a malformed suffix": (lambda b: template(b).update(revisionSuffix="V1"), INVALID),
    "no target port": (lambda b: b["properties"]["configuration"]["ingress"].pop("targetPort"), INVALID),
    "traffic of 90": (
        lambda b: b["properties"]["configuration"]["ingress"].update(traffic=[{"latestRevision": True, "weight": 90}]),
        INVALID,
    ),
    "traffic to an unknown revision": (
        lambda b: b["properties"]["configuration"]["ingress"].update(
            traffic=[{"revisionName": "chat--none", "weight": 100}]
        ),
        INVALID,
    ),
    "allow and deny at once": (
        lambda b: b["properties"]["configuration"]["ingress"].update(
            ipSecurityRestrictions=[
                {"name": "a", "action": "Allow", "ipAddressRange": "10.0.0.0/8"},
                {"name": "b", "action": "Deny", "ipAddressRange": "10.0.0.0/8"},
            ]
        ),
        INVALID,
    ),
    "a malformed range": (
        lambda b: b["properties"]["configuration"]["ingress"].update(
            ipSecurityRestrictions=[{"name": "a", "action": "Allow", "ipAddressRange": "10.0.0.1/8"}]
        ),
        INVALID,
    ),
    "a registry with a foreign identity": (
        lambda b: b["properties"]["configuration"].update(registries=[{"server": "example.test", "identity": "/x"}]),
        "ContainerAppRegistryIdentityNotFound",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_app_is_refused_for(azure: Any, app_body: Callable[..., Any], path: str, case: str) -> None:
    change, code = REFUSED[case]
    body = app_body()
    change(body)
    refused = azure.call("PUT", path, body)
    assert (refused.status, refused.code) == (400, code)
    assert azure.call("GET", path).status == 404


@pytest.mark.parametrize("name", ["Chat", "1chat", "a--b", "a" * 33])
def test_a_name_is_refused(azure: Any, app_body: Callable[..., Any], name: str) -> None:
    assert azure.call("PUT", azure.path(APPS, name), app_body()).code == "ContainerAppInvalidName"


def test_an_environment_without_profiles_has_no_gpu(azure: Any, app_body: Callable[..., Any], path: str) -> None:
    plain = azure.path("Microsoft.App/managedEnvironments", "plain")
    azure.follow(azure.call("PUT", plain, {"location": "westus3"}))
    body = app_body(environmentId=plain)
    assert azure.call("PUT", path, body).code == "WorkloadProfilesNotSupported"


def test_a_cron_rule_and_an_http_rule_are_kept(azure: Any, app_body: Callable[..., Any]) -> None:
    cron = {"timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "desiredReplicas": "1"}
    rules = [
        {"name": "hours", "custom": {"type": "cron", "metadata": cron}},
        {"name": "http", "http": {"metadata": {"concurrentRequests": "4"}}},
    ]
    app = deploy(azure, app_body(template={"scale": {"minReplicas": 1, "maxReplicas": 2, "rules": rules}}))
    assert app.properties.template.scale.rules[0].custom.metadata == cron
