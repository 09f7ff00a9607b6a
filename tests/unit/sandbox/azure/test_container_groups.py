# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container groups as Microsoft's own client sees them: what runs, what is shown, what stops and starts."""

from __future__ import annotations

import copy
from typing import Any

import pytest

GROUPS = "Microsoft.ContainerInstance/containerGroups"
TARGET = ("rg-ollama-westus3", "chat")


def deploy(azure: Any, body: Any) -> Any:
    """Create or update the group ``chat`` and return it as the client gives it."""
    return azure.aci.container_groups.begin_create_or_update(*TARGET, body).result()


def container(azure: Any) -> Any:
    return azure.aci.container_groups.get(*TARGET).properties.containers[0].properties.instance_view


def test_a_group_runs_and_answers_at_its_address(azure: Any, group_body: Any) -> None:
    group = deploy(azure, group_body)
    assert group.properties.provisioning_state == "Succeeded"
    assert group.properties.instance_view.state == "Running"
    ip = group.properties.ip_address.ip
    assert ip.startswith("127.65.")
    status, models = azure.until(lambda: answers(azure, ip))
    assert (status, models["models"][0]["name"]) == (200, "llama3.2:1b")


def answers(azure: Any, ip: str) -> Any:
    try:
        return azure.ollama(ip, "/api/tags")
    except ConnectionError:
        return None


def test_the_address_is_not_shown_before_the_group_runs(azure: Any, group_body: Any) -> None:
    created = azure.call("PUT", azure.path(GROUPS, "chat"), group_body)
    assert created.body["properties"]["provisioningState"] == "Pending"
    assert "ip" not in created.body["properties"]["ipAddress"]


def test_defaults_are_filled_in_and_spelled_azure_s_way(azure: Any, group_body: Any) -> None:
    group_body["properties"]["osType"] = "linux"
    group_body["properties"]["ipAddress"]["type"] = "public"
    properties = azure.call("PUT", azure.path(GROUPS, "chat"), group_body).body["properties"]
    assert (properties["osType"], properties["restartPolicy"], properties["sku"]) == ("Linux", "Always", "Standard")
    assert properties["ipAddress"]["type"] == "Public"
    assert properties["ipAddress"]["ports"] == [{"port": 11434, "protocol": "TCP"}]


def test_secrets_are_never_given_back_but_reach_the_container(azure: Any, group_body: Any) -> None:
    properties = group_body["properties"]
    properties["diagnostics"] = {"logAnalytics": {"workspaceId": "w", "workspaceKey": "hidden"}}
    properties["imageRegistryCredentials"] = [{"server": "example.test", "username": "u", "password": "hidden"}]
    properties["volumes"] = [{"name": "v", "secret": {"token": "aGlkZGVu"}}]
    properties["containers"][0]["properties"]["volumeMounts"] = [{"name": "v", "mountPath": "/run/token"}]
    path = azure.path(GROUPS, "chat")
    created = azure.call("PUT", path, group_body)
    azure.follow(created)
    for answer in (created, azure.call("GET", path), azure.call("GET", azure.path(GROUPS))):
        assert "hidden" not in str(answer.body)
        assert "aGlkZGVu" not in str(answer.body)
    assert azure.call("GET", path).body["properties"]["volumes"] == [{"name": "v", "secret": {}}]
    spec = azure.runtime.workloads()[0].spec
    assert spec.environment["TOKEN"] == "hidden"
    assert spec.files == {"/run/token/token": "hidden"}


