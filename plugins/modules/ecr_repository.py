#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_repository
short_description: Keep a repository of Amazon ECR in which tags do not move
version_added: 0.1.0
description:
  - Makes a private repository where there is none, and makes all of its tags immutable but those that are to move.
  - Policies, lifecycle and encryption of a repository are left alone, and none is deleted.
  - The module M(community.aws.ecs_ecr) knows tags that are all mutable or all immutable, and no exclusions.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.actiongroup_aws
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the repository, such as V(team/ollama).
    type: str
    required: true
  registry_id:
    description: Account that has the registry. The default is the one of the credentials.
    type: str
  mutable_tags:
    description:
      - Tags that may move, five at most. C(*) stands for any characters. All others are immutable.
      - An empty list makes all tags immutable.
    type: list
    elements: str
    default: [stable, stable-previous]
  scan_on_push:
    description: Whether ECR scans an image when it is pushed. Without it, that is left as it is.
    type: bool
  tags:
    description: Tags of the repository in AWS. Those that others set are left alone.
    type: dict
    default: {}
notes:
  - It needs a botocore that knows exclusions from immutable tags, which it does since July 2025.
seealso:
  - module: polycloud.ollama.container_image_tag
"""

EXAMPLES = r"""
- name: A repository in which only the tags of the promotion move
  polycloud.ollama.ecr_repository:
    name: team/ollama
    region: eu-central-1
    scan_on_push: true
"""

RETURN = r"""
repository:
  description: The repository. In check mode, what it would be.
  type: dict
  returned: success
  contains:
    arn:
      description: Its ARN. In check mode V((known after apply\)) for one that does not exist yet.
      type: str
      returned: success
      sample: arn:aws:ecr:eu-central-1:123456789012:repository/team/ollama
    uri:
      description: What images are named by, empty in check mode for one that does not exist yet.
      type: str
      returned: success
      sample: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/ollama
    tag_mutability:
      description: Whether tags may move, in the words of the API.
      type: str
      returned: success
      sample: IMMUTABLE_WITH_EXCLUSION
    mutable_tags:
      description: Tags that may move.
      type: list
      elements: str
      returned: success
      sample: [stable, stable-previous]
    tags:
      description: Tags in AWS.
      type: dict
      returned: success
plan:
  description: The changes of the run, with reasons and differing fields.
  type: dict
  returned: success
  sample: {"target": "team/ollama", "changed": true, "summary": "1 to create", "changes": [], "notes": []}
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
  sample: [{"at": 0.4, "source": "ecr repository", "text": "create team/ollama"}]
error:
  description: Kind of the error.
  type: str
  returned: on failure
  sample: ApiError
"""

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import AnsibleAWSModule, Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.ecr.repository import OPTIONS, make_bundle
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import run_bundle


def main():
    module = AnsibleAWSModule(argument_spec={**OPTIONS, **PROGRESS_ARGSPEC}, supports_check_mode=True)
    run_bundle(module, lambda emit: make_bundle(module.params, Aws.for_module(module)), "present")


if __name__ == "__main__":
    main()
