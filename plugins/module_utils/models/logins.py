# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins for the registries of the clouds. Their SDKs are imported here and only when a login is asked for."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlencode

from ..text import one_line
from .auth import MAX_TOKEN_ANSWER, token_in
from .credentials import Credentials
from .errors import LoginRefused, ModelError
from .transport import Transport, origin_of

_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]{4,30})\.amazonaws\.com(?:\.cn)?", re.ASCII)
ACR_SCOPE = "https://containerregistry.azure.net/.default"


def ecr_login(url: str) -> Credentials:
    """Credentials (good for 12 hours) for the private ECR registry `url`, by the AWS credentials that boto3 finds."""
    found = _ECR.fullmatch(origin_of(url)[1])
    if not found:
        raise LoginRefused(
            "This is not the address of a private ECR registry.",
            hint="Use https://<account>.dkr.ecr.<region>.amazonaws.com.",
        )
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise LoginRefused("A login to ECR needs boto3, which is not there.", hint="pip install boto3") from None
    try:
        answer = boto3.client("ecr", region_name=found[1]).get_authorization_token()
    except (BotoCoreError, ClientError) as error:
        raise LoginRefused(
            f"ECR gave no login: {one_line(str(error), 200)}.", hint="It needs ecr:GetAuthorizationToken."
        ) from None
    return _ecr_credentials(answer)


def _ecr_credentials(answer: Any) -> Credentials:
    try:
        plain = base64.b64decode(answer["authorizationData"][0]["authorizationToken"], validate=True).decode()
    except (LookupError, TypeError, ValueError, binascii.Error):
        raise LoginRefused("ECR's answer holds no login.") from None
    username, dummy, password = plain.partition(":")
    return Credentials(username, password)


def acr_login(url: str, transport: Transport, *, tenant: str = "", credential: Any = None) -> Credentials:
    """Credentials (good for some hours) for the Azure Container Registry `url`.

    A token of Microsoft Entra ID is exchanged at the registry for a refresh token; the registry's token service takes
    that for each repository. credential: of azure-identity; without it the usual chain (environment, managed identity,
    az login) decides.
    """
    host = origin_of(url)[1]
    form = {"grant_type": "access_token", "service": host, "access_token": _entra_token(credential)}
    if tenant:
        form["tenant"] = tenant
    base = "/".join(url.split("/", 3)[:3])
    # No redirects: the form holds a token.
    with transport.open(f"{base}/oauth2/exchange", data=urlencode(form).encode(), redirects=0) as answer:
        token = token_in(answer.read(MAX_TOKEN_ANSWER), "refresh_token") if answer.status == 200 else ""
        if not token:
            raise LoginRefused(
                f"{one_line(host, 120)} did not take the Azure login (status {answer.status}).",
                hint="The identity needs the role AcrPull on this registry.",
            )
    return Credentials(refresh_token=token)


def _entra_token(credential: Any) -> str:
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import CredentialUnavailableError, DefaultAzureCredential
    except ImportError:
        raise LoginRefused(
            "A login to ACR needs azure-identity, which is not there.", hint="pip install azure-identity"
        ) from None
    try:
        return str((credential or DefaultAzureCredential()).get_token(ACR_SCOPE).token)
    except (AzureError, CredentialUnavailableError) as error:
        raise LoginRefused(f"There is no Azure login: {one_line(str(error), 200)}.", hint="Try az login.") from None


def login(kind: str, url: str, transport: Transport) -> Credentials:
    """The login of `kind`: ecr or acr."""
    if kind == "ecr":
        return ecr_login(url)
    if kind == "acr":
        return acr_login(url, transport)
    raise ModelError(f"There is no login '{one_line(kind, 20)}': use ecr or acr.")
