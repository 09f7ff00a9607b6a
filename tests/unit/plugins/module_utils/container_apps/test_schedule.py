# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Working hours as cron expressions and as a question to the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.schedule import (
    cron_window,
    is_working_time,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Schedule

OFFICE = Schedule(timezone="Europe/Berlin", start="08:05", stop="18:00")
NIGHT = Schedule(timezone="UTC", start="22:00", stop="06:30", days=("fri", "sat"))


def test_hours_of_one_day_begin_and_end_on_the_same_days() -> None:
    assert cron_window(OFFICE) == ("5 8 * * 1,2,3,4,5", "0 18 * * 1,2,3,4,5")


def test_hours_over_midnight_end_on_the_day_after() -> None:
    assert cron_window(NIGHT) == ("0 22 * * 5,6", "30 6 * * 0,6")


@pytest.mark.parametrize(
    ("schedule", "moment", "working"),
    [
        # Berlin is two hours ahead of UTC in summer, one in winter.
        (OFFICE, datetime(2026, 7, 6, 6, 4, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 7, 6, 6, 5, tzinfo=UTC), True),
        (OFFICE, datetime(2026, 1, 5, 7, 5, tzinfo=UTC), True),
        (OFFICE, datetime(2026, 7, 6, 16, 0, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 7, 5, 10, 0, tzinfo=UTC), False),
        (NIGHT, datetime(2026, 7, 3, 23, 0, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 7, 5, 6, 29, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 7, 5, 6, 30, tzinfo=UTC), False),
        (NIGHT, datetime(2026, 7, 5, 23, 0, tzinfo=UTC), False),
    ],
)
def test_a_moment_is_in_the_working_hours_or_not(schedule: Schedule, moment: datetime, working: bool) -> None:
    assert is_working_time(schedule, moment) is working
