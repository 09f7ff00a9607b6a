#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_task_definition
short_description: Register a task definition of Amazon ECS
version_added: 0.1.0
description:
  - Manages the latest active revision of a family. Options are the API's own, in snake_case.
  - Everything is compared, in a form where ECS's defaults, the order of lists without order, ARN or name, and number or
    text make no difference. A new revision is registered only for a real change; a change of tags alone is none.
  - To deploy Ollama, use M(polycloud.ollama.ecs_deployment), which manages the whole bundle.
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
  state:
    description:
      - Whether the family has such a revision.
      - V(absent) deregisters the latest revision, or with O(deployment) all active revisions of that deployment.
    type: str
    choices: [present, absent]
    default: present
  family:
    description: Name of the family. Every change registers a new revision of it.
    type: str
    required: true
  task_role_arn:
    description: Name or ARN of the role that the containers have.
    type: str
  execution_role_arn:
    description: Name or ARN of the role with which ECS pulls images, writes logs and reads secrets.
    type: str
  network_mode:
    description: Network mode. ECS takes V(bridge) where it is left out.
    type: str
    choices: [bridge, host, awsvpc, none]
  cpu:
    description: CPU of the task, in units (V(4096)) or vCPUs (V(4 vCPU)).
    type: str
  memory:
    description: Memory of the task, in MiB (V(16384)) or GB (V(16 GB)).
    type: str
  requires_compatibilities:
    description: What the definition must be able to run on.
    type: list
    elements: str
    choices: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]
  runtime_platform:
    description: Operating system and processor.
    type: dict
    suboptions:
      cpu_architecture:
        description: Processor architecture.
        type: str
        choices: [X86_64, ARM64]
      operating_system_family:
        description: Operating system, such as V(LINUX).
        type: str
  ephemeral_storage:
    description: Disk of a Fargate task.
    type: dict
    suboptions:
      size_in_gib:
        description: Size in GiB, 21 to 200.
        type: int
        required: true
  placement_constraints:
    description: Rules for hosts that may run the task.
    type: list
    elements: dict
    suboptions:
      type:
        description: Kind of rule.
        type: str
        required: true
      expression:
        description: Cluster query.
        type: str
  pid_mode:
    description: Process namespace of the containers.
    type: str
    choices: [host, task]
  ipc_mode:
    description: IPC namespace of the containers.
    type: str
    choices: [host, task, none]
  container_definitions:
    description: The containers. Required for O(state=present).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the container.
        type: str
        required: true
      image:
        description: Image, best pinned by digest.
        type: str
        required: true
      essential:
        description: Whether the task stops when this container stops. ECS takes true where it is left out.
        type: bool
      cpu:
        description: CPU units reserved for the container.
        type: int
      memory:
        description: Hard memory limit in MiB.
        type: int
      memory_reservation:
        description: Soft memory limit in MiB.
        type: int
      entry_point:
        description: Entry point.
        type: list
        elements: str
      command:
        description: Command.
        type: list
        elements: str
      environment:
        description: Environment variables. Put secret values under O(container_definitions[].secrets).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the variable or option.
            type: str
            required: true
          value:
            description: Its value.
            type: str
            required: true
      environment_files:
        description: Files with environment variables.
        type: list
        elements: dict
        suboptions:
          type:
            description: Where the file is, V(s3).
            type: str
            required: true
          value:
            description: ARN of the object.
            type: str
            required: true
      secrets:
        description: Environment variables from Secrets Manager or SSM.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the variable or option.
            type: str
            required: true
          value_from:
            description: ARN of the secret or the parameter.
            type: str
            required: true
      port_mappings:
        description: Ports of the container.
        type: list
        elements: dict
        suboptions:
          container_port:
            description: Port in the container.
            type: int
          host_port:
            description: Port on the host.
            type: int
          protocol:
            description: Protocol. ECS takes V(tcp) where it is left out.
            type: str
            choices: [tcp, udp]
          name:
            description: Name of the mapping, for Service Connect.
            type: str
          app_protocol:
            description: Application protocol, for Service Connect.
            type: str
            choices: [http, http2, grpc]
      mount_points:
        description: Where volumes are mounted.
        type: list
        elements: dict
        suboptions:
          source_volume:
            description: Name of the volume.
            type: str
            required: true
          container_path:
            description: Path in the container.
            type: str
            required: true
          read_only:
            description: Whether the container may only read.
            type: bool
      resource_requirements:
        description: GPUs and other devices.
        type: list
        elements: dict
        suboptions:
          type:
            description: Kind of device.
            type: str
            required: true
            choices: [GPU, InferenceAccelerator, NeuronDevice]
          value:
            description: How many, or V(ALL), or a fraction where the instance type has one.
            type: str
          sharing_strategy:
            description: How a GPU is shared, instead of O(container_definitions[].resource_requirements[].value).
            type: dict
            suboptions:
              nvidia_mps:
                description: A share of one GPU through NVIDIA Multi-Process Service.
                type: dict
                suboptions:
                  memory:
                    description: GPU memory in MiB.
                    type: int
                  max_compute_percent:
                    description: Largest share of the GPU's compute in percent.
                    type: int
      health_check:
        description: Container health check.
        type: dict
        suboptions:
          command:
            description: Command, starting with V(CMD) or V(CMD-SHELL).
            type: list
            elements: str
            required: true
          interval:
            description: Seconds between two checks. ECS takes 30 where it is left out.
            type: int
          timeout:
            description: Seconds that a check may take. ECS takes 5 where it is left out.
            type: int
          retries:
            description: Failed checks in a row that make a task unhealthy. ECS takes 3 where it is left out.
            type: int
          start_period:
            description: Seconds after the start in which failed checks do not count.
            type: int
      log_configuration:
        description: Where the logs go.
        type: dict
        suboptions:
          log_driver:
            description: Log driver, such as V(awslogs).
            type: str
            required: true
          options:
            description: Options of the driver, in its own words.
            type: dict
          secret_options:
            description: Options of the driver from Secrets Manager or SSM.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name of the variable or option.
                type: str
                required: true
              value_from:
                description: ARN of the secret or the parameter.
                type: str
                required: true
      linux_parameters:
        description: Linux settings.
        type: dict
        suboptions:
          capabilities:
            description: Kernel capabilities.
            type: dict
            suboptions:
              add:
                description: Capabilities to add.
                type: list
                elements: str
              drop:
                description: Capabilities to drop.
                type: list
                elements: str
          init_process_enabled:
            description: Whether an init process reaps children.
            type: bool
          shared_memory_size:
            description: Size of C(/dev/shm) in MiB.
            type: int
          tmpfs:
            description: File systems in memory.
            type: list
            elements: dict
            suboptions:
              container_path:
                description: Path in the container.
                type: str
                required: true
              size:
                description: Largest size in MiB.
                type: int
                required: true
              mount_options:
                description: Mount options.
                type: list
                elements: str
      ulimits:
        description: Limits of the container's processes.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the limit, such as V(nofile).
            type: str
            required: true
          soft_limit:
            description: Soft limit.
            type: int
            required: true
          hard_limit:
            description: Hard limit.
            type: int
            required: true
      depends_on:
        description: Containers that must be there first.
        type: list
        elements: dict
        suboptions:
          container_name:
            description: Name of the other container.
            type: str
            required: true
          condition:
            description: What the other container must have reached.
            type: str
            required: true
            choices: [START, COMPLETE, SUCCESS, HEALTHY]
      user:
        description: User that runs the process, C(uid:gid).
        type: str
      working_directory:
        description: Working directory.
        type: str
      readonly_root_filesystem:
        description: Whether the root file system is read-only.
        type: bool
      privileged:
        description: Whether the container has all rights on the host. Ollama never needs it.
        type: bool
      stop_timeout:
        description: Seconds between the request to stop and the kill.
        type: int
      start_timeout:
        description: Seconds that dependencies may take.
        type: int
      docker_labels:
        description: Labels of the container.
        type: dict
      repository_credentials:
        description: Credentials of a private registry.
        type: dict
        suboptions:
          credentials_parameter:
            description: ARN of the secret with them.
            type: str
            required: true
      restart_policy:
        description: Restarts of the container inside its task.
        type: dict
        suboptions:
          enabled:
            description: Whether it is restarted.
            type: bool
            required: true
          ignored_exit_codes:
            description: Exit codes after which it is not.
            type: list
            elements: int
          restart_attempt_period:
            description: Seconds that it must have run to be restarted.
            type: int
  volumes:
    description: Volumes that containers may mount.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the volume.
        type: str
        required: true
      host:
        description: A directory of the host, or an empty one of the task.
        type: dict
        suboptions:
          source_path:
            description: Path on the host.
            type: str
      configured_at_launch:
        description: Whether the service configures the volume.
        type: bool
      efs_volume_configuration:
        description: An EFS file system.
        type: dict
        suboptions:
          file_system_id:
            description: Id of the file system.
            type: str
            required: true
          root_directory:
            description: Directory to mount. Leave it out with an access point.
            type: str
          transit_encryption:
            description: Whether traffic is encrypted. It must be with an access point or IAM.
            type: str
            choices: [ENABLED, DISABLED]
          transit_encryption_port:
            description: Port of the encrypted traffic.
            type: int
          authorization_config:
            description: Access point and IAM.
            type: dict
            suboptions:
              access_point_id:
                description: Id of the access point.
                type: str
              iam:
                description: Whether the task role authorises the mount.
                type: str
                choices: [ENABLED, DISABLED]
  tags:
    description: Tags to set. Tags that others set are left alone.
    type: dict
    default: {}
  deployment:
    description:
      - Name of the deployment that owns the resource, if one does.
      - A resource of a deployment is refused otherwise. That deployment's module would take the change back.
    type: str
  recreate:
    description: Allow what cannot be changed in place to be deleted and created again.
    type: bool
    default: false
