# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How errors of AWS become ours. The SDK's own errors are raised by a client that stands in for botocore's."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import Aws, from_tag_list, tag_list
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import (
    ApiError,
    NotFound,
    PolycloudError,
    Unreachable,
)


class Client:
    """Answers every operation with what it was given: an answer, a page after the other, or an error."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, operation: str) -> Any:
        def method(**parameters: Any) -> Any:
            self.calls.append(parameters)
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return method


def error(code: str, message: str = "some text", status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "UpdateService")  # type: ignore[arg-type]


def aws(*answers: Any) -> tuple[Aws, Client]:
    client = Client(*answers)
    return Aws(lambda service, config: client, "us-east-1"), client


def test_a_client_is_made_once_a_service() -> None:
    made: list[str] = []
    clients = Aws(lambda service, config: made.append(service) or Client())
    clients.warm("ecs", "logs", "ecs")
    assert clients.client("ecs") is clients.client("ecs")
    assert made == ["ecs", "logs"]


def test_retries_are_bounded_and_wait_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    configs: list[Any] = []
    Aws(lambda service, config: configs.append(config) or Client()).warm("ecs")
    assert configs[0].retries == {"mode": "standard", "total_max_attempts": 6}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    Aws(lambda service, config: configs.append(config) or Client()).warm("ecs")
    assert configs[1].retries == {"mode": "standard"}


def test_an_answer_comes_without_the_metadata_of_the_transport() -> None:
    clients, _ = aws({"services": [], "ResponseMetadata": {"RequestId": "x"}})
    assert clients.call("ecs", "describe_services", services=["a"]) == {"services": []}


def test_a_parameter_may_be_called_service() -> None:
    clients, client = aws({})
    clients.call("ecs", "update_service", service="chat")
    assert client.calls == [{"service": "chat"}]


def test_all_pages_are_read_whatever_the_token_is_called() -> None:
    clients, client = aws({"MountTargets": [1], "NextMarker": "m"}, {"MountTargets": [2]})
    assert list(clients.pages("efs", "describe_mount_targets", "MountTargets", FileSystemId="fs-1")) == [1, 2]
    assert client.calls[1] == {"FileSystemId": "fs-1", "Marker": "m"}
    clients, client = aws({"taskArns": [1], "nextToken": "t"}, {"taskArns": []})
    assert list(clients.pages("ecs", "list_tasks", "taskArns")) == [1]
    assert client.calls[1] == {"nextToken": "t"}


def test_an_error_names_the_call_and_the_code() -> None:
    clients, _ = aws(error("InvalidParameterException", "weight must be", 400))
    with pytest.raises(ApiError, match=r"ecs\.UpdateService failed: InvalidParameterException: weight must be") as seen:
        clients.call("ecs", "update_service")
    assert (seen.value.code, seen.value.status) == ("InvalidParameterException", 400)


@pytest.mark.parametrize("code", ["ClusterNotFoundException", "ServiceNotFoundException", "FileSystemNotFound"])
def test_what_does_not_exist_is_not_found(code: str) -> None:
    clients, _ = aws(error(code))
    with pytest.raises(NotFound, match=code):
        clients.call("ecs", "describe_services")


@pytest.mark.parametrize(
    ("service", "operation", "permission"),
    [
        ("ecs", "update_service", "ecs:UpdateService"),
        ("efs", "create_mount_target", "elasticfilesystem:CreateMountTarget"),
        ("application-autoscaling", "register_scalable_target", "application-autoscaling:RegisterScalableTarget"),
    ],
)
def test_a_denied_call_names_the_missing_permission(service: str, operation: str, permission: str) -> None:
    clients, _ = aws(error("AccessDeniedException"))
    with pytest.raises(ApiError, match=f"lack the permission {permission}"):
        clients.call(service, operation)


def test_expired_credentials_are_called_so() -> None:
    clients, _ = aws(error("ExpiredTokenException"))
    with pytest.raises(ApiError, match="wrong or have expired: renew them"):
        clients.call("ecs", "describe_services")


def test_throttling_that_does_not_end_says_how_often_it_was_tried() -> None:
    throttled = error("ThrottlingException", "Rate exceeded")
    throttled.response["ResponseMetadata"]["RetryAttempts"] = 5
    clients, _ = aws(throttled)
    with pytest.raises(ApiError, match=r"throttled the call 6 time\(s\)"):
        clients.call("ecs", "describe_services")


@pytest.mark.parametrize(
    "broken", [EndpointConnectionError(endpoint_url="http://x"), ReadTimeoutError(endpoint_url="http://x")]
)
def test_no_answer_is_unreachable(broken: Exception) -> None:
    clients, _ = aws(broken)
    with pytest.raises(Unreachable, match=r"ecs\.DescribeServices: no answer"):
        clients.call("ecs", "describe_services")


def test_missing_credentials_are_an_error_of_ours() -> None:
    clients, _ = aws(NoCredentialsError())
    with pytest.raises(PolycloudError, match="Unable to locate credentials"):
        clients.call("ecs", "describe_services")


def test_a_request_that_breaks_the_model_never_shows_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clients = Aws(lambda service, config: boto3.client(service, region_name="us-east-1", config=config))
    with pytest.raises(PolycloudError) as seen:
        clients.call("ecs", "create_service", serviceName={"canary": "canary-value"}, desiredCount="canary-count")
    assert "serviceName" in str(seen.value)
    assert "canary" not in str(seen.value)


def test_tags_are_lists_in_either_spelling() -> None:
    assert tag_list({"b": "2", "a": "1"}) == [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    assert tag_list({"a": "1"}, upper=True) == [{"Key": "a", "Value": "1"}]
    assert from_tag_list([{"key": "a", "value": "1"}]) == from_tag_list([{"Key": "a", "Value": "1"}]) == {"a": "1"}
    assert from_tag_list(None) == {}
