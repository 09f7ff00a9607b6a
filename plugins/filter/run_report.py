# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the outcomes of all targets together."""

from __future__ import annotations

DOCUMENTATION = r"""
name: run_report
short_description: Put the outcomes of all targets together
version_added: 0.1.0
author:
  - polycloud.ollama contributors
description:
  - Makes the report of a run from the outcomes that P(polycloud.ollama.target_outcome#filter) made.
  - A target without an outcome counts as failed, so that a host that was lost cannot go unnoticed.
positional: _input
options:
  _input:
    description: The outcomes.
    type: list
    elements: dict
    required: true
  targets:
    description: Names of all targets of the run, in the order of the report.
    type: list
    elements: str
    required: true
  run:
    description: What was run, such as V(site).
    type: str
    default: ''
  check:
    description: Whether it was a run in check mode.
    type: bool
    default: false
  at:
    description: When it was run.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Put the outcomes together
  ansible.builtin.set_fact:
    report: "{{ outcomes | polycloud.ollama.run_report(targets=ansible_play_hosts_all, run='site') }}"
"""

RETURN = r"""
_value:
  description:
    - The report. C(status) is V(ok) when all targets are, V(failed) when none is, else V(partial).
  type: dict
  sample:
    status: partial
    run: site
    check: false
    at: '2026-11-22T10:00:00+00:00'
    changed: 1
    targets: []
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.polycloud.ollama.plugins.plugin_utils.summary import run_report


class FilterModule:
    """Hands out the filter; the work is done in plugin_utils."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"run_report": run_report}
