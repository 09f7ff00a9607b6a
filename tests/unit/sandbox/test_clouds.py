# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both real emulators behind the gate: every fault reaches a client in the form that the cloud itself would use."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.sandbox.launcher import Sandbox

RESET_SECONDS = 1.0


def ecs() -> Any:
    """A client that takes its endpoint from the environment and tries each call once."""
    return boto3.client("ecs", config=Config(retries={"total_max_attempts": 1}))


def arm() -> list[str]:
    """Return the names of the resource groups."""
    path = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourcegroups?api-version=2024-03-01"
    request = urllib.request.Request(
        os.environ["AZURE_RESOURCE_MANAGER_ENDPOINT"] + path, headers={"Authorization": "Bearer sandbox"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as answer:
        return [group["name"] for group in json.load(answer)["value"]]


def arm_error() -> tuple[int, str, Any]:
    """Return status, error code and headers of a refused call."""
    try:
        arm()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)["error"]["code"], error.headers
    raise AssertionError("the call was not refused")


def test_both_clouds_answer_and_their_calls_are_in_the_log(clouds: Sandbox) -> None:
    assert ecs().list_clusters()["clusterArns"] == []
    assert set(arm()) == set(clouds.seeds["azure"]["resource_groups"].values())
    logged = [(record.cloud, record.service, record.operation, record.region) for record in clouds.log.records()]
    assert logged[0] == ("aws", "ecs", "ListClusters", "us-east-1")
    assert logged[1][0] == "azure"


def test_a_throttled_call_is_answered_in_each_clouds_own_form(clouds: Sandbox) -> None:
    clouds.client.arm("ListClusters", "throttle")
    with pytest.raises(ClientError) as refused:
        ecs().list_clusters()
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    clouds.client.arm(".", "throttle", cloud="azure")
    status, code, headers = arm_error()
    assert (status, code) == (429, "TooManyRequests")
    assert int(headers["Retry-After"]) in (0, 1)


def test_a_client_that_retries_gets_through_a_throttled_call(clouds: Sandbox) -> None:
    clouds.client.arm("ListClusters", "throttle")
    boto3.client("ecs", config=Config(retries={"total_max_attempts": 2})).list_clusters()
    assert [record.status for record in clouds.log.records("aws")] == [400, 200]


def test_a_server_error_is_a_500_in_each_clouds_own_form_and_no_error_of_the_emulator(clouds: Sandbox) -> None:
    clouds.client.arm(".", "error500", times=2)
    with pytest.raises(ClientError) as refused:
        ecs().list_clusters()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert arm_error()[0] == 500
    assert clouds.log.emulator_errors() == []


def test_expired_credentials_are_refused_in_each_clouds_own_form(clouds: Sandbox) -> None:
    clouds.client.expire_credentials()
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        ecs().list_clusters()
    status, code, headers = arm_error()
    assert (status, code) == (401, "ExpiredAuthenticationToken")
    assert "WWW-Authenticate" in headers


def test_one_cloud_can_be_down_while_the_other_answers(clouds: Sandbox) -> None:
    clouds.client.set_down("aws")
    with pytest.raises(ConnectionClosedError):
        ecs().list_clusters()
    assert arm()
    clouds.client.set_down("aws", mode="unavailable")
    with pytest.raises(ClientError) as refused:
        ecs().list_clusters()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_call_that_is_cut_afterwards_was_carried_out(clouds: Sandbox) -> None:
    clouds.client.arm("CreateCluster", "reset_after")
    with pytest.raises(ConnectionClosedError):
        ecs().create_cluster(clusterName="cut")
    assert ecs().list_clusters()["clusterArns"][0].endswith("cluster/cut")


def test_reset_forgets_what_was_created_and_is_fast(clouds: Sandbox) -> None:
    ecs().create_cluster(clusterName="forgotten")
    begun = time.monotonic()
    clouds.client.reset()
    assert time.monotonic() - begun < RESET_SECONDS
    assert ecs().list_clusters()["clusterArns"] == []
