# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program that knows nothing of the sandbox, and end it when the sandbox ends.

``runtime.py`` starts it as the leader of its own process group with the sandbox's lifeline as standard input, and the
program with its arguments as arguments. SIGTERM reaches the program through the group; its exit code becomes ours.
"""

from __future__ import annotations

import os
import signal
import threading


def end_with_lifeline() -> None:
    """Wait until the lifeline closes, then kill the whole group: the program and whatever it started."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run the command and return its exit code, 128 + signal where a signal ended it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nothing, 0)])
    # The program decides how to end on SIGTERM; we only wait for it.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    threading.Thread(target=end_with_lifeline, daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code