def test_lists_have_no_instance_view(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    by_group = list(azure.aci.container_groups.list_by_resource_group(TARGET[0]))
    everywhere = list(azure.aci.container_groups.list())
    assert [group.name for group in by_group] == [group.name for group in everywhere] == ["chat"]
    assert by_group[0].properties.instance_view is None
    assert list(azure.aci.container_groups.list_by_resource_group("rg-ollama-swedencentral")) == []


def test_patch_replaces_the_tags_and_nothing_else(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    changed = azure.aci.container_groups.update(*TARGET, {"tags": {"release": "7"}})
    assert changed.tags == {"release": "7"}
    assert len(azure.runtime.workloads()) == 1
    path = azure.path(GROUPS, "chat")
    assert azure.call("PATCH", path, {"properties": {"osType": "Linux"}}).code == "InvalidRequestContent"


def test_the_same_body_again_restarts_all_containers_at_the_same_address(azure: Any, group_body: Any) -> None:
    first = deploy(azure, group_body)
    pid = azure.runtime.workloads()[0].pid
    second = deploy(azure, group_body)
    assert [workload.pid for workload in azure.runtime.workloads()] != [pid]
    assert second.properties.ip_address.ip == first.properties.ip_address.ip


def test_put_replaces_what_is_not_named_goes_back_to_its_default(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    del group_body["tags"]
    del group_body["properties"]["containers"][0]["properties"]["environmentVariables"]
    group = deploy(azure, group_body)
    assert group.tags == {}
    assert group.properties.containers[0].properties.environment_variables == []


def test_a_group_in_transition_asks_to_retry_later(azure: Any, group_body: Any) -> None:
    azure.timing(operation=30.0)
    path = azure.path(GROUPS, "chat")
    azure.call("PUT", path, group_body)
    for method, tail in (("PUT", ""), ("POST", "/stop"), ("POST", "/start"), ("POST", "/restart")):
        refused = azure.call(method, path + tail, group_body if method == "PUT" else None)
        assert (refused.status, refused.code) == (409, "ContainerGroupTransitioning")
        assert "still transitioning, please retry later" in refused.message


def add_port(properties: Any, port: int) -> None:
    """Open one more port, on the container and on the group's address."""
    properties["ipAddress"]["ports"].append({"port": port})
    properties["containers"][0]["properties"]["ports"].append({"port": port})


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("os type", lambda p: p.update(osType="Windows")),
        ("restart policy", lambda p: p.update(restartPolicy="Never")),
        ("CPU", lambda p: p["containers"][0]["properties"]["resources"]["requests"].update(cpu=3)),
        ("memory", lambda p: p["containers"][0]["properties"]["resources"]["requests"].update(memoryInGB=5)),
        ("network profile", lambda p: p.pop("ipAddress")),
        ("ports", lambda p: add_port(p, 80)),
    ],
)
def test_what_only_delete_and_create_can_change_is_refused(azure: Any, group_body: Any, what: str, change: Any) -> None:
    path = azure.path(GROUPS, "chat")
    azure.follow(azure.call("PUT", path, group_body))
    before = azure.call("GET", path).body
    wanted = copy.deepcopy(group_body)
    change(wanted["properties"])
    refused = azure.call("PUT", path, wanted)
    assert (refused.status, refused.code) == (400, "InvalidContainerGroupUpdate")
    assert what in refused.message
    assert azure.call("GET", path).body["properties"]["osType"] == before["properties"]["osType"]


def test_a_stopped_group_has_no_process_and_no_address_and_cannot_be_updated(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    azure.aci.container_groups.stop(*TARGET)
    path = azure.path(GROUPS, "chat")
    azure.until(lambda: azure.call("GET", path).body["properties"]["instanceView"]["state"] == "Stopped")
    assert azure.runtime.workloads() == []
    assert "ip" not in azure.call("GET", path).body["properties"]["ipAddress"]
    refused = azure.call("PUT", path, group_body)
    assert (refused.status, refused.code) == (409, "ContainerGroupNotRunning")


def test_a_group_that_failed_and_was_stopped_cannot_be_updated_either(azure: Any, group_body: Any) -> None:
    share = {"shareName": "none", "storageAccountName": "none", "storageAccountKey": "x"}
    group_body["properties"]["volumes"] = [{"name": "v", "azureFile": share}]
    path = azure.path(GROUPS, "chat")
    azure.follow(azure.call("PUT", path, group_body))
    azure.call("POST", path + "/stop")
    azure.until(lambda: azure.call("GET", path).body["properties"]["instanceView"]["state"] == "Stopped")
    assert azure.call("PUT", path, group_body).code == "ContainerGroupNotRunning"


def test_start_is_a_new_deployment_of_the_same_body(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    azure.aci.container_groups.stop(*TARGET)
    path = azure.path(GROUPS, "chat")
    azure.until(lambda: azure.call("GET", path).body["properties"]["instanceView"]["state"] == "Stopped")
    azure.aci.container_groups.begin_start(*TARGET).result()
    assert azure.aci.container_groups.get(*TARGET).properties.instance_view.state == "Running"
    assert len(azure.runtime.workloads()) == 1


def test_restart_gives_new_processes(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    pid = azure.runtime.workloads()[0].pid
    azure.aci.container_groups.begin_restart(*TARGET).result()
    azure.until(lambda: [workload.pid for workload in azure.runtime.workloads()] not in ([pid], []))


def test_delete_ends_the_process_and_is_204_where_there_is_nothing(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    azure.aci.container_groups.begin_delete(*TARGET).result()
    assert azure.runtime.workloads() == []
    assert azure.call("DELETE", azure.path(GROUPS, "chat")).status == 204


def test_a_crashing_container_is_restarted_again_and_again(azure: Any, group_body: Any) -> None:
    group_body["properties"]["containers"][0]["properties"]["image"] = "example.test/ollama:1.0-crash"
    group = deploy(azure, group_body)
    assert group.properties.provisioning_state == "Succeeded"
    view = azure.until(lambda: (found := container(azure)).restart_count >= 2 and found)
    assert view.previous_state.exit_code == 1
    assert {"Started", "BackOff"} <= {event.name for event in view.events}
    azure.until(lambda: container(azure).current_state.state == "Waiting")


@pytest.mark.parametrize(("policy", "restarts"), [("Never", 0), ("OnFailure", 1)])
def test_the_restart_policy_decides_about_a_failed_container(
    azure: Any, group_body: Any, policy: str, restarts: int
) -> None:
    group_body["properties"]["restartPolicy"] = policy
    group_body["properties"]["containers"][0]["properties"]["image"] = "example.test/ollama:1.0-crash"
    deploy(azure, group_body)
    if restarts:
        azure.until(lambda: container(azure).restart_count >= restarts)
        return
    path = azure.path(GROUPS, "chat")
    azure.until(lambda: azure.call("GET", path).body["properties"]["instanceView"]["state"] == "Failed")
    assert container(azure).current_state.exit_code == 1
    assert azure.call("PUT", path, group_body).code == "ContainerGroupNotRunning"


def test_an_image_that_cannot_be_pulled_fails_the_deployment(azure: Any, group_body: Any) -> None:
    group_body["properties"]["containers"][0]["properties"]["image"] = "example.test/ollama:1.0-missing"
    path = azure.path(GROUPS, "chat")
    ended = azure.follow(azure.call("PUT", path, group_body)).body
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "InaccessibleImage")
    found = azure.call("GET", path).body["properties"]
    assert found["provisioningState"] == found["instanceView"]["state"] == "Failed"
    group_body["properties"]["containers"][0]["properties"]["image"] = "example.test/ollama:1.0"
    assert azure.follow(azure.call("PUT", path, group_body)).body["status"] == "Succeeded"


def test_a_faulty_init_container_or_sidecar_fails_the_deployment(azure: Any, group_body: Any) -> None:
    group_body["properties"]["initContainers"] = [
        {"name": "pull", "properties": {"image": "example.test/pull:missing"}}
    ]
    ended = azure.follow(azure.call("PUT", azure.path(GROUPS, "chat"), group_body)).body
    assert "example.test/pull:missing" in ended["error"]["message"]


def test_a_failing_liveness_probe_restarts_the_container(azure: Any, group_body: Any) -> None:
    azure.timing(probe_grace=0.5)
    settings = group_body["properties"]["containers"][0]["properties"]
    settings["image"] = "example.test/ollama:1.0-never-ready"
    settings["livenessProbe"] = {"httpGet": {"path": "/api/version", "port": 11434}, "periodSeconds": 5}
    deploy(azure, group_body)
    view = azure.until(lambda: (found := container(azure)).restart_count and found)
    assert view.previous_state.exit_code == 137
    assert {"Unhealthy", "Killing"} <= {event.name for event in view.events}


def test_a_failing_readiness_probe_only_shows_in_the_events(azure: Any, group_body: Any) -> None:
    azure.timing(probe_grace=0.0)
    settings = group_body["properties"]["containers"][0]["properties"]
    settings["image"] = "example.test/ollama:1.0-never-ready"
    settings["readinessProbe"] = {"exec": {"command": ["ollama", "ps"]}, "periodSeconds": 1, "failureThreshold": 1}
    deploy(azure, group_body)
    azure.until(lambda: "Readiness probe failed" in [event.message for event in container(azure).events])
    assert container(azure).restart_count == 0


def test_only_the_container_with_ollama_is_a_process(azure: Any, group_body: Any) -> None:
    sidecar = {"image": "example.test/proxy:1", "resources": {"requests": {"cpu": 0.5, "memoryInGB": 0.5}}}
    group_body["properties"]["containers"].insert(0, {"name": "proxy", "properties": sidecar})
    group = deploy(azure, group_body)
    assert [workload.spec.name for workload in azure.runtime.workloads()] == ["chat/ollama"]
    states = [item.properties.instance_view.current_state.state for item in group.properties.containers]
    assert states == ["Running", "Running"]


def test_logs_are_what_the_container_wrote(azure: Any, group_body: Any) -> None:
    group = deploy(azure, group_body)
    azure.until(lambda: answers(azure, group.properties.ip_address.ip))
    logs = azure.aci.containers.list_logs(*TARGET, "ollama")
    assert logs.content == azure.runtime.workloads()[0].log()
    assert azure.call("GET", azure.path(GROUPS, "chat", "containers", "none", "logs")).code == "ContainerNotFound"


def test_a_killed_process_comes_back(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    first = azure.runtime.workloads()[0]
    first.stop(grace=0)
    azure.until(lambda: [workload.pid for workload in azure.runtime.workloads()] not in ([first.pid], []))


def test_a_dns_label_gives_a_name_and_is_taken_once_per_region(azure: Any, group_body: Any) -> None:
    group_body["properties"]["ipAddress"]["dnsNameLabel"] = "chat-one"
    group = deploy(azure, group_body)
    assert group.properties.ip_address.fqdn == "chat-one.westus3.azurecontainer.io"
    refused = azure.call("PUT", azure.path(GROUPS, "other"), group_body)
    assert (refused.status, refused.code) == (409, "DnsNameLabelNotAvailable")


def test_a_private_group_has_an_address_in_its_subnet_s_stead(azure: Any, group_body: Any) -> None:
    group_body["properties"]["subnetIds"] = [{"id": azure.seeds["subnet_ids"]["westus3"]}]
    group_body["properties"]["ipAddress"]["type"] = "Private"
    assert deploy(azure, group_body).properties.ip_address.ip.startswith("127.65.")


def test_an_identity_comes_back_with_its_ids(azure: Any, group_body: Any) -> None:
    name = azure.seeds["identity_ids"]["westus3"]
    group_body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {name: {}}}
    group = deploy(azure, group_body)
    assert group.identity.user_assigned_identities[name].client_id == azure.seeds["client_id"]
    group_body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {name + "x": {}}}
    assert azure.call("PUT", azure.path(GROUPS, "chat"), group_body).code == "FailedIdentityOperation"


def test_usages_and_capabilities_are_those_of_the_region(azure: Any, group_body: Any) -> None:
    deploy(azure, group_body)
    usages = {usage.name.value: usage.current_value for usage in azure.aci.location.list_usage("westus3")}
    assert usages == {"ContainerGroups": 1, "StandardCores": 2}
    assert {found.gpu for found in azure.aci.location.list_capabilities("westus3")} == {"None"}
    assert "V100" in {found.gpu for found in azure.aci.location.list_capabilities("usgovvirginia")}
