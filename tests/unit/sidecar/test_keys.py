# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask: by a key of which only the hash is known, or as a user that a trusted proxy has verified."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from ollama_sidecar import keys
from ollama_sidecar.keys import Client, KeyRing, user_id
from ollama_sidecar.reply import Reply
from ollama_sidecar.settings import Key

SECRET, OTHER = "pc-one", "pc-two"
HERE = "192.0.2.7"


def key(secret: str = SECRET, **given: Any) -> Key:
    return Key(id=given.pop("id", "one"), sha256=hashlib.sha256(secret.encode()).hexdigest(), **given)


def headers(**given: str) -> CIMultiDict[str]:
    return CIMultiDict({name.replace("_", "-"): value for name, value in given.items()})


def status(ring: KeyRing, peer: str = HERE, **given: str) -> int:
    try:
        ring.client(headers(**given), peer)
    except Reply as reply:
        return reply.status
    return 200


def test_a_new_key_is_long_random_and_only_its_hash_is_kept() -> None:
    secret, digest = keys.new()
    assert len(secret) >= 40
    assert keys.new()[0] != secret
    assert digest == hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize("given", [{"Authorization": "Bearer pc-one"}, {"authorization": "bearer  pc-one "}])
def test_a_key_opens_by_authorization_or_by_x_api_key(given: dict[str, str]) -> None:
    ring = KeyRing([key()])
    assert ring.client(CIMultiDict(given), HERE).id == "one"
    assert ring.client(headers(x_api_key=SECRET), HERE).id == "one"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {SECRET}"},
        {"Authorization": SECRET},
        {"Authorization": f"Bearer {OTHER}"},
        {"Authorization": f"Bearer {SECRET}x"},
        {"Authorization": f"Bearer {SECRET.upper()}"},
        {"Authorization": f"Bearer {hashlib.sha256(SECRET.encode()).hexdigest()}"},
        {"X_Api_Key": ""},
        {"X_Api_Key": "\udcff" * 10},
        {"Cookie": f"key={SECRET}"},
    ],
)
def test_anything_else_is_told_that_a_key_is_required(given: dict[str, str]) -> None:
    ring = KeyRing([key()])
    with pytest.raises(Reply) as told:
        ring.client(headers(**given), HERE)
    assert told.value.status == 401
    assert ("WWW-Authenticate", "Bearer") in told.value.headers
    assert SECRET not in str(told.value)


def test_the_hash_of_nothing_opens_nothing() -> None:
    assert status(KeyRing([key("")]), Authorization="Bearer ") == 401


def test_the_comparison_takes_the_same_time_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: str, two: str) -> bool:
        compared.append((one, two))
        return one == two

    monkeypatch.setattr(hmac, "compare_digest", compare)
    ring = KeyRing([key()])
    assert status(ring, Authorization=f"Bearer {SECRET}") == 200
    assert status(ring, Authorization=f"Bearer {OTHER}") == 401
    assert compared == [
        (keys.digest(SECRET), keys.digest(SECRET)),
        (keys.digest(OTHER), "0" * 64),
    ]


def test_without_keys_anybody_may_ask() -> None:
    assert KeyRing([]).client(headers(), HERE).id == "-"


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"])
def test_a_user_is_believed_from_a_trusted_address(peer: str) -> None:
    ring = KeyRing([key()], ["10.0.0.0/8", "fd00::/8"], "X-Forwarded-User")
    assert ring.client(headers(x_forwarded_user="ann@example.org"), peer).id == "user:ann@example.org"


@pytest.mark.parametrize("peer", ["192.0.2.7", "11.0.0.1", "", "unknown", "::1", "::ffff:11.0.0.1", "fe80::1%eth0"])
@pytest.mark.parametrize("with_keys", [True, False])
def test_a_user_from_anywhere_else_is_not(peer: str, with_keys: bool) -> None:
    ring = KeyRing([key()] if with_keys else [], ["10.0.0.0/8", "fd00::/8"], "X-Forwarded-User")
    assert status(ring, peer, x_forwarded_user="ann", x_forwarded_for="10.1.2.3") == 401


