# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module of ours on the controller straight from its source, where Ansible would pack it to run it there.

A no-op task then costs about a third of a second less: nothing is zipped, copied and unpacked, and Python's byte code
is cached (docs/decisions/0014). It is a process of its own as ever, with the task's environment. Everything that is
not the plain local case (another interpreter, become, async, delegation, kept files, an Ansible whose inside we have
not seen) is left to Ansible's own way.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible
from ansible import constants, release
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.action import ActionBase

# Releases of ansible-core on which the three calls of ActionBase below were tested.
KNOWN = ("2.19", "2.20", "2.21")
PROFILE = "legacy"  # the serialization of modules outside ansible.builtin
COLLECTIONS = ("polycloud.ollama", "amazon.aws")


class DirectAction(ActionBase):  # type: ignore[misc]  # Ansible is not followed
    """An action that can run the module of its own name in either way."""

    def run_module(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """The module's result, like _execute_module."""
        if not self._is_plain(task_vars):
            result: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
            return result
        self._update_module_args(self._task.action, arguments, task_vars)
        encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
        given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
        answer = self._low_level_execute_command(self._command(), sudoable=False, in_data=given)
        return _as_result(self._parse_returned_data(answer, PROFILE))

    def _is_plain(self, task_vars: Mapping[str, Any]) -> bool:
        return (
            release.__version__.rpartition(".")[0] in KNOWN
            and getattr(self._connection, "transport", "") == "local"
            and getattr(self._connection._shell, "SHELL_FAMILY", "") == "sh"
            and not self._connection.become
            and not self._task.async_val
            and not self._task.delegate_to
            and not constants.DEFAULT_KEEP_REMOTE_FILES
            and self._interpreter(task_vars) == sys.executable
        )

    def _interpreter(self, task_vars: Mapping[str, Any]) -> Any:
        configured = constants.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        return self._templar.template(configured)

    def _command(self) -> str:
        """`python -P run_module.py …`, with the task's environment in front. -P: the script's folder is no library."""
        name = self._task.action.rpartition(".")[2]
        script = str(Path(__file__).with_name("run_module.py"))
        module = f"ansible_collections.polycloud.ollama.plugins.modules.{name}"
        library = os.path.dirname(os.path.dirname(ansible.__file__))
        command = self._connection._shell.join([sys.executable, "-P", script, module, library, *_folders()])
        return f"{self._compute_environment_string()} {command}".lstrip()


def _folders() -> Iterator[str]:
    """`collection=folder` of those that are installed; a module says itself what it misses."""
    for name in COLLECTIONS:
        try:
            package = importlib.import_module(f"ansible_collections.{name}")
        except ImportError:
            continue
        yield f"{name}={package.__path__[0]}"


def _as_result(parsed: Any) -> dict[str, Any]:
    """A module's parsed answer as a task's result, like the end of _execute_module (a dict before 2.20 or so)."""
    if isinstance(parsed, dict):
        from ansible.vars.clean import remove_internal_keys

        remove_internal_keys(parsed)
        return parsed
    parsed.remove_internal_keys()
    result: dict[str, Any] = parsed.as_result_dict(for_round_trip=True)
    return result
