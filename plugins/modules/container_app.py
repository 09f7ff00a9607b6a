#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_app
short_description: Manage a single Azure container app
version_added: 0.1.0
description:
  - Creates, changes and deletes one container app, in the API's own terms in snake_case.
  - The description is complete. What it does not name gets Azure's default.
  - A release that is verified and rolled back is the work of M(polycloud.ollama.container_app_deployment).
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
    description: Name of the container app.
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
      - A container app that carries the ownership tag of a deployment is refused, unless the deployment is named
        here.
    type: str
  recreate:
    description: Delete it and create it again when a field changes that cannot be changed in place.
    type: bool
    default: false
  environment_id:
    description: Resource id of the managed environment. Required for O(state=present). It cannot be changed in place.
    type: str
  workload_profile_name:
    description: Workload profile of the environment, V(Consumption) if not set.
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
  configuration:
    description: What all revisions of the app share.
    type: dict
    suboptions:
      active_revisions_mode:
        description: Whether one revision is active or several.
        type: str
        choices: [Single, Multiple]
        default: Single
      max_inactive_revisions:
        description: How many inactive revisions Azure keeps, V(100) if not set.
        type: int
      ingress:
        description: How the app is reached. Without it, it has no address.
        type: dict
        suboptions:
          external:
            description: Whether it is reached from outside of the environment.
            type: bool
            default: false
          target_port:
            description: Port of the container.
            type: int
            required: true
          transport:
            description: Protocol, V(auto) if not set.
            type: str
            choices: [auto, http, http2, tcp]
          exposed_port:
            description: Port outside, for O(configuration.ingress.transport=tcp).
            type: int
          allow_insecure:
            description: Whether plain HTTP is served instead of a redirect to HTTPS.
            type: bool
            default: false
          client_certificate_mode:
            description: Whether a client certificate is demanded, V(ignore) if not set.
            type: str
            choices: [accept, ignore, require]
          ip_security_restrictions:
            description: Networks that may connect, or may not. All rules have the same action.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name.
                type: str
                required: true
              ip_address_range:
                description: Network, as V(10.0.0.0/8).
                type: str
                required: true
              action:
                description: What to do with requests of this network.
                type: str
                required: true
                choices: [Allow, Deny]
              description:
                description: What the rule is for.
                type: str
          traffic:
            description: Weights of revisions, V(100) in all. All traffic to the newest revision if not set.
            type: list
            elements: dict
            suboptions:
              revision_name:
                description: Name of a revision.
                type: str
              latest_revision:
                description: Whether this is the newest revision, whatever its name.
                type: bool
              weight:
                description: Percent of the requests.
                type: int
                required: true
              label:
                description: Label that gives the revision an address of its own.
                type: str
      secrets:
        description: Secrets of the app.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name.
            type: str
            required: true
          value:
            description: Its value.
            type: str
          key_vault_url:
            description: Address of a Key Vault secret.
            type: str
          identity:
            description: V(system) or the resource id of a user-assigned identity.
            type: str
      registries:
        description: How images of private registries are pulled.
        type: list
        elements: dict
        suboptions:
          server:
            description: Host name.
            type: str
            required: true
          identity:
            description: V(system) or the resource id of a user-assigned identity.
            type: str
          username:
            description: User name.
            type: str
          password_secret_ref:
            description: Name of the secret that holds the password.
            type: str
  template:
    description: The revision. Any change of it makes a new one. Required for O(state=present).
    type: dict
    suboptions:
      revision_suffix:
        description: Suffix of the name of the revision that a change makes. It is not compared.
        type: str
      termination_grace_period_seconds:
        description: Seconds that a replica has to end.
        type: int
      containers:
        description: Containers of a replica.
        type: list
        elements: dict
        required: true
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
            description: Command instead of the image's own.
            type: list
            elements: str
          args:
            description: Arguments.
            type: list
            elements: str
          env:
            description: Environment variables.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name.
                type: str
                required: true
              value:
                description: Its value.
                type: str
              secret_ref:
                description: Name of the secret that holds the value.
                type: str
          resources:
            description: What the container gets.
            type: dict
            suboptions:
              cpu:
                description: vCPU.
                type: float
              memory:
                description: Memory, as V(4Gi).
                type: str
          volume_mounts:
            description: Volumes that it sees.
            type: list
            elements: dict
            suboptions:
              volume_name:
                description: Name of the volume.
                type: str
                required: true
              mount_path:
                description: Path in the container.
                type: str
                required: true
              sub_path:
                description: Directory of the volume.
                type: str
          probes:
            description: Health checks.
            type: list
            elements: dict
            suboptions:
              type:
                description: Kind.
                type: str
                required: true
                choices: [Liveness, Readiness, Startup]
              http_get:
                description: An HTTP request.
                type: dict
                suboptions:
                  path:
                    description: Path.
                    type: str
                  port:
                    description: Port.
                    type: int
                    required: true
                  scheme:
                    description: Scheme.
                    type: str
                    choices: [HTTP, HTTPS]
                  host:
                    description: Host header.
                    type: str
              tcp_socket:
                description: A TCP connection.
                type: dict
                suboptions:
                  port:
                    description: Port.
                    type: int
                    required: true
                  host:
                    description: Host header.
                    type: str
              initial_delay_seconds:
                description: Seconds before the first check.
                type: int
              period_seconds:
                description: Seconds between two checks.
                type: int
              timeout_seconds:
                description: Seconds for an answer.
                type: int
              failure_threshold:
                description: Failures in a row that count.
                type: int
              success_threshold:
                description: Successes in a row that count.
                type: int
      init_containers:
        description: Containers that run to their end first.
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
            description: Command instead of the image's own.
            type: list
            elements: str
          args:
            description: Arguments.
            type: list
            elements: str
          env:
            description: Environment variables.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name.
                type: str
                required: true
              value:
                description: Its value.
                type: str
              secret_ref:
                description: Name of the secret that holds the value.
                type: str
          resources:
            description: What the container gets.
            type: dict
            suboptions:
              cpu:
                description: vCPU.
                type: float
              memory:
                description: Memory, as V(4Gi).
                type: str
          volume_mounts:
            description: Volumes that it sees.
            type: list
            elements: dict
            suboptions:
              volume_name:
                description: Name of the volume.
                type: str
                required: true
              mount_path:
                description: Path in the container.
                type: str
                required: true
              sub_path:
                description: Directory of the volume.
                type: str
      scale:
        description: Number of replicas.
        type: dict
        suboptions:
          min_replicas:
            description: Fewest replicas.
            type: int
          max_replicas:
            description: Most replicas.
            type: int
          cooldown_period:
            description: Seconds without load before the last replica goes.
            type: int
          polling_interval:
            description: Seconds between two looks of the scaler.
            type: int
          rules:
            description: When to add replicas.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name.
                type: str
                required: true
              http:
                description: By requests in flight.
                type: dict
                suboptions:
                  metadata:
                    description: Settings of the scaler.
                    type: dict
              tcp:
                description: By connections.
                type: dict
                suboptions:
                  metadata:
                    description: Settings of the scaler.
                    type: dict
              custom:
                description: By any KEDA scaler, as C(cron).
                type: dict
                suboptions:
                  type:
                    description: Kind of the scaler.
                    type: str
                    required: true
                  metadata:
                    description: Settings of the scaler.
                    type: dict
                  identity:
                    description: V(system) or the resource id of a user-assigned identity.
                    type: str
      volumes:
        description: Volumes.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name.
            type: str
            required: true
          storage_type:
            description: Kind of the volume.
            type: str
            choices: [AzureFile, EmptyDir, NfsAzureFile, Secret]
          storage_name:
            description: Name of the storage in the environment.
            type: str
          mount_options:
            description: Mount options.
            type: str
