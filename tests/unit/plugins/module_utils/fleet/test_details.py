# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API said is kept by name: nothing that may hold a secret gets through, known today or added later."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import botocore.session
import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.fleet import details
from ansible_collections.polycloud.ollama.plugins.module_utils.release import SECRETS

CANARY = "canary-7d1f-do-not-print"
TWO_HOURS_EAST = timezone(timedelta(hours=2))
# Fields of the ECS API that may hold a secret, a reference to one, or a text that quotes either.
SECRET_FIELDS = {
    *("command", "credentialSpecs", "credentialsParameter", "dockerLabels", "dockerVolumeConfiguration", "entryPoint"),
    *("environment", "environmentFiles", "firelensConfiguration", "fsxWindowsFileServerVolumeConfiguration", "options"),
    *("overrides", "proxyConfiguration", "reason", "repositoryCredentials", "secretOptions", "secrets"),
    *("stoppedReason", "systemControls", "extraHosts"),
}


def filled(name: str) -> Any:
    """An object of the ECS API with every field of botocore's model set; a text says the path that it stands at."""
    model = botocore.session.Session().get_service_model("ecs")

    def fill(shape: Any, path: str) -> Any:
        match shape.type_name:
            case "structure":
                return {key: fill(member, f"{path}/{key}") for key, member in shape.members.items()}
            case "list":
                return [fill(shape.member, path)]
            case "map":
                return {CANARY: f"{path}/{CANARY}"}
            case "timestamp":
                return datetime(2026, 11, 22, 3, 4, 5, tzinfo=TWO_HOURS_EAST)
            case "boolean" | "integer" | "long":
                return 1
        return path

    return fill(model.shape_for(name), "")


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def names(shape: Any) -> Any:
    """The names of a shape as an answer would have them."""
    return {ours: names(inner) for _api, ours, inner in shape or ()}


def skeleton(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: skeleton(item) for key, item in value.items() if key != "tags"}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return skeleton(value[0])
    return {}


def test_no_field_of_ecs_that_may_hold_a_secret_gets_through() -> None:
    kept = [details.task_details(filled("Task")), details.definition_details(filled("TaskDefinition"), {})]
    paths = [text for text in texts(kept) if text.startswith("/")]

    assert len(paths) > 60
    assert [path for path in paths if SECRET_FIELDS & set(path.split("/"))] == []
    assert CANARY not in json.dumps(kept)


def test_every_name_that_is_let_through_is_one_of_the_ecs_api() -> None:
    assert skeleton(details.task_details(filled("Task"))) == names(details._TASK)
    assert skeleton(details.definition_details(filled("TaskDefinition"), {})) == names(details._DEFINITION)


def test_names_are_snake_case_times_are_utc_and_tags_are_a_mapping() -> None:
    task = {
        "availabilityZone": "us-east-1a",
        "startedAt": datetime(2026, 11, 22, 3, 4, 5, tzinfo=TWO_HOURS_EAST),
        "containers": [{"gpuIds": ["GPU-1"]}],
        "tags": [{"key": "team", "value": "search"}, {"key": SECRETS, "value": "salt:digest"}],
    }

    assert details.task_details(task) == {
        "availability_zone": "us-east-1a",
        "started_at": "2026-11-22T01:04:05+00:00",
        "containers": [{"gpu_ids": ["GPU-1"]}],
        "tags": {"team": "search"},
    }


def test_an_object_where_a_plain_value_belongs_is_left_out() -> None:
    assert details.task_details({"group": {"new": CANARY}, "cpu": [{"new": CANARY}], "containers": CANARY}) == {
        "tags": {}
    }


