#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_probe
short_description: Prove that a running Ollama answers, with the right model, on the GPU
version_added: 0.1.0
description:
  - Waits until the server answers, looks for the model and its digest, brings it into memory for good, looks whether
    it is on the GPU, sends a real prompt and looks at the answer.
  - Fails with one sentence for the first thing that is not right.
  - A server that is up says nothing about the model, and a lost GPU makes Ollama use the CPU without a word. So this is
    the check by which the deployment modules of this collection call a release good.
  - A model that is not there, a wrong digest, a missing GPU and an empty answer fail at once. Only what may pass by
    itself is waited for, such as no answer, a busy server, or a model that is still loading.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.ollama
  - polycloud.ollama.progress
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.actiongroup_all
attributes:
  check_mode:
    support: full
    details:
      - In check mode the module only reads. It waits for the server and looks at the model, its digest and, when it is
        already in memory, its GPU; it loads nothing and sends no prompt.
  diff_mode:
    support: N/A
    details:
      - This action does not modify what a deployment is made of.
  idempotent:
    support: full
    details:
      - Loading a model into memory is not reported as a change.
options:
  model:
    description: The model with its tag, such as V(gemma3:1b). Without a tag, V(latest) is meant.
    type: str
    required: true
  digest:
    description: What the tag must mean, as 64 hexadecimal digits with or without C(sha256:) in front.
    type: str
  prompt:
    description: What the model is asked. For an embedding model, the text that is embedded.
    type: str
    default: "Reply with one word: ready"
  max_tokens:
    description: Longest answer in tokens.
    type: int
    default: 16
  expect:
    description: Text that the answer must contain, in any case. Without it, any answer that is not empty is right.
    type: str
  require_gpu:
    description: Whether some of the model must be in GPU memory. RV(gpu_ratio) tells how much of it is.
    type: bool
    default: false
  min_tokens_per_second:
    description: Fewest generated tokens a second. The time for loading and for reading the prompt does not count.
    type: float
  timeout:
    description: Longest time for all of it in seconds, the loading of the model included.
    type: float
    default: 600.0
  interval:
    description: Seconds between two looks while waiting.
    type: float
    default: 2.0
seealso:
  - module: polycloud.ollama.ollama_model
  - module: polycloud.ollama.ollama_model_info
"""

EXAMPLES = r"""
- name: The model answers
  polycloud.ollama.ollama_probe:
    url: http://10.0.1.17:11434
    model: gemma3:1b
  register: probe

- name: It is the pinned model, on the GPU, and fast enough
  polycloud.ollama.ollama_probe:
    url: http://10.0.1.17:11434
    model: gemma3:1b
    digest: sha256:8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc
    require_gpu: true
    min_tokens_per_second: 20
    timeout: 900

- name: It knows something
  polycloud.ollama.ollama_probe:
    model: gemma3:1b
    prompt: What is the capital of France? Answer with one word.
    expect: Paris
"""

RETURN = r"""
answer:
  description:
    - The answer in one line, cut after 200 characters, without control characters. Empty in check mode.
    - It is a model's text. Never use it as a template, a command or a path.
  type: str
  returned: success
  sample: Ready
tokens_per_second:
  description:
    - Generated tokens a second.
    - V(none) in check mode, for embedding models, and when the server does not report it.
  type: float
  returned: success
resident:
  description: Whether the model is in memory.
  type: bool
  returned: success
gpu_ratio:
  description: Share of the model in GPU memory, 0.0 to 1.0.
  type: float
  returned: success
digest:
  description: Digest of the model's manifest, 64 hexadecimal digits.
  type: str
  returned: success
version:
  description: Version of the server.
  type: str
  returned: success
load_seconds:
  description: Seconds until the model was in memory; about 0 when it was there already.
  type: float
  returned: success
seconds:
  description: Seconds in all.
  type: float
  returned: success
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
  sample: [{"at": 4.2, "source": "Ollama", "text": "gemma3:1b is resident, 100% of it on the GPU"}]
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC, EventLog
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.options import ARGSPEC, client_from
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.probe import inspect, probe, spec_from

OPTIONS = {
    "model": {"type": "str", "required": True},
    "digest": {"type": "str"},
    "prompt": {"type": "str", "default": "Reply with one word: ready"},
    "max_tokens": {"type": "int", "default": 16, "no_log": False},
    "expect": {"type": "str"},
    "require_gpu": {"type": "bool", "default": False},
    "min_tokens_per_second": {"type": "float", "no_log": False},
    "timeout": {"type": "float", "default": 600.0},
    "interval": {"type": "float", "default": 2.0},
}


def main():
    module = AnsibleModule({**ARGSPEC, **PROGRESS_ARGSPEC, **OPTIONS}, supports_check_mode=True)
    log = EventLog.for_module(module)
    look = inspect if module.check_mode else probe
    try:
        result = look(client_from(module.params), spec_from(module.params), on_event=log.emit)
    except PolycloudError as error:
        module.fail_json(msg=str(error), events=log.events)
    module.exit_json(changed=False, events=log.events, **asdict(result))


if __name__ == "__main__":
    main()
