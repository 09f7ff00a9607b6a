#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_model
short_description: Pull, delete, load or unload a model on a running Ollama
version_added: 0.1.0
description:
  - Brings one model on one running Ollama server into the wanted state through the server's HTTP API.
  - A model is compared by the digest of its manifest, because a tag may come to mean another model.
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
  diff_mode:
    support: full
    details:
      - In check mode the digest that a pull without O(digest) will give is not known yet, and shown so.
  idempotent:
    support: full
options:
  name:
    description:
      - The model with its tag, such as V(gemma3:1b). Without a tag, V(latest) is meant.
    type: str
    required: true
  state:
    description:
      - V(present) pulls the model if the server does not have it, or has another than O(digest).
      - V(loaded) does what V(present) does, and brings the model into memory.
      - V(unloaded) takes the model out of memory and leaves it on disk.
      - V(absent) takes it out of memory and deletes it.
    type: str
    choices: [present, absent, loaded, unloaded]
    default: present
  digest:
    description:
      - What the tag must mean, as 64 hexadecimal digits with or without C(sha256:) in front.
      - The module fails when the tag means another model after the pull. The server then holds that other model.
      - Without it, any model with that name is taken as the right one.
    type: str
  keep_alive:
    description:
      - How long a loaded model stays in memory when nobody asks it, in seconds or as a duration such as V(30m).
      - A negative value means for good; a model that is loaded with an idle time is then told to stay.
      - Used with O(state=loaded) only.
    type: str
    default: "-1"
  insecure:
    description: Whether the server may pull over plain HTTP, or with a certificate that it cannot check.
    type: bool
    default: false
  timeout:
    description:
      - Longest time for loading or unloading, and longest silence while pulling, in seconds.
    type: float
    default: 600.0
  path:
    description:
      - The server's models directory (C(OLLAMA_MODELS)), when it can be seen from the host where this module runs.
    type: path
  fetch:
    description:
      - Fetch the model into a models directory on the host where this module runs, without a server. Then O(url) and
        the options of the server are not used, and O(state) is V(present).
      - The directory can be that of a server which is not running yet, a mounted EFS or Azure Files share that is to be
        seeded, or the context of an image build.
      - A fetch that was broken off goes on where it stopped. What is there already is checked and not fetched again.
    type: dict
    suboptions:
      into:
        description: The models directory (C(OLLAMA_MODELS)). It is made where it does not exist.
        type: path
        required: true
      registry:
        description:
          - URL of the registry to fetch from, which may be any that speaks the Distribution API, such as ECR, ACR or
            docker-registry. A path behind the host goes before the name of the repository.
        type: str
        default: https://registry.ollama.ai
      folder:
        description: A models directory to copy from, in place of O(fetch.registry).
        type: path
      username:
        description:
          - User for O(fetch.registry). Without a login here, C(POLYCLOUD_REGISTRY_USERNAME),
            C(POLYCLOUD_REGISTRY_PASSWORD) and C(POLYCLOUD_REGISTRY_TOKEN) are looked at, then docker's C(config.json).
        type: str
      password:
        description: Password of O(fetch.username).
        type: str
      token:
        description: Bearer token for O(fetch.registry).
        type: str
      login:
        description:
          - Log in with the cloud's own credentials, to Amazon ECR (needs boto3 and C(ecr:GetAuthorizationToken)) or to
            Azure Container Registry (needs azure-identity and the role AcrPull).
        type: str
        choices: [ecr, acr]
      insecure:
        description: Permit plain HTTP, and certificates that nobody vouches for.
        type: bool
        default: false
      ca_file:
        description: PEM file of the certificate authorities to trust.
        type: path
      lock:
        description:
          - File that pins what a tag means (C(models.lock)). The tag is added to it where it is not pinned yet.
        type: path
      update_lock:
        description: Take what the tag means now and pin that.
        type: bool
        default: false
      parallel:
        description: Parts of blobs that are fetched at the same time, 1 to 64.
        type: int
        default: 16
  min_free_bytes:
    description:
      - Free space in bytes that O(path) must have before a model is pulled.
      - With less, nothing is pulled and the module fails.
      - When O(path) is not set or cannot be read here, RV(disk.checked) is false and a warning says why.
    type: int
seealso:
  - module: polycloud.ollama.ollama_model_info
  - module: polycloud.ollama.ollama_probe
