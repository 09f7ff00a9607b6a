#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_app_info
short_description: Read Azure container apps with their revisions and replicas
version_added: 0.1.0
description:
  - Reads the container apps of a resource group, or one of them, with traffic, the health of all revisions, and the
    record that
    M(polycloud.ollama.container_app_deployment) keeps in the app's tags.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.azure
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.info_module
  - polycloud.ollama.attributes.actiongroup_azure
options:
  resource_group:
    description: Name of the resource group.
    type: str
    required: true
  name:
    description: Name of one app. All of the resource group if not set.
    type: str
  replicas:
    description: Whether the replicas of active revisions are read too, with one call for each revision.
    type: bool
    default: false
seealso:
  - module: polycloud.ollama.container_app_deployment
  - module: polycloud.ollama.container_app
"""

EXAMPLES = r"""
- name: Read one app with its replicas
  polycloud.ollama.container_app_info:
    resource_group: rg-ollama-westus3
    name: chat
    replicas: true
  register: chat

- name: Say which revision serves
  ansible.builtin.debug:
    msg: "{{ chat.container_apps[0].traffic }}"
"""

RETURN = r"""
container_apps:
  description: The apps, an empty list where there is none.
  type: list
  elements: dict
  returned: always
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
    environment_id:
      description: Resource id of the environment.
      type: str
      returned: always
    workload_profile_name:
      description: Workload profile.
      type: str
      returned: always
    provisioning_state:
      description: State of the last change.
      type: str
      returned: always
    running_status:
      description: Whether the app runs.
      type: str
      returned: always
      sample: Running
    fqdn:
      description: Host name, V(none) without ingress.
      type: str
      returned: always
    traffic:
      description: Weights of the revisions.
      type: list
      elements: dict
      returned: always
    tags:
      description: All tags.
      type: dict
      returned: always
    record:
      description: What the tags say about a deployment, with deployment, release, last_good, previous_good, rejected
        and config_hash.
      type: dict
      returned: always
    revisions:
      description: All revisions, with name, image, active, replicas, traffic_weight, states and, when asked for,
        replica_list.
      type: list
      elements: dict
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_options import azure_argument_spec
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.modules import read_apps
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError

INFO_OPTIONS = {
    "resource_group": {"type": "str", "required": True},
    "name": {"type": "str"},
    "replicas": {"type": "bool", "default": False},
}


def main():
    module = AnsibleModule({**INFO_OPTIONS, **azure_argument_spec()}, supports_check_mode=True)
    try:
        client = azure_client(module.params)
        apps = read_apps(
            client, module.params["resource_group"], module.params["name"], replicas=module.params["replicas"]
        )
    except PolycloudError as error:
        module.fail_json(msg=str(error), error=type(error).__name__)
    module.exit_json(changed=False, container_apps=apps)


if __name__ == "__main__":
    main()
