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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import diff
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps import normalise, translate
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.answers import serves_alone
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.bodies import (
    served_body,
    serving_revision,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import symbolic
from tests.helpers.container_apps import FULL, IDENTITY, SCOPE, SEEDED, describe
from tests.sandbox.azure.container_app_bodies import fill

Body = dict[str, Any]
RUNNING = "chat--r1"


def body_of(deployment: Any) -> Body:
    wanted = translate.bundle(deployment, digests={})[-1]
    body: Body = copy.deepcopy(symbolic(wanted.body))
    body["properties"]["environmentId"] = f"{SCOPE}/providers/Microsoft.App/managedEnvironments/ollama"
    return body


def as_answered(wanted: Body, chance: random.Random) -> Body:
    """A wanted app as Azure gives it back: defaults filled in by the emulator, order, case and types of its own."""
    body = copy.deepcopy(wanted)
    properties = body["properties"]
    fill(properties, has_profiles=True)
    body["location"] = "West US 3"
    configuration = properties["configuration"]
    configuration["ingress"]["fqdn"] = "chat.example.azurecontainerapps.io"
    configuration["ingress"]["transport"] = "Http"
    configuration["ingress"]["traffic"] = [{"revisionName": RUNNING, "weight": 100}]
    for secret in configuration["secrets"] or ():
        secret.pop("value", None)
    container = properties["template"]["containers"][0]
    container["resources"]["cpu"] = float(container["resources"]["cpu"])
    for items in (
        container["env"],
        container["probes"],
        configuration["secrets"],
        properties["template"]["scale"]["rules"],
    ):
        chance.shuffle(items)
    properties["environmentId"] = properties["environmentId"].upper()
    if body["identity"]["type"] != "None":
        body["identity"]["type"] = body["identity"]["type"].replace(",", ", ")
        named = body["identity"].get("userAssignedIdentities") or {}
        body["identity"]["userAssignedIdentities"] = {
            name.lower(): {"principalId": "p", "clientId": "c"} for name in named
        }
    properties["provisioningState"] = "Succeeded"
    revision = {"properties": {"template": properties["template"], "active": True}}
    return served_body(body, revision, RUNNING)


deployments = st.builds(
    describe,
    st.sampled_from([FULL, SEEDED]),
    scaling=st.integers(0, 5).flatmap(
        lambda low: st.builds(lambda high: {"min": low, "max": low + high}, st.integers(1, 5))
    ),
    runtime=st.fixed_dictionaries({"num_parallel": st.integers(1, 16), "context_length": st.integers(256, 32768)}),
    network=st.fixed_dictionaries(
        {
            "port": st.integers(1024, 65535),
            "allowed_cidrs": st.lists(st.sampled_from(["10.0.0.0/8", "fd00::/8"]), unique=True),
        }
    ),
    schedule=st.none()
    | st.just({"timezone": "Europe/Berlin", "start": "22:00", "stop": "06:00", "days": ["sat", "sun"]}),
    storage=st.fixed_dictionaries({"mode": st.sampled_from(["baked", "volume", "both"])}),
    health=st.fixed_dictionaries({"startup_timeout": st.integers(10, 2400)}),
    update=st.fixed_dictionaries({"keep_revisions": st.integers(2, 100)}),
)


@given(deployment=deployments, seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_azure_fills_in_is_never_drift(deployment: Any, seed: int) -> None:
    wanted = body_of(deployment)
    found = as_answered(wanted, random.Random(seed))  # noqa: S311 - not for secrets
    assert diff(normalise.app(found), normalise.app(wanted)) == []


def container(body: Body) -> Body:
    found: Body = body["properties"]["template"]["containers"][0]
    return found


CHANGES: dict[str, Callable[[Body], Any]] = {
    "image": lambda body: container(body).update(image="registry.example.com/ollama:other"),
    "cpu": lambda body: container(body)["resources"].update(cpu=4.0),
    "memory": lambda body: container(body)["resources"].update(memory="28Gi"),
    "a variable's value": lambda body: container(body)["env"][0].update(value="other"),
    "a variable gone": lambda body: container(body)["env"].pop(),
    "a secret's reference": lambda body: container(body)["env"][-1].update(secretRef="other", value=None),
    "a secret gone": lambda body: body["properties"]["configuration"]["secrets"].pop(0),
    "a secret's vault": lambda body: body["properties"]["configuration"]["secrets"][-2].update(keyVaultUrl="https://x"),
    "the identity": lambda body: body["identity"].update(type="SystemAssigned", userAssignedIdentities=None),
    "a registry": lambda body: body["properties"]["configuration"]["registries"].pop(),
    "a probe": lambda body: container(body)["probes"][0]["httpGet"].update(path="/"),
    "a probe's timing": lambda body: container(body)["probes"][0].update(periodSeconds=7),
    "the mount": lambda body: container(body)["volumeMounts"][0].update(mountPath="/other"),
    "mount options": lambda body: body["properties"]["template"]["volumes"][0].update(mountOptions="uid=0"),
    "replicas": lambda body: body["properties"]["template"]["scale"].update(maxReplicas=9),
    "working hours": lambda body: body["properties"]["template"]["scale"]["rules"][-1]["custom"]["metadata"].update(
        end="0 1 * * *"
    ),
    "grace period": lambda body: body["properties"]["template"].update(terminationGracePeriodSeconds=10),
    "workload profile": lambda body: body["properties"].update(workloadProfileName="Consumption"),
    "exposure": lambda body: body["properties"]["configuration"]["ingress"].update(external=False),
    "plain http": lambda body: body["properties"]["configuration"]["ingress"].update(allowInsecure=True),
    "client certificates": lambda body: body["properties"]["configuration"]["ingress"].update(
        clientCertificateMode="require"
    ),
    "an address range": lambda body: body["properties"]["configuration"]["ingress"]["ipSecurityRestrictions"].pop(),
    "port": lambda body: body["properties"]["configuration"]["ingress"].update(targetPort=80),
    "revision mode": lambda body: body["properties"]["configuration"].update(activeRevisionsMode="Single"),
    "traffic": lambda body: body["properties"]["configuration"]["ingress"].update(
        traffic=[{"latestRevision": True, "weight": 100}]
    ),
    "an init container": lambda body: body["properties"]["template"].update(initContainers=[]),
    "the serving revision is off": lambda body: body["properties"].update(deactivated=True),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_real_change_is_drift(what: str) -> None:
    wanted = body_of(describe(FULL))
    found = copy.deepcopy(wanted)
    CHANGES[what](found)
    assert diff(normalise.app(found), normalise.app(wanted))


def test_secret_values_take_no_part() -> None:
    wanted = body_of(describe(FULL))
    found = copy.deepcopy(wanted)
    found["properties"]["configuration"]["secrets"][0]["value"] = "canary"
    assert "canary" not in str(normalise.app(found))
    assert diff(normalise.app(found), normalise.app(wanted)) == []


@pytest.mark.parametrize(
    ("text", "gib"), [("16Gi", 16), ("16.0Gi", 16), ("16384Mi", 16), ("0.5Gi", 0.5), ("odd", "odd")]
)
def test_memory_is_compared_by_value(text: str, gib: float | str) -> None:
    assert normalise.memory_gib(text) == gib


def test_an_identity_is_the_same_in_any_case_and_order() -> None:
    one = {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    other = {"type": "UserAssigned, SystemAssigned", "userAssignedIdentities": {IDENTITY.upper(): {"clientId": "x"}}}
    assert normalise.identity(one) == normalise.identity(other)
    assert normalise.identity({"type": "None"}) == normalise.identity(None) == {}


def app(mode: str, *traffic: Body) -> Body:
    ingress = {"traffic": list(traffic)}
    configuration = {"activeRevisionsMode": mode, "ingress": ingress}
    return {"properties": {"configuration": configuration, "latestReadyRevisionName": "chat--new"}}


@pytest.mark.parametrize(
    ("raw", "last_good", "serving"),
    [
        (app("Multiple", {"revisionName": "chat--old", "weight": 100}), "", "chat--old"),
        (app("Multiple", {"latestRevision": True, "weight": 100}), "", "chat--new"),
        (app("Multiple", {"revisionName": "a", "weight": 30}, {"revisionName": "b", "weight": 70}), "a", "b"),
        (app("Multiple", {"revisionName": "a", "weight": 50}, {"revisionName": "b", "weight": 50}), "b", "b"),
        (app("Multiple"), "chat--good", "chat--good"),
        (app("Single", {"revisionName": "chat--old", "weight": 100}), "", "chat--new"),
    ],
)
def test_the_serving_revision_is_the_one_with_the_traffic(raw: Body, last_good: str, serving: str) -> None:
    assert serving_revision(raw, last_good) == serving


OLD_HALF, NEW_HALF = ({"revisionName": name, "weight": 50} for name in ("chat--old", "chat--new"))


@pytest.mark.parametrize(
    ("mode", "traffic", "newest", "alone"),
    [
        ("Multiple", [{"revisionName": "chat--new", "weight": 100}], "chat--newer", True),
        ("Multiple", [OLD_HALF, NEW_HALF], "chat--new", False),
        ("Multiple", [{"latestRevision": True, "weight": 100}], "chat--new", True),
        ("Multiple", [{"latestRevision": True, "weight": 100}], "chat--newer", False),
        ("Single", [], "chat--new", True),
        ("Single", [], "chat--newer", False),
    ],
)
def test_a_revision_serves_alone_when_no_other_gets_requests_now_or_soon(
    mode: str, traffic: list[Body], newest: str, alone: bool
) -> None:
    raw = app(mode, *traffic)
    raw["properties"]["latestRevisionName"] = newest
    assert serves_alone(raw, "chat--new") is alone
