# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sums up what became of a target."""

from __future__ import annotations

DOCUMENTATION = r"""
name: target_outcome
short_description: Sum up what became of a target
version_added: 0.1.0
author:
  - polycloud.ollama contributors
description:
  - Makes one dictionary of the results that the steps of a target returned, for P(polycloud.ollama.run_report#filter).
  - The role P(polycloud.ollama.common#role) records it as C(ollama_outcome) on each target.
positional: _input
options:
  _input:
    description: Results by step, V(storage), V(deploy) and V(validate). A step that did not run is empty or missing.
    type: dict
    required: true
  target:
    description: Name of the target, its inventory host.
    type: str
    required: true
  platform:
    description: Its platform.
    type: str
    default: ''
  places:
    description:
      - Where the region of the target is looked for, in that order, as C(region) or C(location) of a dictionary.
      - What is no dictionary is passed over.
    type: list
    elements: raw
    default: []
  failure:
    description: Result of the task that failed, with the task's name as C(task). Empty when none did.
    type: dict
  check:
    description: Whether it was a run in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Record what became of the target
  ansible.builtin.set_fact:
    outcome: "{{ {'deploy': deployed} | polycloud.ollama.target_outcome(target=inventory_hostname, platform='ecs') }}"
"""

RETURN = r"""
_value:
  description:
    - What became of the target.
    - C(health) is one of V(healthy), V(running), V(stopped), V(not deployed), V(planned), V(rolled back), V(failed).
  type: dict
  sample:
    target: chat-use1
    platform: ecs
    region: us-east-1
    ok: true
    health: healthy
    changed: false
    serving: registry.example.com/ollama:0.24.0 (release chat:7)
    release: chat:7
    answer: ready
    tokens_per_second: 61.5
    seconds: 2.1
    endpoints: ['http://10.0.1.17:11434']
    rolled_back: false
    outage_seconds: null
    plans: {}
    error: ''
    task: ''
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.polycloud.ollama.plugins.plugin_utils.summary import target_outcome


class FilterModule:
    """Hands out the filter; the work is done in plugin_utils."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"target_outcome": target_outcome}