notes:
  - Secret values are never read back. They are compared by one salted digest in a tag of the app.
  - The template is compared with that of the newest revision.
seealso:
  - module: polycloud.ollama.container_app_deployment
  - module: polycloud.ollama.container_app_environment
  - module: polycloud.ollama.container_app_info
"""

EXAMPLES = r"""
- name: Run a small proxy beside the models
  polycloud.ollama.container_app:
    name: gateway
    resource_group: rg-ollama-westus3
    location: westus3
    environment_id: "{{ environment.environment.id }}"
    configuration:
      ingress:
        external: true
        target_port: 8080
        client_certificate_mode: require
      secrets:
        - name: upstream-token
          value: "{{ upstream_token }}"
    template:
      containers:
        - name: gateway
          image: registry.example.com/gateway:1.4.2
          resources:
            cpu: 0.5
            memory: 1Gi
          env:
            - name: UPSTREAM_TOKEN
              secret_ref: upstream-token
      scale:
        min_replicas: 1
        max_replicas: 3

- name: Shift a tenth of the traffic to another revision
  polycloud.ollama.container_app:
    name: gateway
    resource_group: rg-ollama-westus3
    location: westus3
    environment_id: "{{ environment.environment.id }}"
    configuration:
      active_revisions_mode: Multiple
      ingress:
        external: true
        target_port: 8080
        traffic:
          - revision_name: gateway--blue
            weight: 90
          - revision_name: gateway--green
            weight: 10
    template:
      revision_suffix: green
      containers:
        - name: gateway
          image: registry.example.com/gateway:1.5.0

- name: Remove it
  polycloud.ollama.container_app:
    name: gateway
    resource_group: rg-ollama-westus3
    state: absent
"""

RETURN = r"""
container_app:
  description: The app in snake_case, V(none) where it does not exist. Secret values are not in it.
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
      description: Configuration, template and states.
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
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.modules import app_bundle
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.single import APP_OPTIONS, app_problems
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment
from ansible_collections.polycloud.ollama.plugins.module_utils.events import PROGRESS_ARGSPEC
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import RESOURCE_OPTIONS, run_bundle


def main():
    options = {**APP_OPTIONS, **RESOURCE_OPTIONS, **azure_argument_spec(), **PROGRESS_ARGSPEC}
    module = AnsibleModule(options, supports_check_mode=True)

    def make(emit):
        found = app_problems(module.params) if module.params["state"] == "present" else []
        if found:
            raise InvalidDeployment(found)
        return app_bundle(module.params, azure_client(module.params, emit, timeout=module.params["timeout"]))

    run_bundle(module, make)


if __name__ == "__main__":
    main()
