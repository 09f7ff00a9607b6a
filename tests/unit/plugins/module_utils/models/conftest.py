# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the model fetcher share."""

from __future__ import annotations

import pytest

from tests.helpers.registry import Registry, Start, start_registry  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for variable in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"POLYCLOUD_REGISTRY_{variable}", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", f"{tmp_path}/docker")


@pytest.fixture
def remote(start_registry: Start) -> Registry:  # noqa: F811 - the fixture above
    """A registry without login."""
    return start_registry()
