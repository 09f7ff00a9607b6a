# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scale rules of a revision ask for: KEDA's cron scaler, and whether a request may start the first replica.

Cron expressions of the form minute, hour, *, *, days of the week are understood; days as *, numbers, lists and ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Rules = Sequence[Mapping[str, Any]]
LOOK_BACK = 8


def wakes_on_request(rules: Rules | None) -> bool:
    """Say whether a request starts a replica: Azure adds an HTTP rule only where there is no rule at all."""
    return not rules or any(rule.get("http") or rule.get("tcp") for rule in rules)


def cron_replicas(rules: Rules | None, now: datetime) -> int:
    """Return how many replicas the cron rules want at a moment: the most that any of them wants."""
    wanted = 0
    for rule in rules or ():
        custom = rule.get("custom") or {}
        if custom.get("type") == "cron" and _inside(custom["metadata"], now):
            wanted = max(wanted, int(custom["metadata"]["desiredReplicas"]))
    return wanted


def _inside(metadata: Mapping[str, Any], now: datetime) -> bool:
    try:
        local = now.astimezone(ZoneInfo(metadata["timezone"]))
        began, ended = _last(metadata["start"], local), _last(metadata["end"], local)
    except (ValueError, KeyError, OSError):
        # An expression or a zone that is not understood starts nothing.
        return False
    return began is not None and (ended is None or ended < began)


def _last(expression: str, now: datetime) -> datetime | None:
    """Return the last moment, at most eight days ago, that an expression names."""
    minute, hour, _day, _month, weekdays = expression.split()
    wanted = _weekdays(weekdays)
    for back in range(LOOK_BACK):
        day = now - timedelta(days=back)
        moment = day.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        if moment <= now and (moment.weekday() + 1) % 7 in wanted:
            return moment
    return None


def _weekdays(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.replace("*", "0-6").split(","):
        low, _dash, high = part.partition("-")
        found |= {day % 7 for day in range(int(low), int(high or low) + 1)}
    return found
