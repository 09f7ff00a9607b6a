# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credential of azure-identity the settings come to. Nobody is asked for a token here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_auth import (
    cli_subscription,
    make_credential,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import AzureSettings
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_versions import CLOUDS
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment, PolycloudError

TENANT = {"client_id": "33333333-3333-4333-8333-333333333333", "tenant": "11111111-1111-4111-8111-111111111111"}


def settings(source: str, **credentials: str) -> AzureSettings:
    cloud = CLOUDS["AzureUSGovernment"]
    return AzureSettings(
        source=source,
        endpoint=cloud.resource_manager,
        cloud=cloud,
        authority=cloud.authority,
        disable_instance_discovery=True,
        credentials=credentials,
    )


@pytest.mark.parametrize(
    ("credentials", "name"),
    [
        ({**TENANT, "secret": "x"}, "ClientSecretCredential"),
        ({**TENANT, "oidc_token": "jwt", "secret": "x"}, "ClientAssertionCredential"),
        ({"ad_user": "me@example.com", "password": "x"}, "UsernamePasswordCredential"),
        ({**TENANT, "ad_user": "me@example.com", "password": "x"}, "UsernamePasswordCredential"),
    ],
    ids=["secret", "oidc", "user", "user with client"],
)
def test_the_first_complete_way_is_taken(credentials: dict[str, str], name: str) -> None:
    assert type(make_credential(settings("parameters", **credentials))).__name__ == name


@pytest.mark.parametrize(("source", "name"), [("cli", "AzureCliCredential"), ("msi", "ManagedIdentityCredential")])
def test_a_source_without_options_is_its_own_credential(source: str, name: str) -> None:
    assert type(make_credential(settings(source))).__name__ == name


def test_a_token_file_is_read_anew_for_each_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    credential = make_credential(settings("env", **TENANT, oidc_token_file_path=str(token)))
    token.write_text("second\n")

    assert credential._func() == "second"


@pytest.mark.parametrize("option", ["oidc_token_file_path", "x509_certificate_path"])
def test_a_missing_file_is_named(option: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDeployment, match=option):
        make_credential(settings("env", **TENANT, **{option: str(tmp_path / "missing")}))


def test_incomplete_credentials_are_refused_with_the_ways_there_are() -> None:
    with pytest.raises(InvalidDeployment, match="client_id, tenant and secret"):
        make_credential(settings("parameters", **TENANT))


def test_a_host_without_azure_cli_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(PolycloudError, match="az login"):
        cli_subscription({"AZURE_CONFIG_DIR": str(tmp_path)})


def test_azure_cli_says_which_subscription_it_stands_in(tmp_path: Path) -> None:
    entries = [{"id": "sub-0", "isDefault": False}, {"id": "sub-1", "isDefault": True}]
    # Azure CLI writes a byte order mark.
    (tmp_path / "azureProfile.json").write_text(json.dumps({"subscriptions": entries}), encoding="utf-8-sig")

    assert cli_subscription({"AZURE_CONFIG_DIR": str(tmp_path)}) == "sub-1"


def test_no_error_shows_a_secret() -> None:
    credentials: dict[str, Any] = {"client_id": "c", "secret": "canary"}
    with pytest.raises(InvalidDeployment) as caught:
        make_credential(settings("parameters", **credentials))
    assert "canary" not in str(caught.value)