def test_a_trusted_proxy_that_names_nobody_needs_a_key() -> None:
    ring = KeyRing([key()], ["10.0.0.0/8"], "X-Forwarded-User")
    assert status(ring, "10.1.2.3") == 401
    assert status(ring, "10.1.2.3", Authorization=f"Bearer {SECRET}") == 200


@given(st.text(min_size=1))
def test_a_users_name_is_plain_wherever_it_goes(name: str) -> None:
    ring = KeyRing([], ["10.0.0.0/8"], "X-User")
    client = ring.client(CIMultiDict({"X-User": name}), "10.1.2.3")
    assert client.id.isascii()
    assert client.id.isprintable()
    assert len(client.id) <= 86


@pytest.mark.parametrize(
    "names",
    [
        ("Jörg", "Jürg"),
        ("王", "李"),
        ("a b", "a?b"),
        ("x" * 64 + "@corp", "x" * 64 + "@evil"),
        # What another's id looks like is no name that gets it.
        ("Jörg", KeyRing([], ["10.0.0.0/8"], "X-User").client(CIMultiDict({"X-User": "Jörg"}), "10.1.2.3").id[5:]),
    ],
)
def test_two_users_are_never_one(names: tuple[str, str]) -> None:
    """The id names the tenant of the cache and the queue of admission."""
    ring = KeyRing([], ["10.0.0.0/8"], "X-User")
    one, other = (ring.client(CIMultiDict({"X-User": name}), "10.1.2.3").id for name in names)
    assert one != other
    assert ring.client(CIMultiDict({"X-User": names[0]}), "10.1.2.3").id == one


@given(st.text(min_size=1), st.text(min_size=1))
def test_users_share_an_id_only_where_they_are_the_same(one: str, other: str) -> None:
    assert (user_id(one) == user_id(other)) is (one == other)


def test_a_key_may_ask_its_models_by_any_form_of_their_names() -> None:
    client = KeyRing([key(models=("Tiny", "library/other:1b"))]).client(headers(x_api_key=SECRET), HERE)
    assert client.allowed("tiny:latest")
    assert client.allowed("other:1b")
    assert not client.allowed("third:latest")
    assert Client("x").allowed("any:latest")


def test_a_minute_has_so_many_requests_and_slides() -> None:
    client = Client("one", per_minute=3)
    for now in (0.0, 10.0, 20.0):
        client.count(now)
    with pytest.raises(Reply) as told:
        client.count(30.0)
    assert (told.value.status, dict(told.value.headers)["Retry-After"], told.value.reason) == (429, "30", "rate")
    client.count(60.0)
    with pytest.raises(Reply):
        client.count(69.9)
    client.count(70.0)


@given(st.lists(st.floats(0, 5), max_size=80), st.integers(1, 5))
def test_no_minute_ever_has_more(gaps: list[float], limit: int) -> None:
    client, now, passed = Client("one", per_minute=limit), 0.0, []
    waits = [1]
    for gap in gaps:
        now += gap
        try:
            client.count(now)
            passed.append(now)
        except Reply as reply:
            waits.append(int(dict(reply.headers)["Retry-After"]))
        assert min(waits) >= 1
        assert max(waits) <= 60
        assert sum(now - 60 < time <= now for time in passed) <= limit


def test_so_many_requests_at_once_and_a_refused_one_takes_no_place() -> None:
    client = Client("one", concurrency=2)
    with client.busy(), client.busy():
        for dummy in range(2):
            with pytest.raises(Reply) as told, client.busy():
                pass
            assert (told.value.status, told.value.reason) == (429, "concurrency")
    assert client.running == 0
    with pytest.raises(KeyError), client.busy():
        raise KeyError
    assert client.running == 0
