# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pytest fixtures: ``sandbox`` runs for the whole session, ``clouds`` hands it out fresh to each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.sandbox.launcher import Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in this process. Tests want ``clouds``, which resets it first."""
    # Imported here, so that a run of pure unit tests does not pay for a web server.
    from tests.sandbox.launcher import Sandbox

    with Sandbox(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def clouds(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The sandbox as after its start, with our environment pointing at it; an error inside of it fails the test."""
    sandbox.reset()
    wanted = sandbox.environment()
    for key in set(os.environ) - set(wanted):
        monkeypatch.delenv(key)
    for key, value in wanted.items():
        monkeypatch.setenv(key, value)
    yield sandbox
    broken = sandbox.log.emulator_errors()
    assert not broken, (
        f"the emulator itself failed: {broken[0].service} {broken[0].operation}: {broken[0].response_body}"
    )