GROUP = {
    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerInstance/containerGroups/chat",
    "name": "chat",
    "location": "swedencentral",
    "tags": {"team": "search", SECRETS: CANARY},
    "systemData": {"createdBy": CANARY},
    "identity": {"type": "UserAssigned", "userAssignedIdentities": {CANARY: {}}},
    "properties": {
        "provisioningState": "Succeeded",
        "containers": [
            {
                "name": "ollama",
                "properties": {
                    "image": "registry.example.com/ollama:1",
                    "command": ["sh", "-c", CANARY],
                    "environmentVariables": [
                        {"name": "TOKEN", "value": CANARY, "secureValue": CANARY, "secureValueReference": CANARY}
                    ],
                    "configMap": {"keyValuePairs": {"a": CANARY}},
                    "livenessProbe": {"exec": {"command": [CANARY]}, "httpGet": {"httpHeaders": {"a": CANARY}}},
                    "resources": {"requests": {"cpu": 4, "memoryInGB": 16, "gpu": {"count": 1, "sku": "V100"}}},
                    "instanceView": {
                        "currentState": {"state": "Running", "detailStatus": CANARY},
                        "events": [{"message": CANARY}],
                    },
                },
            }
        ],
        "initContainers": [{"name": "stage", "properties": {"command": [CANARY]}}],
        "imageRegistryCredentials": [{"server": "r", "username": CANARY, "password": CANARY}],
        "secretReferences": [{"name": "x", "secretReferenceUri": CANARY}],
        "diagnostics": {"logAnalytics": {"workspaceKey": CANARY}},
        "extensions": [{"properties": {"protectedSettings": CANARY}}],
        "volumes": [
            {"name": "models", "azureFile": {"shareName": "models", "storageAccountKey": CANARY}},
            {"name": "s", "secret": {"a": CANARY}, "secretReference": {"a": CANARY}, "gitRepo": {"repository": CANARY}},
        ],
    },
}
APP = {
    "name": "chat",
    "properties": {
        "workloadProfileName": "gpu-t4",
        "eventStreamEndpoint": CANARY,
        "customDomainVerificationId": CANARY,
        "configuration": {
            "activeRevisionsMode": "Single",
            "secrets": [{"name": "token", "value": CANARY, "keyVaultUrl": CANARY}],
            "registries": [{"server": "r", "username": CANARY, "passwordSecretRef": CANARY}],
            "dapr": {"appId": CANARY},
            "ingress": {"fqdn": "chat.example.com", "customDomains": [{"certificateId": CANARY}]},
        },
        "template": {"containers": [{"name": "ollama", "env": [{"name": "TOKEN", "value": CANARY}]}]},
    },
}
REVISION = {
    "name": "chat--1",
    "properties": {
        "active": True,
        "provisioningError": CANARY,
        "template": {
            "containers": [
                {
                    "name": "ollama",
                    "image": "registry.example.com/ollama:1",
                    "env": [{"name": "TOKEN", "value": CANARY}, {"name": "OTHER", "secretRef": CANARY}],
                    "command": [CANARY],
                    "args": [CANARY],
                    "probes": [{"httpGet": {"httpHeaders": [{"name": "a", "value": CANARY}]}}],
                }
            ],
            "scale": {"minReplicas": 1, "rules": [{"custom": {"metadata": {"a": CANARY}, "auth": [CANARY]}}]},
            "volumes": [{"name": "s", "storageType": "Secret", "secrets": [{"secretRef": CANARY}]}],
        },
    },
}
REPLICA = {
    "name": "chat--1-abc",
    "properties": {
        "runningState": "Running",
        "runningStateDetails": CANARY,
        "containers": [{"name": "ollama", "ready": True, "logStreamEndpoint": CANARY, "execEndpoint": CANARY}],
    },
}


@pytest.mark.parametrize(
    ("kept", "known"),
    [
        (details.group_details(GROUP), ["V100", "Succeeded", "registry.example.com/ollama:1", "Running", "search"]),
        (details.app_details(APP), ["gpu-t4", "Single", "chat.example.com"]),
        (details.revision_details(REVISION), ["chat--1", "registry.example.com/ollama:1"]),
        (details.app_replica_details(REPLICA), ["chat--1-abc", "Running"]),
    ],
    ids=["container group", "container app", "revision", "replica"],
)
def test_no_secret_of_azure_gets_through_while_the_rest_does(kept: dict[str, Any], known: list[str]) -> None:
    assert CANARY not in json.dumps(kept)
    assert set(known) <= set(texts(kept))


def test_a_time_of_any_zone_is_told_in_utc() -> None:
    moment = datetime(2026, 1, 1, 2, tzinfo=TWO_HOURS_EAST)

    assert details.utc_text(moment) == details.utc_text(moment.astimezone(UTC)) == "2026-01-01T00:00:00+00:00"
