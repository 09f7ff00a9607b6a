#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_registry_login
short_description: Write a login for a container registry into a file
version_added: 0.1.0
description:
  - Writes a file in the format of docker's C(config.json), which docker, podman, buildah and the modules of this
    collection read. The login of the user who runs Ansible is left alone.
  - The file holds the password in a form that anybody can read who may read the file. It belongs to its owner alone;
    remove it when it is no longer needed.
  - The registry is not asked whether it takes the login, except with O(login=acr), where it gives the token.
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.actiongroup_all
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It would show the password.
  idempotent:
    support: partial
    details: A cloud gives another token each time.
options:
  registry:
    description:
      - The registry, as host and port.
    type: str
    required: true
  path:
    description:
      - The file to write. Docker finds it only under the name C(config.json).
    type: path
    required: true
  username:
    description:
      - User of the registry.
    type: str
  password:
    description:
      - Password or access token of O(username).
    type: str
  login:
    description:
      - Log in with the credentials of a cloud, V(ecr) with those that boto3 finds, V(acr) with those that
        azure-identity finds.
    type: str
    choices: [ecr, acr]
  config:
    description:
      - A file in the same format whose logins are put into O(path) too.
    type: path
"""

EXAMPLES = r"""
- name: Log in to a registry of AWS
  polycloud.ollama.container_registry_login:
    registry: 123456789012.dkr.ecr.eu-central-1.amazonaws.com
    login: ecr
    path: "{{ login_folder }}/config.json"

- name: Log in to Docker Hub
  polycloud.ollama.container_registry_login:
    registry: docker.io
    username: "{{ hub_username }}"
    password: "{{ hub_token }}"
    path: "{{ login_folder }}/config.json"
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.images.login import config_with, write_private
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import Credentials
from ansible_collections.polycloud.ollama.plugins.module_utils.models.logins import login
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import Transport

OPTIONS = {
    "registry": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "login": {"type": "str", "choices": ["ecr", "acr"]},
    "config": {"type": "path"},
}


def run(params, check):
    if params["login"]:
        credentials = login(params["login"], f"https://{params['registry']}", Transport())
    else:
        credentials = Credentials(params["username"], params["password"])
    other = Path(params["config"]) if params["config"] else None
    content = config_with(params["registry"], credentials, other)
    path = Path(params["path"])
    changed = not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != content
    if changed and not check:
        write_private(path, content)
    return {"changed": changed, "path": str(path)}


def main():
    module = AnsibleModule(
        OPTIONS,
        supports_check_mode=True,
        required_together=[("username", "password")],
        required_one_of=[("username", "login")],
        mutually_exclusive=[("username", "login")],
    )
    try:
        result = run(module.params, module.check_mode)
    except PolycloudError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
