# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the evidence of a validated target."""

from __future__ import annotations

DOCUMENTATION = r"""
name: validate_evidence
short_description: Make the evidence that a target was validated
version_added: 0.1.0
author:
  - polycloud.ollama contributors
description:
  - Puts together which image a target runs and what it answered with, for
    M(polycloud.ollama.container_image_evidence_info). It holds neither prompt nor answer.
  - The role P(polycloud.ollama.validate#role) writes it.
positional: _input
options:
  _input:
    description: The C(deployment) that the deployment modules return.
    type: dict
    required: true
  probes:
    description: Result of a loop of M(polycloud.ollama.ollama_probe) over its endpoints. It may have failed.
    type: dict
    required: true
  target:
    description: Name of the target, its inventory host.
    type: str
    required: true
  platform:
    description: Its platform.
    type: str
    required: true
  model:
    description: Name of the model that was asked.
    type: str
    required: true
  at:
    description: When, in UTC.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Make the evidence
  ansible.builtin.set_fact:
    evidence: >-
      {{ deployed.deployment
         | polycloud.ollama.validate_evidence(
           probes=probed, target=inventory_hostname, platform='ecs', model='gemma3:1b',
           at=now(utc=true).strftime('%Y-%m-%dT%H:%M:%SZ')) }}
"""

RETURN = r"""
_value:
  description:
    - The evidence. C(result) is V(passed) or V(failed).
    - It is empty where nothing was asked, since the deployment is stopped, has no endpoint, or it was a run in check
      mode.
  type: dict
  sample:
    schema: 1
    kind: validate
    result: passed
    at: '2026-11-22T10:00:00Z'
    collection_version: 0.1.0
    target: chat-use1
    platform: ecs
    deployment: chat
    release: chat:7
    image: registry.example.com/ollama:0.24.0@sha256:8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc
    digest: sha256:8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc
    settled: true
    models: []
    answers: []
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.polycloud.ollama.plugins.module_utils.images.evidence import make_evidence


class FilterModule:
    """Hands out the filter; the work is done in module_utils."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"validate_evidence": make_evidence}
