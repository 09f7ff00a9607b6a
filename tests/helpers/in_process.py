# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in the process of the test: no start of Python, for tests that need many runs of one module."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.polycloud.ollama.plugins.modules"


def run_in_process(name: str, args: Mapping[str, Any], *, check: bool = False, fails: bool = False) -> dict[str, Any]:
    """Run module `name` and return its result, which must be a failure exactly if `fails`.

    tests/helpers/modules.py runs a module as Ansible does; this one shares imports and the environment with the test.
    """
    module = importlib.import_module(f"{MODULES}.{name}")
    said = io.StringIO()
    given = {**args, "_ansible_check_mode": check, "_ansible_diff": True}
    with patch_module_args(given), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(said.getvalue().splitlines()[-1])
    assert bool(result.get("failed")) is fails, result.get("msg", result)
    return result
