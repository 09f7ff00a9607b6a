# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the inventory's configuration to the accounts and regions to read. Checks every key before the first call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..clients.aws import Aws
from ..clients.azure import azure_client
from ..clients.azure_options import azure_argument_spec
from ..errors import InvalidDeployment, PolycloudError
from .azure import azure_replicas
from .ecs import ecs_replicas
from .reading import Source

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


def fleet_sources(*, aws: list[Any], azure: list[Any], managed_only: bool, template: Template) -> dict[str, Source]:
    """The sources by name (C(aws production us-east-1)). Raises InvalidDeployment naming every wrong key."""
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
        for region in account["regions"]:
            label = f"aws {account['name'] or account['profile'] or ''} {region}".replace("  ", " ")
            sources[_unique(label, sources)] = _aws_source(account, region, managed_only)
    for scope in scopes:
        label = f"azure {scope.pop('name') or scope['subscription_id'] or ''}".rstrip()
        sources[_unique(label, sources)] = _azure_source(scope, managed_only)
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


def _aws_source(account: Mapping[str, Any], region: str, managed_only: bool) -> Source:
    return lambda pool: ecs_replicas(_aws(account, region), pool, managed_only=managed_only)


def _azure_source(scope: Mapping[str, Any], managed_only: bool) -> Source:
    return lambda pool: azure_replicas(azure_client(scope, timeout=120), pool, managed_only=managed_only)


def _aws(account: Mapping[str, Any], region: str) -> Aws:
    """Clients of one account and region, with the SDK's own chain for what is not given."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise PolycloudError("The Python package boto3 is missing.", hint="Install it for Ansible's Python.") from None
    keys = {
        "aws_access_key_id": account["access_key"],
        "aws_secret_access_key": account["secret_key"],
        "aws_session_token": account["session_token"],
    }
    try:
        session = boto3.session.Session(profile_name=account["profile"], region_name=region, **keys)
        if account["assume_role_arn"]:
            session = _assumed(session, account, region)
    except (BotoCoreError, ClientError) as error:
        raise PolycloudError(f"No AWS session: {error}") from None
    return Aws(lambda service, **options: _client(session, account, service, options), region)


def _client(session: Any, account: Mapping[str, Any], service: str, options: Mapping[str, Any]) -> Any:
    return session.client(service, endpoint_url=account["endpoint_url"], **options)


def _assumed(session: Any, account: Mapping[str, Any], region: str) -> Any:
    import boto3

    answer = _client(session, account, "sts", {}).assume_role(
        RoleArn=account["assume_role_arn"], RoleSessionName="polycloud-ollama-fleet"
    )["Credentials"]
    return boto3.session.Session(
        aws_access_key_id=answer["AccessKeyId"],
        aws_secret_access_key=answer["SecretAccessKey"],
        aws_session_token=answer["SessionToken"],
        region_name=region,
    )
