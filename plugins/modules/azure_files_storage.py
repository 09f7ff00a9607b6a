#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: azure_files_storage
short_description: Make an Azure Files share for models
version_added: 0.1.0
description:
  - Makes a storage account with one file share, for the models of Ollama on Azure Container Instances and Container
    Apps.
  - The account takes TLS 1.2 and above only and has no anonymous blobs. A key works only where SMB needs it.
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
  state:
    description:
      - V(present) creates the account and the share, or changes them.
      - V(absent) keeps everything unless O(delete_data=true).
    type: str
    choices: [present, absent]
    default: present
  resource_group:
    description: Name of the resource group. It must exist.
    type: str
    required: true
  location:
    description: Region. Required with O(state=present). It cannot be changed.
    type: str
  account_name:
    description: Name of the storage account, 3 to 24 lower-case letters and digits, unique in all of Azure.
    type: str
    required: true
  share_name:
    description: Name of the share.
    type: str
    default: models
  protocol:
    description:
      - V(SMB) is what Azure Container Instances mount; Container Apps mount both.
      - V(NFS) needs a Premium account and a network, since it has no password. It cannot be changed.
    type: str
    choices: [SMB, NFS]
    default: SMB
  quota_gib:
    description:
      - Size of the share in GiB. A Premium share has at least 100 and is billed by its size, not by what is
        in it.
    type: int
    default: 100
  sku:
    description:
      - SKU of the account. V(Standard_LRS) for SMB and V(Premium_LRS) for NFS where it is not set.
      - Loading a model from a Standard share takes minutes. Premium is several times faster.
    type: str
  access_tier:
    description: Access tier of the share. Azure chooses where it is not set.
    type: str
    choices: [TransactionOptimized, Hot, Cool, Premium]
  root_squash:
    description: What root may do on an NFS share; V(NoRootSquash) where it is not set.
    type: str
    choices: [NoRootSquash, RootSquash, AllSquash]
  subnet_ids:
    description:
      - Resource ids of the subnets that may reach the account, each with the service endpoint C(Microsoft.Storage).
      - Without any, every network may, with the key.
    type: list
    elements: str
    default: []
  public_network_access:
    description: Whether the account has its public address. Without it, it is reached through private endpoints only.
    type: bool
    default: true
  retention_days:
    description: For how many days a deleted share can be brought back; V(0) for not at all.
    type: int
    default: 7
  tags:
    description: Tags of the account. Tags that others set are left alone.
    type: dict
    default: {}
  deployment:
    description: Name of the deployment that owns the account, where one does. Without it such an account is refused.
    type: str
  delete_data:
    description:
      - With O(state=absent), delete the share with all models, and the account if this collection made it and no
        other share is
        in it.
    type: bool
    default: false
  return_key:
    description:
      - Whether RV(azure_files.account_key) is returned. Set C(no_log=true) on the task then.
      - The deployment modules read the key by themselves, so it is seldom needed.
    type: bool
    default: false
seealso:
  - module: polycloud.ollama.aci_deployment
  - module: polycloud.ollama.container_app_deployment
"""

EXAMPLES = r"""
- name: A share for models
  polycloud.ollama.azure_files_storage:
    resource_group: rg-ollama-swedencentral
    location: swedencentral
    account_name: ollamamodels01
    quota_gib: 200
  register: storage

- name: A fast NFS share that only one subnet reaches
  polycloud.ollama.azure_files_storage:
    resource_group: rg-ollama-swedencentral
    location: swedencentral
    account_name: ollamanfs01
    protocol: NFS
    subnet_ids:
      - "{{ subnet_id }}"

- name: Delete the models
  polycloud.ollama.azure_files_storage:
    resource_group: rg-ollama-swedencentral
    account_name: ollamamodels01
    state: absent
    delete_data: true
"""

RETURN = r"""
azure_files:
  description: The share as O(polycloud.ollama.aci_deployment#module:platform.azure_files) takes it.
  type: dict
  returned: when O(state=present)
  contains:
    account_name:
      description: Name of the storage account.
      type: str
      returned: always
    share_name:
      description: Name of the share.
      type: str
      returned: always
    resource_group:
      description: Resource group of the account.
      type: str
      returned: always
    account_key:
      description: Key of the account, C((known after apply)) in check mode where there is no account yet.
      type: str
      returned: when O(return_key=true) and O(protocol=SMB)
account_id:
  description: Resource id of the storage account, C((known after apply)) in check mode where there is none yet.
  type: str
  returned: when O(state=present)
server:
  description: Host name of the file service.
  type: str
  returned: when O(state=present)
  sample: ollamamodels01.file.core.windows.net
nfs_path:
  description: Path of the share on the server, for NFS.
  type: str
  returned: when O(state=present)
  sample: /ollamanfs01/models
kept:
  description: Whether all data were kept.
  type: bool
  returned: when O(state=absent)
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

from ansible_collections.polycloud.ollama.plugins.module_utils.azure_files.options import (
    STORAGE_OPTIONS,
    AzureFilesStorage,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.azure_files.storage import Storage
from ansible_collections.polycloud.ollama.plugins.module_utils.azure_files.validate import name_problems, problems
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.parse import build
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import RESOURCE_OPTIONS, run_bundle

SHARED_OPTIONS = {name: RESOURCE_OPTIONS[name] for name in ("state", "deployment")}


def main():
    options = {**STORAGE_OPTIONS, **SHARED_OPTIONS, **azure_argument_spec(), **PROGRESS_ARGSPEC}
    module = AnsibleModule(options, supports_check_mode=True)
    params = module.params
    present = params["state"] == "present"

    def make(emit):
        wanted = build(AzureFilesStorage, params)
        found = problems(wanted) if present else name_problems(wanted)
        if found:
            raise InvalidDeployment(found)
        storage = Storage(wanted, azure_client(params, emit), return_key=params["return_key"])
        return storage.present() if present else storage.absent(delete_data=params["delete_data"])

    run_bundle(module, make)


if __name__ == "__main__":
    main()
