#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_app_deployment
short_description: Deploy Ollama on Azure Container Apps
version_added: 0.1.0
description:
  - Brings a whole Ollama deployment on Azure Container Apps to a state, with the managed environment, the file share
    that the
    environment mounts, and the container app. This is the living GPU path of Azure, with serverless T4 and A100.
  - Plans before it changes anything. Check mode returns the plan that a real run then carries out.
  - Every release is a revision. With O(update.strategy=surge) the new revision is started beside the old one without
    traffic,
    asked a real prompt at its own address, and only then gets all traffic. If it is bad it is deactivated and the
    old one has
    answered all the while. This needs GPU quota for both.
  - With O(update.strategy=stop_first) the old revision is deactivated first, for a quota of one GPU. The plan says
    C(outage expected), and the old revision is activated again if the new one is bad.
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
    description: Where and how the container app runs.
    type: dict
    required: true
    suboptions:
      resource_group:
        description: Name of the resource group of the app. It must exist.
        type: str
        required: true
      location:
        description: Region, for example V(westus3). It must be that of the environment and cannot be changed in
          place.
        type: str
        required: true
      environment:
        description:
          - The managed environment that the app runs in. It is created if it is missing.
          - One that exists and was not created by this collection is used as it is and never changed or deleted. It
            must have
            the workload profile that the deployment needs.
          - One that this collection created gets the workload profile added, and goes with the last deployment in it.
        type: dict
        required: true
        suboptions:
          name:
            description: Name of the environment.
            type: str
            required: true
          resource_group:
            description: Its resource group, O(platform.resource_group) if not set.
            type: str
          subnet_id:
            description:
              - Resource id of your own subnet, delegated to C(Microsoft.App/environments). It cannot be changed in
                place.
              - Say it for an environment that exists as well, since NFS shares and internal environments need one.
            type: str
          internal:
            description: Whether the environment has no public address at all. It cannot be changed in place.
            type: bool
            default: false
          zone_redundant:
            description: Whether replicas are spread over availability zones. It cannot be changed in place.
            type: bool
            default: false
          log_analytics:
            description: Log Analytics workspace that gets the logs of all apps of the environment.
            type: dict
            suboptions:
              workspace_id:
                description: Customer id of the workspace.
                type: str
                required: true
              workspace_key:
                description: Key of the workspace. It is written with the environment and never compared.
                type: str
          minimum_nodes:
            description: Fewest nodes of a dedicated GPU profile, V(0) if not set. Refused for consumption profiles.
            type: int
          maximum_nodes:
            description: Most nodes of a dedicated GPU profile, V(1) if not set. Refused for consumption profiles.
            type: int
      workload_profile:
        description:
          - Name of the workload profile in the environment. V(gpu) with O(resources.gpu), else V(Consumption).
          - The type of a GPU profile is O(resources.gpu.type), for example V(Consumption-GPU-NC8as-T4) or
            V(Consumption-GPU-NC24-A100). The app itself has no GPU setting.
        type: str
      ingress_scope:
        description:
          - Who reaches a private app. V(environment) is the apps of the environment only, so the controller needs
            O(network.endpoint_url) or O(health.verify=steady).
          - V(network) is everybody in the virtual network of an internal environment.
        type: str
        choices: [environment, network]
        default: environment
      storage:
        description: The Azure Files share that holds the models, for O(storage.mode=volume) and O(storage.mode=both).
        type: dict
        suboptions:
          share_name:
            description: Name of the share. For O(platform.storage.type=nfs) it is C(/account/share).
            type: str
            required: true
          type:
            description: Protocol. V(nfs) needs O(platform.environment.subnet_id).
            type: str
            choices: [smb, nfs]
            default: smb
          name:
            description:
              - Name of the share in the environment. The deployment has its own, C(name-models), if not set.
              - One that is named here is used as it is if it exists, and is never deleted.
            type: str
          account_name:
            description: Name of the storage account, for V(smb).
            type: str
          resource_group:
            description: Resource group of the storage account, O(platform.resource_group) if not set.
            type: str
          account_key:
            description:
              - Key of the storage account, for V(smb). It is read from the account if neither it nor
                O(platform.storage.account_key_reference) is set.
              - It is never read back. A new key is seen by its salted digest in a tag of the app.
            type: str
          account_key_reference:
            description:
              - Address of a Key Vault secret that holds the key, instead of O(platform.storage.account_key).
              - The environment reads it with the identity of O(platform.identity), which it gets when it is created
                here.
            type: str
          server:
            description: Host name of the NFS server, for V(nfs).
            type: str
          read_only:
            description: Whether the share is mounted read-only.
            type: bool
            default: false
          mount_options:
            description: Mount options. An SMB share is mounted for O(storage.uid) and O(storage.gid) if not set.
            type: str
          sub_path:
            description: Directory of the share that is mounted, its root if not set.
            type: str
      identity:
        description: Managed identities of the app.
        type: dict
        suboptions:
          system_assigned:
            description: Whether the app gets an identity of its own.
            type: bool
            default: false
          user_assigned:
            description: Resource ids of user-assigned identities.
            type: list
            elements: str
            default: []
      key_vault_identity:
        description:
          - Which identity reads Key Vault, V(system) or one of O(platform.identity.user_assigned). The first of
            those if not
            set.
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
            description: V(system) or one of O(platform.identity.user_assigned). It needs the role C(AcrPull).
            type: str
          username:
            description: User name.
            type: str
          password:
            description: Password.
            type: str
      init_containers:
        description: Containers that run to their end, one after the other, before Ollama starts.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name, unique in the app.
            type: str
            required: true
          image:
            description: Image.
            type: str
            required: true
          command:
            description: Command instead of the image's own.
            type: list
            elements: str
            default: []
          args:
            description: Arguments.
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
      command:
        description: Command of the server instead of the image's own.
        type: list
        elements: str
        default: []
      args:
        description: Arguments of the server.
        type: list
        elements: str
        default: []
      termination_grace_period:
        description: Seconds that a replica has to finish its requests when it is stopped, at most 600.
        type: int
        default: 60
      polling_interval:
        description: Seconds between two looks of the scaler.
        type: int
        default: 30
      drain:
        description: Seconds between the shift of the traffic and the end of the old revision.
        type: int
        default: 5
