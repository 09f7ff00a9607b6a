# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `fetch` of ollama_model: a model in a folder, without a server; check mode as apply; no secret shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.modules import run_module
from tests.helpers.registry import Registry, Start, start_registry  # noqa: F401 - a fixture

WEIGHTS = b"w" * 300_000
PASSWORD = "correct-horse-battery"


@pytest.fixture
def registry(start_registry: Start) -> Registry:  # noqa: F811
    served = start_registry()
    served.add("library/tiny", "latest", WEIGHTS)
    return served


def module(into: Path, registry: Registry | None = None, *, check: bool = False, **fetch: Any) -> dict[str, Any]:
    """Run the module; a result that failed is returned as well."""
    where = {"registry": registry.url} if registry else {}
    options = {"name": fetch.pop("name", "tiny"), "state": fetch.pop("state", "present")}
    return run_module("ollama_model", {**options, "fetch": {"into": str(into), **where, **fetch}}, check, diff=True)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and ".polycloud" not in path.parts}


def test_check_mode_says_what_the_run_then_does_and_a_second_run_changes_nothing(
    registry: Registry, tmp_path: Path
) -> None:
    check = module(tmp_path / "models", registry, check=True)
    assert check["changed"]
    assert files(tmp_path) == set()
    real = module(tmp_path / "models", registry)
    told = ("changed", "steps", "model", "diff", "bytes_fetched")
    assert {key: real[key] for key in told} == {key: check[key] for key in told}
    assert "latest" in files(tmp_path)
    again = module(tmp_path / "models", registry)
    assert (again["changed"], again["steps"], again["bytes_fetched"]) == (False, [], 0)
    assert again["diff"]["before"] == again["diff"]["after"] == real["diff"]["after"]


def test_a_damaged_blob_is_found_and_repaired(registry: Registry, tmp_path: Path) -> None:
    module(tmp_path, registry)
    largest = max((tmp_path / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"x" * len(WEIGHTS))
    assert module(tmp_path, registry)["changed"]
    assert largest.read_bytes() == WEIGHTS


def test_a_folder_is_a_source_as_well(registry: Registry, tmp_path: Path) -> None:
    module(tmp_path / "one", registry)
    assert module(tmp_path / "two", folder=str(tmp_path / "one"))["changed"]
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_the_lock_pins_what_the_tag_meant(registry: Registry, tmp_path: Path) -> None:
    lock = str(tmp_path / "models.lock")
    first = module(tmp_path / "one", registry, lock=lock)
    registry.add("library/tiny", "latest", b"another model")
    assert module(tmp_path / "two", registry, lock=lock)["model"]["digest"] == first["model"]["digest"]
    moved = module(tmp_path / "two", registry, lock=lock, update_lock=True)
    assert moved["model"]["digest"] != first["model"]["digest"]


def test_check_mode_leaves_the_lock_alone(registry: Registry, tmp_path: Path) -> None:
    module(tmp_path / "models", registry, lock=str(tmp_path / "models.lock"), check=True)
    assert not (tmp_path / "models.lock").exists()


def test_a_password_is_used_and_never_shown(start_registry: Start, tmp_path: Path) -> None:  # noqa: F811
    served = start_registry("basic")
    served.user, served.password = "ci", PASSWORD
    served.add("library/tiny", "latest", WEIGHTS)
    wrong = module(tmp_path, served, username="ci", password=f"{PASSWORD}-not")
    assert wrong["failed"]
    right = module(tmp_path, served, username="ci", password=PASSWORD)
    assert right["changed"]
    assert PASSWORD not in json.dumps([wrong, right])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"state": "loaded"}, "fetch cannot be used with state=loaded"),
        ({"parallel": 0}, "fetch.parallel must be 1 to 64"),
        ({"name": "../../etc/passwd"}, "name[:tag]"),
        ({"username": "ci"}, "required together"),
        ({"folder": "x", "login": "ecr"}, "mutually exclusive"),
    ],
)
def test_wrong_options_are_named_before_anything_is_asked(
    registry: Registry, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    result = module(tmp_path / "models", registry, **options)
    assert result["failed"]
    assert said in result["msg"]
    assert registry.requests == []
