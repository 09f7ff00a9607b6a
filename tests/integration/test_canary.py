# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary in every place for a secret: it is seen in no output, and in the clouds only where it belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.adapters import aci_args, bad, container_apps_args, ecs_args
from tests.helpers.modules import run_module
from tests.integration.conftest import Play, inventory_of, variables
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
# Fields of the clouds' own bodies that hold a secret. `value` does so below `secrets` only.
SECRET_FIELDS = {"secureValue", "password", "storageAccountKey", "accountKey", "workspaceKey", "sharedKey"}


Secrets = dict[str, str]
PLACES = ("aci_secret", "aci_registry", "aci_logs", "app_secret", "app_registry", "app_logs", "aws_key", "azure_secret")
REGIONS = {"aci_share": "swedencentral", "app_share": "westus3"}


@pytest.fixture
def secrets(clouds: Sandbox) -> Secrets:
    """A canary for each place, long enough for a key; a share's is the real key of a storage account made for it."""
    found = {place: f"canary{place.replace('_', '')}".ljust(64, "0") + "==" for place in PLACES}
    for place, region in REGIONS.items():
        options = {"resource_group": group(clouds, region), "location": region, "account_name": account(place)}
        made = run_module("azure_files_storage", {**options, "return_key": True})
        found[place] = made["azure_files"]["account_key"]
    clouds.client.clear_requests()
    return found


def group(sandbox: Sandbox, region: str) -> str:
    """Return the seeded resource group of a region."""
    return str(sandbox.seeds["azure"]["resource_groups"][region])


def account(place: str) -> str:
    """Return the name of the storage account for a place."""
    return place.replace("_", "") + "01"


def block(sandbox: Sandbox, secrets: Secrets, prefix: str) -> dict[str, Any]:
    """Return registry, share and log workspace with the secrets of one target, by names of our own."""
    share = {"account_name": account(f"{prefix}_share"), "share_name": "models"}
    workspace = sandbox.seeds["azure"]["workspace_customer_id"]
    return {
        "registries": [
            {"server": "registry.example.com", "username": "puller", "password": secrets[f"{prefix}_registry"]}
        ],
        "share": {**share, "account_key": secrets[f"{prefix}_share"]},
        "logs": {"workspace_id": workspace, "workspace_key": secrets[f"{prefix}_logs"]},
    }


def targets(sandbox: Sandbox, secrets: Secrets) -> dict[str, Any]:
    """Return three targets with a canary in every place for a secret."""
    aci, app, ecs = aci_args(sandbox), container_apps_args(sandbox), ecs_args(sandbox)
    for prefix, arguments in (("aci", aci), ("app", app)):
        secret = {"name": "LICENCE", "value": secrets[f"{prefix}_secret"]}
        arguments |= {"storage": {"mode": "volume"}, "secrets": [secret]}
        arguments["platform"]["registries"] = block(sandbox, secrets, prefix)["registries"]
    given = block(sandbox, secrets, "aci")
    aci["platform"] |= {"azure_files": given["share"], "log_analytics": given["logs"]}
    given = block(sandbox, secrets, "app")
    app["platform"] |= {"storage": given["share"], "environment": {"name": "ml", "log_analytics": given["logs"]}}
    azure = {"ollama_azure": {"secret": secrets["azure_secret"]}}
    aws = {"access_key": "sandbox", "secret_key": secrets["aws_key"], "region": "us-east-1"}
    return {
        "aci": variables("aci", aci) | azure,
        "app": variables("container_apps", app) | azure,
        "ecs": variables("ecs", ecs) | {"ollama_aws": aws},
    }


def strings(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every text in a JSON value with the keys that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, (*path, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, path)
    else:
        yield path, str(value)


def belongs(path: tuple[str, ...]) -> bool:
    """Say whether a secret may stand at this place of a request body."""
    return path[-1:] != () and (path[-1] in SECRET_FIELDS or path[-2:] == ("secrets", "value"))


def misplaced(calls: list[dict[str, Any]], secrets: Secrets) -> list[tuple[str, str]]:
    """Return where a secret stands in a call without belonging there."""
    found = []
    for call in calls:
        try:
            body = json.loads(call["request_body"] or "null")
        except ValueError:
            body = call["request_body"]
        placed = [".".join(path) for path, text in strings(body) if seen(text, secrets) and not belongs(path)]
        # The one answer that holds secrets; Azure gives it to who may ask.
        told = ("request_body", "response_body") if call["operation"].endswith("listSecrets") else ("request_body",)
        elsewhere = json.dumps({key: value for key, value in call.items() if key not in told})
        found += [(call["operation"], place) for place in placed + ["elsewhere"] * bool(seen(elsewhere, secrets))]
    return found


def seen(text: str, secrets: Secrets) -> list[str]:
    """Return the places whose secret is in the text, as it is or as JSON writes it."""
    return [place for place, secret in secrets.items() if secret in text or secret in text.replace("\\/", "/")]


def test_a_secret_is_seen_in_no_output_and_reaches_only_its_own_field(
    play: Play, clouds: Sandbox, secrets: Secrets, tmp_path: Path
) -> None:
    inventory = inventory_of(tmp_path, targets(clouds, secrets))
    deployed = play("site", "-vvv", "--diff", inventory=inventory)
    assert deployed.code == 0, deployed.output
    assert seen(deployed.output + json.dumps(deployed.report), secrets) == []

    failed = play("site", "-vvv", "--diff", "-e", f"ollama_image={bad('no-model')}", inventory=inventory)
    assert failed.code == 2
    assert set(failed.of_targets("health").values()) == {"rolled back"}, failed.output
    assert seen(failed.output + json.dumps(failed.report), secrets) == []

    calls = clouds.client.requests()
    assert misplaced(calls, secrets) == []
    sent = seen("".join(call["request_body"] or "" for call in calls), secrets)
    # The test would prove nothing where a secret was not sent at all. Credentials never are.
    assert set(secrets) - set(sent) == {"aws_key", "azure_secret"}


def test_a_secret_is_not_seen_where_the_description_is_wrong(
    play: Play, clouds: Sandbox, secrets: Secrets, tmp_path: Path
) -> None:
    hosts = targets(clouds, secrets)
    for host in hosts.values():
        host["ollama_runtime"] = {"num_parallel": "many"}
    hosts["app"]["ollama_secrets"] = [{"name": "LICENCE", "valeu": secrets["app_secret"]}]
    wrong = play("site", "-vvv", "--diff", inventory=inventory_of(tmp_path, hosts))
    assert wrong.code == 2
    assert seen(wrong.output + json.dumps(wrong.report), secrets) == []
