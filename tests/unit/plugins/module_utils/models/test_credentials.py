# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials come from where the user put them, and are never shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import (
    ANONYMOUS,
    Credentials,
    config_file,
    from_docker_config,
    from_environment,
    scrub,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import LoginRefused

PAIR = base64.b64encode(b"ada:s3cret:pw").decode()


def config(tmp_path: Path, auths: Any) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": auths}))
    return path


def test_the_environment_gives_a_token_or_a_user() -> None:
    user = {"POLYCLOUD_REGISTRY_USERNAME": "ada", "POLYCLOUD_REGISTRY_PASSWORD": "pw"}
    assert from_environment(user) == Credentials("ada", "pw")
    assert from_environment({**user, "POLYCLOUD_REGISTRY_TOKEN": "t"}) == Credentials(token="t")
    assert from_environment({}) == ANONYMOUS


@pytest.mark.parametrize(
    ("key", "entry", "found"),
    [
        ("models.example.org:5000", {"auth": PAIR}, Credentials("ada", "s3cret:pw")),
        ("https://Models.example.org:5000/v1/", {"auth": PAIR}, Credentials("ada", "s3cret:pw")),
        ("models.example.org:5000", {"username": "ada", "password": "pw"}, Credentials("ada", "pw")),
        ("models.example.org:5000", {"identitytoken": "t"}, Credentials(refresh_token="t")),
        ("models.example.org:5000", {"registrytoken": "t"}, Credentials(token="t")),
        ("models.example.org:5000", {}, ANONYMOUS),
        ("models.example.org", {"auth": PAIR}, ANONYMOUS),
        ("other.example.org:5000", {"auth": PAIR}, ANONYMOUS),
        ("models.example.org:5000.evil.org", {"auth": PAIR}, ANONYMOUS),
    ],
)
def test_docker_s_configuration_gives_what_is_meant_for_the_host(
    tmp_path: Path, key: str, entry: dict[str, str], found: Credentials
) -> None:
    assert from_docker_config(config(tmp_path, {key: entry}), "models.example.org:5000") == found


def test_no_configuration_means_no_login(tmp_path: Path) -> None:
    assert from_docker_config(tmp_path / "none.json", "models.example.org") == ANONYMOUS


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": []}', '{"auths": {"a.org": {"auth": "%"}}}', '{"auths": {"a.org": 1}}']
)
def test_a_broken_configuration_is_said_without_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    if text == '{"auths": []}':
        assert from_docker_config(path, "a.org") == ANONYMOUS
        return
    with pytest.raises(LoginRefused, match="not a docker"):
        from_docker_config(path, "a.org")


def test_docker_s_configuration_is_looked_for_where_docker_does() -> None:
    assert config_file({"DOCKER_CONFIG": "/x"}) == Path("/x/config.json")
    assert config_file({"HOME": "/home/ada"}) == Path("/home/ada/.docker/config.json")


def test_no_secret_is_in_the_representation() -> None:
    shown = (
        repr(Credentials("ada", "s3cret"))
        + repr(Credentials(token="s3cret"))
        + repr(Credentials(refresh_token="s3cret"))
    )
    assert "s3cret" not in shown


def test_a_secret_is_taken_out_of_what_a_server_says_in_each_of_its_forms() -> None:
    user = Credentials("ada", "s3cret:pw")
    assert scrub(f"you sent s3cret:pw as {PAIR}", user.secrets()) == "you sent *** as ***"


@pytest.mark.parametrize("changes", [{"token": "a\nb"}, {"username": "ada\r\n", "password": "x"}, {"token": "s3crét"}])
def test_what_cannot_be_sent_is_refused_without_showing_it(changes: dict[str, str]) -> None:
    with pytest.raises(LoginRefused, match="stray newline") as caught:
        Credentials(**changes)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"username": "ada"}, {"password": "pw"}, {"username": "a:b", "password": "pw"}])
def test_half_a_login_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(LoginRefused, match="needs a username"):
        Credentials(**changes)
