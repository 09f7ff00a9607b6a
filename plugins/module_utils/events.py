# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module tells while it works: events, returned in its result and shown live by the progress action plugin.

An event is `{"at": seconds since the start (one decimal), "source": "ECS", "text": "service steady: 1 of 1 tasks"}`.
Build the text from names, counts and states only. Never put a secret, or a value that may hold one, into it.

A module declares the channel with PROGRESS_ARGSPEC in its argument spec (doc fragment `polycloud.ollama.progress`) and
opens its log with `EventLog.for_module(module)`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .text import one_line

Event = dict[str, Any]

TEXT_LIMIT = 500

PROGRESS_ARGSPEC: dict[str, dict[str, Any]] = {"progress_file": {"type": "path"}}


class EventLog:
    """An append-only list of events, copied line by line (JSON) into `sink` when there is one.

    `emit` may be called from several threads. It never raises for the sink: a progress line that cannot be written must
    not fail a deployment.
    """

    def __init__(
        self,
        sink: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self._sink = sink
        self._clock = clock
        self._redact = redact
        self._start = clock()
        self._lock = threading.Lock()

    @classmethod
    def for_module(cls, module: Any) -> EventLog:
        """The log of an AnsibleModule: writes to its `progress_file` and masks every value it knows as no_log."""
        # Imported here so that the reconciler, which only needs `emit`, stays free of Ansible.
        from ansible.module_utils.common.parameters import remove_values

        path = module.params.get("progress_file")
        return cls(Path(path) if path else None, redact=lambda text: str(remove_values(text, module.no_log_values)))

    def seconds(self) -> float:
        """Seconds since the start, one decimal."""
        return round(self._clock() - self._start, 1)

    def emit(self, source: str, text: str) -> None:
        """Record that `source` (a service or a step, such as "ECS") reports `text`."""
        masked = self._redact(text) if self._redact else text
        with self._lock:
            event: Event = {
                "at": self.seconds(),
                "source": one_line(source, 60),
                "text": one_line(masked, TEXT_LIMIT),
            }
            self.events.append(event)
            self._write(event)

    def _write(self, event: Event) -> None:
        if self._sink is None:
            return
        line = (json.dumps(event) + "\n").encode()
        try:
            # No O_CREAT: the action plugin made the file; where it is missing (another host) nobody reads it.
            descriptor = os.open(self._sink, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError:
            self._sink = None
