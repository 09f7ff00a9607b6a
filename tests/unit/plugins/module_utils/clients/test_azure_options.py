# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and environment of azure.azcollection, in its order, and what they come to."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path
from typing import Any

import ansible_collections.azure.azcollection.plugins.doc_fragments.azure as upstream
import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.doc_fragments.azure import ModuleDocFragment
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import (
    ENVIRONMENT,
    azure_argument_spec,
    azure_settings,
    is_plain_loopback,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_versions import CLOUDS
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment, PolycloudError

DEFAULTS = {"auth_source": "auto", "cloud_environment": "AzureCloud", "disable_instance_discovery": False}
PRINCIPAL = {"client_id": "app", "secret": "canary-secret", "tenant": "t", "subscription_id": "s"}


def settle(params: dict[str, Any], environ: dict[str, str] | None = None, home: Path = Path("/nonexistent")) -> Any:
    return azure_settings({**DEFAULTS, **params}, environ or {}, home)


# ---- the same names as upstream


def documented() -> dict[str, Any]:
    options: dict[str, Any] = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    return options


def test_the_fragment_documents_exactly_the_options() -> None:
    spec = azure_argument_spec()
    options = documented()

    assert set(options) == set(spec)
    for name, option in options.items():
        assert option["type"] == spec[name]["type"], name
        assert option.get("default") == spec[name].get("default"), name
        assert sorted(option.get("choices", [])) == sorted(spec[name].get("choices", [])), name


def later(theirs: Collection[str]) -> set[str]:
    """Ours that azcollection 3.12, which goes with ansible-core 2.19, does not know: 3.17 brought OpenID Connect."""
    return set() if "oidc_token" in theirs else {"oidc_token", "oidc_token_file_path"}


def test_every_option_of_azcollection_is_one_of_ours_with_the_same_type_and_default() -> None:
    theirs = yaml.safe_load(upstream.ModuleDocFragment.DOCUMENTATION)["options"]
    spec = azure_argument_spec()

    assert set(theirs) == set(spec) - {"resource_manager_endpoint"} - later(theirs)
    for name, option in theirs.items():
        assert (option["type"], option.get("default")) == (spec[name]["type"], spec[name].get("default")), name


def test_the_environment_names_are_those_of_azcollection() -> None:
    source = Path(upstream.__file__).parents[1] / "module_utils" / "azure_rm_common.py"
    theirs = {}
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "AZURE_CREDENTIAL_ENV_MAPPING":
            assert isinstance(node.value, ast.Call)
            theirs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.value.keywords}

    assert theirs == {name: variables[0] for name, variables in ENVIRONMENT.items() if name not in later(theirs)}


def test_every_secret_option_is_hidden() -> None:
    spec = azure_argument_spec()

    assert all(spec[name].get("no_log") for name in ("secret", "password", "client_id", "tenant", "oidc_token"))


# ---- precedence


def profile(home: Path, text: str) -> None:
    (home / ".azure").mkdir()
    (home / ".azure" / "credentials").write_text(text)


def test_parameters_come_before_the_environment() -> None:
    found = settle(PRINCIPAL, {"AZURE_CLIENT_ID": "other", "AZURE_SUBSCRIPTION_ID": "other"})

    assert (found.source, found.credentials["client_id"], found.subscription_id) == ("parameters", "app", "s")


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    profile(tmp_path, "[default]\nsubscription_id=file\nclient_id=file\n")
    environ = {"AZURE_CLIENT_ID": "env", "AZURE_SECRET": "x", "AZURE_TENANT_ID": "t", "AZURE_SUBSCRIPTION_ID": "env"}

    found = settle({}, environ, tmp_path)

    assert (found.source, found.credentials["tenant"], found.subscription_id) == ("env", "t", "env")


def test_the_file_comes_before_azure_cli(tmp_path: Path) -> None:
    assert settle({}, {}, tmp_path).source == "cli"
    profile(tmp_path, "[default]\nsubscription_id=file\nclient_id=file\n")

    found = settle({}, {}, tmp_path)

    assert (found.source, found.subscription_id) == ("credential_file", "file")


def test_a_named_profile_comes_before_all(tmp_path: Path) -> None:
    profile(tmp_path, "[default]\nsubscription_id=1\n[prod]\nsubscription_id=2\ncloud_environment=AzureUSGovernment\n")

    found = settle({**PRINCIPAL, "subscription_id": None, "profile": "prod"}, {"AZURE_CLIENT_ID": "env"}, tmp_path)

    assert (found.source, found.subscription_id) == ("credential_file", "2")
    assert found.endpoint == "https://management.usgovcloudapi.net"
    assert settle({}, {"AZURE_PROFILE": "prod"}, tmp_path).subscription_id == "2"


