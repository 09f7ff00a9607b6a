# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module as Ansible would, in its own process, without the price of an Ansible start (0.3 s instead of 2 s)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".build"


def module_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment, with `ansible_collections.polycloud.ollama` to be imported and no proxy for loopback."""
    search_path = [str(COLLECTIONS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search_path),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "NO_PROXY": "127.0.0.0/8,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **(extra or {}),
    }


def run_module(
    name: str,
    args: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 120.0,
) -> dict[str, Any]:
    """Run module `name` of this collection with `args` and return its result.

    A module that fails gives a result with `failed: true` (that is data, not an error of the test). A module that does
    not answer in JSON, or leaves a traceback, raises AssertionError with all it said. The result also holds `_stderr`.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.polycloud.ollama.plugins.modules.{name}"],
        input=module_input(args, check, diff),
        capture_output=True,
        text=True,
        env=module_environment(env),
        timeout=timeout,
        check=False,
    )
    return read_result(name, done.returncode, done.stdout, done.stderr)


def module_input(args: Mapping[str, Any] | None, check: bool, diff: bool) -> str:
    """What Ansible writes on a module's standard input."""
    arguments = {**(args or {}), "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_no_log": False}
    return json.dumps({"ANSIBLE_MODULE_ARGS": arguments})


def read_result(name: str, code: int, output: str, errors: str) -> dict[str, Any]:
    """The result in a module's output; AssertionError where there is none, or a traceback."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise AssertionError(f"module {name} gave no result (rc {code})\n{output}\n{errors}")
    result: dict[str, Any] = json.loads(lines[-1])
    if "Traceback (most recent call last)" in errors:
        raise AssertionError(f"module {name} left a traceback\n{errors}")
    return {**result, "_stderr": errors}
