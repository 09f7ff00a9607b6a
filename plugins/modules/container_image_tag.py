#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_image_tag
short_description: Let a tag in a registry mean another image
version_added: 0.1.0
description:
  - Moves a tag to an image that the registry has, without an engine and without a rebuild. The manifest stays the same
    to the byte, and so does the digest.
  - What the tag meant before can be kept under another tag, so that there is a way back.
  - The tags are moved one after the other, the one for the way back first. A registry has no way to do it in one step.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.registry
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.actiongroup_all
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  image:
    description:
      - The image that the tag is to mean, as V(registry/repository@sha256:digest).
    type: str
    required: true
  tag:
    description:
      - The tag.
    type: str
    required: true
  previous_tag:
    description:
      - Keep what O(tag) meant before under this tag. Where O(tag) means O(image) already, or nothing, this one is left
        as it is.
    type: str
notes:
  - It moves a tag to whatever it is told. The role P(polycloud.ollama.image#role), with C(tasks_from=promote), looks for
    evidence that the image has passed C(validate) before.
  - In a registry with immutable tags, O(tag) and O(previous_tag) must be excluded from that.
seealso:
  - module: polycloud.ollama.container_image_evidence_info
  - module: polycloud.ollama.ecr_repository
"""

EXAMPLES = r"""
- name: Promote a validated image
  polycloud.ollama.container_image_tag:
    image: registry.example.org/team/ollama@sha256:2b5cc1ff6a5ac44b1d9b6d4b9c0d3f8e4a77f1f4c2c6d1c8cbb6b4f57f2c0e11
    tag: stable
    previous_tag: stable-previous

- name: Look what stable meant before
  polycloud.ollama.container_image_info:
    image: registry.example.org/team/ollama:stable-previous
  register: previous

- name: Go back to it
  polycloud.ollama.container_image_tag:
    image: "{{ previous.reference }}"
    tag: stable
"""

RETURN = r"""
reference:
  description: The image with its digest.
  type: str
  returned: success
  sample: registry.example.org/team/ollama@sha256:2b5cc1ff6a5ac44b1d9b6d4b9c0d3f8e4a77f1f4c2c6d1c8cbb6b4f57f2c0e11
previous_digest:
  description: Digest that the tag meant before, empty when the tag did not exist.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.images.options import (
    ARGSPEC,
    MUTUALLY_EXCLUSIVE,
    REQUIRED_TOGETHER,
    registry_from,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.images.promote import move_tag
from ansible_collections.polycloud.ollama.plugins.module_utils.images.reference import read_reference

OWN = {"tag": {"type": "str", "required": True}, "previous_tag": {"type": "str"}}


def run(params, check):
    reference = read_reference(params["image"])
    registry = registry_from(params, reference, actions="pull,push")
    moved = move_tag(registry, reference, params["tag"], params["previous_tag"] or "", check=check)
    return {
        "changed": moved.before != moved.after,
        "reference": reference.by_digest(reference.digest),
        "previous_digest": moved.before.get(params["tag"], ""),
        "diff": {"before": moved.before, "after": moved.after},
    }


def main():
    module = AnsibleModule(
        {**ARGSPEC, **OWN},
        supports_check_mode=True,
        required_together=REQUIRED_TOGETHER,
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
    )
    try:
        result = run(module.params, module.check_mode)
    except PolycloudError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
