#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model_info
short_description: List the models of a running Ollama
version_added: 0.1.0
description:
  - Reads which models a running Ollama server has on disk and in memory.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.ollama
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.info_module
  - polycloud.ollama.attributes.actiongroup_all
options:
  name:
    description:
      - Only this model, and with its RV(models[].capabilities). RV(models) is empty when the server does not have it.
    type: str
seealso:
  - module: polycloud.ollama.ollama_model
  - module: polycloud.ollama.ollama_probe
"""

EXAMPLES = r"""
- name: What does the server have
  polycloud.ollama.ollama_model_info:
    url: http://10.0.1.17:11434
  register: ollama

- name: Show the models in memory
  ansible.builtin.debug:
    msg: "{{ ollama.models | selectattr('resident') | map(attribute='name') }}"

- name: What can one model do
  polycloud.ollama.ollama_model_info:
    url: http://10.0.1.17:11434
    name: gemma3:1b
"""

RETURN = r"""
version:
  description: Version of the server.
  type: str
  returned: success
  sample: 0.32.15
models:
  description: The models on disk, by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name with tag.
      type: str
    digest:
      description: Digest of its manifest, 64 hexadecimal digits.
      type: str
    size:
      description: Bytes on disk.
      type: int
    family:
      description: Model family.
      type: str
    parameter_size:
      description: Number of parameters as the server writes it, such as V(4.3B).
      type: str
    quantization:
      description: Quantization, such as V(Q4_K_M).
      type: str
    resident:
      description: Whether it is in memory.
      type: bool
    stays:
      description: Whether it is in memory for good.
      type: bool
    size_vram:
      description: Bytes in GPU memory.
      type: int
    gpu_ratio:
      description: Share of the loaded model in GPU memory, 0.0 to 1.0.
      type: float
    context_length:
      description: Tokens of context it is loaded with, 0 when it is not loaded.
      type: int
    expires_at:
      description: When it is unloaded if nobody asks it, empty when it is not loaded.
      type: str
    capabilities:
      description: What the model can do, such as V(completion), V(embedding), V(vision), V(tools).
      type: list
      elements: str
      returned: when O(name) is given
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.options import ARGSPEC, client_from
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.records import canonical_name


def describe(tag, loaded):
    """One model of the result, from what is on disk and what is in memory (or None)."""
    memory = {
        "resident": loaded is not None,
        "stays": bool(loaded and loaded.stays),
        "size_vram": loaded.size_vram if loaded else 0,
        "gpu_ratio": loaded.gpu_ratio if loaded else 0.0,
        "context_length": loaded.context_length if loaded else 0,
        "expires_at": loaded.expires_at if loaded else "",
    }
    return {**asdict(tag), **memory}


def run(params):
    client = client_from(params)
    version, tags = client.version(), client.tags()
    loaded = {canonical_name(model.name): model for model in client.ps()}
    name = params["name"]
    if name:
        tags = [tag for tag in tags if canonical_name(tag.name) == canonical_name(name)]
    models = [describe(tag, loaded.get(canonical_name(tag.name))) for tag in sorted(tags, key=lambda tag: tag.name)]
    if name:
        models = [{**model, "capabilities": list(client.show(name).capabilities)} for model in models]
    return {"version": version, "models": models}


def main():
    module = AnsibleModule({**ARGSPEC, "name": {"type": "str"}}, supports_check_mode=True)
    try:
        result = run(module.params)
    except PolycloudError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
