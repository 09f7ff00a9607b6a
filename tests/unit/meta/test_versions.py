# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The versions that several files name agree with each other and with what is installed."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.helpers.tree import ROOT, load
from tests.tools.stage import site_packages
from tests.tools.versions import collection_version

CLOUDS = ("amazon.aws", "community.aws", "azure.azcollection")
# What the pinned `ansible` packages hold, read from the packages; the test run on each Python checks its own line.
HELD = {
    "12.3.0": {"ansible-core": "2.19.14", **dict(zip(CLOUDS, ("10.1.2", "10.0.0", "3.12.0"), strict=True))},
    "14.5.0": {"ansible-core": "2.21.5", **dict(zip(CLOUDS, ("11.4.0", "11.2.0", "3.21.0"), strict=True))},
}
DEPENDENCIES: dict[str, str] = load("galaxy.yml")["dependencies"]


def pinned(name: str) -> set[str]:
    """Return the versions of a package that the runtime lock pins."""
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    return set(re.findall(rf"^{re.escape(name)}==(\S+)", text, flags=re.M))


def test_the_lock_pins_the_ansible_packages_whose_content_is_recorded_here() -> None:
    assert pinned("ansible") == set(HELD)
    assert pinned("ansible-core") == {held["ansible-core"] for held in HELD.values()}


@pytest.mark.parametrize("package", HELD)
@pytest.mark.parametrize("collection", DEPENDENCIES)
def test_each_dependency_is_satisfied_by_each_pinned_ansible(package: str, collection: str) -> None:
    assert HELD[package][collection] in SpecifierSet(DEPENDENCIES[collection])


def test_the_installed_ansible_holds_what_is_recorded() -> None:
    held = dict(HELD[version("ansible")])
    assert held.pop("ansible-core") == version("ansible-core")
    assert {name: collection_version(site_packages(), name) for name in held} == held


def test_requirements_for_galaxy_have_the_bounds_of_the_collection() -> None:
    listed = {entry["name"]: entry["version"] for entry in load("requirements.yml")["collections"]}
    assert listed == DEPENDENCIES


def test_requires_ansible_admits_the_pinned_cores_and_nothing_older() -> None:
    bounds = SpecifierSet(load("meta/runtime.yml")["requires_ansible"])
    cores = [Version(held["ansible-core"]) for held in HELD.values()]
    assert all(core in bounds for core in cores)
    assert "2.18.99" not in bounds


def test_the_execution_environment_asks_for_no_more_than_is_pinned() -> None:
    for line in (ROOT / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, bound = re.match(r"([a-z0-9-]+)(.*)", line).groups()  # type: ignore[union-attr]
            assert all(number in SpecifierSet(bound) for number in pinned(name)), line


@pytest.mark.parametrize("name", ["runtime", "demo", "dev", "uv"])
def test_a_lock_file_names_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    body = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert not [line for line in body if "://" in line]
    assert not [line for line in body if line.lstrip().startswith("--") and "--hash=sha256:" not in line]
    packages = [number for number, line in enumerate(body) if "==" in line]
    assert all("--hash=sha256:" in body[number + 1] for number in packages)
