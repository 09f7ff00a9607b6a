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

from ansible_collections.polycloud.ollama.plugins.module_utils.aci import history, translate
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.secrets import fill_secrets, take_secrets
from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from tests.helpers.aci import (
    CANARIES,
    FULL,
    GPU,
    PUBLIC,
    SEED_CANARY,
    SEEDED,
    SERVED,
    SIDECAR_CANARIES,
    SMALL,
    SPOT,
    describe,
)
from tests.sandbox.azure import derived_specs, schema, sdk_models

GOLDEN = Path(__file__).parents[4] / "golden" / "aci"
REFERENCED = merge(
    FULL,
    {
        "storage": {"mode": "volume"},
        "platform": {
            "azure_files": {
                "account_key": None,
                "account_key_reference": "https://example.vault.azure.net/secrets/files",
                "read_only": True,
            }
        },
    },
)
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "small": SMALL,
    "full": FULL,
    "seeded": SEEDED,
    "sidecar": SERVED,
    "key-vault": REFERENCED,
    "public": PUBLIC,
    "spot": SPOT,
    "gpu": GPU,
}
NAMESPACE = "Microsoft.ContainerInstance"


def bodies(name: str) -> dict[str, Any]:
    group, _values = take_secrets(translate.container_group(describe(DEPLOYMENTS[name])))
    return {"group": group, "profile": history.to_profile(group, "0" * 40)}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_is_translated_as_its_golden_file_says(name: str) -> None:
    found = bodies(name)
    file = GOLDEN / f"{name}.json"
    # `POLYCLOUD_WRITE_GOLDEN=1 pytest ...` writes the files anew, for a person to read in the diff.
    if os.environ.get("POLYCLOUD_WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(file.read_text())


@pytest.mark.parametrize("name", DEPLOYMENTS)
@pytest.mark.parametrize(("key", "model"), [("group", "ContainerGroup"), ("profile", "ContainerGroupProfile")])
def test_the_sdk_and_the_specification_know_every_field(name: str, key: str, model: str) -> None:
    whole = translate.container_group(describe(DEPLOYMENTS[name]))
    body = whole if key == "group" else bodies(name)["profile"]

    assert schema.clean(sdk_models.schema(NAMESPACE, model), body) == body
    derived = derived_specs.schema(NAMESPACE, "2025-09-01", model)
    if derived is not None:
        assert schema.clean(derived, body) == body


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_no_secret_value_is_in_a_planned_or_a_kept_body(name: str) -> None:
    text = json.dumps(bodies(name))
    assert not [canary for canary in (*CANARIES, SEED_CANARY, *SIDECAR_CANARIES) if canary in text]


def test_secret_values_are_put_in_when_the_group_is_written() -> None:
    whole = translate.container_group(describe(FULL))
    marked, values = take_secrets(whole)

    assert sorted(values.values()) == sorted(CANARIES)
    assert fill_secrets(marked, values) == (whole, ())


def test_a_public_group_publishes_the_authenticating_sidecar_and_never_ollama() -> None:
    properties = translate.container_group(describe(PUBLIC))["properties"]

    assert [port["port"] for port in properties["ipAddress"]["ports"]] == [8443]


def test_models_in_the_image_are_never_hidden_by_a_mount() -> None:
    container = translate.container_group(describe(SMALL))["properties"]["containers"][0]

    assert "volumeMounts" not in container["properties"]


def test_with_both_the_start_script_of_the_image_fills_the_share() -> None:
    properties = translate.container_group(describe(FULL))["properties"]
    server = properties["containers"][0]["properties"]

    assert [item["name"] for item in properties["initContainers"]] == ["prepare"]
    assert server["volumeMounts"] == [{"name": "models", "mountPath": "/models", "readOnly": False}]
    assert {"name": "POLYCLOUD_STORAGE", "value": "both"} in server["environmentVariables"]


def test_a_seeding_container_fills_the_share_and_nobody_else_writes() -> None:
    properties = translate.container_group(describe(SEEDED))["properties"]
    seed, *others = [*properties["initContainers"], *properties["containers"]]

    assert seed["name"] == "seed-models"
    assert seed["properties"]["command"][:4] == ["python3", "/fetch.pyz", "pull", f"gemma3:4b@sha256:{'b' * 64}"]
    assert seed["properties"]["volumeMounts"] == [{"name": "models", "mountPath": "/models", "readOnly": False}]
    mounts = [mount for item in others for mount in item["properties"].get("volumeMounts", ())]
    assert len(mounts) == 2
    assert all(mount["readOnly"] for mount in mounts)
    assert properties["volumes"][0]["azureFile"]["readOnly"] is False


def test_the_login_of_the_models_registry_reaches_the_seeding_container_only() -> None:
    properties = translate.container_group(describe(SEEDED))["properties"]
    seed, server = properties["initContainers"][0]["properties"], properties["containers"][0]["properties"]

    login = {"name": "POLYCLOUD_REGISTRY_PASSWORD", "secureValue": SEED_CANARY}
    assert login in seed["environmentVariables"]
    assert login not in server["environmentVariables"]


def test_overrides_reach_a_container_by_its_name() -> None:
    more = {"properties": {"containers": [{"name": "ollama", "properties": {"command": ["/serve"]}}]}}
    body = merge(translate.container_group(describe(SMALL)), more)

    container = body["properties"]["containers"][0]["properties"]
    assert container["command"] == ["/serve"]
    assert container["image"] == SMALL["image"]


def test_clients_and_probes_reach_the_sidecar_and_nothing_else() -> None:
    properties = translate.container_group(describe(SERVED))["properties"]
    server, front = (item["properties"] for item in properties["containers"])
    assert not {"ports", "readinessProbe", "livenessProbe"} & set(server)
    assert {item["name"]: item.get("value") for item in server["environmentVariables"]}["OLLAMA_HOST"] == (
        "127.0.0.1:11435"
    )
    assert [port["port"] for port in properties["ipAddress"]["ports"]] == [11434, 9091]
    assert [port["port"] for port in front["ports"]] == [11434, 9091]
    probes = {kind: front[kind]["httpGet"] for kind in ("livenessProbe", "readinessProbe")}
    assert {kind: (get["path"], get["port"]) for kind, get in probes.items()} == {
        "livenessProbe": ("/livez", 9091),
        "readinessProbe": ("/readyz", 11434),
    }


@pytest.mark.parametrize(("then", "ports"), [(SERVED, [11434, 9091]), (FULL, [11434])], ids=["sidecar", "none"])
def test_a_release_comes_back_with_its_own_ports(then: dict[str, Any], ports: list[int]) -> None:
    """A profile keeps no private address; whether the release had a sidecar decides which ports the group opens."""
    body, values = take_secrets(translate.container_group(describe(then)))
    now, _ = take_secrets(translate.container_group(describe(FULL if then is SERVED else SERVED)))
    back, _missing = history.to_group(history.to_profile(body, "0" * 40), now, values)
    assert [port["port"] for port in back["properties"]["ipAddress"]["ports"]] == ports
