# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays the report of a run out for a person."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary_table
short_description: Lay the report of a run out for a person
version_added: 0.1.0
author:
  - polycloud.ollama contributors
description:
  - Makes the lines of a table from a report of P(polycloud.ollama.run_report#filter), one row a target.
  - Below it stand what a person must know about a plan, outages, and why a target failed. The last line is the status.
positional: _input
options:
  _input:
    description: The report.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what became of the targets
  ansible.builtin.debug:
    msg: "{{ report | polycloud.ollama.summary_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - TARGET     PLATFORM  REGION     HEALTH   CHANGED  SECONDS  ANSWER  SERVING
    - chat-use1  ecs       us-east-1  healthy  yes      2.1      ready   example.com/ollama:0.24.0 (release chat:7)
    - 'ok: 1 of 1 targets ok, 1 changed'
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.polycloud.ollama.plugins.plugin_utils.summary import summary_table


class FilterModule:
    """Hands out the filter; the work is done in plugin_utils."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"summary_table": summary_table}
