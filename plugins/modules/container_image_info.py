#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_image_info
short_description: Look an image up in its registry
version_added: 0.1.0
description:
  - Asks a registry for the digest, the labels and the size of an image, without an engine and without its layers.
  - Of an image for several platforms, the labels and the size are those of the first.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.registry
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.info_module
  - polycloud.ollama.attributes.actiongroup_all
"""

EXAMPLES = r"""
- name: What does the tag mean now
  polycloud.ollama.container_image_info:
    image: registry.example.org/team/ollama:stable
  register: stable

- name: Deploy exactly that
  ansible.builtin.debug:
    msg: "{{ stable.reference }}"
  when: stable.exists

- name: Ask a registry of AWS
  polycloud.ollama.container_image_info:
    image: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/ollama:stable
    login: ecr
"""

RETURN = r"""
exists:
  description: Whether the registry has the image.
  type: bool
  returned: success
reference:
  description: The image with its digest, empty when it does not exist.
  type: str
  returned: success
  sample: registry.example.org/team/ollama@sha256:2b5cc1ff6a5ac44b1d9b6d4b9c0d3f8e4a77f1f4c2c6d1c8cbb6b4f57f2c0e11
digest:
  description: Digest of the manifest, empty when the image does not exist.
  type: str
  returned: success
media_type:
  description: Media type of the manifest.
  type: str
  returned: success
labels:
  description: Labels of the image.
  type: dict
  returned: success
size:
  description: Bytes of all layers as the registry keeps them, compressed.
  type: int
  returned: success
layers:
  description: Digests of the layers, the lowest first.
  type: list
  elements: str
  returned: success
image_id:
  description: Digest of the image's configuration, which engines call its id. Empty when the image does not exist.
  type: str
  returned: success
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.images.options import (
    ARGSPEC,
    MUTUALLY_EXCLUSIVE,
    REQUIRED_TOGETHER,
    registry_from,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.images.reference import read_reference

NOTHING = {"digest": "", "media_type": "", "labels": {}, "size": 0, "layers": [], "image_id": ""}


def run(params):
    reference = read_reference(params["image"])
    image = registry_from(params, reference).image(reference)
    if image is None:
        return {"exists": False, "reference": "", **NOTHING}
    return {"exists": True, "reference": reference.by_digest(image.digest), **asdict(image)}


def main():
    module = AnsibleModule(
        ARGSPEC,
        supports_check_mode=True,
        required_together=REQUIRED_TOGETHER,
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
    )
    try:
        result = run(module.params)
    except PolycloudError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
