# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn settings into a token credential of azure-identity, which is loaded only here, when a token is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidDeployment, PolycloudError
from .azure_options import AzureSettings

# The public client id of Azure CLI, used for user sign-in where no client id is given, as in azure.azcollection.
AZURE_CLI_CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
METHODS = (
    "client_id, tenant and secret; client_id, tenant and x509_certificate_path; client_id, tenant and oidc_token or "
    "oidc_token_file_path; ad_user and password"
)


def make_credential(settings: AzureSettings) -> Any:
    """The credential for the settings' source. Raises InvalidDeployment where options are missing; asks nobody."""
    if settings.source == "cli":
        return _identity().AzureCliCredential()
    if settings.source == "msi":
        return _identity().ManagedIdentityCredential(client_id=settings.credentials.get("client_id"))
    values = settings.credentials
    authority = {
        "authority": settings.authority,
        "disable_instance_discovery": settings.disable_instance_discovery,
        "connection_verify": settings.verify,
    }
    if "client_id" in values and "tenant" in values:
        credential = _service_principal(values, authority)
        if credential is not None:
            return credential
    if "ad_user" in values and "password" in values:
        return _identity().UsernamePasswordCredential(
            values.get("client_id", AZURE_CLI_CLIENT),
            values["ad_user"],
            values["password"],
            tenant_id=values.get("tenant", "organizations"),
            **authority,
        )
    raise InvalidDeployment([f"auth_source: {settings.source} has no complete credentials; give {METHODS}"])


def _service_principal(values: Mapping[str, str], authority: Mapping[str, Any]) -> Any | None:
    """A service principal's credential, None if nothing proves it. Order as in azure.azcollection."""
    tenant, client = values["tenant"], values["client_id"]
    if "oidc_token" in values:
        return _identity().ClientAssertionCredential(tenant, client, lambda: values["oidc_token"], **authority)
    if "oidc_token_file_path" in values:
        path = Path(values["oidc_token_file_path"]).expanduser()
        if not path.is_file():
            raise InvalidDeployment([f"oidc_token_file_path: {path} does not exist"])
        return _identity().ClientAssertionCredential(tenant, client, lambda: path.read_text().strip(), **authority)
    if "secret" in values:
        return _identity().ClientSecretCredential(tenant, client, values["secret"], **authority)
    if "x509_certificate_path" in values:
        path = Path(values["x509_certificate_path"]).expanduser()
        if not path.is_file():
            raise InvalidDeployment([f"x509_certificate_path: {path} does not exist"])
        return _identity().CertificateCredential(tenant, client, str(path), **authority)
    return None


def _identity() -> Any:
    try:
        import azure.identity
    except ImportError as error:
        from ansible.module_utils.basic import missing_required_lib

        raise PolycloudError(missing_required_lib("azure-identity")) from error
    return azure.identity


def cli_subscription(environ: Mapping[str, str]) -> str:
    """The subscription that Azure CLI is set to, from its own profile: starting the CLI would take a second."""
    folder = Path(environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    try:
        profile = json.loads((folder / "azureProfile.json").read_text(encoding="utf-8-sig"))
        return next(str(entry["id"]) for entry in profile["subscriptions"] if entry.get("isDefault"))
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise PolycloudError(
            f"No Azure credentials were found, and Azure CLI is not signed in ({type(error).__name__}).",
            hint="Set client_id, secret, tenant and subscription_id (or AZURE_CLIENT_ID …), or run: az login.",
        ) from None
