#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: aci_deployment
short_description: Deploy Ollama on Azure Container Instances
version_added: 0.1.0
description:
  - Brings a whole Ollama deployment on Azure Container Instances to a state, with one container group, and a
    container group
    profile that keeps every release as a revision.
  - Plans before it changes anything. Check mode returns the plan that a real run then carries out.
  - An update replaces the body of the group and restarts all its containers, so nothing answers until the new
    release is up.
    The plan says C(outage expected). If the new release is bad, the last good body is put back and
    RV(deployment.outage_seconds)
    tells how long nothing answered.
  - A release is good when the group runs and a real prompt is answered with the model in memory. See O(health).
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.deployment
  - polycloud.ollama.azure
  - polycloud.ollama.progress
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.actiongroup_azure
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  platform:
    description: Where and how the container group runs.
    type: dict
    required: true
    suboptions:
      resource_group:
        description: Name of the resource group. It must exist.
        type: str
        required: true
      location:
        description: Region, for example V(westeurope). It cannot be changed in place.
        type: str
        required: true
      subnet_id:
        description:
          - Resource id of the subnet in which the group gets a private address. It must be delegated to
            C(Microsoft.ContainerInstance/containerGroups).
          - Required with O(network.exposure=private), unless O(platform.priority=Spot). A group in a subnet reaches
            the internet
            only through a NAT gateway.
        type: str
      dns_servers:
        description: Name servers of a group in a subnet.
        type: list
        elements: str
        default: []
      dns_name_label:
        description: First part of the public host name, for O(network.exposure=public).
        type: str
      restart_policy:
        description: When the platform restarts a container that ended. It cannot be changed in place.
        type: str
        choices: [Always, OnFailure, Never]
        default: Always
      priority:
        description:
          - V(Spot) is cheaper and may be taken away at any time. Such a group has no address at all, so
            O(health.verify) must be
            V(steady).
        type: str
        choices: [Regular, Spot]
        default: Regular
      zones:
        description: Availability zone, at most one. It cannot be changed in place.
        type: list
        elements: str
        default: []
      identity:
        description: Managed identities of the group.
        type: dict
        suboptions:
          system_assigned:
            description: Whether the group gets an identity of its own.
            type: bool
            default: false
          user_assigned:
            description: Resource ids of user-assigned identities.
            type: list
            elements: str
            default: []
      key_vault_identity:
        description:
          - Which of O(platform.identity.user_assigned) reads the Key Vault secrets that O(secrets[].reference) and
            O(platform.azure_files.account_key_reference) name.
        type: str
      registries:
        description: How images of private registries are pulled, either by identity or by user name and password.
        type: list
        elements: dict
        default: []
        suboptions:
          server:
            description: Host name of the registry.
            type: str
            required: true
          identity:
            description: Which of O(platform.identity.user_assigned) pulls from this registry. It needs the role
              C(AcrPull).
            type: str
          username:
            description: User name.
            type: str
          password:
            description: Password.
            type: str
      azure_files:
        description:
          - The Azure Files share (SMB) that holds the models, for O(storage.mode=volume) and O(storage.mode=both).
          - M(polycloud.ollama.azure_files_storage) makes one and returns this block.
        type: dict
        suboptions:
          account_name:
            description: Name of the storage account.
            type: str
            required: true
          share_name:
            description: Name of the share.
            type: str
            required: true
          resource_group:
            description: Resource group of the storage account, O(platform.resource_group) where it is not set.
            type: str
          account_key:
            description:
              - Key of the storage account. Without it, and without O(platform.azure_files.account_key_reference), the
                module
                reads it from Azure, which needs the permission C(Microsoft.Storage/storageAccounts/listKeys/action).
            type: str
          account_key_reference:
            description: Address of a Key Vault secret that holds the key, instead of
              O(platform.azure_files.account_key).
            type: str
          read_only:
            description: Whether the share is mounted read-only.
            type: bool
            default: false
      init_containers:
        description: Containers that run to their end, one after the other, before Ollama starts.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name, unique in the group. V(ollama) and V(seed-models) are taken.
            type: str
            required: true
          image:
            description: Image.
            type: str
            required: true
          command:
            description: Command and arguments instead of the image's own.
            type: list
            elements: str
            default: []
          environment:
            description: Environment variables.
            type: dict
            default: {}
          mount_models:
            description: Whether it sees the models at O(storage.path).
            type: bool
            default: false
      sidecars:
        description:
          - Containers beside Ollama, which they reach at C(localhost).
          - With O(network.exposure=public) only their ports are published, so that one of them can authenticate
            callers.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name, unique in the group. V(ollama) and V(seed-models) are taken.
            type: str
            required: true
          image:
            description: Image.
            type: str
            required: true
          command:
            description: Command and arguments instead of the image's own.
            type: list
            elements: str
            default: []
          environment:
            description: Environment variables.
            type: dict
            default: {}
          mount_models:
            description: Whether it sees the models at O(storage.path).
            type: bool
            default: false
          cpu:
            description: vCPU.
            type: float
            default: 0.5
          memory_gib:
            description: Memory in GiB, a multiple of 0.1.
            type: float
            default: 0.5
          ports:
            description: TCP ports it listens on.
            type: list
            elements: int
            default: []
      log_analytics:
        description: Log Analytics workspace that gets the containers' logs. Diagnostic settings do the same without
          a key.
        type: dict
        suboptions:
          workspace_id:
            description: Customer id of the workspace.
            type: str
            required: true
          workspace_key:
            description: Key of the workspace.
            type: str
            required: true
          log_type:
            description: Form of the logs.
            type: str
            choices: [ContainerInsights, ContainerInstanceLogs]
            default: ContainerInsights
      accept_retired_gpu:
        description:
          - GPUs on Azure Container Instances were retired on 14 July 2025, so O(resources.gpu) is refused.
          - Set it for a private or sovereign region that still has them. The living GPU path on Azure is
            M(polycloud.ollama.container_app_deployment).
        type: bool
        default: false
