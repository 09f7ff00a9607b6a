# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies that a deployment is translated into: golden files, and two independent witnesses of their shape."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps import bodies, normalise, translate
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.naming import secret_values
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import symbolic
from tests.helpers.container_apps import CANARIES, FULL, GPU, SEEDED, SERVED, SMALL, T4, describe
from tests.helpers.sidecar_options import SIDECAR
from tests.sandbox.azure import derived_specs, schema, sdk_models

GOLDEN = Path(__file__).parents[4] / "golden" / "container_apps"
NFS = merge(
    FULL,
    {
        "platform": {
            "storage": {
                "type": "nfs",
                "server": "models.file.core.windows.net",
                "share_name": "/models/ollama",
                "account_name": None,
                "account_key": None,
            }
        }
    },
)
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "small": SMALL,
    "gpu": GPU,
    "full": FULL,
    "nfs": NFS,
    "seeded": SEEDED,
    "sidecar": SERVED,
    "public": merge(SMALL, {"network": {"exposure": "public", "authentication": "client_certificate"}}),
    "dedicated": merge(
        GPU,
        {
            "resources": {"cpu": 24.0, "memory_gib": 220.0, "gpu": {"type": "NC24-A100"}},
            "platform": {"environment": {"minimum_nodes": 1, "maximum_nodes": 2}},
        },
    ),
}
MODELS = {
    translate.ENVIRONMENT: "ManagedEnvironment",
    translate.STORAGE: "ManagedEnvironmentStorage",
    translate.SEED_STORAGE: "ManagedEnvironmentStorage",
    translate.APP: "ContainerApp",
}


