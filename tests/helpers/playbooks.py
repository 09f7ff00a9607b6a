# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a playbook in a process of its own and see what it printed, and when."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.helpers.modules import module_environment


@dataclass
class Run:
    """What a playbook run printed. The lines of `stderr` carry the seconds since the start at which they came."""

    rc: int = 0
    seconds: float = 0.0
    stdout: str = ""
    stderr: list[tuple[float, str]] = field(default_factory=list)

    @property
    def progress(self) -> list[str]:
        """The lines of the progress action plugin: `host | 00:12 | source | text`."""
        return [line for _, line in self.stderr if line.count(" | ") >= 3]


def run_playbook(
    folder: Path,
    tasks: Sequence[Mapping[str, Any]],
    *options: str,
    hosts: Sequence[str] = ("target",),
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Run:
    """Run `tasks` on `hosts` (local connection, our Python) in an empty project in `folder`."""
    interpreter = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {host: {} for host in hosts}, "vars": {**interpreter, **(variables or {})}}}
    play = [{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]
    # JSON is YAML, and quotes everything.
    (folder / "inventory.yml").write_text(json.dumps(inventory))
    (folder / "play.yml").write_text(json.dumps(play))
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", "inventory.yml", "play.yml", *options]
    settings = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder / "home")}
    environment = module_environment({**settings, **(env or {})})
    start, run = time.monotonic(), Run()
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:

        def read_stderr(stream: IO[str]) -> None:
            for line in stream:
                run.stderr.append((time.monotonic() - start, line.rstrip("\n")))

        assert process.stdout
        reader = threading.Thread(target=read_stderr, args=(process.stderr,))
        reader.start()
        run.stdout = process.stdout.read()
        reader.join()
    run.rc, run.seconds = process.returncode, time.monotonic() - start
    return run
