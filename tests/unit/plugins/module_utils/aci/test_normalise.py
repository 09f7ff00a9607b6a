# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drift and what is only Azure's way of answering."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.aci import normalise, translate
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.resources import GroupKind
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.secrets import take_secrets
from ansible_collections.polycloud.ollama.plugins.module_utils.compare import diff
from ansible_collections.polycloud.ollama.plugins.module_utils.planner import Consent, plan_changes
from ansible_collections.polycloud.ollama.plugins.module_utils.resource import Found, Wanted
from tests.helpers.aci import FULL, GPU, IDENTITY, PUBLIC, SEEDED, SMALL, SPOT, SUBNET, describe
from tests.sandbox.azure.container_group_rules import check_and_fill
from tests.sandbox.azure.container_groups import SECRET_KEYS
from tests.sandbox.azure.service import without_keys

Body = dict[str, Any]
STATE = {"state": "Running", "startTime": "2026-11-22T00:00:00Z", "detailStatus": ""}


def wanted_body(base: Body = FULL, **changes: Any) -> Body:
    return take_secrets(translate.container_group(describe(base, **changes)))[0]


def as_answered(wanted: Body, chance: random.Random) -> Body:
    """A wanted group as Azure gives it back: secrets gone, defaults and states added, order, case and types its own."""
    body = copy.deepcopy(wanted)
    properties = body["properties"]
    # Spot exists in three regions only.
    check_and_fill("chat", "westus", body)
    properties = body["properties"] = without_keys(properties, SECRET_KEYS)
    properties.update(provisioningState="Succeeded", instanceView={"state": "Running", "events": []})
    properties.update(isCustomProvisioningTimeout=False, provisioningTimeoutInSeconds=1800)
    body["location"] = chance.choice(["swedencentral", "Sweden Central"])
    for reference in properties.get("secretReferences") or ():
        reference["identity"] = reference["identity"].upper()
    for container in properties["containers"]:
        settings = container["properties"]
        settings["instanceView"] = {"restartCount": 0, "currentState": STATE}
        settings["resources"]["requests"]["cpu"] = str(settings["resources"]["requests"]["cpu"])
        for probe in ("livenessProbe", "readinessProbe"):
            if probe in settings:
                settings[probe]["successThreshold"] = 1
                settings[probe]["httpGet"]["scheme"] = "Http"
        chance.shuffle(settings["environmentVariables"])
    for items in (properties["containers"], properties.get("volumes"), properties.get("imageRegistryCredentials")):
        chance.shuffle(items or [])
    if properties.get("ipAddress"):
        properties["ipAddress"].update(
            ip="10.60.0.4", fqdn="chat.example", type=properties["ipAddress"]["type"].lower()
        )
    if properties.get("subnetIds"):
        properties["subnetIds"] = [{"id": SUBNET.upper(), "name": None}]
    if body.get("identity"):
        principal = {"principalId": "1", "clientId": "2"}
        users = body["identity"].get("userAssignedIdentities") or {}
        body["identity"] = {"type": body["identity"]["type"], "principalId": "3", "tenantId": "4"}
        body["identity"]["userAssignedIdentities"] = {name.lower(): principal for name in users}
    return body


@pytest.mark.parametrize("base", [SMALL, FULL, SEEDED, PUBLIC, SPOT], ids=["small", "full", "seeded", "public", "spot"])
@given(chance=st.randoms(use_true_random=False))
def test_azures_way_of_answering_is_no_change(base: Body, chance: random.Random) -> None:
    wanted = wanted_body(base)
    found = as_answered(wanted, chance)

    assert diff(normalise.container_group(found), normalise.container_group(wanted)) == []


@given(
    cpu=st.sampled_from([1, 2, 4, 0.5]),
    memory=st.sampled_from([1, 2.5, 16]),
    environment=st.dictionaries(st.from_regex(r"X_[A-Z]{1,8}", fullmatch=True), st.text(max_size=20), max_size=4),
    models=st.lists(st.sampled_from(["gemma3:1b", "qwen3:4b", "nomic-embed-text"]), min_size=1, unique=True),
    port=st.integers(1024, 65535).filter(lambda port: port != 9090),
    chance=st.randoms(use_true_random=False),
)
def test_any_deployment_that_was_applied_plans_nothing(
    cpu: float, memory: float, environment: dict[str, str], models: list[str], port: int, chance: random.Random
) -> None:
    wanted = wanted_body(
        FULL,
        resources={"cpu": cpu, "memory_gib": memory},
        runtime={"environment": environment},
        models=[{"name": name} for name in models],
        network={"port": port},
    )
    found = as_answered(wanted, chance)

    assert diff(normalise.container_group(found), normalise.container_group(wanted)) == []


