#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_service
short_description: Manage a service of Amazon ECS
version_added: 0.1.0
description:
  - Creates, changes and deletes one service, and waits until ECS has brought the change about. Options are the API's
    own, in snake_case.
  - Only options that are given are compared and changed.
  - To deploy Ollama, use M(polycloud.ollama.ecs_deployment), which also proves and rolls back releases.
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
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of the cluster. It must exist.
    type: str
    required: true
  state:
    description: Whether the service exists. V(absent) stops its tasks.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description:
      - Whether to wait until the tasks run. Failures that will not pass end the wait at once.
      - A deployment that waits behind a pause of its own counts as brought about.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at most.
    type: int
    default: 1800
  task_definition:
    description:
      - C(family:revision) or ARN.
      - A bare family means its latest active revision.
      - Required to create a service.
    type: str
  desired_count:
    description: Number of tasks. Not given, an existing count is left alone, and a new service gets 1.
    type: int
  launch_type:
    description: Launch type. Not together with O(capacity_provider_strategy).
    type: str
    choices: [EC2, FARGATE, EXTERNAL]
  capacity_provider_strategy:
    description: Capacity providers that run the tasks.
    type: list
    elements: dict
    suboptions:
      capacity_provider:
        description: Name of the provider.
        type: str
        required: true
      weight:
        description: Share of the tasks, relative to the other providers.
        type: int
      base:
        description: Number of tasks that this provider runs at least.
        type: int
  platform_version:
    description: Fargate platform version.
    type: str
  deployment_configuration:
    description: How ECS replaces tasks. Given, it is compared as a whole, and what it leaves out has ECS's default.
    type: dict
    suboptions:
      strategy:
        description: Deployment strategy.
        type: str
        choices: [ROLLING, BLUE_GREEN, LINEAR, CANARY]
      minimum_healthy_percent:
        description: Lower limit of running tasks in a rolling update.
        type: int
      maximum_percent:
        description: Upper limit of running tasks in a rolling update.
        type: int
      bake_time_in_minutes:
        description: Minutes that both revisions keep running after the new one took over.
        type: int
      deployment_circuit_breaker:
        description: Detection of deployments whose tasks do not come up.
        type: dict
        suboptions:
          enable:
            description: Whether ECS watches.
            type: bool
            required: true
          rollback:
            description: Whether ECS goes back to the last completed deployment by itself.
            type: bool
            required: true
          reset_on_healthy_task:
            description: Whether a healthy task resets the count of failures.
            type: bool
          threshold_configuration:
            description: When ECS gives up.
            type: dict
            suboptions:
              type:
                description: What the value counts.
                type: str
                required: true
                choices: [COUNT, BOUNDED_PERCENT, UNBOUNDED_PERCENT]
              value:
                description: Failed tasks, or percent of the desired count.
                type: int
                required: true
      alarms:
        description: CloudWatch alarms that fail a deployment.
        type: dict
        suboptions:
          alarm_names:
            description: Names of the alarms.
            type: list
            elements: str
            required: true
          enable:
            description: Whether ECS watches them.
            type: bool
            required: true
          rollback:
            description: Whether ECS rolls back when one goes off.
            type: bool
            required: true
      lifecycle_hooks:
        description: What happens at stages of a deployment.
        type: list
        elements: dict
        suboptions:
          target_type:
            description: A Lambda function, or a pause until somebody lets it go on.
            type: str
            choices: [AWS_LAMBDA, PAUSE]
          hook_target_arn:
            description: ARN of the function.
            type: str
          role_arn:
            description: ARN of the role with which ECS calls it.
            type: str
          lifecycle_stages:
            description: Stages, such as V(POST_SCALE_UP).
            type: list
            elements: str
            required: true
          timeout_configuration:
            description: What happens when nobody answers.
            type: dict
            suboptions:
              timeout_in_minutes:
                description: Minutes to wait.
                type: int
              action:
                description: What ECS does then.
                type: str
                choices: [ROLLBACK, CONTINUE]
  network_configuration:
    description: Network of the tasks.
    type: dict
    suboptions:
      awsvpc_configuration:
        description: Addresses of the tasks' own.
        type: dict
        suboptions:
          subnets:
            description: Ids of the subnets.
            type: list
            elements: str
            required: true
          security_groups:
            description: Ids of the security groups.
            type: list
            elements: str
          assign_public_ip:
            description: Whether tasks get public addresses.
            type: str
            choices: [ENABLED, DISABLED]
  load_balancers:
    description: Load balancers that send requests to the tasks.
    type: list
    elements: dict
    suboptions:
      target_group_arn:
        description: ARN of the target group.
        type: str
      load_balancer_name:
        description: Name of a classic load balancer.
        type: str
      container_name:
        description: Name of the container.
        type: str
      container_port:
        description: Port of the container.
        type: int
      advanced_configuration:
        description: What blue/green needs to shift the traffic.
        type: dict
        suboptions:
          alternate_target_group_arn:
            description: ARN of the second target group.
            type: str
          production_listener_rule:
            description: ARN of the listener rule with the production traffic.
            type: str
          test_listener_rule:
            description: ARN of the listener rule with the test traffic.
            type: str
          role_arn:
            description: ARN of the role with which ECS changes the load balancer.
            type: str
  service_registries:
    description: AWS Cloud Map services.
    type: list
    elements: dict
    suboptions:
      registry_arn:
        description: ARN of the Cloud Map service.
        type: str
      port:
        description: Port, for SRV records.
        type: int
      container_name:
        description: Name of the container.
        type: str
      container_port:
        description: Port of the container.
        type: int
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
  placement_strategy:
    description: How tasks are spread over hosts.
    type: list
    elements: dict
    suboptions:
      type:
        description: Kind of strategy.
        type: str
        required: true
      field:
        description: What to spread over or to pack by.
        type: str
  availability_zone_rebalancing:
    description: Whether ECS moves tasks to keep zones even.
    type: str
    choices: [ENABLED, DISABLED]
  health_check_grace_period_seconds:
    description: Seconds after a task's start in which failed checks are ignored.
    type: int
  enable_execute_command:
    description: Whether ECS Exec may open a shell in the containers.
    type: bool
  enable_ecs_managed_tags:
    description: Whether ECS tags the tasks with cluster and service.
    type: bool
  propagate_tags:
    description: Where tasks take their tags from.
    type: str
    choices: [TASK_DEFINITION, SERVICE, NONE]
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
  - module: polycloud.ollama.ecs_service_info
  - module: polycloud.ollama.ecs_task_definition