def test_a_given_subscription_wins_over_the_sources_own() -> None:
    environ = {"AZURE_CLIENT_ID": "env", "AZURE_SUBSCRIPTION_ID": "env"}

    assert settle({"subscription_id": "mine"}, environ).subscription_id == "mine"


@pytest.mark.parametrize("source", ["msi", "cli"])
def test_a_source_that_knows_its_subscription_needs_none(source: str) -> None:
    assert settle({"auth_source": source}).source == source


def test_credentials_without_a_subscription_are_refused() -> None:
    with pytest.raises(InvalidDeployment, match="AZURE_SUBSCRIPTION_ID"):
        settle({**PRINCIPAL, "subscription_id": None})


def test_an_environment_that_was_asked_for_and_is_empty_is_refused() -> None:
    with pytest.raises(InvalidDeployment, match="AZURE_CLIENT_ID"):
        settle({"auth_source": "env", "subscription_id": "s"})


def test_a_missing_profile_is_named_and_a_broken_file_shows_no_line_of_it(tmp_path: Path) -> None:
    profile(tmp_path, "[default]\nsubscription_id=1\n")
    with pytest.raises(InvalidDeployment, match="has no profile prod"):
        settle({"profile": "prod"}, {}, tmp_path)
    (tmp_path / ".azure" / "credentials").write_text("canary-secret-without-section\n")
    with pytest.raises(PolycloudError) as caught:
        settle({}, {}, tmp_path)
    assert "canary" not in str(caught.value)


# ---- clouds and endpoints


@pytest.mark.parametrize("name", CLOUDS)
def test_a_sovereign_cloud_has_its_own_addresses(name: str) -> None:
    found = settle({**PRINCIPAL, "cloud_environment": name})

    assert found.endpoint == CLOUDS[name].resource_manager
    assert found.authority == CLOUDS[name].authority
    assert settle({**PRINCIPAL, "cloud_environment": CLOUDS[name].resource_manager + "/"}).cloud == CLOUDS[name]


def test_our_clouds_are_those_of_microsofts_own_package() -> None:
    from azure.mgmt.core.tools import get_arm_endpoints

    for cloud in CLOUDS.values():
        setting = {"AzureCloud": "AZURE_PUBLIC_CLOUD", "AzureUSGovernment": "AZURE_US_GOVERNMENT"}
        theirs = get_arm_endpoints(setting.get(cloud.name, "AZURE_CHINA_CLOUD"))
        assert theirs["resource_manager"].rstrip("/") == cloud.resource_manager
        assert theirs["credential_scopes"] == [f"{cloud.audience}/.default"]


def test_the_environment_chooses_the_cloud_where_the_option_does_not() -> None:
    environ = {"AZURE_CLIENT_ID": "c", "AZURE_SUBSCRIPTION_ID": "s", "AZURE_CLOUD_ENVIRONMENT": "AzureChinaCloud"}

    assert settle({}, environ).cloud.name == "AzureChinaCloud"
    assert settle({"cloud_environment": "AzureUSGovernment"}, environ).cloud.name == "AzureUSGovernment"


def test_an_unknown_cloud_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidDeployment, match="AzureCloud, AzureUSGovernment, AzureChinaCloud"):
        settle({**PRINCIPAL, "cloud_environment": "AzureMoon"})


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:1", "http://localhost:8080/"]
)
def test_plain_http_to_loopback_needs_no_credentials(endpoint: str) -> None:
    found = settle({"resource_manager_endpoint": endpoint, "subscription_id": "s"})

    assert (found.source, found.endpoint) == ("none", endpoint.rstrip("/"))


@pytest.mark.parametrize(
    "endpoint", ["http://management.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com", "ftp://127.0.0.1"]
)
def test_plain_http_to_anywhere_else_is_refused(endpoint: str) -> None:
    assert not is_plain_loopback(endpoint)
    with pytest.raises(InvalidDeployment, match="must be https"):
        settle({**PRINCIPAL, "resource_manager_endpoint": endpoint})


def test_an_https_endpoint_of_a_private_azure_keeps_the_credentials() -> None:
    private = {"resource_manager_endpoint": "https://arm.example.com", "adfs_authority_url": "https://adfs.example.com"}
    found = settle({**PRINCIPAL, **private})

    assert (found.source, found.endpoint) == ("parameters", "https://arm.example.com")
    assert found.authority == "https://adfs.example.com"


def test_certificates_are_checked_unless_somebody_says_otherwise() -> None:
    environ = {"AZURE_CERT_VALIDATION_MODE": "ignore"}

    assert settle(PRINCIPAL).verify
    assert not settle({**PRINCIPAL, "cert_validation_mode": "ignore"}).verify
    assert not settle(PRINCIPAL, environ).verify
    assert settle({**PRINCIPAL, "cert_validation_mode": "validate"}, environ).verify


def test_settings_show_no_secret() -> None:
    assert "canary" not in repr(settle(PRINCIPAL))
