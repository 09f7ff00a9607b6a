#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_image_evidence_info
short_description: Look whether an image has passed validate
version_added: 0.1.0
description:
  - Reads the evidence that the role P(polycloud.ollama.validate#role) left, and fails where it does not show that the
    image ran and answered.
  - Only the last evidence of a target counts. Where an image failed on any target, it has not passed.
  - Evidence is not signed. Whoever can write the files can forge them, so keep them where only your pipeline writes.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.info_module
  - polycloud.ollama.attributes.actiongroup_all
options:
  image:
    description:
      - The image, as V(registry/repository@sha256:digest). The digest alone decides, so that a copy in another
        registry is the same image.
    type: str
    required: true
  path:
    description:
      - A file of evidence, or a folder in which all files C(validate-*.json) are read. One that cannot be read, or that
        is no evidence, is an error.
    type: path
    required: true
  targets:
    description: Targets that must all have passed. Without O(targets) and O(platforms) one target is enough.
    type: list
    elements: str
    default: []
  platforms:
    description: Platforms on each of which a target must have passed.
    type: list
    elements: str
    default: []
  max_age:
    description: Hours after which evidence no longer counts, 1 to 8784.
    type: int
    default: 168
  history:
    description:
      - File C(promote.json) of the role P(polycloud.ollama.image#role). For an image that a fallback took back, only
        what was shown after that counts. A file that does not exist tells of nothing.
    type: path
seealso:
  - module: polycloud.ollama.container_image_tag
"""

EXAMPLES = r"""
- name: The image has passed on both clouds
  polycloud.ollama.container_image_evidence_info:
    image: registry.example.org/team/ollama@sha256:2b5cc1ff6a5ac44b1d9b6d4b9c0d3f8e4a77f1f4c2c6d1c8cbb6b4f57f2c0e11
    path: build/evidence
    platforms: [ecs, container_apps]
"""

RETURN = r"""
digest:
  description: Digest of the image.
  type: str
  returned: success
evidence:
  description: By what the image has passed, one entry for each target.
  type: list
  elements: dict
  returned: success
  sample:
    - target: chat-use1
      platform: ecs
      at: '2026-11-22T10:00:00Z'
      source: validate-chat-use1.json
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.images.evidence import (
    Demand,
    judge,
    read_all,
    timestamp,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.images.history import taken_back
from ansible_collections.polycloud.ollama.plugins.module_utils.images.reference import pinned, read_reference

LONGEST = 24 * 366  # hours; what was shown a year ago says nothing of today
OPTIONS = {
    "image": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "targets": {"type": "list", "elements": "str", "default": []},
    "platforms": {"type": "list", "elements": "str", "default": []},
    "max_age": {"type": "int", "default": 168},
    "history": {"type": "path"},
}


def run(params):
    digest = pinned(read_reference(params["image"])).digest
    if not 1 <= params["max_age"] <= LONGEST:
        raise PolycloudError(f"max_age {params['max_age']} must be 1 to {LONGEST} hours.")
    demand = Demand(
        digest=digest,
        max_age=timedelta(hours=params["max_age"]),
        targets=params["targets"],
        platforms=params["platforms"],
        not_before=taken_back(Path(params["history"]), digest) if params["history"] else None,
    )
    good = judge(read_all(Path(params["path"])), demand, datetime.now(UTC))
    told = [
        {"target": item.target, "platform": item.platform, "at": timestamp(item.at), "source": item.source}
        for item in good
    ]
    return {"digest": digest, "evidence": told}


def main():
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    try:
        result = run(module.params)
    except PolycloudError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
