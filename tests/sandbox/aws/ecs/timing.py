# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the emulated cloud runs. One second of the cloud lasts a hundredth of a second here, where it waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All durations of the scheduler, in real seconds."""

    tick: float = 0.05
    # One second of a health check's settings.
    second: float = 0.01
    # A minute of bake time.
    bake_minute: float = 0.6
    # A minute until a lifecycle hook expires; real, because the caller's own check runs in real time.
    hook_minute: float = 60.0
    # A task without a health check counts as healthy after 40 s of running; below one second a crash would be missed.
    settle: float = 0.8
    # Never call a task unhealthy before this, whatever its settings: a process of a busy machine needs time to start.
    unhealthy_floor: float = 2.0
    probe_interval: float = 0.08
    healthy_probe_interval: float = 1.0
    # First and longest pause between two starts that failed.
    backoff_first: float = 0.1
    backoff_longest: float = 5.0
    placement_retry: float = 0.25
    event_repeat: float = 5.0
    stop_grace: float = 2.0
    # Stopped tasks stay visible; the cloud keeps them for about an hour.
    stopped_task_kept: float = 3600.0
