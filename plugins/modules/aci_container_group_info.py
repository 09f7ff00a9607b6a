#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: aci_container_group_info
short_description: Read Azure container groups
version_added: 0.1.0
description:
  - Reads one container group, those of a resource group, or those of the subscription.
  - Tells of each whether it runs, which deployment it belongs to, and its address, next to Azure's own answer.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.azure
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.info_module
  - polycloud.ollama.attributes.actiongroup_azure
options:
  name:
    description: Name of one group. It needs O(resource_group).
    type: str
  resource_group:
    description: Only groups of this resource group.
    type: str
  deployment:
    description: Only groups of this deployment.
    type: str
notes:
  - Azure tells the state of containers for single groups only, so with O(name) set. In lists
    RV(container_groups[].state) is empty.
seealso:
  - module: polycloud.ollama.aci_container_group
"""

EXAMPLES = r"""
- name: Does it run?
  polycloud.ollama.aci_container_group_info:
    resource_group: rg-ollama-swedencentral
    name: chat
  register: chat

- name: All groups of the subscription that belong to a deployment
  polycloud.ollama.aci_container_group_info:
    deployment: chat
"""

RETURN = r"""
container_groups:
  description: The groups; none where there is none. They hold no secret value.
  type: list
  elements: dict
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
    resource_group:
      description: Name of the resource group.
      type: str
      returned: always
    location:
      description: Region.
      type: str
      returned: always
    provisioning_state:
      description: What Azure's last operation on it came to.
      type: str
      returned: always
      sample: Succeeded
    state:
      description: State of the group, such as V(Running) or V(Stopped). Empty in lists.
      type: str
      returned: always
    address:
      description: Host name or IP address, empty where it has none.
      type: str
      returned: always
    deployment:
      description: The deployment that owns it, empty where none does.
      type: str
      returned: always
    release:
      description: The release that it runs, empty where it belongs to no deployment.
      type: str
      returned: always
    tags:
      description: Tags.
      type: dict
      returned: always
    container_group:
      description: Azure's own answer.
      type: dict
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.info import read_groups
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError

INFO_OPTIONS = {
    "name": {"type": "str"},
    "resource_group": {"type": "str"},
    "deployment": {"type": "str"},
}


def main():
    options = {**INFO_OPTIONS, **azure_argument_spec()}
    module = AnsibleModule(options, required_by={"name": ["resource_group"]}, supports_check_mode=True)
    try:
        groups = read_groups(azure_client(module.params), *(module.params[name] for name in INFO_OPTIONS))
    except PolycloudError as error:
        module.fail_json(msg=str(error), error=type(error).__name__)
    module.exit_json(changed=False, container_groups=groups)


if __name__ == "__main__":
    main()
