# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that was kept as a profile revision comes back as the group that it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci import history, normalise, translate
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.secrets import take_secrets
from ansible_collections.polycloud.ollama.plugins.module_utils.compare import diff
from tests.helpers.aci import CANARIES, FULL, GPU, PUBLIC, SMALL, SPOT, describe
from tests.sandbox.azure.container_groups import SECRET_KEYS
from tests.sandbox.azure.service import without_keys

Body = dict[str, Any]
BASES = {"small": SMALL, "full": FULL, "public": PUBLIC, "spot": SPOT, "gpu": GPU}


def group(base: Body) -> tuple[Body, dict[str, str]]:
    return take_secrets(translate.container_group(describe(base)))


@pytest.mark.parametrize("name", BASES)
def test_a_kept_release_is_restored_as_it_was(name: str) -> None:
    body, secrets = group(BASES[name])
    kept = without_keys(history.to_profile(body, "c" * 40), SECRET_KEYS)

    restored, missing = history.to_group(kept, body, secrets)

    assert missing == []
    assert diff(normalise.container_group(restored), normalise.container_group(body)) == []
    assert take_secrets(restored)[1] == secrets


def test_a_profile_names_its_configuration_and_holds_no_secret() -> None:
    body, _secrets = group(FULL)
    kept = history.to_profile(body, "c" * 40)

    assert history.config_of(kept) == "c" * 40
    assert not [canary for canary in CANARIES if canary in json.dumps(kept)]
    assert "POLYCLOUD_CONFIG" not in json.dumps(body)


def test_a_release_whose_secrets_are_not_given_names_every_one_of_them() -> None:
    body, _secrets = group(FULL)

    _restored, missing = history.to_group(history.to_profile(body, ""), body, {})

    assert missing == [
        "containers.ollama.HF_TOKEN",
        "volumes.models.ollamamodels",
        "imageRegistryCredentials.registry.example.com",
        "diagnostics.44444444-4444-4444-8444-444444444444",
    ]


def test_a_key_vault_reference_that_the_group_lost_is_missing_too() -> None:
    body, secrets = group(FULL)
    current = json.loads(json.dumps(body))
    del current["properties"]["secretReferences"]

    assert history.to_group(history.to_profile(body, ""), current, secrets)[1] == ["secret-licence"]


def test_what_a_profile_cannot_keep_is_taken_from_the_group_as_it_is() -> None:
    body, secrets = group(FULL)
    current = json.loads(json.dumps(body))
    current["properties"]["dnsConfig"] = {"nameServers": ["10.9.9.9"]}

    restored, _missing = history.to_group(history.to_profile(body, ""), current, secrets)

    assert restored["properties"]["dnsConfig"] == {"nameServers": ["10.9.9.9"]}
    assert restored["identity"] == body["identity"]


def test_a_private_address_gets_the_port_of_the_release() -> None:
    old, secrets = take_secrets(translate.container_group(describe(SMALL, network={"port": 11500})))
    current, _ = group(SMALL)

    restored, _missing = history.to_group(history.to_profile(old, ""), current, secrets)

    assert restored["properties"]["ipAddress"]["ports"] == [{"port": 11500, "protocol": "TCP"}]


def test_a_found_group_is_sent_again_without_what_azure_added() -> None:
    body, _secrets = group(FULL)
    found = json.loads(json.dumps(body))
    found["properties"].update(provisioningState="Succeeded", instanceView={"state": "Running"})
    found["properties"]["containers"][0]["properties"]["instanceView"] = {"restartCount": 2}
    found["properties"]["ipAddress"]["ip"] = "10.60.0.4"
    found["identity"].update(principalId="1")

    assert history.writable(found) == body


def test_a_release_tells_its_image_and_its_models() -> None:
    body, _secrets = group(FULL)

    assert history.image_of(body) == FULL["image"]
    assert [(model.name, model.digest) for model in history.models_of(body)] == [
        ("gemma3:4b", "b" * 64),
        ("nomic-embed-text", None),
    ]
