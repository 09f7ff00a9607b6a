# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""azure-core's polling of ARM long-running operations, with a deadline, a growing interval and progress events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..errors import WaitTimeout

try:
    from azure.core.polling import LROPoller
    from azure.core.polling.base_polling import get_retry_after
    from azure.mgmt.core.polling.arm_polling import ARMPolling
except ImportError:
    # azure.py reports it, by name, before anything here is used.
    LROPoller = ARMPolling = object

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
GROWTH = 1.5
TELL_EVERY = 15.0


class BoundedPolling(ARMPolling):  # type: ignore[misc]
    """Poll until the operation ends or the deadline passes. A Retry-After of the service is honoured.

    deadline: on the clock of time.monotonic.
    """

    def __init__(self, call: str, deadline: float, tell: Callable[[str], None]) -> None:
        super().__init__(timeout=FIRST_DELAY)
        self._call = call
        self._deadline = deadline
        self._tell = tell
        self._next_delay = FIRST_DELAY
        self._told = ("", time.monotonic())

    def update_status(self) -> None:
        super().update_status()
        status, now = str(self.status()), time.monotonic()
        if status != self._told[0] or now - self._told[1] >= TELL_EVERY:
            self._told = (status, now)
            self._tell(f"{self._call}: {status}")

    def _delay(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeout(
                f"{self._call}: the operation was not finished in time, last seen {self.status()}.",
                hint="It goes on by itself: run again to resume it, or raise the time-out.",
            )
        asked = get_retry_after(self._pipeline_response) or 0.0
        self._sleep(min(max(asked, self._next_delay), left))
        self._next_delay = min(self._next_delay * GROWTH, LONGEST_DELAY)


def finish_operation(client: Any, first: Any, polling: BoundedPolling, read: Callable[[Any], Any]) -> Any:
    """Wait for the operation that the first answer began and return read(last answer)."""
    poller = LROPoller(client, first, read, polling)
    return poller.result()