def translated(name: str) -> list[Any]:
    return translate.bundle(describe(DEPLOYMENTS[name]), digests={"polycloud-secrets": "salt:digest"})


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_is_translated_as_its_golden_file_says(name: str) -> None:
    found = [
        {"key": w.key, "name": w.name, "shared": w.shared, "tags": dict(w.tags), "body": symbolic(w.body)}
        for w in translated(name)
    ]
    file = GOLDEN / f"{name}.json"
    # `POLYCLOUD_WRITE_GOLDEN=1 pytest ...` writes the files anew, for a person to read in the diff.
    if os.environ.get("POLYCLOUD_WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(file.read_text())


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_sdk_and_the_specification_know_every_field(name: str) -> None:
    secrets = secret_values(describe(DEPLOYMENTS[name]))
    for wanted in translated(name):
        body = symbolic(wanted.body)
        if wanted.key == translate.APP:
            body = bodies.revision_body(body, tags=wanted.tags, suffix="r123", serving="chat--r1", secrets=secrets)
        schema.clean(sdk_models.schema("Microsoft.App", MODELS[wanted.key]), body)
        derived = derived_specs.schema("Microsoft.App", "2026-07-01", MODELS[wanted.key])
        if derived is not None:
            schema.clean(derived, body)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_secret_value_is_in_a_wanted_body(name: str) -> None:
    text = json.dumps([symbolic(wanted.body) for wanted in translated(name)])
    assert not [canary for canary in CANARIES if canary in text]


def test_secret_values_are_put_in_when_the_app_is_written() -> None:
    deployment = describe(FULL)
    filled = bodies.with_secrets(symbolic(translate.app(deployment)), secret_values(deployment))
    assert {item["name"]: item.get("value") for item in filled["properties"]["configuration"]["secrets"]} == {
        "hf-token": "canary-hf",
        "licence": None,
        "registry-registry-example-com": "canary-registry",
    }


def test_a_seeding_container_alone_mounts_the_storage_that_may_be_written() -> None:
    wanted = {item.key: item for item in translated("seeded")}
    modes = {
        wanted[key].name: wanted[key].body["properties"]["azureFile"]["accessMode"]
        for key in (translate.STORAGE, translate.SEED_STORAGE)
    }
    template = wanted[translate.APP].body["properties"]["template"]
    storages = {volume["name"]: volume["storageName"] for volume in template["volumes"]}
    mounted = {
        item["name"]: modes[storages[item["volumeMounts"][0]["volumeName"]]]
        for item in (*template["initContainers"], *template["containers"])
    }
    assert mounted == {"seed-models": "ReadWrite", "prepare": "ReadOnly", "ollama": "ReadOnly"}


def test_the_login_of_the_models_registry_reaches_the_seeding_container_only() -> None:
    template = translate.app(describe(SEEDED))["properties"]["template"]
    seed, server = template["initContainers"][0], template["containers"][0]
    login = {"name": "POLYCLOUD_REGISTRY_TOKEN", "secretRef": "polycloud-registry-token"}
    assert login in seed["env"]
    assert login not in server["env"]
    assert [*seed["command"], *seed["args"]][:4] == ["python3", "/fetch.pyz", "pull", f"gemma3:4b@sha256:{'b' * 64}"]


def test_a_consumption_gpu_profile_never_carries_node_counts() -> None:
    profiles = translate.environment(describe(GPU))["properties"]["workloadProfiles"]
    assert {"name": "gpu", "workloadProfileType": T4} in profiles


def test_the_profiles_of_others_stay_in_a_shared_environment() -> None:
    theirs = {"name": "big", "workloadProfileType": "D8", "minimumCount": 0, "maximumCount": 3}
    body = translate.environment(describe(GPU), {"properties": {"workloadProfiles": [theirs]}})
    assert [item["name"] for item in body["properties"]["workloadProfiles"]] == ["Consumption", "big", "gpu"]
    assert theirs in body["properties"]["workloadProfiles"]


def test_the_startup_probe_gives_a_replica_its_startup_timeout() -> None:
    probes = translate.app(describe(health={"startup_timeout": 900}))["properties"]["template"]["containers"][0][
        "probes"
    ]
    startup = next(probe for probe in probes if probe["type"] == "Startup")
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 900
    assert startup["failureThreshold"] <= 10


def test_working_hours_are_a_cron_rule_and_no_replica_is_kept_outside() -> None:
    hours = {"timezone": "Europe/Berlin", "start": "08:00", "stop": "18:00"}
    scale = translate.app(describe(schedule=hours, scaling={"min": 2, "max": 2}))["properties"]["template"]["scale"]
    assert scale["minReplicas"] == 0
    assert scale["rules"] == [
        {
            "name": "working-hours",
            "custom": {
                "type": "cron",
                "metadata": {
                    "timezone": "Europe/Berlin",
                    "start": "0 8 * * 1,2,3,4,5",
                    "end": "0 18 * * 1,2,3,4,5",
                    "desiredReplicas": "2",
                },
            },
        }
    ]


def test_requests_scale_by_the_target_or_by_what_ollama_answers_in_parallel() -> None:
    def target(**changes: Any) -> str:
        template = translate.app(describe(scaling={"min": 0, "max": 3, **changes}, runtime={"num_parallel": 4}))
        rule = template["properties"]["template"]["scale"]["rules"][0]
        return str(rule["http"]["metadata"]["concurrentRequests"])

    assert (target(), target(target_concurrency=9)) == ("4", "9")


def test_overrides_are_merged_into_the_body_of_their_resource() -> None:
    override = {"app": {"properties": {"configuration": {"dapr": {"enabled": True}}}}}
    app = translate.bundle(describe(overrides=override), digests={})[-1]
    assert app.body["properties"]["configuration"]["dapr"] == {"enabled": True}


def test_a_revision_suffix_is_stable_short_and_begins_with_a_letter() -> None:
    body = symbolic(translate.app(describe(FULL)))
    suffix = bodies.revision_suffix(body, {"hf-token": "one"})
    assert suffix == bodies.revision_suffix(body, {"hf-token": "one"})
    assert suffix[0] == "r"
    assert len(f"{'n' * 32}--{suffix}") <= 54


@pytest.mark.parametrize(
    ("change", "renamed"),
    [
        ({"image": "registry.example.com/ollama:0.24.1@sha256:" + "c" * 64}, True),
        ({"platform": {"workload_profile": "other"}}, True),
        ({"network": {"allowed_cidrs": ["172.16.0.0/12"]}}, False),
        ({"tags": {"team": "other"}}, False),
    ],
)
def test_the_suffix_names_what_makes_a_revision_and_nothing_else(change: dict[str, Any], renamed: bool) -> None:
    before, after = (
        bodies.revision_suffix(symbolic(translate.app(d)), {}) for d in (describe(GPU), describe(GPU, **change))
    )
    assert (before != after) is renamed


def test_a_changed_secret_takes_another_revision() -> None:
    body = symbolic(translate.app(describe(FULL)))
    assert bodies.revision_suffix(body, {"hf-token": "one"}) != bodies.revision_suffix(body, {"hf-token": "two"})


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_normalising_twice_is_normalising_once(name: str) -> None:
    forms = {
        translate.ENVIRONMENT: normalise.environment,
        translate.STORAGE: normalise.environment_storage,
        translate.SEED_STORAGE: normalise.environment_storage,
        translate.APP: normalise.app,
    }
    for wanted in translated(name):
        once = forms[wanted.key](symbolic(wanted.body))
        assert forms[wanted.key](once) == once


def test_the_ingress_and_every_probe_reach_the_sidecar_and_nothing_else() -> None:
    properties = translate.app(describe(SERVED))["properties"]
    server, front = properties["template"]["containers"]
    assert "probes" not in server
    assert {item["name"]: item.get("value") for item in server["env"]}["OLLAMA_HOST"] == "127.0.0.1:11435"
    probes = {probe["type"]: probe["httpGet"] for probe in front["probes"]}
    port = properties["configuration"]["ingress"]["targetPort"]
    assert {kind: (get["path"], get["port"]) for kind, get in probes.items()} == {
        "Startup": ("/livez", 9091),
        "Liveness": ("/livez", 9091),
        "Readiness": ("/readyz", port),
    }


def test_a_replica_has_the_time_to_drain() -> None:
    def grace(**changes: Any) -> int:
        return int(translate.app(describe(SMALL, **changes))["properties"]["template"]["terminationGracePeriodSeconds"])

    assert grace() == 60
    assert grace(sidecar={**SIDECAR, "drain_seconds": 100}) == 120
    longer = {"platform": {"termination_grace_period": 300}}
    assert grace(sidecar=SIDECAR, **longer) == 300


def test_a_secret_of_the_sidecar_is_a_secret_of_the_app_and_reaches_the_sidecar_alone() -> None:
    server, front = translate.app(describe(SERVED))["properties"]["template"]["containers"]
    assert [item["secretRef"] for item in server["env"] if "secretRef" in item] == ["hf-token", "licence"]
    assert [item["secretRef"] for item in front["env"] if "secretRef" in item] == ["sidecar-cache-url"]
