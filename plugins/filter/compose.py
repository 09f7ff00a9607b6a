# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a compose file of the description of a deployment."""

from __future__ import annotations

DOCUMENTATION = r"""
name: compose
short_description: Make a compose file of a deployment
version_added: 0.1.0
author:
  - polycloud.ollama contributors
description:
  - Translates the description of a deployment, as the deployment modules take it, into a compose file, with Ollama, the
    sidecar in front of it, and the container that seeds a volume.
  - Containers run without root, without capabilities and on a read-only root file system. Ports are published at
    loopback of the machine, and with C(network.exposure) V(public) the one of clients at all its addresses.
  - No secret is written. Each stands as a variable that C(docker compose up) takes from its environment.
  - C(platform), C(overrides) and more than one replica are refused.
  - A deployment on Docker that is planned, verified and rolled back like on a cloud does not exist yet.
positional: _input
options:
  _input:
    description:
      - The description. Its options are those of P(polycloud.ollama.ecs_deployment#module) without C(platform).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write a compose file
  ansible.builtin.copy:
    content: "{{ description | polycloud.ollama.compose | to_nice_yaml(sort_keys=false) }}"
    dest: "{{ folder }}/compose.yaml"
    mode: "0644"
  vars:
    description:
      name: chat
      image: registry.example.com/ollama:0.24.0@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      models:
        - name: gemma3:1b
      sidecar:
        image: registry.example.com/sidecar@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
"""

RETURN = r"""
_value:
  description: The compose file, with the keys C(name), C(services), and C(volumes) where models live on one.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.polycloud.ollama.plugins.module_utils.compose import translate
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError


def compose(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compose file, or say everything that is wrong with the description."""
    if not isinstance(description, Mapping):
        raise AnsibleFilterError("compose takes the description of a deployment, a dict")
    try:
        return translate.compose(description)
    except PolycloudError as error:
        raise AnsibleFilterError(str(error)) from error
    except TypeError as error:
        raise AnsibleFilterError(f"the description lacks an option: {error}") from error


class FilterModule:
    """Hands out the filter; the work is done in module_utils."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"compose": compose}
