# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions: when a new one is made, how it takes over, what a failed one leaves alone, and who gets the traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

APPS = "Microsoft.App/containerApps"
GPU_SCALE = {"minReplicas": 1, "maxReplicas": 1}


@pytest.fixture
def path(azure: Any) -> str:
    return str(azure.path(APPS, "chat"))


@pytest.fixture
def put(azure: Any, path: str) -> Callable[[Any], Any]:
    """Send a body and return the status document of its ended operation."""
    return lambda body: azure.follow(azure.call("PUT", path, body)).body


@pytest.fixture
def revisions(azure: Any, path: str) -> Callable[[], dict[str, Any]]:
    """Return the revisions' properties by suffix."""

    def find() -> dict[str, Any]:
        found = azure.call("GET", path + "/revisions").body["value"]
        return {entry["name"].removeprefix("chat--"): entry["properties"] for entry in found}

    return find


def suffixed(make: Callable[..., Any], suffix: str, tag: str = "1.0", **changes: Any) -> Any:
    template = {"revisionSuffix": suffix, **changes.pop("template", {})}
    return make(tag, template=template, **changes)


def multiple(make: Callable[..., Any], suffix: str, tag: str = "1.0", **traffic: int) -> Any:
    """``traffic`` is suffix=weight; none: all to the latest."""
    entries = [{"revisionName": f"chat--{name}", "weight": weight} for name, weight in traffic.items()]
    ingress = {"traffic": entries or [{"latestRevision": True, "weight": 100}]}
    return suffixed(make, suffix, tag, configuration={"activeRevisionsMode": "Multiple"}, ingress=ingress)


# configuration= replaces the whole section in app_body, so the ingress is given with it.
@pytest.fixture
def make(app_body: Callable[..., Any]) -> Callable[..., Any]:
    def build(tag: str = "1.0", **changes: Any) -> Any:
        configuration = changes.pop("configuration", {})
        body = app_body(tag, **changes)
        body["properties"]["configuration"].update(configuration)
        return body

    return build


def test_a_revision_has_its_suffix_its_state_and_an_address_of_its_own(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any
) -> None:
    put(suffixed(make, "v1", template={"scale": GPU_SCALE}))
    found = revisions()["v1"]
    assert (found["active"], found["replicas"], found["trafficWeight"]) == (True, 1, 100)
    assert (found["provisioningState"], found["healthState"]) == ("Provisioned", "Healthy")
    assert found["runningState"] == "RunningAtMaxScale"
    assert found["fqdn"].startswith("127.67.")
    assert azure.ollama(found["fqdn"], "/api/version", 8080)[0] == 200


def test_a_changed_template_makes_a_revision_and_a_changed_configuration_does_not(
    make: Callable[..., Any], put: Any, revisions: Any
) -> None:
    put(make())
    put({**make(configuration={"maxInactiveRevisions": 5}), "tags": {"a": "b"}})
    assert len(revisions()) == 1
    put(make("2.0"))
    assert len(revisions()) == 2


def test_in_single_mode_the_new_revision_takes_over_when_it_is_ready(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any, path: str
) -> None:
    put(suffixed(make, "v1"))
    answer = azure.call("PUT", path, suffixed(make, "v2", "2.0"))
    assert revisions()["v1"]["active"] is True
    azure.follow(answer)
    found = revisions()
    assert (found["v1"]["active"], found["v2"]["active"]) == (False, True)
    assert (found["v1"]["trafficWeight"], found["v2"]["trafficWeight"]) == (0, 100)
    azure.until(lambda: [w.spec.image for w in azure.runtime.workloads()] == ["example.test/ollama:2.0"])


@pytest.mark.parametrize(("fault", "says"), [("crash", "Container crashing"), ("missing", "MANIFEST_UNKNOWN")])
def test_a_failed_revision_leaves_the_old_one_serving(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any, path: str, fault: str, says: str
) -> None:
    put(suffixed(make, "v1"))
    ended = put(suffixed(make, "v2", f"2.0-{fault}"))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "ContainerAppOperationError")
    assert says in ended["error"]["message"]
    found = revisions()
    assert (found["v2"]["provisioningState"], found["v2"]["healthState"]) == ("Failed", "Unhealthy")
    assert says in found["v2"]["provisioningError"]
    assert (found["v1"]["active"], found["v1"]["trafficWeight"]) == (True, 100)
    app = azure.call("GET", path).body["properties"]
    assert app["provisioningState"] == "Failed"
    assert (app["latestRevisionName"], app["latestReadyRevisionName"]) == ("chat--v2", "chat--v1")
    assert azure.ollama(app["configuration"]["ingress"]["fqdn"], "/api/version", 8080)[0] == 200
    put(suffixed(make, "v3"))
    assert [name for name, entry in revisions().items() if entry["active"]] == ["v3"]


