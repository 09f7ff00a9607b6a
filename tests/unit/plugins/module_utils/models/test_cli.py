# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program: results on standard output, one line for an error, exit codes that a script can use."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models import cli
from ansible_collections.polycloud.ollama.plugins.module_utils.models.cli import main
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import Credentials
from tests.helpers.registry import Registry, Start, sha256

WEIGHTS = b"weights" * 10_000
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def tiny(remote: Registry) -> str:
    """The digest of a model in the registry."""
    return remote.add("library/tiny", "latest", WEIGHTS)


def test_pull_prints_a_line_for_each_model(remote: Registry, tiny: str, tmp_path: Path, capsys: Captured) -> None:
    command = ["pull", "tiny", "--registry", remote.url, "--into", str(tmp_path)]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert re.fullmatch(rf"tiny:latest {tiny} 70002 \(fetched 70\.0 kB in \d+\.\d s\)\n", shown.out)
    assert "100 %" in shown.err
    assert main(command) == 0
    assert capsys.readouterr().out == f"tiny:latest {tiny} 70002 (already there)\n"


def test_json_has_what_a_program_needs(remote: Registry, tiny: str, tmp_path: Path, capsys: Captured) -> None:
    assert main(["pull", "tiny", "--registry", remote.url, "--into", str(tmp_path), "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    seconds = body["models"][0].pop("seconds")
    assert seconds >= 0
    model = {"name": "tiny:latest", "digest": tiny, "size": 70_002, "changed": True, "bytes_fetched": 70_002}
    assert body == {"changed": True, "bytes_fetched": 70_002, "models": [model]}


def test_the_lock_is_kept_and_updated(remote: Registry, tiny: str, tmp_path: Path, capsys: Captured) -> None:
    into, lock = str(tmp_path / "models"), str(tmp_path / "models.lock")
    command = ["pull", "tiny", "--registry", remote.url, "--into", into, "--lock", lock]
    assert main(command) == 0
    moved = remote.add("library/tiny", "latest", b"other")
    assert main(command) == 0
    assert moved not in capsys.readouterr().out
    assert main([*command, "--update-lock"]) == 0
    assert moved in capsys.readouterr().out


def test_a_folder_is_a_source_too(remote: Registry, tiny: str, tmp_path: Path, capsys: Captured) -> None:
    main(["pull", "tiny", "--registry", remote.url, "--into", str(tmp_path / "one")])
    assert main(["pull", "tiny", "--folder", str(tmp_path / "one"), "--into", str(tmp_path / "two")]) == 0
    assert main(["seed", "--from", str(tmp_path / "two"), "--into", str(tmp_path / "three"), "--json"]) == 0
    assert main(["verify", "--into", str(tmp_path / "three")]) == 0
    capsys.readouterr()
    assert main(["list", "--into", str(tmp_path / "three")]) == 0
    assert capsys.readouterr().out == f"tiny:latest {tiny} 70002 (good)\n"


def test_verify_fails_for_a_damaged_model(remote: Registry, tiny: str, tmp_path: Path, capsys: Captured) -> None:
    main(["pull", "tiny", "--registry", remote.url, "--into", str(tmp_path)])
    (tmp_path / "blobs" / sha256(WEIGHTS).replace(":", "-")).write_bytes(b"x" * len(WEIGHTS))
    capsys.readouterr()
    assert main(["verify", "--into", str(tmp_path), "tiny"]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"tiny:latest {tiny} 70002 (damaged)\n"
    assert f"error: tiny:latest: blob {sha256(WEIGHTS)} is damaged\n" in shown.err


def test_resolve_fetches_nothing(remote: Registry, tiny: str, capsys: Captured) -> None:
    assert main(["resolve", "tiny", "--registry", remote.url]) == 0
    assert capsys.readouterr().out == f"tiny:latest {tiny} 70002\n"
    assert main(["resolve", "tiny", "--registry", remote.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "tiny:latest", "digest": tiny, "size": 70_002}]
    assert remote.blob_bytes == 0


@pytest.mark.parametrize("name", ["../../x", "tiny\nx", "{{ x }}", "x" * 300, "models.example.org/ada/tiny"])
def test_an_error_is_one_line_and_exit_code_one(remote: Registry, tmp_path: Path, capsys: Captured, name: str) -> None:
    assert main(["pull", name, "--registry", remote.url, "--into", str(tmp_path / "models")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r"models: error: [^\n]+\n", shown.err)
    assert not (tmp_path / "models").exists()
    assert not remote.requests


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["pull", "tiny"],
        ["pull", "--into", "x"],
        ["fetch"],
        ["pull", "tiny", "--into", "x", "--parallel", "0"],
        ["pull", "tiny", "--into", "x", "--parallel", "many"],
        ["pull", "tiny", "--into", "x", "--wait", "-1"],
        ["pull", "tiny", "--into", "x", "--registry", "u", "--folder", "d"],
    ],
)
def test_wrong_usage_is_exit_code_two(arguments: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_names_the_variables_for_credentials(capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for variable in ("POLYCLOUD_REGISTRY_USERNAME", "POLYCLOUD_REGISTRY_PASSWORD", "POLYCLOUD_REGISTRY_TOKEN"):
        assert variable in shown
    assert "DOCKER_CONFIG" in shown


def test_credentials_come_from_the_environment(
    start_registry: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    server = start_registry("basic")
    server.add("library/tiny", "latest", WEIGHTS)
    command = ["pull", "tiny", "--registry", server.url, "--into", str(tmp_path)]
    assert main(command) == 1
    assert "wants a login" in capsys.readouterr().err
    monkeypatch.setenv("POLYCLOUD_REGISTRY_USERNAME", "ada")
    monkeypatch.setenv("POLYCLOUD_REGISTRY_PASSWORD", "s3cret-pw")
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err


def test_credentials_come_from_docker_s_configuration(start_registry: Start, tmp_path: Path) -> None:
    server = start_registry("token")
    server.add("library/tiny", "latest", WEIGHTS)
    host = server.url.removeprefix("http://")
    (tmp_path / "docker").mkdir()
    auth = base64.b64encode(b"ada:s3cret-pw").decode()
    (tmp_path / "docker/config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    assert main(["pull", "tiny", "--registry", server.url, "--into", str(tmp_path / "models")]) == 0


def test_a_host_in_the_name_is_asked_with_its_own_credentials_only(
    start_registry: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_registry()
    server.add("ada/tiny", "latest", WEIGHTS)
    monkeypatch.setenv("POLYCLOUD_REGISTRY_TOKEN", "s3cret")
    host = server.url.removeprefix("http://")
    assert main(["pull", f"{host}/ada/tiny", "--insecure", "--into", str(tmp_path)]) == 0
    assert (tmp_path / "manifests" / host / "ada/tiny/latest").exists()
    assert not [request for request in server.requests if "Authorization" in request.headers]


def test_a_login_of_a_cloud_is_used_for_its_registry(
    start_registry: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.polycloud.ollama.plugins.module_utils.models import logins

    server = start_registry("basic")
    server.add("library/tiny", "latest", WEIGHTS)
    asked: list[str] = []
    monkeypatch.setattr(logins, "ecr_login", lambda url: asked.append(url) or Credentials("ada", "s3cret-pw"))
    assert main(["pull", "tiny", "--registry", server.url, "--login", "ecr", "--into", str(tmp_path)]) == 0
    assert asked == [server.url]


def test_plain_http_to_another_machine_needs_a_word(tmp_path: Path, capsys: Captured) -> None:
    assert main(["pull", "tiny", "--registry", "http://models.example.org", "--into", str(tmp_path)]) == 1
    assert "--insecure" in capsys.readouterr().err


def test_a_bar_is_drawn_on_a_terminal(
    remote: Registry, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["pull", "tiny", "--registry", remote.url, "--into", str(tmp_path)]) == 0
    assert f"\r[{'#' * 24}] tiny:latest: 70.0 kB of 70.0 kB (100 %)" in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured) -> None:
    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "list", interrupted)
    assert main(["list", "--into", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "models: stopped; run it again to go on\n"
