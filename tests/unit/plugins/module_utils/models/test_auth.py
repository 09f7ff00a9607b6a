# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry gets the login that it asks for; nobody else does."""

from __future__ import annotations

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.auth import may_ask, read_challenge, token_in
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import ANONYMOUS, Credentials
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import LoginRefused, ModelError
from ansible_collections.polycloud.ollama.plugins.module_utils.models.limits import Limits
from ansible_collections.polycloud.ollama.plugins.module_utils.models.names import parse
from ansible_collections.polycloud.ollama.plugins.module_utils.models.registry import Registry as Source
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import origin_of
from tests.helpers.registry import Registry, Start

ADA = Credentials("ada", "s3cret-pw")
QUICK = Limits(attempts=3, first_pause=0.001, longest_pause=0.002, timeout=5)


def manifest(server: Registry, credentials: Credentials) -> bytes:
    return Source(server.url, credentials, limits=QUICK).manifest(parse("tiny"), "")


def sent(server: Registry) -> list[str]:
    return [request.headers.get("Authorization", "").partition(" ")[0] for request in server.requests]


@pytest.mark.parametrize(("auth", "scheme"), [("", ""), ("basic", "Basic"), ("token", "Bearer")])
def test_each_way_to_log_in_works_and_is_used_only_when_asked_for(
    start_registry: Start, auth: str, scheme: str
) -> None:
    server = start_registry(auth)
    server.add("library/tiny", "latest", b"weights")
    source = Source(server.url, ADA)
    for dummy in range(2):
        source.manifest(parse("tiny"), "")
    assert sent(server) == (["", ""] if not auth else ["", scheme, scheme])
    assert len(server.token_requests) == (1 if auth == "token" else 0)


def test_an_anonymous_token_is_fetched_without_a_login(start_registry: Start) -> None:
    server = start_registry("token")
    server.user = ""
    server.add("library/tiny", "latest", b"weights")
    assert manifest(server, ANONYMOUS)
    assert "Authorization" not in server.token_requests[0].headers
    assert "scope=repository%3Alibrary%2Ftiny%3Apull" in server.token_requests[0].path


def test_a_token_that_ran_out_is_fetched_again(start_registry: Start) -> None:
    server = start_registry("token")
    server.add("library/tiny", "latest", b"weights")
    source = Source(server.url, ADA)
    source.manifest(parse("tiny"), "")
    server.tokens.clear()
    source.manifest(parse("tiny"), "")
    assert len(server.token_requests) == 2


def test_a_given_token_is_sent_at_once(start_registry: Start) -> None:
    server = start_registry("token")
    server.add("library/tiny", "latest", b"weights")
    server.tokens.add("given")
    assert manifest(server, Credentials(token="given"))
    assert sent(server) == ["Bearer"]


def test_a_refresh_token_is_exchanged_by_post(start_registry: Start) -> None:
    server = start_registry("token")
    server.add("library/tiny", "latest", b"weights")
    assert manifest(server, Credentials(refresh_token="s3cret-pw"))
    request = server.token_requests[0]
    assert (request.method, request.path) == ("POST", "/token")
    assert b"grant_type=refresh_token" in request.body


@pytest.mark.parametrize("auth", ["basic", "token"])
@pytest.mark.parametrize(
    "credentials",
    [ANONYMOUS, Credentials("ada", "wr0ng-pw"), Credentials(token="wr0ng-token")],
    ids=["none", "user", "token"],
)
def test_a_login_that_is_not_accepted_is_said_without_the_secret(
    start_registry: Start, auth: str, credentials: Credentials
) -> None:
    server = start_registry(auth)
    with pytest.raises(LoginRefused, match="--help") as caught:
        manifest(server, credentials)
    assert "wr0ng" not in str(caught.value)
    assert len(server.requests) <= 2


def test_what_a_hostile_registry_echoes_is_scrubbed(start_registry: Start) -> None:
    server = start_registry("basic")
    server.faults.echo, server.faults.statuses = True, [401, 418]
    server.auth = "basic"
    with pytest.raises(ModelError) as caught:
        manifest(server, Credentials(token="s3cret-token"))
    assert "s3cret" not in str(caught.value)
    server.faults.statuses = [418]
    with pytest.raises(ModelError, match=r"Bearer \*\*\*"):
        manifest(server, Credentials(token="s3cret-token"))


@pytest.mark.parametrize(
    "realm", ["https://tokens.evil.org/token", "http://tokens.example.org/token", "file:///etc/passwd"]
)
def test_a_registry_cannot_send_our_login_elsewhere(start_registry: Start, realm: str) -> None:
    server = start_registry("token")
    server.realm = realm
    with pytest.raises(LoginRefused, match="fetched elsewhere"):
        manifest(server, ADA)


def test_a_token_service_that_redirects_is_not_followed(start_registry: Start) -> None:
    server, away = start_registry("token"), start_registry("token")
    server.realm = f"{away.url}/v2/library/tiny/blobs/x"
    away.auth, away.faults.location = "", server.url
    with pytest.raises(ModelError, match="redirects more than 0 times"):
        manifest(server, ADA)
    assert len(server.requests) == 1


def test_a_busy_token_service_is_asked_again(start_registry: Start) -> None:
    server, tokens = start_registry("token"), start_registry()
    server.add("library/tiny", "latest", b"weights")
    server.realm = f"{tokens.url}/v2/library/tiny/busy/x"
    tokens.faults.statuses = [503, 503]
    tokens.add_manifest("library/tiny", "latest", b"{}")
    with pytest.raises(LoginRefused, match="answered 404"):
        manifest(server, ADA)
    assert len(tokens.requests) == 3


@pytest.mark.parametrize(
    ("registry", "realm", "allowed"),
    [
        ("https://registry.example.org", "https://registry.example.org/token", True),
        ("https://registry.example.org", "https://registry.example.org:8443/token", True),
        ("https://registry.example.org", "https://auth.example.org/token", True),
        ("https://registry.example.org", "https://example.org/jwt", True),
        ("https://example.org", "https://auth.example.org/token", True),
        ("https://registry.example.org", "http://registry.example.org/token", False),
        ("https://registry.example.org", "https://auth.example.org.evil.org/token", False),
        ("https://registry.example.org", "https://evilexample.org/token", False),
        ("https://registry.example.org", "https://user@registry.example.org/token", False),
        ("https://example.org", "https://evil.org/token", False),
        ("https://example.co.uk", "https://evil.co.uk/token", False),
        ("https://10.0.0.1", "https://9.0.0.1/token", False),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", True),
        ("http://127.0.0.1:5000", "http://localhost:5001/token", False),
        ("https://registry.example.org", "http://127.0.0.1/token", False),
    ],
)
def test_a_token_service_must_belong_to_the_registry(registry: str, realm: str, allowed: bool) -> None:
    assert may_ask(realm, origin_of(registry)) is allowed


def test_a_challenge_is_read_quoted_or_not() -> None:
    challenge = read_challenge('Bearer realm="https://a.org/t?x=1,2", service=the-service,scope="repository:a/b:pull"')
    assert (challenge.scheme, challenge.realm) == ("bearer", "https://a.org/t?x=1,2")
    assert (challenge.service, challenge.scope) == ("the-service", "repository:a/b:pull")
    assert read_challenge("Negotiate").realm == ""


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"token": 5}', b'{"token": "a\\nb"}', b'{"token": ""}', b"[" * 99999]
)
def test_an_answer_without_a_token_that_can_be_sent_is_none(raw: bytes) -> None:
    assert token_in(raw) == ""
    assert token_in(b'{"access_token": "t"}') == "t"
