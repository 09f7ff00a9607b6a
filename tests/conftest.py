# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings that all tests share: hypothesis profiles, and what a skip means in CI."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.sandbox.fixtures import clouds, sandbox  # noqa: F401 - fixtures for all tests

settings.register_profile(
    "quick", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

REAL_REQUIRED = "POLYCLOUD_REQUIRE_REAL"


def real_components_required() -> bool:
    """Tell whether a component that is missing is a failure: in CI, which installs them, and where a person says so."""
    return os.environ.get("CI") == "true" or os.environ.get(REAL_REQUIRED) == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test marked `real` into a failure where its component must be there."""
    outcome = yield
    if outcome.skipped and item.get_closest_marker("real") and real_components_required():
        reason = outcome.longrepr[2] if isinstance(outcome.longrepr, tuple) else str(outcome.longrepr)
        outcome.outcome = "failed"
        outcome.longrepr = f"{item.nodeid} was skipped where it must run (CI=true or {REAL_REQUIRED}=1): {reason}"
    return outcome
