# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks to AWS: clients with bounded retries, one call(), our errors.

Everything of amazon.aws and botocore that the collection uses is imported here and nowhere else. Region, credentials,
endpoint and C(aws_config) come from the module's options as amazon.aws reads them.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        HTTPClientError,
        ParamValidationError,
    )
except ImportError:
    # AnsibleAWSModule reports the missing library before any client is made.
    Config = None
    BotoCoreError, ClientError, ConnectionError, HTTPClientError, ParamValidationError = (
        type(name, (Exception,), {})
        for name in ("BotoCoreError", "ClientError", "ConnectionError", "HTTPClientError", "ParamValidationError")
    )

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..errors import ApiError, NotFound, PolycloudError, Unreachable

__all__ = ["AnsibleAWSModule", "Aws", "account_of", "from_tag_list", "tag_list"]

ATTEMPTS = 6
CONNECT_SECONDS = 10
READ_SECONDS = 30
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
BAD_CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
ABSENT = (
    "AccessPointNotFound",
    "ClusterNotFoundException",
    "FileSystemNotFound",
    "MountTargetNotFound",
    "ObjectNotFoundException",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
    "ServiceDeploymentNotFoundException",
    "ServiceNotFoundException",
)
# The prefix of a service's actions in IAM, where it is not the service's own name in the SDK.
IAM_PREFIXES = {"efs": "elasticfilesystem"}


class Aws:
    """Clients of one account and region, made once each and shared by threads.

    make: returns an SDK client for a service name and a C(config).
    """

    def __init__(self, make: Callable[..., Any], region: str = "") -> None:
        self._make = make
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.region = region

    @classmethod
    def for_module(cls, module: AnsibleAWSModule) -> Aws:
        """The clients that a module's options describe."""
        return cls(_from_one_session(module), str(module.region or ""))

    def client(self, service: str) -> Any:
        """The SDK client of a service. Loading a service's model costs 20-60 ms, so it is done once."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service, config=_config())
            return self._clients[service]

    def warm(self, *services: str) -> None:
        """Make clients now, one after the other: botocore's loaders are slower when threads race for them."""
        for service in services:
            self.client(service)

    def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Call C(operation) (snake_case) and return its answer without the transport's metadata. Raises our errors."""
        return self._guarded(service, operation, lambda method: method(**parameters))

    def pages(self, service: str, operation: str, key: str, /, **parameters: Any) -> Iterator[Any]:
        """Yield the items under C(key) of all pages, following C(nextToken), C(NextToken) or C(NextMarker)."""
        token: dict[str, Any] = {}
        while True:
            answer = self.call(service, operation, **parameters, **token)
            yield from answer.get(key, [])
            token = _next_page(answer)
            if not token:
                return

    def _guarded(self, service: str, operation: str, run: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        call = f"{service}.{''.join(part.capitalize() for part in operation.split('_'))}"
        try:
            answer = dict(run(getattr(self.client(service), operation)))
        except ClientError as error:
            raise _translated(call, error) from None
        except ParamValidationError as error:
            # botocore's own text quotes the values, which may be secret: name the parameters only.
            raise PolycloudError(f"{call}: the request breaks the API's model: {_without_values(str(error))}") from None
        except (ConnectionError, HTTPClientError) as error:
            raise Unreachable(f"{call}: no answer: {error}", hint="Check network, proxy and endpoint_url.") from None
        except BotoCoreError as error:
            raise PolycloudError(f"{call}: {error}") from None
        answer.pop("ResponseMetadata", None)
        return answer


def _from_one_session(module: AnsibleAWSModule) -> Callable[..., Any]:
    """Makes clients as C(module.client) does, but of one session: a further service then costs 10 ms instead of 50."""
    region, endpoint_url, options = get_aws_connection_info(module)
    profile, users_own = options.pop("profile_name", None), options.pop("aws_config", None)
    session = functools.cache(lambda: boto3.session.Session(profile_name=profile))

    def make(service: str, config: Any) -> Any:
        merged = config.merge(users_own) if users_own else config
        try:
            return session().client(service, region, endpoint_url=endpoint_url, config=merged, **options)
        except (BotoCoreError, ValueError) as error:
            hint = "Check region, profile, credentials and endpoint_url, also in the environment."
            raise PolycloudError(f"No client for {service}: {error}", hint=hint) from None

    return make


def _config() -> Any:
    """Bounded retries with exponential backoff and jitter; AWS_MAX_ATTEMPTS and aws_config still win."""
    retries: dict[str, Any] = {"mode": "standard"}
    if not os.environ.get("AWS_MAX_ATTEMPTS"):
        retries["total_max_attempts"] = ATTEMPTS
    return Config(
        retries=retries,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=16,
        user_agent_extra="polycloud.ollama",
    )


def _translated(call: str, error: Any) -> PolycloudError:
    details = error.response.get("Error", {})
    code = str(details.get("Code", ""))
    message = str(details.get("Message", "")) or "no message"
    metadata = error.response.get("ResponseMetadata", {})
    status, tries = int(metadata.get("HTTPStatusCode", 0)), int(metadata.get("RetryAttempts", 0)) + 1
    if code in ABSENT:
        return NotFound(f"{call}: {code}: {message}")
    if code in DENIED:
        return ApiError(call, status, code, message, hint=f"The credentials lack the permission {_permission(call)}.")
    if code in BAD_CREDENTIALS:
        return ApiError(call, status, code, message, hint="The AWS credentials are wrong or have expired: renew them.")
    if code in ("ThrottlingException", "TooManyRequestsException", "Throttling"):
        return ApiError(call, status, code, message, hint=f"AWS throttled the call {tries} time(s): run again.")
    return ApiError(call, status, code, message)


def _permission(call: str) -> str:
    service, operation = call.split(".", 1)
    return f"{IAM_PREFIXES.get(service, service)}:{operation}"


def _without_values(text: str) -> str:
    """botocore's validation report with every quoted value taken out."""
    lines = [re.sub(r"value: .*?(?=, type:|, valid|$)", "value: (not shown)", line) for line in text.splitlines()]
    return " ".join(line.strip() for line in lines)


def _next_page(answer: dict[str, Any]) -> dict[str, Any]:
    for answered, asked in (("nextToken", "nextToken"), ("NextToken", "NextToken"), ("NextMarker", "Marker")):
        if answer.get(answered):
            return {asked: answer[answered]}
    return {}


def tag_list(tags: Any, *, upper: bool = False) -> list[dict[str, str]]:
    """Tags as the API wants them: C(key)/C(value) pairs (ECS), C(Key)/C(Value) with upper (EFS)."""
    key, value = ("Key", "Value") if upper else ("key", "value")
    return [{key: name, value: text} for name, text in sorted(tags.items())]


def from_tag_list(tags: Any) -> dict[str, str]:
    """The inverse of tag_list, for either spelling."""
    return {str(tag.get("key", tag.get("Key"))): str(tag.get("value", tag.get("Value", ""))) for tag in tags or ()}


def account_of(arn: str) -> str:
    """The account id in an ARN, empty if there is none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""
