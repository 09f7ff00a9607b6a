#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_deployment
short_description: Deploy Ollama on Amazon ECS
version_added: 0.1.0
description:
  - Brings one Ollama deployment on Amazon ECS to the described state. It manages the cluster, the log group, the task
    definition and the service together, and shows a plan before it changes anything.
  - A release is good when ECS has brought it up and a real prompt was answered by its main model. A bad release is
    rolled back, and its configuration is refused until O(force=true).
  - With O(update.strategy=surge), the default, the new release waits behind a pause of an ECS blue/green deployment
    until it is proven, while the old one serves. With O(update.strategy=stop_first) the old release stops first.
  - Network, security groups, IAM roles, capacity providers, load balancers and file systems are given by the user.
  - A count that Application Auto Scaling owns is never changed, and a stopped service is not woken.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.deployment
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
  platform:
    description: What only ECS knows.
    type: dict
    required: true
    suboptions:
      cluster:
        description:
          - Name of the cluster. It is created if it does not exist.
          - A cluster that this collection did not create is used as it is, unless O(adopt=true).
        type: str
        required: true
      container_insights:
        description: CloudWatch Container Insights of a cluster that is ours. Not given, the setting is left alone.
        type: str
        choices: [disabled, enabled, enhanced]
      service:
        description: Name of the service. Defaults to O(name).
        type: str
      family:
        description: Family of the task definitions. Defaults to O(name).
        type: str
      log_group:
        description: Name of the log group. Defaults to C(/ecs/) and O(name).
        type: str
      compatibility:
        description:
          - What runs the tasks. A GPU needs V(EC2) or V(MANAGED_INSTANCES).
          - Without O(platform.capacity_provider_strategy) it is the launch type as well.
        type: str
        choices: [EC2, MANAGED_INSTANCES, FARGATE]
        default: EC2
      capacity_provider_strategy:
        description: Capacity providers that run the tasks. Required with V(MANAGED_INSTANCES).
        type: list
        elements: dict
        default: []
        suboptions:
          capacity_provider:
            description: Name of an existing capacity provider, or V(FARGATE) or V(FARGATE_SPOT).
            type: str
            required: true
          weight:
            description: Share of the tasks, relative to the other providers.
            type: int
            default: 1
          base:
            description: Number of tasks that this provider runs at least. Above 0 for one provider only.
            type: int
            default: 0
      subnets:
        description: Ids of the subnets in which the tasks get their addresses. At least one is needed.
        type: list
        elements: str
        default: []
      security_groups:
        description: Ids of the tasks' security groups. Without any, AWS takes the default group of the network.
        type: list
        elements: str
        default: []
      assign_public_ip:
        description: Whether tasks get public addresses. Not available with O(platform.compatibility=EC2).
        type: bool
        default: false
      execution_role:
        description:
          - Name or ARN of the role with which ECS pulls the image, writes logs and reads secrets.
          - Required with O(platform.compatibility=FARGATE) and with O(secrets).
        type: str
      task_role:
        description: Name or ARN of the role that the container has. Required with O(platform.efs.iam=true).
        type: str
      efs:
        description:
          - File system with the models, for O(storage.mode=volume) and O(storage.mode=both). Traffic is encrypted.
          - The value RV(polycloud.ollama.efs_storage#module:efs) fits here.
        type: dict
        suboptions:
          file_system_id:
            description: Id of the file system.
            type: str
            required: true
          access_point_id:
            description: Id of an access point, which sets the user and the directory.
            type: str
          root_directory:
            description: Directory to mount where there is no access point.
            type: str
          iam:
            description: Whether the task's role authorises the mount.
            type: bool
            default: true
      load_balancers:
        description: Target groups of existing load balancers. Blue/green takes one.
        type: list
        elements: dict
        default: []
        suboptions:
          target_group_arn:
            description: ARN of the target group, of target type C(ip).
            type: str
            required: true
          alternate_target_group_arn:
            description:
              - ARN of a second target group, between which blue/green shifts the traffic.
              - Without it, O(update.strategy=surge) replaces task by task and the plan says so.
            type: str
          production_listener_rule_arn:
            description: ARN of the listener rule (or network load balancer listener) with the production traffic.
            type: str
          test_listener_rule_arn:
            description: ARN of the listener rule with the test traffic.
            type: str
          role_arn:
            description: ARN of the role with which ECS changes the load balancer.
            type: str
      service_registries:
        description: AWS Cloud Map services in which the tasks' addresses are kept.
        type: list
        elements: dict
        default: []
        suboptions:
          registry_arn:
            description: ARN of the Cloud Map service.
            type: str
            required: true
          port:
            description: Port to register, for SRV records.
            type: int
      health_check:
        description: Container health check. ECS replaces a task that fails it.
        type: dict
        suboptions:
          command:
            description:
              - Command in exec form, starting with V(CMD) or V(CMD-SHELL).
              - By default C(ollama show) of the main model with O(storage.mode=baked), else C(ollama ps).
            type: list
            elements: str
          interval:
            description: Seconds between two checks, 5 to 300.
            type: int
            default: 15
          timeout:
            description: Seconds that a check may take, 2 to 60.
            type: int
            default: 10
          retries:
            description: Failed checks in a row that make a task unhealthy, 1 to 10.
            type: int
            default: 4
          start_period:
            description: Seconds after the start in which failed checks do not count, 0 to 300.
            type: int
            default: 300
      health_check_grace_period:
        description: Seconds after a task's start in which ECS ignores failed checks of the load balancer.
        type: int
      circuit_breaker:
        description: How ECS itself detects a release whose tasks do not come up.
        type: dict
        suboptions:
          enable:
            description: Whether ECS watches.
            type: bool
            default: true
          rollback:
            description: Whether ECS goes back to the last completed deployment by itself.
            type: bool
            default: true
          threshold_type:
            description: What O(platform.circuit_breaker.threshold_value) counts.
            type: str
            choices: [COUNT, BOUNDED_PERCENT, UNBOUNDED_PERCENT]
          threshold_value:
            description: Failed tasks, or percent of the desired count, at which ECS gives up.
            type: int
      deployment_alarms:
        description: Names of CloudWatch alarms that make ECS roll a deployment back.
        type: list
        elements: str
        default: []
      lifecycle_hooks:
        description: Lambda functions that ECS calls at stages of a deployment, beside the pause of this module.
        type: list
        elements: dict
        default: []
        suboptions:
          hook_target_arn:
            description: ARN of the function.
            type: str
            required: true
          role_arn:
            description: ARN of the role with which ECS calls it.
            type: str
            required: true
          lifecycle_stages:
            description: Stages at which it is called, such as V(PRE_SCALE_UP).
            type: list
            elements: str
            required: true
      bake_time:
        description: Minutes that both releases keep running after the new one took over, in a blue/green deployment.
        type: int
        default: 0
      minimum_healthy_percent:
        description: Lower limit of running tasks in a rolling update. 100, or 0 with O(update.strategy=stop_first).
        type: int
      maximum_percent:
        description: Upper limit of running tasks in a rolling update. 200, or 100 with O(update.strategy=stop_first).
        type: int
      placement_constraints:
        description: Rules for hosts that may run tasks.
        type: list
        elements: dict
        default: []
        suboptions:
          type:
            description: Kind of rule.
            type: str
            choices: [distinctInstance, memberOf]
            required: true
          expression:
            description: Cluster query, for V(memberOf).
            type: str
      placement_strategy:
        description: How tasks are spread over hosts, in this order.
        type: list
        elements: dict
        default: []
        suboptions:
          type:
            description: Kind of strategy.
            type: str
            choices: [random, spread, binpack]
            required: true
          field:
            description: What to spread over or to pack by.
            type: str
      availability_zone_rebalancing:
        description:
          - Whether ECS moves tasks to keep zones even. A moved task loads its model anew.
        type: bool
        default: false
      enable_execute_command:
        description: Whether ECS Exec may open a shell in the containers.
        type: bool
        default: false
      platform_version:
        description: Fargate platform version.
        type: str
      cpu_architecture:
        description: Processor architecture of the image.
        type: str
        choices: [X86_64, ARM64]
        default: X86_64
      ephemeral_storage_gib:
        description: Size of a Fargate task's disk, 21 to 200 GiB.
        type: int
      stop_timeout:
        description: Seconds between the request to stop and the kill, 2 to 120.
        type: int
        default: 30
      read_only_root:
        description: Whether the container's root file system is read-only. C(/tmp) is in memory and writable.
        type: bool
        default: true
      drop_capabilities:
        description: Whether the container runs without any Linux capability.
        type: bool
        default: true
      no_new_privileges:
        description:
          - Whether no process gets more privileges than its parent. Without capabilities there is little to get.
          - For V(EC2) only, on hosts whose ECS agent has C(ECS_SELINUX_CAPABLE) or C(ECS_APPARMOR_CAPABLE) set.
        type: bool
        default: false
      tmp_mib:
        description: Largest size of C(/tmp) in MiB. It counts as memory of the task.
        type: int
        default: 1024
seealso:
  - module: polycloud.ollama.efs_storage
  - module: polycloud.ollama.ecs_service_info
  - module: polycloud.ollama.ollama_probe
"""

EXAMPLES = r"""
- name: Ollama on one GPU of the cluster's capacity provider, the model baked into the image
  polycloud.ollama.ecs_deployment:
    name: chat
    region: us-east-1
    image: "registry.example.com/ollama-llama:0.24.0@sha256:{{ image_digest }}"
    models:
      - name: llama3.2:1b
    resources:
      cpu: 4
      memory_gib: 14
      gpu:
        count: 1
    platform:
      cluster: inference
      capacity_provider_strategy:
        - capacity_provider: gpu
      subnets: "{{ subnet_ids }}"
      security_groups: ["{{ security_group_id }}"]
      execution_role: ollama-execution
      task_role: ollama-task

- name: Models on EFS, a token from Secrets Manager, nobody else on the GPU while it updates
  polycloud.ollama.ecs_deployment:
    name: chat-large
    region: us-east-1
    image: "registry.example.com/ollama:0.24.0@sha256:{{ image_digest }}"
    models:
      - name: llama3.3:70b
    resources:
      cpu: 16
      memory_gib: 120
      gpu:
        count: 4
    storage:
      mode: volume
    secrets:
      - name: REGISTRY_AUTH
        reference: "{{ secret_arn }}"
    update:
      strategy: stop_first
    platform:
      cluster: inference
      capacity_provider_strategy:
        - capacity_provider: gpu
      subnets: "{{ subnet_ids }}"
      execution_role: ollama-execution
      task_role: ollama-task
      efs: "{{ storage.efs }}"

- name: Stop it for the weekend
  polycloud.ollama.ecs_deployment:
    name: chat
    region: us-east-1
    state: stopped
    platform:
      cluster: inference

- name: Return to the last good release
  polycloud.ollama.ecs_deployment:
    name: chat
    region: us-east-1
    state: rolled_back
    platform:
      cluster: inference
"""

RETURN = r"""
deployment:
  description: The deployment after the run. In check mode, as it is.
  type: dict
  returned: always, once the description is valid
  contains:
    name:
      description: Name of the deployment.
      type: str
      returned: always
    platform:
      description: The platform, V(ecs).
      type: str
      returned: always
    running:
      description: Whether the service wants tasks.
      type: bool
      returned: always
    serving:
      description: Image and release that serve now.
      type: str
      returned: always
    image:
      description: Image that runs, as the platform reports it. Empty where nothing runs.
      type: str
      returned: always
    sidecar_image:
      description: Image of the sidecar that runs, as the platform reports it. Empty without one.
      type: str
      returned: always
    settled:
      description: Whether all endpoints answer with these images. While another release is on its way they may not.
      type: bool
      returned: always
    endpoints:
      description: URLs of the tasks that run, or O(network.endpoint_url).
      type: list
      elements: str
      returned: always
      sample: ["http://10.20.0.17:11434"]
    release:
      description: The release that the record calls current, C(family:revision).
      type: str
      returned: always
      sample: chat:7
    last_good:
      description: The last release that passed its verification.
      type: str
      returned: always
    previous_good:
      description: The good release before it, to which O(state=rolled_back) returns.
      type: str
      returned: always
    config_hash:
      description: Name of the configuration, 40 hexadecimal digits.
      type: str
      returned: always
    resources:
      description: ARNs by resource.
      type: dict
      returned: always
    answer:
      description: What the model answered, where a release was verified.
      type: str
      returned: always
    tokens_per_second:
      description: Speed of that answer.
      type: float
      returned: always
    rolled_back:
      description: Whether the run rolled a bad release back.
      type: bool
      returned: always
    outage_seconds:
      description: How long nothing answered, where the update strategy means an outage.
      type: float
      returned: always
plan:
  description:
    - The changes of the run, in order, with reasons and differing fields.
    - What the platform gives of the hardening.
  type: dict
  returned: always, once the description is valid
  sample:
    target: chat on ecs us-east-1
    changed: true
    summary: 1 to update, 3 unchanged
    changes: []
    notes: []
    hardening:
      - {measure: read_only_root, met: true, detail: ""}
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
  sample: [{"at": 4.2, "source": "ECS", "text": "(service chat) has started 1 tasks: (task 3f1c)."}]
problems:
  description: All broken rules of a description that was refused, each naming option, value and rule.
  type: list
  elements: str
  returned: when the description is refused
error:
  description: Kind of the error.
  type: str
  returned: on failure
  sample: ReleaseFailed
"""

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.aws import AnsibleAWSModule, Aws
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.options import argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment_module import run_deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.capabilities import CAPABILITIES
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.options import PLATFORM_OPTIONS, EcsPlatform
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.platform import Ecs
from ansible_collections.polycloud.ollama.plugins.module_utils.ecs.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC


def main():
    module = AnsibleAWSModule(
        argument_spec={**argument_spec(PLATFORM_OPTIONS), **PROGRESS_ARGSPEC},
        supports_check_mode=True,
    )

    def make_platform(deployment, events):
        return Ecs(deployment, Aws.for_module(module), events.emit, state=module.params["state"])

    run_deployment(module, EcsPlatform, CAPABILITIES, problems, make_platform)


if __name__ == "__main__":
    main()