seealso:
  - module: polycloud.ollama.ecs_deployment
  - module: polycloud.ollama.ecs_service
"""

EXAMPLES = r"""
- name: A task with one GPU
  polycloud.ollama.ecs_task_definition:
    family: chat
    region: us-east-1
    network_mode: awsvpc
    requires_compatibilities: [EC2]
    cpu: "4096"
    memory: 14 GB
    execution_role_arn: ollama-execution
    container_definitions:
      - name: ollama
        image: "registry.example.com/ollama:0.24.0@sha256:{{ image_digest }}"
        user: "10001:10001"
        environment:
          - name: OLLAMA_HOST
            value: 0.0.0.0:11434
          - name: HOME
            value: /tmp
        port_mappings:
          - container_port: 11434
        resource_requirements:
          - type: GPU
            value: "1"
        health_check:
          command: [CMD, /bin/ollama, ps]
        log_configuration:
          log_driver: awslogs
          options:
            awslogs-group: /ecs/chat
            awslogs-region: us-east-1
            awslogs-stream-prefix: chat
  register: definition

- name: Deregister the latest revision
  polycloud.ollama.ecs_task_definition:
    family: chat
    region: us-east-1
    state: absent
"""

RETURN = r"""
task_definition:
  description:
    - The revision, its members in snake_case. Null after O(state=absent).
    - In check mode, the wanted members, and V((known after apply\)) for what does not exist yet.
  type: dict
  returned: success
  contains:
    arn:
      description: ARN of the revision.
      type: str
      returned: success
    family:
      description: Name of the family.
      type: str
      returned: success
    revision:
      description: Number of the revision.
      type: int
      returned: success
    container_definitions:
      description: The containers.
      type: list
      elements: dict
      returned: success
    tags:
      description: Tags.
      type: dict
      returned: success
plan:
  description: The changes of the run, in order, with reasons and differing fields.
  type: dict
  returned: success
  sample:
    target: chat
    changed: true
    summary: 1 to update
    changes: []
    notes: []
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
  sample: [{"at": 0.4, "source": "ecs task definition", "text": "update chat: cpu"}]
error:
  description: Kind of the error.
  type: str
  returned: on failure
  sample: Refused
problems:
  description: All broken rules of a description that was refused.
  type: list
  elements: str
  returned: when the description is refused
"""

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import AnsibleAWSModule, Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.single import task_definition_bundle
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.single_options import TASK_DEFINITION_OPTIONS
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import RESOURCE_OPTIONS, run_bundle


def main():
    tags = {"tags": {"type": "dict", "default": {}}}
    module = AnsibleAWSModule(
        argument_spec={**TASK_DEFINITION_OPTIONS, **tags, **RESOURCE_OPTIONS, **PROGRESS_ARGSPEC},
        supports_check_mode=True,
    )
    run_bundle(module, lambda emit: task_definition_bundle(module.params, Aws.for_module(module)))


if __name__ == "__main__":
    main()
