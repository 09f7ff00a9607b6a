# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conventions of Azure Resource Manager: errors, api-versions, ids, tags, paging, operations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.azure.arm import parse_id
from tests.sandbox.azure.world import Resource
from tests.sandbox.faults import FaultRule

GROUPS = "Microsoft.ContainerInstance/containerGroups"


def test_a_missing_resource_and_a_missing_resource_group_are_404_with_their_own_codes(azure: Any) -> None:
    missing = azure.call("GET", azure.path(GROUPS, "none"))
    assert (missing.status, missing.code) == (404, "ResourceNotFound")
    assert "Microsoft.ContainerInstance/containerGroups/none" in missing.message
    elsewhere = azure.path(GROUPS, "none").replace(azure.group(), "rg-none")
    assert azure.call("GET", elsewhere).code == "ResourceGroupNotFound"


@pytest.mark.parametrize(
    ("version", "code"),
    [("", "MissingApiVersionParameter"), ("2030-01-01", "NoRegisteredProviderFound")],
)
def test_a_call_without_a_known_api_version_is_refused(azure: Any, version: str, code: str) -> None:
    refused = azure.call("GET", azure.path(GROUPS), version=version)
    assert (refused.status, refused.code) == (400, code)


def test_what_the_emulator_does_not_have_is_a_404_that_says_so(azure: Any) -> None:
    refused = azure.call("GET", azure.path("Microsoft.App/jobs", "x"))
    assert (refused.status, refused.code) == (404, "NotImplementedInSandbox")
    assert azure.call("DELETE", f"/subscriptions/{azure.subscription}/resourceGroups").status == 405
    assert (
        azure.call("GET", azure.path("Microsoft.Sql/servers"), version="2023-01-01").code == "InvalidResourceNamespace"
    )


def test_a_foreign_subscription_is_refused(azure: Any) -> None:
    foreign = azure.path(GROUPS).replace(azure.subscription, "99999999-2222-4222-8222-222222222222")
    assert azure.call("GET", foreign).code == "SubscriptionNotFound"
    malformed = azure.path(GROUPS).replace(azure.subscription, "mine")
    assert azure.call("GET", malformed).code == "InvalidSubscriptionId"


def test_ids_ignore_case(azure: Any, group_body: Any) -> None:
    azure.call("PUT", azure.path(GROUPS, "chat"), group_body)
    shouted = (
        azure.path(GROUPS, "CHAT")
        .replace("resourceGroups", "RESOURCEGROUPS")
        .replace("containerGroups", "ContainerGROUPS")
    )
    found = azure.call("GET", shouted.replace(azure.group(), azure.group().upper()), version="2025-09-01")
    assert found.body["name"] == "chat"


def test_every_answer_carries_request_ids_and_the_caller_s_correlation_id(azure: Any) -> None:
    answer = azure.call("GET", azure.path(GROUPS), **{"x-ms-correlation-request-id": "abc"})
    assert answer.headers["x-ms-correlation-request-id"] == "abc"
    assert len(answer.headers["x-ms-request-id"]) == 36


@pytest.mark.parametrize("body", ["{", "[1]", None])
def test_a_body_that_is_no_json_object_is_refused(azure: Any, body: Any) -> None:
    refused = azure.call("PUT", azure.path(GROUPS, "chat"), body)
    assert (refused.status, refused.code) == (400, "InvalidRequestContent")


def test_an_unknown_property_and_a_wrong_type_are_named_with_their_path(azure: Any, group_body: Any) -> None:
    group_body["properties"]["containers"][0]["properties"]["imge"] = "x"
    refused = azure.call("PUT", azure.path(GROUPS, "chat"), group_body)
    assert refused.code == "InvalidRequestContent"
    assert "'imge'" in refused.message
    assert "properties.containers[0].properties.imge" in refused.message
    del group_body["properties"]["containers"][0]["properties"]["imge"]
    group_body["properties"]["containers"][0]["properties"]["resources"]["requests"]["cpu"] = "2"
    assert "resources.requests.cpu" in azure.call("PUT", azure.path(GROUPS, "chat"), group_body).message


def test_read_only_properties_of_an_answer_may_be_sent_back(azure: Any, group_body: Any) -> None:
    path = azure.path(GROUPS, "chat")
    azure.follow(azure.call("PUT", path, group_body))
    found = azure.call("GET", path).body
    found["properties"]["containers"][0]["properties"]["environmentVariables"].pop()
    assert azure.call("PUT", path, found).status == 200


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({f"t{number}": "x" for number in range(51)}, "InvalidTags"),
        ({"n" * 513: "x"}, "InvalidTagNameCharacters"),
        ({"a/b": "x"}, "InvalidTagNameCharacters"),
        ({"name": "v" * 257}, "InvalidTagValueLength"),
    ],
)
def test_tags_have_limits(azure: Any, group_body: Any, tags: dict[str, str], code: str) -> None:
    refused = azure.call("PUT", azure.path(GROUPS, "chat"), {**group_body, "tags": tags})
    assert (refused.status, refused.code) == (400, code)


