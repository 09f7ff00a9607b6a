#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: efs_storage
short_description: Keep Ollama models on Amazon EFS
version_added: 0.1.0
description:
  - Manages a file system, its mount targets and one access point together, and shows a plan before it changes anything.
  - The access point makes every file belong to the user that runs Ollama, so that the container needs no root.
  - Mount targets in subnets that are not named are left alone.
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
    description:
      - Name of the storage. It is the creation token and the C(Name) tag of the file system, and finds it again.
    type: str
    required: true
  state:
    description: Whether the storage exists. V(absent) is refused unless O(delete_data=true).
    type: str
    choices: [present, absent]
    default: present
  subnets:
    description: Ids of the subnets that get a mount target, at most one in each availability zone.
    type: list
    elements: str
    default: []
  security_groups:
    description: Ids of the mount targets' security groups. Without any, AWS takes the default group of the network.
    type: list
    elements: str
    default: []
  access_point:
    description: Who the files belong to, and where. It cannot be changed in place, see O(recreate).
    type: dict
    suboptions:
      path:
        description: Directory of the file system that is the access point's root. It is created when needed.
        type: str
        default: /models
      uid:
        description: User id of all files. It must be the one that runs the container.
        type: int
        default: 10001
      gid:
        description: Group id of all files.
        type: int
        default: 10001
      permissions:
        description: Permissions of the directory when it is created, in octal digits.
        type: str
        default: "0755"
  encrypted:
    description: Whether the data is encrypted at rest. It cannot be changed in place.
    type: bool
    default: true
  kms_key_id:
    description: Key for the encryption at rest. Without it, AWS uses its own for EFS.
    type: str
  performance_mode:
    description: Performance mode. It cannot be changed in place.
    type: str
    choices: [generalPurpose, maxIO]
    default: generalPurpose
  throughput_mode:
    description:
      - How throughput is paid for. V(elastic) suits models, which are read in full at the start and not afterwards.
    type: str
    choices: [elastic, bursting, provisioned]
    default: elastic
  provisioned_throughput_mibps:
    description: Throughput in MiB a second, for O(throughput_mode=provisioned).
    type: float
  transition_to_ia:
    description: When files that nobody read move to the infrequent access class. Not given, they never do.
    type: str
    choices: [AFTER_1_DAY, AFTER_7_DAYS, AFTER_14_DAYS, AFTER_30_DAYS, AFTER_60_DAYS, AFTER_90_DAYS]
  transition_back_on_access:
    description: Whether such files move back when they are read.
    type: bool
    default: true
  backup:
    description: Whether AWS Backup makes automatic backups. Models can be pulled again, so the default is no.
    type: bool
    default: false
  tags:
    description: Tags of the file system and the access point. Tags that others set are left alone.
    type: dict
    default: {}
  delete_data:
    description: Allow O(state=absent) to delete the file system with all models in it.
    type: bool
    default: false
  deployment:
    description: Name of the deployment that owns the storage, if one does. A storage of another deployment is refused.
    type: str
  recreate:
    description: Allow what cannot be changed in place to be deleted and created again.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for each resource to become available, or to be gone.
    type: int
    default: 600
seealso:
  - module: polycloud.ollama.ecs_deployment
"""

EXAMPLES = r"""
- name: Storage for models in two zones
  polycloud.ollama.efs_storage:
    name: ollama-models
    region: us-east-1
    subnets: "{{ subnet_ids }}"
    security_groups: ["{{ security_group_id }}"]
  register: storage

- name: A deployment that uses it
  polycloud.ollama.ecs_deployment:
    name: chat
    region: us-east-1
    image: "registry.example.com/ollama:0.24.0@sha256:{{ image_digest }}"
    models:
      - name: llama3.2:1b
    storage:
      mode: volume
    platform:
      cluster: inference
      subnets: "{{ subnet_ids }}"
      execution_role: ollama-execution
      task_role: ollama-task
      efs: "{{ storage.efs }}"

- name: Delete the storage and every model in it
  polycloud.ollama.efs_storage:
    name: ollama-models
    region: us-east-1
    state: absent
    delete_data: true
"""

RETURN = r"""
file_system_id:
  description: Id of the file system. In check mode V((known after apply\)) for one that does not exist yet.
  type: str
  returned: success
  sample: fs-0123456789abcdef0
access_point_id:
  description: Id of the access point.
  type: str
  returned: success
  sample: fsap-0123456789abcdef0
mount_targets:
  description: Ids of the mount targets by subnet.
  type: dict
  returned: success
  sample: {"subnet-0123456789abcdef0": "fsmt-0123456789abcdef0"}
efs:
  description: What O(polycloud.ollama.ecs_deployment#module:platform.efs) takes. Null after O(state=absent).
  type: dict
  returned: success
  contains:
    file_system_id:
      description: Id of the file system.
      type: str
      returned: success
    access_point_id:
      description: Id of the access point.
      type: str
      returned: success
plan:
  description: The changes of the run, in order, with reasons and differing fields.
  type: dict
  returned: success
  sample:
    target: ollama-models
    changed: true
    summary: 4 to create
    changes: []
    notes: []
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
  sample: [{"at": 0.4, "source": "efs file system", "text": "create ollama-models"}]
problems:
  description: All broken rules of a description that was refused, each naming option, value and rule.
  type: list
  elements: str
  returned: when the description is refused
error:
  description: Kind of the error.
  type: str
  returned: on failure
  sample: Refused
"""

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import AnsibleAWSModule, Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.efs.storage import make_bundle
from ansible_collections.polycloud.ollama.plugins.module_utils.efs.translate import STORAGE_OPTIONS
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import RESOURCE_OPTIONS, run_bundle


def main():
    module = AnsibleAWSModule(
        argument_spec={**STORAGE_OPTIONS, **RESOURCE_OPTIONS, **PROGRESS_ARGSPEC},
        supports_check_mode=True,
    )
    run_bundle(module, lambda emit: make_bundle(module.params, Aws.for_module(module)))


if __name__ == "__main__":
    main()