def test_a_revision_that_never_answers_fails_at_the_deadline(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any
) -> None:
    azure.timing(deadline=0.8)
    ended = put(suffixed(make, "v1", "1.0-never-ready"))
    assert "Deployment Progress Deadline Exceeded. 0/1 replicas ready." in ended["error"]["message"]
    assert revisions()["v1"]["runningState"] == "Failed"


def test_an_http_startup_probe_is_honoured(azure: Any, make: Callable[..., Any], put: Any) -> None:
    azure.timing(deadline=0.8)
    body = make()
    probe = {"type": "Startup", "httpGet": {"path": "/none", "port": 11434}, "periodSeconds": 1, "failureThreshold": 9}
    body["properties"]["template"]["containers"][0]["probes"] = [probe]
    assert put(body)["status"] == "Failed"
    probe["httpGet"] = {"path": "/api/version", "port": 11434}
    assert put(body)["status"] == "Succeeded"


def test_a_failing_liveness_probe_restarts_the_container(
    azure: Any, make: Callable[..., Any], put: Any, path: str
) -> None:
    azure.timing(probe_grace=0.3)
    body = suffixed(make, "v1")
    probe = {"type": "Liveness", "httpGet": {"path": "/none", "port": 11434}, "failureThreshold": 1}
    body["properties"]["template"]["containers"][0]["probes"] = [probe]
    put(body)
    replicas = f"{path}/revisions/chat--v1/replicas"

    def restarts() -> int:
        found = azure.call("GET", replicas).body["value"][0]["properties"]["containers"][0]
        return int(found["restartCount"])

    azure.until(lambda: restarts() > 0)


def test_a_used_suffix_is_accepted_and_then_fails(make: Callable[..., Any], put: Any, revisions: Any) -> None:
    put(suffixed(make, "v1"))
    ended = put(suffixed(make, "v1", "2.0"))
    assert "revision with suffix v1 already exists" in ended["error"]["message"]
    assert list(revisions()) == ["v1"]
    assert put(suffixed(make, "v1"))["status"] == "Succeeded"


def test_a_patch_keeps_the_suffix_and_so_cannot_change_the_template_without_a_new_one(
    azure: Any, make: Callable[..., Any], put: Any, path: str
) -> None:
    put(suffixed(make, "v1"))
    change = {"properties": {"template": {"scale": {"maxReplicas": 5}}}}
    refused = azure.follow(azure.call("PATCH", path, change))
    assert "already exists" in refused.message
    change["properties"]["template"]["revisionSuffix"] = "v2"  # type: ignore[assignment]
    assert azure.follow(azure.call("PATCH", path, change)).status == 200


def test_traffic_is_split_by_weight_in_multiple_mode(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any, path: str
) -> None:
    put(multiple(make, "v1", "1.0"))
    put(multiple(make, "v2", "2.0-no-model", v1=75, v2=25))
    assert {name: entry["trafficWeight"] for name, entry in revisions().items()} == {"v1": 75, "v2": 25}
    address = azure.call("GET", path).body["properties"]["configuration"]["ingress"]["fqdn"]
    answers = [len(azure.ollama(address, "/api/tags", 8080)[1]["models"]) for _ in range(8)]
    assert (answers.count(1), answers.count(0)) == (6, 2)


def test_rollback_in_multiple_mode_is_weight_and_activation(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any, path: str
) -> None:
    put(multiple(make, "v1", "1.0"))
    put(multiple(make, "v2", "2.0"))
    assert azure.call("POST", f"{path}/revisions/chat--v1/deactivate").status == 200
    azure.until(lambda: revisions()["v1"]["replicas"] == 0)
    refused = azure.call("PUT", path, multiple(make, "v2", "2.0", v1=100))
    assert "no active revision" in refused.message
    azure.call("POST", f"{path}/revisions/chat--v1/activate")
    azure.until(lambda: revisions()["v1"]["healthState"] == "Healthy")
    put(multiple(make, "v2", "2.0", v1=100))
    assert {name: entry["trafficWeight"] for name, entry in revisions().items()} == {"v1": 100, "v2": 0}


def test_latest_traffic_waits_for_the_latest_ready_revision(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any
) -> None:
    put(multiple(make, "v1", "1.0"))
    put(multiple(make, "v2", "2.0-crash"))
    assert {name: entry["trafficWeight"] for name, entry in revisions().items()} == {"v1": 100, "v2": 0}


