#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: aci_container_group
short_description: Manage one Azure container group
version_added: 0.1.0
description:
  - Creates, changes and deletes a container group, described in the shape of Azure's own API (2025-09-01) in
    snake_case.
  - Compares the whole group with the description. Defaults that Azure fills in, the order of lists, case, and values
    that Azure
    never gives back make no difference.
  - A change replaces the body of the group and restarts all its containers. A change of tags alone restarts nothing.
  - For a whole Ollama deployment with releases, verification and rollback use M(polycloud.ollama.aci_deployment).
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
    description: Whether the group exists.
    type: str
    choices: [present, absent]
    default: present
  deployment:
    description: Name of the deployment that owns the group, where one does. Without it such a group is refused.
    type: str
  recreate:
    description: Delete the group and create it again when something changes that cannot be changed in place.
    type: bool
    default: false
  name:
    description: Name of the container group.
    type: str
    required: true
  resource_group:
    description: Name of the resource group. It must exist.
    type: str
    required: true
  location:
    description:
      - Region. Required with O(state=present).
      - It cannot be changed in place.
    type: str
  zones:
    description: Availability zone. It cannot be changed in place.
    type: list
    elements: str
  identity:
    description: Managed identities of the group.
    type: dict
    suboptions:
      type:
        description: Kinds of identity.
        type: str
        required: true
        choices: [SystemAssigned, UserAssigned, "SystemAssigned, UserAssigned", "None"]
      user_assigned_identities:
        description: Resource ids of the user-assigned identities.
        type: list
        elements: str
  os_type:
    description: Operating system of the containers. It cannot be changed in place.
    type: str
    choices: [Linux, Windows]
    default: Linux
  sku:
    description: SKU of the group. It cannot be changed in place.
    type: str
    choices: [Standard, Dedicated, Confidential]
    default: Standard
  priority:
    description: V(Spot) is cheaper, may be taken away at any time, and has no address. It cannot be changed in place.
    type: str
    choices: [Regular, Spot]
    default: Regular
  restart_policy:
    description: When the platform restarts a container that ended. It cannot be changed in place.
    type: str
    choices: [Always, OnFailure, Never]
    default: Always
  containers:
    description: The containers. Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name.
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
      environment_variables:
        description: Environment variables. Each has one of C(value), C(secure_value) and C(secure_value_reference).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name.
            type: str
            required: true
          value:
            description: Value, readable by who may read the group.
            type: str
          secure_value:
            description: Secret value, which Azure never gives back. It is compared by a salted digest in a tag.
            type: str
          secure_value_reference:
            description: Name of an entry of O(secret_references).
            type: str
      volume_mounts:
        description: Where volumes appear.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name.
            type: str
            required: true
          mount_path:
            description: Path in the container.
            type: str
            required: true
          read_only:
            description: Whether it is read-only.
            type: bool
            default: false
      ports:
        description: Ports.
        type: list
        elements: dict
        suboptions:
          port:
            description: Port number.
            type: int
            required: true
          protocol:
            description: V(TCP) or V(UDP).
            type: str
            default: TCP
      resources:
        description: CPU, memory and GPUs.
        type: dict
        required: true
        suboptions:
          requests:
            description: What the container gets for sure. It cannot be changed in place.
            type: dict
            required: true
            suboptions:
              cpu:
                description: vCPU.
                type: float
                required: true
              memory_in_gb:
                description: Memory in GB, a multiple of 0.1.
                type: float
                required: true
              gpu:
                description: GPUs.
                type: dict
                suboptions:
                  count:
                    description: Number of GPUs.
                    type: int
                    required: true
                  sku:
                    description: Type of the GPUs.
                    type: str
                    required: true
          limits:
            description: What it may take at most. It cannot be changed in place.
            type: dict
            suboptions:
              cpu:
                description: vCPU.
                type: float
              memory_in_gb:
                description: Memory in GB, a multiple of 0.1.
                type: float
              gpu:
                description: GPUs.
                type: dict
                suboptions:
                  count:
                    description: Number of GPUs.
                    type: int
                    required: true
                  sku:
                    description: Type of the GPUs.
                    type: str
                    required: true
      liveness_probe:
        description: When the container is restarted.
        type: dict
        suboptions:
          exec:
            description: A command that must end with 0.
            type: dict
            suboptions:
              command:
                description: Command and arguments instead of the image's own.
                type: list
                elements: str
          http_get:
            description: A request that must be answered with 200 to 399.
            type: dict
            suboptions:
              path:
                description: Path of the URL.
                type: str
              port:
                description: Port number.
                type: int
                required: true
              scheme:
                description: Scheme of the URL.
                type: str
                choices: [http, https]
              http_headers:
                description: Headers of the request.
                type: list
                elements: dict
                suboptions:
                  name:
                    description: Name.
                    type: str
                  value:
                    description: Value, readable by who may read the group.
                    type: str
          initial_delay_seconds:
            description: Seconds before the first probe.
            type: int
          period_seconds:
            description: Seconds between two probes.
            type: int
          failure_threshold:
            description: Failures in a row that count.
            type: int
          success_threshold:
            description: Successes in a row that count.
            type: int
          timeout_seconds:
            description: Seconds for one probe.
            type: int
      readiness_probe:
        description: When the container gets requests.
        type: dict
        suboptions:
          exec:
            description: A command that must end with 0.
            type: dict
            suboptions:
              command:
                description: Command and arguments instead of the image's own.
                type: list
                elements: str
          http_get:
            description: A request that must be answered with 200 to 399.
            type: dict
            suboptions:
              path:
                description: Path of the URL.
                type: str
              port:
                description: Port number.
                type: int
                required: true
              scheme:
                description: Scheme of the URL.
                type: str
                choices: [http, https]
              http_headers:
                description: Headers of the request.
                type: list
                elements: dict
                suboptions:
                  name:
                    description: Name.
                    type: str
                  value:
                    description: Value, readable by who may read the group.
                    type: str
          initial_delay_seconds:
            description: Seconds before the first probe.
            type: int
          period_seconds:
            description: Seconds between two probes.
            type: int
          failure_threshold:
            description: Failures in a row that count.
            type: int
          success_threshold:
            description: Successes in a row that count.
            type: int
          timeout_seconds:
            description: Seconds for one probe.
            type: int
  init_containers:
    description: Containers that run to their end, one after the other, before the others start.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name.
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
      environment_variables:
        description: Environment variables. Each has one of C(value), C(secure_value) and C(secure_value_reference).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name.
            type: str
            required: true
          value:
            description: Value, readable by who may read the group.
            type: str
          secure_value:
            description: Secret value, which Azure never gives back. It is compared by a salted digest in a tag.
            type: str
          secure_value_reference:
            description: Name of an entry of O(secret_references).
            type: str
      volume_mounts:
        description: Where volumes appear.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name.
            type: str
            required: true
          mount_path:
            description: Path in the container.
            type: str
            required: true
          read_only:
            description: Whether it is read-only.
            type: bool
            default: false
  image_registry_credentials:
    description: How images of private registries are pulled.
    type: list
    elements: dict
    suboptions:
      server:
        description: Host name of the registry.
        type: str
        required: true
      username:
        description: User name.
        type: str
      password:
        description: Password.
        type: str
      identity:
        description: Resource id of the user-assigned identity that pulls.
        type: str
  volumes:
    description: Volumes that containers mount.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      azure_file:
        description: An Azure Files share (SMB).
        type: dict
        suboptions:
          share_name:
            description: Name of the share.
            type: str
            required: true
          storage_account_name:
            description: Name of the storage account.
            type: str
            required: true
          storage_account_key:
            description: Key of the storage account.
            type: str
          storage_account_key_reference:
            description: Name of an entry of O(secret_references) that holds the key.
            type: str
          read_only:
            description: Whether it is read-only.
            type: bool
            default: false
      empty_dir:
        description: An empty folder that lives as long as the group.
        type: bool
      secret:
        description: Files with secret content, base64 by file name.
        type: dict
  secret_references:
    description: Key Vault secrets that variables and shares refer to by name.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      identity:
        description: Resource id of the identity that reads it.
        type: str
        required: true
      secret_reference_uri:
        description: Address of the Key Vault secret.
        type: str
        required: true
  ip_address:
    description: Address of the group. It has none where this is not set.
    type: dict
    suboptions:
      type:
        description: V(Private) in a subnet, else V(Public). It cannot be changed in place.
        type: str
        required: true
        choices: [Public, Private]
      ports:
        description: Published ports. They cannot be changed in place.
        type: list
        elements: dict
        required: true
        suboptions:
          port:
            description: Port number.
            type: int
            required: true
          protocol:
            description: V(TCP) or V(UDP).
            type: str
            default: TCP
      dns_name_label:
        description: First part of the public host name.
        type: str
  subnet_ids:
    description: Resource id of the delegated subnet, at most one. It cannot be changed in place.
    type: list
    elements: str
  dns_config:
    description: Name service of a group in a subnet.
    type: dict
    suboptions:
      name_servers:
        description: Name servers.
        type: list
        elements: str
        required: true
      search_domains:
        description: Search domains.
        type: str
      options:
        description: Resolver options.
        type: str
  diagnostics:
    description: Where logs go.
    type: dict
    suboptions:
      log_analytics:
        description: Log Analytics workspace.
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
  tags:
    description: Tags. Tags that others set are left alone.
    type: dict
    default: {}
  accept_retired_gpu:
    description:
      - GPUs on Azure Container Instances were retired on 14 July 2025 and are refused; set it for a private
        or sovereign region that still has them.
    type: bool
    default: false
  timeout:
    description: Seconds that one operation of Azure may take.
    type: int
    default: 1800
