# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the inventory's configuration to the accounts and regions to read. Checks every key before the first call.

A cloud's libraries are loaded where it is named: Azure's alone take as long to load as ECS takes to list 500 tasks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..clients.azure_options import azure_argument_spec
from ..errors import InvalidDeployment, PolycloudError
from .reading import Source

if TYPE_CHECKING:
    from ..clients.aws import Aws

Template = Callable[[Any], Any]
AWS_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "regions": {"type": "list", "elements": "str", "required": True},
    "profile": {"type": "str"},
    "access_key": {"type": "str"},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "assume_role_arn": {"type": "str"},
    "endpoint_url": {"type": "str"},
}


def fleet_sources(
    *, aws: list[Any], azure: list[Any], template: Template, managed_only: bool = True, details: bool = False
) -> dict[str, Source]:
    """The sources by name (C(aws production us-east-1)). Raises InvalidDeployment naming every wrong key."""
    reading = {"managed_only": managed_only, "details": details}
    problems: list[str] = []
    accounts = [_checked("aws", index, item, AWS_OPTIONS, template, problems) for index, item in enumerate(aws)]
    azure_spec = {**azure_argument_spec(), "name": {"type": "str"}}
    scopes = [_checked("azure", index, item, azure_spec, template, problems) for index, item in enumerate(azure)]
    if not aws and not azure:
        problems.append("aws or azure must name at least one account")
    if problems:
        raise InvalidDeployment(problems)
    sources: dict[str, Source] = {}
    for account in accounts:
        shared = Account(account)
        for region in account["regions"]:
            label = f"aws {account['name'] or account['profile'] or ''} {region}".replace("  ", " ")
            sources[_unique(label, sources)] = _aws_source(shared, region, reading)
    for scope in scopes:
        label = f"azure {scope.pop('name') or scope['subscription_id'] or ''}".rstrip()
        sources[_unique(label, sources)] = _azure_source(scope, reading)
    return sources


def _checked(
    option: str, index: int, item: Any, spec: Mapping[str, Any], template: Template, problems: list[str]
) -> dict[str, Any]:
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    if not isinstance(item, Mapping):
        problems.append(f"{option}[{index}] must be a mapping")
        return {}
    result = ArgumentSpecValidator(dict(spec)).validate({key: template(value) for key, value in item.items()})
    problems += [f"{option}[{index}]: {message}" for message in result.error_messages]
    checked: dict[str, Any] = result.validated_parameters
    return checked


def _unique(label: str, taken: Mapping[str, Any]) -> str:
    return label if label not in taken else f"{label} #{len(taken) + 1}"


def _aws_source(account: Account, region: str, reading: Mapping[str, bool]) -> Source:
    from .ecs import ecs_replicas

    return lambda pool: ecs_replicas(account.aws(region), pool, **reading)


def _azure_source(scope: Mapping[str, Any], reading: Mapping[str, bool]) -> Source:
    from ..clients.azure import azure_client
    from .azure import azure_replicas

    return lambda pool: azure_replicas(azure_client(scope, timeout=120), pool, **reading)


class Account:
    """One AWS account: its regions share a session, so a role is assumed and a service's model loaded only once."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._session: Any = None
        # A boto3 session is not safe to make clients in two threads.
        self._lock = threading.Lock()

    def aws(self, region: str) -> Aws:
        """The clients of a region. Raises PolycloudError where there is no session to be had."""
        try:
            import boto3  # noqa: F401 - only whether it is there
        except ImportError:
            raise PolycloudError(
                "The Python package boto3 is missing.", hint="Install it for Ansible's Python."
            ) from None
        from ..clients.aws import Aws

        return Aws(lambda service, **config: self._client(service, region, config), region)

    def _client(self, service: str, region: str, config: Mapping[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        endpoint = self._options["endpoint_url"]
        with self._lock:
            try:
                self._session = self._session or self._begun(region)
                return self._session.client(service, region_name=region, endpoint_url=endpoint, **config)
            except (BotoCoreError, ClientError) as error:
                raise PolycloudError(f"No AWS session: {error}") from None

    def _begun(self, region: str) -> Any:
        """A session with the SDK's own chain for what is not given, of the role that is to be assumed."""
        import boto3

        options = self._options
        session = boto3.session.Session(
            profile_name=options["profile"],
            region_name=region,
            aws_access_key_id=options["access_key"],
            aws_secret_access_key=options["secret_key"],
            aws_session_token=options["session_token"],
        )
        if not options["assume_role_arn"]:
            return session
        sts = session.client("sts", endpoint_url=options["endpoint_url"])
        answer = sts.assume_role(RoleArn=options["assume_role_arn"], RoleSessionName="polycloud-ollama-fleet")
        return boto3.session.Session(
            aws_access_key_id=answer["Credentials"]["AccessKeyId"],
            aws_secret_access_key=answer["Credentials"]["SecretAccessKey"],
            aws_session_token=answer["Credentials"]["SessionToken"],
            region_name=region,
        )
