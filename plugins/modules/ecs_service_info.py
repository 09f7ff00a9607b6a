#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service_info
short_description: Read services of Amazon ECS with their tasks
version_added: 0.1.0
description:
  - Reads services with their deployments, running tasks (address, image, release, health) and the record that
    M(polycloud.ollama.ecs_deployment) keeps on them.
  - A service or cluster that does not exist is left out of the answer.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.info_module
  - polycloud.ollama.attributes.actiongroup_aws
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  names:
    description: Names of the services. All services of the cluster if none is given.
    type: list
    elements: str
    default: []
seealso:
  - module: polycloud.ollama.ecs_deployment
  - module: polycloud.ollama.ecs_service
"""

EXAMPLES = r"""
- name: What runs
  polycloud.ollama.ecs_service_info:
    cluster: inference
    region: us-east-1
    names: [chat]
  register: found

- name: Show the address of every healthy task
  ansible.builtin.debug:
    msg: "{{ found.services[0].tasks | selectattr('health', 'eq', 'HEALTHY') | map(attribute='address') }}"
"""

RETURN = r"""
services:
  description: The services that exist.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the service.
      type: str
      returned: success
    service_arn:
      description: ARN of the service.
      type: str
      returned: success
    status:
      description: Status, V(ACTIVE) or V(DRAINING).
      type: str
      returned: success
    desired_count:
      description: Number of tasks wanted. 0 means that it is stopped.
      type: int
      returned: success
    running_count:
      description: Number of tasks that run.
      type: int
      returned: success
    release:
      description: The release that the service refers to, C(family:revision).
      type: str
      returned: success
      sample: chat:7
    deployments:
      description: Deployments of the service, the newest first.
      type: list
      elements: dict
      returned: success
    events:
      description: The newest service events.
      type: list
      elements: str
      returned: success
    tasks:
      description: Tasks that run or are about to, at most 100.
      type: list
      elements: dict
      returned: success
      contains:
        id:
          description: Id of the task.
          type: str
          returned: success
        address:
          description: The task's own address, empty while it has none.
          type: str
          returned: success
        image:
          description: Image of the first container.
          type: str
          returned: success
        release:
          description: Release of the task, C(family:revision).
          type: str
          returned: success
        status:
          description: Status, such as V(RUNNING).
          type: str
          returned: success
        health:
          description: Health, such as V(HEALTHY).
          type: str
          returned: success
        gpu_ids:
          description: Ids of the GPUs.
          type: list
          elements: str
          returned: success
    record:
      description: What the deployment module recorded. Current, last good and rejected releases.
      type: dict
      returned: success
      contains:
        deployment:
          description: Name of the deployment that owns the service, empty if none does.
          type: str
          returned: success
        release:
          description: The current release.
          type: str
          returned: success
        last_good:
          description: The last release that passed its verification.
          type: str
          returned: success
        rejected:
          description: Hashes of configurations that were found bad.
          type: list
          elements: str
          returned: success
    tags:
      description: Tags of the service.
      type: dict
      returned: success
error:
  description: Kind of the error.
  type: str
  returned: on failure
"""

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import AnsibleAWSModule, Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.info import read_services
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError


def main():
    options = {
        "cluster": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleAWSModule(argument_spec=options, supports_check_mode=True)
    try:
        services = read_services(Aws.for_module(module), module.params["cluster"], module.params["names"])
    except PolycloudError as error:
        module.fail_json(msg=str(error), error=type(error).__name__)
    module.exit_json(changed=False, services=services)


if __name__ == "__main__":
    main()