seealso:
  - module: polycloud.ollama.aci_container_group_info
  - module: polycloud.ollama.aci_deployment
"""

EXAMPLES = r"""
- name: A container group in a subnet
  polycloud.ollama.aci_container_group:
    name: proxy
    resource_group: rg-ollama-swedencentral
    location: swedencentral
    containers:
      - name: proxy
        image: registry.example.com/proxy:1.0
        ports:
          - port: 8080
        environment_variables:
          - name: UPSTREAM
            value: http://10.60.0.4:11434
          - name: PROXY_PASSWORD
            secure_value: "{{ proxy_password }}"
        resources:
          requests:
            cpu: 1
            memory_in_gb: 1.5
        readiness_probe:
          http_get:
            path: /healthz
            port: 8080
    ip_address:
      type: Private
      ports:
        - port: 8080
    subnet_ids:
      - "{{ subnet_id }}"

- name: Delete it
  polycloud.ollama.aci_container_group:
    name: proxy
    resource_group: rg-ollama-swedencentral
    state: absent
"""

RETURN = r"""
container_group:
  description:
    - The group in the shape of Azure's API, V(none) after O(state=absent). It holds no secret value.
    - In check mode a new group has the id C((known after apply)).
  type: dict
  returned: success
  contains:
    id:
      description: Resource id.
      type: str
      returned: always
    name:
      description: Name.
      type: str
      returned: always
    location:
      description: Region.
      type: str
      returned: always
    tags:
      description: Tags.
      type: dict
      returned: always
    properties:
      description: Everything else, as Azure tells it.
      type: dict
      returned: always