"""

EXAMPLES = r"""
- name: Have a model on the server, exactly this one
  polycloud.ollama.ollama_model:
    url: http://10.0.1.17:11434
    name: gemma3:1b
    digest: sha256:8648f39daa8fbf5b18c7b4e6a8fb4990c692751d49917417b8842ca5758e7ffc

- name: Have it in memory for good
  polycloud.ollama.ollama_model:
    url: http://10.0.1.17:11434
    name: gemma3:1b
    state: loaded

- name: Pull only with 20 GB of room in the models directory
  polycloud.ollama.ollama_model:
    name: gemma3:27b
    path: /var/lib/ollama/models
    min_free_bytes: 20000000000

- name: Have it on a mounted share before any server starts, from a registry of our own
  polycloud.ollama.ollama_model:
    name: gemma3:1b
    fetch:
      into: /mnt/models
      registry: https://registry.example.org
      lock: models.lock

- name: Free the memory, keep the file
  polycloud.ollama.ollama_model:
    name: gemma3:1b
    state: unloaded

- name: Delete a model
  polycloud.ollama.ollama_model:
    name: gemma3:1b
    state: absent
"""

RETURN = r"""
steps:
  description:
    - What was done, or in check mode would be done, in order; some of V(pull), V(unload), V(load), V(delete), or
      V(fetch).
  type: list
  elements: str
  returned: success
  sample: [pull, load]
model:
  description: The model as it is now, or in check mode would be. V(none) when the server does not have it.
  type: dict
  returned: success
  contains:
    digest:
      description: Digest of its manifest. V((known after apply\)) in check mode when only a pull can tell.
      type: str
    size:
      description: Bytes on disk.
      type: int
    resident:
      description: Whether it is in memory.
      type: bool
    stays:
      description: Whether it is in memory for good, with no idle time after which it is unloaded.
      type: bool
    gpu_ratio:
      description: Share of the model in GPU memory, 0.0 to 1.0.
      type: float
    context_length:
      description: Tokens of context it is loaded with, 0 when it is not loaded.
      type: int
bytes_fetched:
  description: Bytes that came from the source, or in check mode would have to.
  type: int
  returned: with O(fetch)
disk:
  description: Whether the free space was looked at before a pull.
  type: dict
  returned: when a model was or would be pulled
  contains:
    checked:
      description: Whether it was.
      type: bool
    reason:
      description: Why not.
      type: str
    free_bytes:
      description: Free space that was found at O(path).
      type: int
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
  sample: [{"at": 0.4, "source": "Ollama", "text": "gemma3:1b: pulling layers, 12% of 815 MB"}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC, EventLog
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama import fetching
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.model import (
    apply,
    check_disk,
    facts,
    observe,
    predict,
    spec_from,
    steps,
    summary,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.options import ARGSPEC, client_from

OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "loaded", "unloaded"], "default": "present"},
    "digest": {"type": "str"},
    "keep_alive": {"type": "str", "default": "-1"},
    "insecure": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 600.0},
    "path": {"type": "path"},
    "fetch": {"type": "dict", "options": fetching.OPTIONS, **fetching.RULES},
    "min_free_bytes": {"type": "int"},
}


def run(module, log):
    """Compare, do what is needed unless in check mode, and return the module's result."""
    if module.params["fetch"] is not None:
        return fetching.fetch_model(module.params, log.emit, check=module.check_mode)
    spec = spec_from(module.params)
    client = client_from(module.params)
    found = observe(client, spec.name)
    todo = steps(spec, found)
    result = {"changed": bool(todo), "steps": list(todo)}
    if "pull" in todo:
        result["disk"] = check_disk(spec, log.emit)
        if spec.min_free_bytes is not None and not result["disk"]["checked"]:
            module.warn(f"The free space for {spec.name} was not checked: {result['disk']['reason']}.")
    after = predict(spec, found, todo) if module.check_mode else apply(client, spec, todo, log.emit)
    diff = {"before": summary(spec.name, found), "after": summary(spec.name, after)}
    return {**result, "model": facts(after), "diff": diff}


def main():
    module = AnsibleModule({**ARGSPEC, **PROGRESS_ARGSPEC, **OPTIONS}, supports_check_mode=True)
    log = EventLog.for_module(module)
    try:
        result = run(module, log)
    except PolycloudError as error:
        module.fail_json(msg=str(error), events=log.events)
    module.exit_json(events=log.events, **result)


if __name__ == "__main__":
    main()