notes:
  - A replica has one GPU, given to the first container. CPU and memory must fit the size of the workload profile.
  - The part of an app that its revisions share (ingress, secrets, identities, registries) takes effect at once. If
    the new
    release is bad it is brought back too. Changing O(network.port) is an outage, since all revisions share it.
  - Traffic that was shifted by hand is drift. It is shown, and brought back to the last good revision.
  - Revisions cannot be deleted. Azure keeps O(update.keep_revisions) inactive ones and forgets the oldest, so a
    rollback
    to a release older than that is refused.
  - With O(schedule) and equal replica bounds nothing runs outside the working hours, and a release is refused then,
    since it
    could not be verified. With different bounds a request wakes a replica at any time.
  - What an update of a stopped app does is not documented by Microsoft. A change is therefore deferred and takes
    effect with
    O(state=started).
  - Quota for serverless GPUs is asked for by the name V(Managed Environment Consumption T4 Gpus) or
    V(Managed Environment Consumption NCA100 Gpus).
seealso:
  - module: polycloud.ollama.container_app
  - module: polycloud.ollama.container_app_environment
  - module: polycloud.ollama.container_app_info
  - module: polycloud.ollama.azure_files_storage
"""

EXAMPLES = r"""
- name: Deploy Ollama on a serverless T4, models in the image
  polycloud.ollama.container_app_deployment:
    name: chat
    image: registry.example.com/ollama:0.24.0@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
    models:
      - name: gemma3:4b
    resources:
      cpu: 8
      memory_gib: 56
      gpu:
        type: Consumption-GPU-NC8as-T4
    platform:
      resource_group: rg-ollama-westus3
      location: westus3
      environment:
        name: ollama

- name: Deploy with models on Azure Files, working hours, and a token from Key Vault
  polycloud.ollama.container_app_deployment:
    name: chat-files
    image: example.azurecr.io/ollama:0.24.0@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
    models:
      - name: gemma3:4b
    resources:
      cpu: 8
      memory_gib: 56
      gpu:
        type: Consumption-GPU-NC8as-T4
    storage:
      mode: volume
    schedule:
      timezone: Europe/Berlin
      start: "07:00"
      stop: "20:00"
    secrets:
      - name: HF_TOKEN
        reference: https://example.vault.azure.net/secrets/hf-token
    platform:
      resource_group: rg-ollama-westus3
      location: westus3
      environment:
        name: ollama
        subnet_id: "{{ subnet_id }}"
        internal: true
      ingress_scope: network
      storage:
        account_name: examplemodels
        share_name: models
        account_key: "{{ account_key }}"
      identity:
        user_assigned:
          - "{{ identity_id }}"
      registries:
        - server: example.azurecr.io
          identity: "{{ identity_id }}"

- name: Update with a quota of one GPU
  polycloud.ollama.container_app_deployment:
    name: chat
    image: registry.example.com/ollama:0.24.1@sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2
    models:
      - name: gemma3:4b
    resources:
      cpu: 8
      memory_gib: 56
      gpu:
        type: Consumption-GPU-NC8as-T4
    update:
      strategy: stop_first
    platform:
      resource_group: rg-ollama-westus3
      location: westus3
      environment:
        name: ollama

- name: Stop it for the night
  polycloud.ollama.container_app_deployment:
    name: chat
    state: stopped
    platform:
      resource_group: rg-ollama-westus3
      location: westus3
      environment:
        name: ollama

- name: Return to the last good release
  polycloud.ollama.container_app_deployment:
    name: chat
    state: rolled_back
    platform:
      resource_group: rg-ollama-westus3
      location: westus3
      environment:
        name: ollama
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
      sample: chat on container_apps westus3
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
      description: V(container_apps).
      type: str
      returned: always
    running:
      description: Whether the app is not stopped.
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
      description: Name of the revision that has the traffic.
      type: str
      returned: always
      sample: chat--r1a2b3c4d5
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
      description: What the model answered, V(none) where nothing was verified. Never use it as a template or a
        command.
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

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.capabilities import CAPABILITIES
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.options import (
    PLATFORM_OPTIONS,
    ContainerAppsPlatform,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.platform import ContainerApps
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.validate import problems
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.options import argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment_module import run_deployment
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC


def main():
    options = {**argument_spec(PLATFORM_OPTIONS), **azure_argument_spec(), **PROGRESS_ARGSPEC}
    module = AnsibleModule(options, supports_check_mode=True)

    def make_platform(deployment, events):
        client = azure_client(module.params, events.emit, timeout=deployment.update.timeout)
        return ContainerApps(deployment, client, events.emit)

    run_deployment(module, ContainerAppsPlatform, CAPABILITIES, problems, make_platform)


if __name__ == "__main__":
    main()
