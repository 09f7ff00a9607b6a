# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin behind all long modules: it runs the module and shows the module's events while they happen.

A module cannot speak before it ends. So the plugin gives it a private file (0600, in the controller's own temporary
directory) to append events to, and reads along. Where module and controller share no files (a remote connection,
another user), the events are shown from the result when the module has ended. An async task is left alone: its events
are in its result.

Progress goes to standard error: standard output belongs to the callback (which may write JSON), and in a pipe it is
buffered and would not be live.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.constants import DEFAULT_LOCAL_TMP
from ansible.utils.display import Display

from ansible_collections.polycloud.ollama.plugins.module_utils.text import one_line
from ansible_collections.polycloud.ollama.plugins.plugin_utils.direct import DirectAction

POLL_SECONDS = 0.2
OPTION = "progress_file"
SWITCH = "POLYCLOUD_PROGRESS"

display = Display()


def progress_line(host: str, event: Any) -> str | None:
    """`ollama-use1 | 00:12 | ECS | service steady`, or None for what is not an event. Everything in it is untrusted."""
    if not isinstance(event, Mapping) or not isinstance(event.get("at"), (int, float)):
        return None
    minutes, seconds = divmod(int(event["at"]), 60)
    source, text = (one_line(str(event.get(key, "")), limit) for key, limit in (("source", 60), ("text", 500)))
    return f"{one_line(host, 100)} | {minutes:02d}:{seconds:02d} | {source} | {text}"


class Tail(threading.Thread):
    """Hands each event appended to `path` to `show`, until `finish` is called. `count` is how many there were."""

    def __init__(self, path: Path, show: Callable[[Any], None]) -> None:
        super().__init__(name="polycloud-progress", daemon=True)
        self.count = 0
        self._path = path
        self._show = show
        self._ended = threading.Event()

    def run(self) -> None:
        rest = b""
        with self._path.open("rb") as stream:
            while True:
                ended = self._ended.is_set()  # asked before the read, so that the last read sees everything
                *lines, rest = (rest + stream.read()).split(b"\n")
                for line in lines:
                    self._show_line(line)
                if ended:
                    return
                self._ended.wait(POLL_SECONDS)

    def finish(self) -> None:
        self._ended.set()
        self.join()

    def _show_line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        self.count += 1
        self._show(event)


class ProgressAction(DirectAction):
    """Base of the action plugins that carry the names of the long modules."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.async_val:
            return {**result, **self._execute_module(task_vars=task_vars, wrap_async=True)}
        quiet = os.environ.get(SWITCH) == "0" or bool(self._task.no_log) or OPTION in self._task.args
        if quiet:
            result |= self.run_module(dict(self._task.args), task_vars or {})
        else:
            result |= self._run_and_show(task_vars or {})
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _run_and_show(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        host = str(task_vars.get("inventory_hostname", "localhost"))

        def show(event: Any) -> None:
            line = progress_line(host, event)
            if line is not None:
                display.display(line, stderr=True)

        with self._channel(show) as (arguments, tail):
            result = self.run_module(arguments, task_vars)
        events = result.get("events")
        shown = tail.count if tail else 0
        for event in events[shown:] if isinstance(events, list) else []:
            show(event)
        invocation = result.get("invocation")
        if isinstance(invocation, dict) and isinstance(invocation.get("module_args"), dict):
            invocation["module_args"].pop(OPTION, None)  # ours, not something the user asked for
        return result

    @contextmanager
    def _channel(self, show: Callable[[Any], None]) -> Iterator[tuple[dict[str, Any], Tail | None]]:
        """The arguments for the module, and the reader of its events where the module can write to a file of ours."""
        arguments = dict(self._task.args)
        if getattr(self._connection, "transport", "") != "local":
            yield arguments, None
            return
        handle, name = tempfile.mkstemp(prefix="polycloud-progress-", dir=DEFAULT_LOCAL_TMP)
        os.close(handle)
        tail = Tail(Path(name), show)
        tail.start()
        try:
            yield {**arguments, OPTION: name}, tail
        finally:
            tail.finish()
            Path(name).unlink(missing_ok=True)
