# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirects are followed by rule, and what must stay secret stays at home."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import (
    ModelError,
    SourceUnreachable,
    UnsafeRedirect,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import Transport, is_loopback, origin_of
from tests.helpers.certificates import self_signed
from tests.helpers.registry import Registry, Start

PATH = "/v2/library/tiny/manifests/latest"
SECRET = "Bearer abc.def"


def authorizations(server: Registry) -> list[str]:
    return [request.headers.get("Authorization", "") for request in server.requests]


def test_a_redirect_to_another_origin_is_followed_without_credentials(start_registry: Start) -> None:
    home, away = start_registry(), start_registry()
    home.faults.location = away.url
    with Transport().open(home.url + PATH, authorization=SECRET) as answer:
        assert answer.status == 404
        assert answer.redirected
    assert authorizations(home) == [SECRET]
    assert authorizations(away) == [""]


def test_credentials_do_not_come_back_after_a_redirect_left_home(start_registry: Start) -> None:
    home, away = start_registry(), start_registry()
    home.faults.location, away.faults.location = away.url, home.url
    with pytest.raises(UnsafeRedirect, match="more than 5 times"):
        Transport().open(home.url + PATH, authorization=SECRET)
    assert authorizations(home) == [SECRET, "", ""]
    assert authorizations(away) == ["", "", ""]


def test_a_redirect_on_the_same_origin_keeps_credentials_and_ends_after_five(remote: Registry) -> None:
    remote.faults.location = "loop"
    with pytest.raises(UnsafeRedirect, match="more than 5 times"):
        Transport().open(remote.url + PATH, authorization=SECRET)
    assert authorizations(remote) == [SECRET] * 6


def test_a_redirect_from_https_to_http_is_refused(start_registry: Start, tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    home, away = start_registry(certificate=pem), start_registry()
    home.faults.location = away.url
    with pytest.raises(UnsafeRedirect, match="from https to http"):
        Transport(ca_file=str(pem), insecure=True).open(home.url + PATH)
    assert not away.requests


@pytest.mark.parametrize("target", ["file:///etc/passwd?", "ftp://127.0.0.1", "http://ada:pw@127.0.0.1", "http://[::1"])
def test_a_redirect_to_what_is_no_plain_web_address_is_refused(remote: Registry, target: str) -> None:
    remote.faults.location = target
    with pytest.raises(UnsafeRedirect, match="not an http"):
        Transport().open(remote.url + PATH)


def test_a_certificate_is_checked_unless_told_otherwise(start_registry: Start, tmp_path: Path) -> None:
    pem = self_signed(tmp_path)
    server = start_registry(certificate=pem)
    with pytest.raises(SourceUnreachable, match="--ca-file") as caught:
        Transport().open(server.url + PATH)
    assert caught.value.final
    for transport in (Transport(ca_file=str(pem)), Transport(insecure=True)):
        with transport.open(server.url + PATH) as answer:
            assert answer.status == 404


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(UnsafeRedirect, match="plain http"):
        Transport().open("http://models.example.org/v2/")


def test_a_redirect_away_from_this_machine_over_plain_http_is_refused(remote: Registry) -> None:
    remote.faults.location = "http://169.254.169.254"
    with pytest.raises(UnsafeRedirect, match="plain http"):
        Transport().open(remote.url + PATH)


def test_an_error_shows_neither_the_query_nor_the_credentials() -> None:
    with pytest.raises(SourceUnreachable) as caught:
        Transport(timeout=1).open("http://127.0.0.1:1/blob?X-Signature=s3cret", authorization=SECRET)
    assert "s3cret" not in str(caught.value)
    assert "abc.def" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_answer_that_is_cut_off_is_not_taken_for_whole(remote: Registry) -> None:
    remote.blobs["sha256:" + "1" * 64] = b"x" * 1000
    remote.faults.cut_after, remote.faults.cuts = 10, 1
    with (
        Transport(timeout=1).open(f"{remote.url}/v2/library/tiny/blobs/sha256:{'1' * 64}") as answer,
        pytest.raises(SourceUnreachable),
    ):
        answer.read(5000)


def test_a_body_is_read_up_to_its_limit_and_one_byte(remote: Registry) -> None:
    remote.faults.endless_manifest = True
    with Transport().open(remote.url + PATH) as answer:
        assert len(answer.read(100_000)) == 100_001


@pytest.mark.parametrize(
    "url", ["", "models.example.org", "ftp://x", "http://", "http://a:b@c", "http://a b", "http://a:x"]
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(ModelError):
        origin_of(url)


def test_this_machine_has_several_names() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.9", "::1", "a.localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("localhost.example.org", "10.0.0.1", "127.0.0.1.nip.io")] == [False] * 3
