# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login as a file: what the engines read in it, and who may."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.images.login import TOKEN_USER, config_with
from ansible_collections.polycloud.ollama.plugins.module_utils.images.registry import credentials_in
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import Credentials
from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import LoginRefused
from tests.helpers.modules import run_module

ADA = Credentials("ada", "pass:word")


def pair(content: str, key: str) -> str:
    return base64.b64decode(json.loads(content)["auths"][key]["auth"]).decode()


def test_the_login_is_written_as_docker_writes_it() -> None:
    assert pair(config_with("registry.example.org:5000", ADA), "registry.example.org:5000") == "ada:pass:word"
    assert pair(config_with("docker.io", ADA), "https://index.docker.io/v1/") == "ada:pass:word"


def test_the_token_of_an_azure_registry_gets_the_user_that_azure_wants() -> None:
    content = config_with("team.azurecr.io", Credentials(refresh_token="a-token"))
    assert pair(content, "team.azurecr.io") == f"{TOKEN_USER}:a-token"


def test_other_logins_are_kept_and_the_same_one_is_replaced(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"auths": {"a.example.org": {"auth": "x"}, "b.example.org": {"auth": "old"}}}))
    auths = json.loads(config_with("b.example.org", ADA, other))["auths"]
    assert auths["a.example.org"] == {"auth": "x"}
    assert auths["b.example.org"] != {"auth": "old"}


@pytest.mark.parametrize("content", ["", "[]", '{"auths": []}', "\x00"])
def test_a_file_that_is_no_config_is_refused_without_its_content(tmp_path: Path, content: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(content)
    with pytest.raises(LoginRefused, match="is not a docker config"):
        config_with("a.example.org", ADA, other)


def test_no_login_is_refused() -> None:
    with pytest.raises(LoginRefused, match="no login"):
        config_with("a.example.org", Credentials())


def test_the_module_writes_once_for_the_owner_alone_and_shows_no_password(tmp_path: Path) -> None:
    path = tmp_path / "login" / "config.json"
    options = {"registry": "a.example.org", "username": "ada", "password": "s3cret-pw", "path": str(path)}
    assert run_module("container_registry_login", options, check=True)["changed"]
    assert not path.exists()
    first, second = (run_module("container_registry_login", options) for dummy in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert credentials_in(path, "a.example.org") == Credentials("ada", "s3cret-pw")
    assert [found.name for found in path.parent.iterdir()] == ["config.json"]
    assert "s3cret-pw" not in str(first)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    options = {"registry": "a.example.org", "username": "ada", "password": "pw", "path": f"{tmp_path}/file/config.json"}
    result = run_module("container_registry_login", options)
    assert result["failed"]
    assert "cannot be written" in result["msg"]