@pytest.mark.parametrize("base", [SMALL, FULL, PUBLIC, SPOT, GPU], ids=["small", "full", "public", "spot", "gpu"])
def test_normalising_twice_is_normalising_once(base: Body) -> None:
    once = normalise.container_group(wanted_body(base))

    assert normalise.container_group(once) == once


def container(body: Body) -> Body:
    settings: Body = body["properties"]["containers"][0]["properties"]
    return settings


# What azure.azcollection's azure_rm_containerinstance does not see (research/azure.md section 1), and then some.
BLIND_SPOTS: dict[str, Callable[[Body], Any]] = {
    "image": lambda b: container(b).update(image="registry.example.com/ollama:1@sha256:" + "d" * 64),
    "environment value": lambda b: container(b)["environmentVariables"][0].update(value="changed"),
    "environment variable gone": lambda b: container(b)["environmentVariables"].pop(),
    "secret became plain": lambda b: next(
        v for v in container(b)["environmentVariables"] if v["name"] == "HF_TOKEN"
    ).update(value="x", secureValue=None),
    "secret reference": lambda b: b["properties"]["secretReferences"][0].update(secretReferenceUri="https://other"),
    "cpu": lambda b: container(b)["resources"]["requests"].update(cpu=3),
    "memory": lambda b: container(b)["resources"]["requests"].update(memoryInGB=3),
    "gpu": lambda b: container(b)["resources"]["requests"].update(gpu={"count": 1, "sku": "V100"}),
    "limit": lambda b: container(b)["resources"].update(limits={"cpu": 8}),
    "probe": lambda b: container(b)["readinessProbe"].update(failureThreshold=9),
    "probe gone": lambda b: container(b).pop("livenessProbe"),
    "port": lambda b: container(b)["ports"][0].update(port=1),
    "mount": lambda b: container(b)["volumeMounts"][0].update(mountPath="/other"),
    "share": lambda b: b["properties"]["volumes"][0]["azureFile"].update(shareName="other"),
    "identity": lambda b: b["identity"].update(userAssignedIdentities={}),
    "registry user": lambda b: b["properties"]["imageRegistryCredentials"][1].update(username="other"),
    "sidecar gone": lambda b: b["properties"]["containers"].pop(),
    "init container": lambda b: b["properties"]["initContainers"][0]["properties"].update(command=["other"]),
    "restart policy": lambda b: b["properties"].update(restartPolicy="Never"),
    "subnet": lambda b: b["properties"]["subnetIds"][0].update(id=SUBNET + "2"),
    "name servers": lambda b: b["properties"]["dnsConfig"].update(nameServers=["10.0.0.5"]),
    "log workspace": lambda b: b["properties"]["diagnostics"]["logAnalytics"].update(workspaceId="5"),
    "zone": lambda b: b.update(zones=["2"]),
    "kind of volume": lambda b: b["properties"]["volumes"].__setitem__(0, {"name": "models", "emptyDir": {}}),
}


@pytest.mark.parametrize("name", BLIND_SPOTS)
def test_a_real_difference_is_always_seen(name: str) -> None:
    wanted, found = wanted_body(), wanted_body()
    BLIND_SPOTS[name](found)

    assert diff(normalise.container_group(found), normalise.container_group(wanted))


@pytest.mark.parametrize("name", ["cpu", "memory", "gpu", "limit", "restart policy", "subnet", "zone", "sidecar gone"])
def test_what_azure_cannot_change_in_place_is_planned_as_a_replace(name: str) -> None:
    found = wanted_body()
    BLIND_SPOTS[name](found)

    assert [str(change.action) for change in planned(found)] == ["replace"]


@pytest.mark.parametrize("name", ["image", "environment value", "probe", "identity", "share", "log workspace"])
def test_the_rest_is_planned_as_an_update(name: str) -> None:
    found = wanted_body()
    BLIND_SPOTS[name](found)

    assert [str(change.action) for change in planned(found)] == ["update"]


def planned(found: Body) -> list[Any]:
    kind = GroupKind(None, "rg", {}, deployed=True)  # type: ignore[arg-type]
    wanted = Wanted(key="group", name="chat", body=wanted_body())
    return plan_changes(
        [wanted], {"group": Found(id="/x", body=found)}, {"group": kind}, Consent(adopt=True, recreate=True)
    )


def test_a_plan_says_what_a_container_asks_for_by_its_name() -> None:
    found = wanted_body()
    BLIND_SPOTS["cpu"](found)

    assert planned(found)[0].reason == "resources.ollama.requests.cpu is immutable"


def test_identities_are_compared_without_regard_to_case() -> None:
    wanted, found = wanted_body(), wanted_body()
    found["identity"]["userAssignedIdentities"] = {IDENTITY.upper(): {"clientId": "1"}}

    assert diff(normalise.container_group(found), normalise.container_group(wanted)) == []