def test_in_single_mode_an_activated_revision_takes_over(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any, path: str
) -> None:
    put(suffixed(make, "v1"))
    put(suffixed(make, "v2", "2.0"))
    azure.call("POST", f"{path}/revisions/chat--v1/activate")
    azure.until(lambda: revisions()["v1"]["trafficWeight"] == 100)
    assert revisions()["v2"]["active"] is False


def test_a_revision_whose_secret_is_gone_cannot_be_activated(
    azure: Any, make: Callable[..., Any], put: Any, path: str
) -> None:
    body = suffixed(make, "v1", configuration={"secrets": [{"name": "token", "value": "x"}]})
    body["properties"]["template"]["containers"][0]["env"].append({"name": "T", "secretRef": "token"})
    put(body)
    put(suffixed(make, "v2"))
    refused = azure.call("POST", f"{path}/revisions/chat--v1/activate")
    assert (refused.status, refused.code) == (400, "RevisionOperationError")


def test_an_inactive_revision_cannot_restart_and_a_missing_one_is_a_404(
    azure: Any, make: Callable[..., Any], put: Any, path: str
) -> None:
    put(suffixed(make, "v1"))
    put(suffixed(make, "v2", "2.0"))
    assert azure.call("POST", f"{path}/revisions/chat--v1/restart").code == "RevisionOperationError"
    assert azure.call("GET", f"{path}/revisions/chat--none").code == "RevisionNotFound"


def test_old_inactive_revisions_are_forgotten_beyond_the_limit(
    make: Callable[..., Any], put: Any, revisions: Any
) -> None:
    for number in range(1, 5):
        put(suffixed(make, f"v{number}", f"{number}.0", configuration={"maxInactiveRevisions": 1}))
    assert list(revisions()) == ["v3", "v4"]


def test_replicas_are_listed_with_their_containers(azure: Any, make: Callable[..., Any], put: Any, path: str) -> None:
    put(suffixed(make, "v1", template={"scale": {"minReplicas": 2, "maxReplicas": 3}}))
    found = azure.apps.container_apps_revision_replicas.list_replicas("rg-ollama-westus3", "chat", "chat--v1").value
    assert [replica.properties.running_state for replica in found] == ["Running", "Running"]
    assert found[0].properties.containers[0].ready is True
    one = azure.call("GET", f"{path}/revisions/chat--v1/replicas/{found[0].name}")
    assert one.body["name"] == found[0].name
    assert {workload.spec.address for workload in azure.runtime.workloads()} == {
        workload.spec.address for workload in azure.runtime.workloads() if workload.spec.address.startswith("127.68.")
    }


def test_a_replica_has_a_gpu_by_its_workload_profile(azure: Any, make: Callable[..., Any], put: Any) -> None:
    put(make())
    assert azure.runtime.workloads()[0].spec.gpu is True


def test_with_one_gpu_the_new_revision_waits_until_the_old_one_is_gone(
    azure: Any, make: Callable[..., Any], put: Any, revisions: Any, path: str
) -> None:
    azure.switch.gpu_capacity = 1
    put(suffixed(make, "v1"))
    answer = azure.call("PUT", path, suffixed(make, "v2", "2.0"))

    def waiting() -> str:
        found = azure.call("GET", f"{path}/revisions/chat--v2/replicas").body["value"]
        return str(found[0]["properties"]["runningStateDetails"]) if found else ""

    azure.until(lambda: waiting().startswith("AssigningReplica"))
    assert revisions()["v2"]["runningState"] == "Processing"
    azure.call("POST", f"{path}/revisions/chat--v1/deactivate")
    assert azure.follow(answer).body["status"] == "Succeeded"
    assert revisions()["v2"]["trafficWeight"] == 100


def test_a_revision_without_gpu_fails_in_the_end(azure: Any, make: Callable[..., Any], put: Any) -> None:
    azure.timing(assign_deadline=0.5)
    azure.switch.gpu_capacity = 0
    assert "0/1 replicas ready" in put(make())["error"]["message"]


def test_deactivating_a_revision_that_is_being_provisioned_ends_its_operation(
    azure: Any, make: Callable[..., Any], put: Any, path: str
) -> None:
    put(suffixed(make, "v1"))
    azure.switch.gpu_capacity = 1
    answer = azure.call("PUT", path, suffixed(make, "v2", "2.0"))
    azure.call("POST", f"{path}/revisions/chat--v2/deactivate")
    assert "was deactivated" in azure.follow(answer).body["error"]["message"]


def test_without_quota_an_app_on_a_gpu_profile_is_refused(azure: Any, make: Callable[..., Any], path: str) -> None:
    azure.switch.quota = 0
    refused = azure.call("PUT", path, make())
    assert (refused.status, refused.code) == (400, "QuotaExceeded")