"""

EXAMPLES = r"""
- name: One task on the GPU capacity provider, replaced in place
  polycloud.ollama.ecs_service:
    name: chat
    cluster: inference
    region: us-east-1
    task_definition: chat
    desired_count: 1
    capacity_provider_strategy:
      - capacity_provider: gpu
        weight: 1
    deployment_configuration:
      strategy: ROLLING
      minimum_healthy_percent: 0
      maximum_percent: 100
      deployment_circuit_breaker:
        enable: true
        rollback: true
    network_configuration:
      awsvpc_configuration:
        subnets: "{{ subnet_ids }}"
        security_groups: ["{{ security_group_id }}"]

- name: Allow ECS Exec, and change nothing else
  polycloud.ollama.ecs_service:
    name: chat
    cluster: inference
    region: us-east-1
    enable_execute_command: true

- name: Delete it
  polycloud.ollama.ecs_service:
    name: chat
    cluster: inference
    region: us-east-1
    state: absent
"""

RETURN = r"""
service:
  description:
    - The service, its members in snake_case. Null after O(state=absent).
    - In check mode, the wanted members, and V((known after apply\)) for the ARN of one that does not exist yet.
  type: dict
  returned: success
  contains:
    arn:
      description: ARN of the service.
      type: str
      returned: success
    service_name:
      description: Name of the service.
      type: str
      returned: success
    task_definition:
      description: ARN of the task definition.
      type: str
      returned: success
    desired_count:
      description: Number of tasks wanted.
      type: int
      returned: success
    running_count:
      description: Number of tasks that run.
      type: int
      returned: outside check mode
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
  sample: [{"at": 0.4, "source": "ecs service", "text": "update chat: cpu"}]
error:
  description: Kind of the error.
  type: str
  returned: on failure
  sample: Refused
"""

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import AnsibleAWSModule, Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.single import service_bundle
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.single_options import SERVICE_OPTIONS
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import RESOURCE_OPTIONS, run_bundle

OPTIONS = {
    "name": {"type": "str", "required": True},
    "cluster": {"type": "str", "required": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 1800},
    "tags": {"type": "dict", "default": {}},
}


def main():
    module = AnsibleAWSModule(
        argument_spec={**SERVICE_OPTIONS, **OPTIONS, **RESOURCE_OPTIONS, **PROGRESS_ARGSPEC},
        mutually_exclusive=[("launch_type", "capacity_provider_strategy")],
        supports_check_mode=True,
    )
    run_bundle(module, lambda emit: service_bundle(module.params, Aws.for_module(module), emit))


if __name__ == "__main__":
    main()
