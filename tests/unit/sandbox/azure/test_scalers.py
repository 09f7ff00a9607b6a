# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scale rules that the emulator follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.azure.scalers import cron_replicas, wakes_on_request


def cron(start: str, end: str, replicas: int = 2, timezone: str = "UTC") -> dict[str, Any]:
    metadata = {"timezone": timezone, "start": start, "end": end, "desiredReplicas": str(replicas)}
    return {"name": "hours", "custom": {"type": "cron", "metadata": metadata}}


OFFICE = cron("0 8 * * 1-5", "0 18 * * 1-5")
NIGHT = cron("0 22 * * 5", "0 6 * * 6")


@pytest.mark.parametrize(
    ("rule", "moment", "replicas"),
    [
        (OFFICE, datetime(2026, 7, 6, 7, 59, tzinfo=UTC), 0),
        (OFFICE, datetime(2026, 7, 6, 8, 0, tzinfo=UTC), 2),
        (OFFICE, datetime(2026, 7, 6, 18, 0, tzinfo=UTC), 0),
        (OFFICE, datetime(2026, 7, 5, 12, 0, tzinfo=UTC), 0),
        (NIGHT, datetime(2026, 7, 3, 23, 0, tzinfo=UTC), 2),
        (NIGHT, datetime(2026, 7, 4, 5, 59, tzinfo=UTC), 2),
        (NIGHT, datetime(2026, 7, 4, 6, 0, tzinfo=UTC), 0),
        (cron("0 8 * * *", "0 9 * * *", timezone="Europe/Berlin"), datetime(2026, 7, 6, 6, 30, tzinfo=UTC), 2),
    ],
)
def test_a_cron_rule_wants_its_replicas_between_start_and_end(
    rule: dict[str, Any], moment: datetime, replicas: int
) -> None:
    assert cron_replicas([rule], moment) == replicas


def test_an_expression_that_is_not_understood_starts_nothing() -> None:
    assert cron_replicas([cron("*/5 * * * *", "0 18 * * *")], datetime(2026, 7, 6, 12, 0, tzinfo=UTC)) == 0


def test_a_request_wakes_a_revision_only_by_a_rule_for_requests_or_without_rules() -> None:
    assert wakes_on_request(None)
    assert wakes_on_request([OFFICE, {"name": "http", "http": {"metadata": {"concurrentRequests": "1"}}}])
    assert not wakes_on_request([OFFICE])
