# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command, keeps all of its output in a file, and shows a person the part that tells the story."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SHOWN_TASKS = (": Bring the deployment to its state", ": Prepare the file", ": Summary]")
HEADERS = ("TASK [", "PLAY [", "PLAY RECAP")
FAILURES = ("[ERROR]", "fatal: ")
RESULTS = ("ok: ", "changed: ", "skipping: ", "included: ", "    msg:")


class Story:
    """Decides line by line what of a playbook's output is shown: plans and the summary, which tells of failures too."""

    def __init__(self) -> None:
        self._shown = False

    def shown(self, line: str) -> str:
        """Return the line as it is shown, empty where it is not; remembers the task that it belongs to."""
        if line.startswith(HEADERS):
            self._shown = any(task in line for task in SHOWN_TASKS)
        elif line.startswith(FAILURES):
            self._shown = False
        elif self._shown and not line.startswith(RESULTS):
            # A list item of the summary: YAML quotes a line with a colon in it.
            text = line.rstrip().removeprefix("    - ")
            return text[1:-1].replace("''", "'") if text.startswith("'") and text.endswith("'") else text
        return ""


def progress(line: str) -> str:
    """Return the line if it is one of the progress action plugin: `target | 00:01 | source | text`."""
    return line.rstrip() if line.count(" | ") >= 3 else ""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    seconds: float


def run(command: Sequence[str], log: Path, environment: Mapping[str, str], *, folder: Path, everything: bool) -> Done:
    """Run the command in the folder; its output goes to the log, and line by line to the terminal as it comes."""
    start = time.monotonic()
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, cwd=folder, env=dict(environment), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        lock = threading.Lock()

        def follow(stream: IO[str] | None, shown: Callable[[str], str]) -> None:
            for line in stream or ():
                text = line.rstrip() if everything else shown(line)
                with lock:
                    file.write(line)
                    if text:
                        print(f"    {text}", flush=True)

        events = threading.Thread(target=follow, args=(process.stderr, progress))
        events.start()
        follow(process.stdout, Story().shown)
        events.join()
    return Done(process.returncode, time.monotonic() - start)
