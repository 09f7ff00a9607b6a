#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_app_environment
short_description: Manage an Azure Container Apps environment and its storages
version_added: 0.1.0
description:
  - Creates, changes and deletes a managed environment, with workload profiles (GPU profiles too) and file shares
    that apps mount.
  - Workload profiles and storages that are not named stay as they are.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
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
  name:
    description: Name of the managed environment.
    type: str
    required: true
  resource_group:
    description: Name of its resource group. It must exist.
    type: str
    required: true
  location:
    description: Region, for example V(westus3). Required for O(state=present). It cannot be changed in place.
    type: str
  tags:
    description: Tags. Those that others set are left alone.
    type: dict
    default: {}
  timeout:
    description: Seconds for Azure to carry out one change.
    type: int
    default: 1800
  state:
    description: Whether it exists.
    type: str
    choices: [present, absent]
    default: present
  deployment:
    description:
      - A managed environment that carries the ownership tag of a deployment is refused, unless the deployment is
        named here.
    type: str
  recreate:
    description: Delete it and create it again when a field changes that cannot be changed in place.
    type: bool
    default: false
  zone_redundant:
    description: Whether replicas are spread over availability zones. It cannot be changed in place.
    type: bool
    default: false
  vnet_configuration:
    description: Your own virtual network. It cannot be changed in place.
    type: dict
    suboptions:
      infrastructure_subnet_id:
        description: Resource id of a subnet delegated to C(Microsoft.App/environments).
        type: str
        required: true
      internal:
        description: Whether the environment has no public address.
        type: bool
        default: false
  workload_profiles:
    description: Workload profiles. V(Consumption) is always there, and those that are not named stay.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      workload_profile_type:
        description: Type, as V(Consumption-GPU-NC8as-T4) or V(D4).
        type: str
        required: true
      minimum_count:
        description: Fewest nodes, for dedicated profiles only.
        type: int
      maximum_count:
        description: Most nodes, for dedicated profiles only.
        type: int
  app_logs_configuration:
    description: Where container logs go. Left as it is if not set.
    type: dict
    suboptions:
      destination:
        description: Kind of the destination.
        type: str
        required: true
        choices: [azure-monitor, log-analytics, 'none']
      log_analytics_configuration:
        description: The workspace.
        type: dict
        suboptions:
          customer_id:
            description: Customer id of the workspace.
            type: str
            required: true
          shared_key:
            description: Key of the workspace. It is written with the environment and never compared.
            type: str
            required: true
  storages:
    description: File shares that apps can mount. Those that are not named stay.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      azure_file:
        description: An SMB share.
        type: dict
        suboptions:
          share_name:
            description: Name of the share.
            type: str
            required: true
          access_mode:
            description: Whether apps may write.
            type: str
            choices: [ReadOnly, ReadWrite]
            default: ReadWrite
          account_name:
            description: Name of the storage account.
            type: str
            required: true
          account_key:
            description: Key of the account. A new one is seen by a salted digest in a tag of the environment.
            type: str
            required: true
      nfs_azure_file:
        description: An NFS share.
        type: dict
        suboptions:
          share_name:
            description: Name of the share.
            type: str
            required: true
          access_mode:
            description: Whether apps may write.
            type: str
            choices: [ReadOnly, ReadWrite]
            default: ReadWrite
          server:
            description: Host name.
            type: str
            required: true
notes:
  - Node counts are refused for consumption profiles, since Azure refuses them.
  - An environment that apps, jobs or other storages use is never deleted, with O(recreate=true) neither.
seealso:
  - module: polycloud.ollama.container_app_deployment
  - module: polycloud.ollama.container_app
"""

EXAMPLES = r"""
- name: Create an environment with serverless T4 GPUs
  polycloud.ollama.container_app_environment:
    name: ollama
    resource_group: rg-ollama-westus3
    location: westus3
    workload_profiles:
      - name: gpu
        workload_profile_type: Consumption-GPU-NC8as-T4
  register: environment

- name: Create an internal environment with a share of models
  polycloud.ollama.container_app_environment:
    name: ollama-internal
    resource_group: rg-ollama-westus3
    location: westus3
    vnet_configuration:
      infrastructure_subnet_id: "{{ subnet_id }}"
      internal: true
    storages:
      - name: models
        azure_file:
          account_name: examplemodels
          account_key: "{{ account_key }}"
          share_name: models

- name: Remove it
  polycloud.ollama.container_app_environment:
    name: ollama
    resource_group: rg-ollama-westus3
    state: absent
"""

RETURN = r"""
environment:
  description: The environment in snake_case, V(none) where it does not exist.
  type: dict
  returned: always
  contains:
    id:
      description: Resource id, C((known after apply)) in check mode where there is none yet.
      type: str
      returned: always
    name:
      description: Name.
      type: str
      returned: always
    tags:
      description: All tags.
      type: dict
      returned: always
    properties:
      description: Workload profiles, network, default domain and states.
      type: dict
      returned: always
storages:
  description: Resource ids of the named storages by name.
  type: dict
  returned: always
plan:
  description: What the run did, or would do in check mode.
  type: dict
  returned: always
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.capabilities import PROFILES
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.modules import environment_bundle
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.single import (
    ENVIRONMENT_OPTIONS,
    environment_problems,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import RESOURCE_OPTIONS, run_bundle


def main():
    options = {**ENVIRONMENT_OPTIONS, **RESOURCE_OPTIONS, **azure_argument_spec(), **PROGRESS_ARGSPEC}
    module = AnsibleModule(options, supports_check_mode=True)

    def make(emit):
        consumption = [name for name, profile in PROFILES.items() if profile.consumption]
        found = environment_problems(module.params, consumption) if module.params["state"] == "present" else []
        if found:
            raise InvalidDeployment(found)
        return environment_bundle(module.params, azure_client(module.params, emit, timeout=module.params["timeout"]))

    run_bundle(module, make)


if __name__ == "__main__":
    main()
