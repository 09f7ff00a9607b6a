# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Working hours as KEDA cron expressions, and whether it is working time now. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..deployment.model import Schedule

# Cron counts the days of a week from Sunday, Python's datetime from Monday.
CRON_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
PYTHON_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def cron_window(schedule: Schedule) -> tuple[str, str]:
    """The cron expressions of start and end. Hours that cross midnight end on the day after each day."""
    days = [CRON_DAYS.index(day) for day in schedule.days]
    shift = 1 if over_midnight(schedule) else 0
    return _cron(schedule.start, days), _cron(schedule.stop, [(day + shift) % 7 for day in days])


def over_midnight(schedule: Schedule) -> bool:
    """True if a working day ends on the next calendar day."""
    return schedule.stop < schedule.start


def is_working_time(schedule: Schedule, now: datetime) -> bool:
    """True if the moment (with a time zone) lies in the working hours."""
    local = now.astimezone(ZoneInfo(schedule.timezone))
    clock = local.strftime("%H:%M")
    today, yesterday = (PYTHON_DAYS[(local - timedelta(days=back)).weekday()] for back in (0, 1))
    if not over_midnight(schedule):
        return today in schedule.days and schedule.start <= clock < schedule.stop
    return (today in schedule.days and clock >= schedule.start) or (
        yesterday in schedule.days and clock < schedule.stop
    )


def _cron(clock: str, days: Iterable[int]) -> str:
    """C(HH:MM) on days (0 is Sunday) as minute, hour, day of month, month, day of week."""
    hour, dummy, minute = (part.lstrip("0") or "0" for part in clock.partition(":"))
    return f"{minute} {hour} * * {','.join(str(day) for day in sorted(set(days)))}"
