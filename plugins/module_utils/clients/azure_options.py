# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every Azure module, by the names of azure.azcollection, and the settings that they come to.

`module_defaults` for `group/azure.azcollection.azure` therefore fit our modules too. Held equal to the doc fragment
`polycloud.ollama.azure` by a test.
"""

from __future__ import annotations

import configparser
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidDeployment, PolycloudError
from .azure_versions import CLOUDS, Cloud

ENDPOINT_VARIABLE = "AZURE_RESOURCE_MANAGER_ENDPOINT"
AUTH_SOURCES = ("auto", "cli", "credential_file", "env", "msi")


def azure_argument_spec() -> dict[str, dict[str, Any]]:
    """The argument spec that every Azure module adds to its own."""
    # Imported here so that the settings below stay testable without Ansible.
    from ansible.module_utils.basic import env_fallback

    return {
        "auth_source": {
            "type": "str",
            "choices": list(AUTH_SOURCES),
            "default": "auto",
            "fallback": (env_fallback, ["ANSIBLE_AZURE_AUTH_SOURCE"]),
        },
        "profile": {"type": "str"},
        "subscription_id": {"type": "str"},
        "client_id": {"type": "str", "no_log": True},
        "secret": {"type": "str", "no_log": True},
        "tenant": {"type": "str", "no_log": True},
        "ad_user": {"type": "str", "no_log": True},
        "password": {"type": "str", "no_log": True},
        "cloud_environment": {"type": "str", "default": "AzureCloud"},
        "cert_validation_mode": {"type": "str", "choices": ["ignore", "validate"]},
        "api_profile": {"type": "str", "default": "latest"},
        "adfs_authority_url": {"type": "str"},
        "log_mode": {"type": "str", "no_log": True},
        "log_path": {"type": "str", "no_log": True},
        "x509_certificate_path": {"type": "path", "no_log": True},
        "thumbprint": {"type": "str", "no_log": True},
        "disable_instance_discovery": {"type": "bool", "default": False},
        "oidc_token": {"type": "str", "no_log": True},
        "oidc_token_file_path": {"type": "path", "no_log": True},
        "resource_manager_endpoint": {"type": "str", "fallback": (env_fallback, [ENDPOINT_VARIABLE])},
    }


# Names in the environment, the first that is set wins. Tenant has two, as in azure.azcollection.
ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "profile": ("AZURE_PROFILE",),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "client_id": ("AZURE_CLIENT_ID",),
    "secret": ("AZURE_SECRET",),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "ad_user": ("AZURE_AD_USER",),
    "password": ("AZURE_PASSWORD",),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "cert_validation_mode": ("AZURE_CERT_VALIDATION_MODE",),
    "adfs_authority_url": ("AZURE_ADFS_AUTHORITY_URL",),
    "x509_certificate_path": ("AZURE_X509_CERTIFICATE_PATH",),
    "thumbprint": ("AZURE_THUMBPRINT",),
    "disable_instance_discovery": ("AZURE_DISABLE_INSTANCE_DISCOVERY",),
    "oidc_token": ("AZURE_FEDERATED_TOKEN",),
    "oidc_token_file_path": ("AZURE_FEDERATED_TOKEN_FILE",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """Where to go and as whom.

    source: C(parameters), C(env), C(credential_file), C(cli), C(msi), or C(none) for a loopback endpoint without TLS,
    to which no token is sent. credentials: the values of that source. subscription_id may be empty for C(cli) and
    C(msi), which know their own.
    """

    source: str
    endpoint: str
    cloud: Cloud
    subscription_id: str = ""
    authority: str = ""
    verify: bool = True
    disable_instance_discovery: bool = False
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


def azure_settings(params: Mapping[str, Any], environ: Mapping[str, str], home: Path | None = None) -> AzureSettings:
    """Settle the options, in azure.azcollection's order: parameters, environment, ~/.azure/credentials, Azure CLI.

    Raises InvalidDeployment where they make no sense; calls nobody.
    """
    given = {name: str(params[name]) for name in ENVIRONMENT if params.get(name) not in (None, "", False)}
    environment = _from_environment(environ)
    override = (params.get("resource_manager_endpoint") or "").rstrip("/")
    if override and is_plain_loopback(override):
        source, values = "none", {**environment, **given}
    else:
        source, values = _pick_source(str(params.get("auth_source") or "auto"), given, environment, home or Path.home())
    cloud = _cloud(str(params.get("cloud_environment") or "AzureCloud"), values.get("cloud_environment", ""))
    if override and urlsplit(override).scheme != "https" and source != "none":
        raise InvalidDeployment(
            [f"resource_manager_endpoint: {override} must be https; plain http is accepted for a loopback address only"]
        )
    subscription = given.get("subscription_id") or values.get("subscription_id", "")
    if not subscription and source not in ("cli", "msi"):
        raise InvalidDeployment(["subscription_id: it is not set; set it, or AZURE_SUBSCRIPTION_ID in the environment"])
    return AzureSettings(
        source=source,
        endpoint=override or cloud.resource_manager,
        cloud=cloud,
        subscription_id=subscription,
        authority=values.get("adfs_authority_url") or cloud.authority,
        verify=_verify(given, values, environment),
        disable_instance_discovery=_truthy(
            values.get("disable_instance_discovery") or environment.get("disable_instance_discovery")
        ),
        credentials=values,
    )


def is_plain_loopback(endpoint: str) -> bool:
    """True for C(http://127.0.0.1:8080) or C(http://localhost:1): the only plain http that is accepted."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme != "http":
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, variables in ENVIRONMENT.items():
        value = next((environ[variable] for variable in variables if environ.get(variable)), "")
        if value:
            found[name] = value
    return found


def _pick_source(
    source: str, given: Mapping[str, str], environment: Mapping[str, str], home: Path
) -> tuple[str, dict[str, str]]:
    """Choose where the credentials come from. The given subscription always wins over the source's own."""
    keep = {name: given[name] for name in ("subscription_id",) if name in given}
    if source == "msi":
        return "msi", {**environment, **given}
    if source == "cli":
        return "cli", {**_only_subscription(environment), **keep}
    if source == "credential_file":
        return "credential_file", {**_profile(home, given.get("profile", "default"), required=True), **keep}
    if source == "auto" and "profile" in given:
        return "credential_file", {**_profile(home, given["profile"], required=True), **keep}
    if source == "auto" and ("client_id" in given or "ad_user" in given):
        return "parameters", {**_only_subscription(environment), **given}
    return _ambient_source(source, environment, keep, home)


def _ambient_source(
    source: str, environment: Mapping[str, str], keep: Mapping[str, str], home: Path
) -> tuple[str, dict[str, str]]:
    """The credentials that lie around: environment, default profile, Azure CLI."""
    if "profile" in environment:
        return "credential_file", {**_profile(home, environment["profile"], required=True), **keep}
    if "client_id" in environment or "ad_user" in environment:
        return "env", {**environment, **keep}
    if source == "env":
        raise InvalidDeployment(
            ["auth_source: env was asked for, and neither AZURE_CLIENT_ID nor AZURE_AD_USER nor AZURE_PROFILE is set"]
        )
    profile = _profile(home, "default", required=False)
    if profile.get("subscription_id"):
        return "credential_file", {**profile, **keep}
    return "cli", {**_only_subscription(environment), **keep}


def _only_subscription(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name == "subscription_id"}


def _profile(home: Path, name: str, *, required: bool) -> dict[str, str]:
    """Read a profile of ~/.azure/credentials."""
    path = home / ".azure" / "credentials"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # The parser's own message quotes the line, which may be a secret.
        raise PolycloudError(f"{path} cannot be read as an ini file ({type(error).__name__}).") from None
    if not parser.has_section(name):
        if required:
            raise InvalidDeployment([f"profile: {path} has no profile {name}"])
        return {}
    return {key: parser.get(name, key) for key in ENVIRONMENT if parser.has_option(name, key)}


def _cloud(parameter: str, of_source: str) -> Cloud:
    """The cloud that the parameter names (its default is no opinion), else the source's."""
    name = parameter if parameter != "AzureCloud" else (of_source or parameter)
    if name in CLOUDS:
        return CLOUDS[name]
    for cloud in CLOUDS.values():
        if cloud.resource_manager == name.lower().rstrip("/"):
            return cloud
    advice = "for a private Azure set resource_manager_endpoint and adfs_authority_url"
    raise InvalidDeployment([f"cloud_environment: {name} is not one of {', '.join(CLOUDS)}; {advice}"])


def _verify(given: Mapping[str, str], values: Mapping[str, str], environment: Mapping[str, str]) -> bool:
    """Whether certificates are checked: parameter, then credential source, then environment."""
    modes = (source.get("cert_validation_mode") for source in (given, values, environment))
    mode = next((mode for mode in modes if mode), "validate")
    if mode not in ("ignore", "validate"):
        raise InvalidDeployment([f"cert_validation_mode: {mode} is not one of ignore, validate"])
    return mode == "validate"


def _truthy(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes", "on")