plan:
  description: What the run did, or would do in check mode.
  type: dict
  returned: success
events:
  description: What happened, with the seconds since the start.
  type: list
  elements: dict
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.resources import GroupKind
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.secrets import known, take_secrets
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.single import (
    GROUP_OPTIONS,
    container_group,
    problems,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.release import SECRETS, secrets_digest
from ansible_collections.polycloud.ollama.plugins.module_utils.resource import Wanted
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import (
    RESOURCE_OPTIONS,
    Bundle,
    describe,
    run_bundle,
)


def make_bundle(params, client):
    """The group as a bundle of one. Reads it first: its tag tells whether the secret values are the same."""
    body, values = take_secrets(container_group(params)) if params["state"] == "present" else ({}, {})
    kind = GroupKind(client, params["resource_group"], values, deployed=False)
    existing = kind.read(params["name"])
    digest = secrets_digest(known(values), existing.tags.get(SECRETS, "") if existing else "")
    tags = {**params["tags"], **({SECRETS: digest} if digest else {})}
    wanted = Wanted(key="group", name=params["name"], body=body, tags=tags)

    def result(found):
        return {"container_group": describe(found["group"], wanted)}

    return Bundle([wanted], {"group": kind}, result)


def main():
    options = {**GROUP_OPTIONS, **RESOURCE_OPTIONS, **azure_argument_spec(), **PROGRESS_ARGSPEC}
    module = AnsibleModule(options, supports_check_mode=True)

    def make(emit):
        found = problems(module.params) if module.params["state"] == "present" else []
        if found:
            raise InvalidDeployment(found)
        return make_bundle(module.params, azure_client(module.params, emit, timeout=module.params["timeout"]))

    run_bundle(module, make)


if __name__ == "__main__":
    main()