def test_a_resource_cannot_move_to_another_region(azure: Any, group_body: Any) -> None:
    path = azure.path(GROUPS, "chat")
    azure.follow(azure.call("PUT", path, group_body))
    refused = azure.call("PUT", path, {**group_body, "location": "eastus"})
    assert (refused.status, refused.code) == (409, "InvalidResourceLocation")
    assert azure.call("PUT", path, {**group_body, "location": "mars"}).code == "LocationNotAvailableForResourceType"


def test_long_lists_come_in_pages_with_a_link_to_the_next(azure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sandbox.azure.arm.PAGE_SIZE", 2)
    first = azure.call("GET", f"/subscriptions/{azure.subscription}/resourceGroups")
    assert len(first.body["value"]) == 2
    second = azure.call("GET", first.body["nextLink"])
    assert [group["name"] for group in second.body["value"]] == ["rg-ollama-usgovvirginia"]
    assert "nextLink" not in second.body


def test_an_operation_is_followed_by_status_document_and_by_location(azure: Any, group_body: Any) -> None:
    path = azure.path(GROUPS, "chat")
    created = azure.call("PUT", path, group_body)
    assert created.status == 201
    assert created.headers["Retry-After"] == "0"
    status = azure.call("GET", created.headers["Azure-AsyncOperation"]).body
    assert status["status"] == "InProgress"
    done = azure.follow(created).body
    assert done["status"] == "Succeeded"
    assert done["endTime"] > done["startTime"]
    deleted = azure.call("DELETE", path)
    assert deleted.status == 202
    assert azure.follow(deleted).status == 204


def test_resource_groups_can_be_made_and_keep_their_region(azure: Any) -> None:
    path = f"/subscriptions/{azure.subscription}/resourceGroups/rg-new"
    assert azure.call("PUT", path, {"location": "West US 3"}).status == 201
    assert azure.call("GET", path).body["location"] == "westus3"
    assert azure.call("PUT", path, {"location": "eastus"}).code == "InvalidResourceGroupLocation"


def test_the_seeded_identity_subnets_and_workspace_can_be_read(azure: Any) -> None:
    for key in ("identity_ids", "subnet_ids", "environment_subnet_ids", "workspace_ids"):
        found = azure.call("GET", azure.seeds[key]["westus3"])
        assert found.body["id"] == azure.seeds[key]["westus3"]
    assert (
        azure.call("GET", "/subscriptions", version="2022-12-01").body["value"][0]["tenantId"]
        == azure.seeds["tenant_id"]
    )


def test_throttling_and_expired_credentials_are_told_in_arm_s_form(azure: Any) -> None:
    azure.switch.arm(FaultRule("GET containerGroups", "throttle", region="westus3"))
    refused = azure.call("GET", azure.path(GROUPS))
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "TooManyRequests", "1")
    azure.switch.set_credentials_expired(True, "azure")
    assert azure.call("GET", azure.path(GROUPS)).code == "ExpiredAuthenticationToken"


def test_calls_are_classified_by_provider_operation_and_region(azure: Any, group_body: Any) -> None:
    path = azure.path(GROUPS, "chat", region="swedencentral")
    azure.call("PUT", path, {**group_body, "location": "Sweden Central"})
    azure.call("POST", path + "/stop")
    seen = [(record.service, record.operation, record.region) for record in azure.log.records()]
    assert seen == [
        ("Microsoft.ContainerInstance", "PUT containerGroups", "swedencentral"),
        ("Microsoft.ContainerInstance", "POST containerGroups/stop", "swedencentral"),
    ]


class BrokenMachine:
    """A machine with an error of the emulator itself."""

    def tick(self, now: float) -> None:
        raise LookupError("broken on purpose")

    def stop(self) -> None:
        pass


def test_an_error_in_the_emulator_s_own_steps_is_a_500_and_not_silence(azure: Any) -> None:
    identifier = parse_id(azure.path(GROUPS, "broken"))
    assert identifier is not None
    azure.cloud.world.put(Resource(identifier, {}, BrokenMachine()))
    azure.until(lambda: azure.cloud.world.failure)
    answer = azure.call("GET", f"/subscriptions/{azure.subscription}/resourceGroups")
    assert (answer.status, "broken on purpose" in answer.body) == (500, True)
    azure.renew()
