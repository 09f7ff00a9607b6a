# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds' own logins, against stand-ins for their HTTP side."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import Credentials
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import LoginRefused, ModelError
from ansible_collections.polycloud.ollama.plugins.module_utils.models.logins import (
    ACR_SCOPE,
    acr_login,
    ecr_login,
    login,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.names import parse
from ansible_collections.polycloud.ollama.plugins.module_utils.models.registry import Registry as Source
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import Transport
from tests.helpers.engines import Scripted
from tests.helpers.registry import Start

ECR = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
Script = Callable[..., Scripted]


@pytest.fixture
def aws(scripted: Script, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Stands in for ECR's API."""
    pair = base64.b64encode(b"AWS:s3cret").decode()
    server = scripted({"/": (200, json.dumps({"authorizationData": [{"authorizationToken": pair}]}).encode())})
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return server


def test_ecr_gives_a_user_for_its_registry(aws: Scripted) -> None:
    assert ecr_login(ECR) == Credentials("AWS", "s3cret")
    (method, dummy, headers, body) = aws.requests[0]
    assert method == "POST"
    assert headers["X-Amz-Target"].endswith("GetAuthorizationToken")
    assert "/eu-west-1/ecr/" in headers["Authorization"]
    assert body == b"{}"


def test_a_refusal_of_ecr_names_the_permission(aws: Scripted) -> None:
    aws.replies["/"] = (400, b'{"__type": "AccessDeniedException", "message": "not you"}')
    with pytest.raises(LoginRefused, match="not you.* ecr:GetAuthorizationToken"):
        ecr_login(ECR)


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"authorizationData": []}', b'{"authorizationData": [{"authorizationToken": "%"}]}']
)
def test_an_answer_of_ecr_without_a_login_is_said(aws: Scripted, answer: bytes) -> None:
    aws.replies["/"] = (200, answer)
    with pytest.raises(LoginRefused, match="holds no login"):
        ecr_login(ECR)


@pytest.mark.parametrize("url", ["https://models.example.org", ECR + ".evil.org", "https://1.dkr.ecr.x.amazonaws.com"])
def test_only_ecr_s_own_hosts_get_ecr_s_login(url: str) -> None:
    with pytest.raises(LoginRefused, match="not the address of a private ECR"):
        ecr_login(url)


@pytest.mark.parametrize(("kind", "module"), [("ecr", "boto3"), ("acr", "azure.identity")])
def test_a_missing_sdk_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch, kind: str, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(LoginRefused, match=f"pip install {module.replace('.', '-')}"):
        login(kind, ECR, Transport())


class Identity:
    """Stands in for a credential of azure-identity."""

    def get_token(self, scope: str) -> SimpleNamespace:
        assert scope == ACR_SCOPE
        return SimpleNamespace(token="entra-t0ken")


def test_acr_exchanges_an_entra_token_and_then_gives_one_for_each_repository(
    scripted: Script, start_registry: Start
) -> None:
    exchange = scripted({"/oauth2/exchange": (200, b'{"refresh_token": "s3cret-pw"}')})
    found = acr_login(f"{exchange.url}/team", Transport(), tenant="t-1", credential=Identity())
    assert found == Credentials(refresh_token="s3cret-pw")
    form = parse_qs(exchange.requests[0][3].decode())
    assert form == {
        "grant_type": ["access_token"],
        "service": ["127.0.0.1"],
        "access_token": ["entra-t0ken"],
        "tenant": ["t-1"],
    }
    server = start_registry("token")
    server.add("library/tiny", "latest", b"weights")
    assert Source(server.url, found).manifest(parse("tiny"), "")
    assert b"refresh_token=s3cret-pw" in server.token_requests[0].body


def test_a_refusal_of_acr_names_the_role_and_not_the_token(scripted: Script) -> None:
    server = scripted({"/oauth2/exchange": (401, b'{"error": "entra-t0ken"}')})
    with pytest.raises(LoginRefused, match=r"status 401.*AcrPull") as caught:
        acr_login(server.url, Transport(), credential=Identity())
    assert "t0ken" not in str(caught.value)


def test_an_exchange_that_redirects_is_not_followed(scripted: Script) -> None:
    away = scripted({})
    server = scripted({"/oauth2/exchange": (307, b"")}, headers={"Location": f"{away.url}/oauth2/exchange"})
    with pytest.raises(ModelError, match="redirects more than 0 times"):
        acr_login(server.url, Transport(), credential=Identity())
    assert not away.requests


def test_an_unknown_login_is_refused() -> None:
    with pytest.raises(ModelError, match="use ecr or acr"):
        login("gcr", ECR, Transport())