notes:
  - A container group is one replica. O(scaling.max) must be V(1); for more, deploy several times and balance in front.
  - CPU, memory, GPU, restart policy, subnet, kind of address, ports, priority, zone and region cannot be changed in
    place. Such a
    change is refused unless O(recreate=true).
  - A stopped group cannot be updated. A change is reported as deferred and takes effect with O(state=started).
  - Revisions of a profile cannot be deleted singly, so O(update.keep_revisions) has no effect. They cost nothing,
    hold no
    secret, and go with O(state=absent).
  - Azure never gives secret values back. A rollback to a release that needs a secret fails before it changes
    anything if the
    task does not give its value.
  - Key Vault references, identities, subnet and name servers are no part of a profile. A rollback by
    O(state=rolled_back)
    keeps those of the group as it is.
seealso:
  - module: polycloud.ollama.aci_container_group
  - module: polycloud.ollama.azure_files_storage
  - module: polycloud.ollama.container_app_deployment
"""

EXAMPLES = r"""
- name: Deploy Ollama with models in the image, inside a virtual network
  polycloud.ollama.aci_deployment:
    name: chat
    image: registry.example.com/ollama:0.24.0@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
    models:
      - name: gemma3:1b
    resources:
      cpu: 4
      memory_gib: 16
    platform:
      resource_group: rg-ollama-swedencentral
      location: swedencentral
      subnet_id: "{{ subnet_id }}"

- name: Deploy it with models on Azure Files, an image from ACR and a licence key
  polycloud.ollama.aci_deployment:
    name: chat-files
    image: example.azurecr.io/ollama:0.24.0@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
    models:
      - name: gemma3:1b
    storage:
      mode: volume
    secrets:
      - name: LICENCE
        value: "{{ licence }}"
    platform:
      resource_group: rg-ollama-swedencentral
      location: swedencentral
      subnet_id: "{{ subnet_id }}"
      identity:
        user_assigned:
          - "{{ identity_id }}"
      registries:
        - server: example.azurecr.io
          identity: "{{ identity_id }}"
      azure_files: "{{ storage.azure_files }}"

- name: Stop it for the night
  polycloud.ollama.aci_deployment:
    name: chat
    state: stopped
    platform:
      resource_group: rg-ollama-swedencentral
      location: swedencentral

- name: Return to the last good release
  polycloud.ollama.aci_deployment:
    name: chat
    state: rolled_back
    platform:
      resource_group: rg-ollama-swedencentral
      location: swedencentral
"""

RETURN = r"""
plan:
  description: What the run did, or would do in check mode.
  type: dict
  returned: when the deployment is valid and could be read
  contains:
    target:
      description: The deployment and where it is.
      type: str
      returned: always
      sample: chat on aci swedencentral
    changed:
      description: Whether anything changes.
      type: bool
      returned: always
    summary:
      description: The plan in one line.
      type: str
      returned: always
      sample: 2 to update
    changes:
      description: The changes in order, each with C(action), C(key), C(kind), C(name), C(reason) and C(fields).
      type: list
      elements: dict
      returned: always
    notes:
      description: What a person must know, such as an expected outage.
      type: list
      elements: str
      returned: always
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
deployment:
  description: The deployment afterwards. A run that failed says here what serves now.
  type: dict
  returned: when the deployment is valid and could be read
  contains:
    name:
      description: Name of the deployment.
      type: str
      returned: always
    platform:
      description: V(aci).
      type: str
      returned: always
    running:
      description: Whether the group is not stopped.
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
      description: Addresses that answer.
      type: list
      elements: str
      returned: always
      sample: ["http://10.60.0.4:11434"]
    release:
      description: Revision of the profile that runs.
      type: str
      returned: always
      sample: "3"
    last_good:
      description: The last release that was found good.
      type: str
      returned: always
    previous_good:
      description: The good release before it.
      type: str
      returned: always
    config_hash:
      description: Name of the good configuration, 40 hexadecimal digits.
      type: str
      returned: always
    resources:
      description: Resource ids by bundle key.
      type: dict
      returned: always
    answer:
      description: What the model answered, V(none) where nothing was verified. Never use it as a template or a command.
      type: str
      returned: always
    tokens_per_second:
      description: Generated tokens a second.
      type: float
      returned: always
    rolled_back:
      description: Whether the former release was brought back.
      type: bool
      returned: always
    outage_seconds:
      description: How long nothing answered, V(none) where it went on.
      type: float
      returned: always
problems:
  description: All broken rules at once.
  type: list
  elements: str
  returned: when the description is invalid
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.capabilities import CAPABILITIES
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.options import PLATFORM_OPTIONS, AciPlatform
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.platform import ContainerGroupPlatform
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.options import argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment_module import run_deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC


def main():
    options = {**argument_spec(PLATFORM_OPTIONS), **azure_argument_spec(), **PROGRESS_ARGSPEC}
    module = AnsibleModule(options, supports_check_mode=True)

    def make_platform(deployment, events):
        client = azure_client(module.params, events.emit, timeout=deployment.update.timeout)
        return ContainerGroupPlatform(deployment, client, events.emit)

    run_deployment(module, AciPlatform, CAPABILITIES, problems, make_platform)


if __name__ == "__main__":
    main()
