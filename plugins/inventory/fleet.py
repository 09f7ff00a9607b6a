# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet inventory: every running Ollama of ours, on all clouds, accounts and regions."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
short_description: Running Ollama tasks, container groups and app replicas on all clouds
version_added: 0.1.0
author:
  - polycloud.ollama contributors (@polycloud)
description:
  - Lists what runs now on AWS ECS, Azure Container Instances and Azure Container Apps, in any number of accounts and
    regions.
  - All accounts and regions are read at the same time. ECS is read at the paging minimum, 100 tasks a call.
  - Host names are unique over regions and accounts. The address is in C(ansible_host), which may repeat between private
    networks.
  - All hosts are in the group C(ollama_fleet), and in groups by cloud, platform, region, deployment, model, GPU and
    health, such as C(region_us_east_1), C(model_gemma3_4b) or C(health_healthy). They use
    C(ansible_connection=local), since there is no shell in a managed container to connect to.
  - A deployment playbook works on the group C(ollama_targets), so it never touches these hosts.
  - The configuration file must end in C(fleet.yml) or C(fleet.yaml).
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Marks the file as one of this plugin.
    type: str
    required: true
    choices: [polycloud.ollama.fleet]
  aws:
    description:
      - AWS accounts to read, each with the keys C(regions) (list, required), C(name), C(profile), C(access_key),
        C(secret_key), C(session_token), C(assume_role_arn) and C(endpoint_url).
      - What is not given comes from the AWS SDK's own environment variables and files. Values may be templates.
    type: list
    elements: dict
    default: []
  azure:
    description:
      - Azure subscriptions to read, each with the key C(subscription_id) and any of the options of our Azure modules,
        such as C(tenant), C(client_id), C(secret), C(profile), C(auth_source), C(cloud_environment) or
        C(resource_manager_endpoint).
      - What is not given comes from the environment variables of C(azure.azcollection). Values may be templates.
    type: list
    elements: dict
    default: []
  deployments:
    description: Only these deployments. All of ours by default.
    type: list
    elements: str
    default: []
  managed_only:
    description: Leave out what does not carry the ownership tags of this collection.
    type: bool
    default: true
  details:
    description:
      - Add the variable C(fleet_details) to every host, with what the cloud's API said of it, for C(compose), C(groups)
        and C(keyed_groups). It has the keys C(task) and C(task_definition) for ECS, C(container_group) for Azure
        Container Instances, C(container_app), C(revision) and C(replica) for Azure Container Apps.
      - Field names are the API's own in snake_case, tags are a dictionary, times are text in UTC.
      - What may hold a secret is left out, among it environment variables, secrets and references to them, registry and
        volume credentials, commands, overrides, labels and log options.
      - Makes the output of C(ansible-inventory --list) about six times as large, and costs no more calls.
    type: bool
    default: false
  fail_on_partial:
    description:
      - Fail when an account or region cannot be read. By default that is a warning, and the others are listed.
      - A partial answer is never written to the cache.
    type: bool
    default: false
  threads:
    description: Calls in flight at the same time.
    type: int
    default: 16
requirements:
  - boto3 for AWS
  - azure-identity and azure-mgmt-core for Azure
"""

EXAMPLES = r"""
# inventory/fleet.yml: two AWS regions and one Azure subscription, with the credentials of the environment
plugin: polycloud.ollama.fleet
aws:
  - regions: [us-east-1, eu-west-1]
azure:
  - subscription_id: 00000000-0000-0000-0000-000000000000

---
# A second account by role, only the deployment "chat", cached for a minute, and a group of what needs a look
plugin: polycloud.ollama.fleet
aws:
  - name: production
    assume_role_arn: arn:aws:iam::123456789012:role/ollama-read
    regions: [us-east-1]
deployments: [chat]
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ollama-fleet
cache_timeout: 60
groups:
  needs_a_look: fleet_health != 'healthy'
keyed_groups:
  - key: fleet_release
    prefix: release

---
# Groups of ECS tasks by availability zone and capacity provider, from what the API said of each task
plugin: polycloud.ollama.fleet
aws:
  - regions: [us-east-1]
details: true
keyed_groups:
  - key: fleet_details.task.availability_zone
    prefix: zone
  - key: fleet_details.task.capacity_provider_name
    prefix: capacity
"""

from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.paths import only_paths, value_at
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.reading import Reading, read_fleet
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.replica import GROUP, Replica, name_hosts


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads the clouds, or the cache, and fills the inventory."""

    NAME = "polycloud.ollama.fleet"

    def verify_file(self, path: str) -> bool:
        """Take only files named for us."""
        return bool(super().verify_file(path)) and path.endswith(("fleet.yml", "fleet.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory from the configuration at path."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._populate(name_hosts(self._wanted(self._replicas(path, cache))))

    def _replicas(self, path: str, cache: bool) -> list[Replica]:
        """From the cache if that is allowed and fresh, else from the clouds; only a whole answer is written back."""
        self.load_cache_plugin()
        # A cache filled without details has none to give.
        key = self.get_cache_key(path) + ("_details" if self.get_option("details") else "")
        if cache and self.get_option("cache"):
            cached = self._cache.get(key)
            if cached is not None:
                return [Replica.from_dict(item) for item in cached]
        reading = self._read()
        if self.get_option("cache") and reading.complete:
            self._cache[key] = [replica.to_dict() for replica in reading.replicas]
        return list(reading.replicas)

    def _read(self) -> Reading:
        # Here and not above: it loads the clouds' libraries, which an answer from the cache does not need.
        from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.sources import fleet_sources

        options = {name: self.get_option(name) for name in ("aws", "azure", "managed_only", "details")}
        try:
            sources = fleet_sources(**options, template=self._template)
            reading = read_fleet(sources, max(1, self.get_option("threads")))
        except PolycloudError as error:
            raise AnsibleParserError(str(error)) from error
        for name, why in reading.failures.items():
            if self.get_option("fail_on_partial"):
                raise AnsibleParserError(f"{name} could not be read: {why}")
            self.display.warning(f"{name} could not be read, its hosts are missing: {why}")
        return reading

    def _template(self, value: Any) -> Any:
        return self.templar.template(value)

    def _wanted(self, replicas: list[Replica]) -> list[Replica]:
        names = set(self.get_option("deployments"))
        return [replica for replica in replicas if not names or replica.deployment in names]

    def _populate(self, hosts: dict[str, Replica]) -> None:
        self.inventory.add_group(GROUP)
        self.inventory.set_variable(GROUP, "ansible_connection", "local")
        known: set[str] = set()
        constructed = any(self.get_option(name) for name in ("compose", "groups", "keyed_groups"))
        for name, replica in hosts.items():
            self.inventory.add_host(name, GROUP)
            variables = replica.variables()
            for key, value in variables.items():
                self.inventory.set_variable(name, key, value)
            for group in replica.groups():
                if group not in known:
                    known.add(self.inventory.add_group(group))
                self.inventory.add_child(group, name)
            if constructed:
                self._construct(name, variables)

    def _compose(self, template: str, variables: dict[str, Any], *args: Any) -> Any:
        """A path into our variables is looked up: the template engine would compile it anew for every host."""
        if not self.get_option("use_extra_vars"):
            with suppress(KeyError):
                return value_at(template, variables)
        return super()._compose(template, variables, *args)

    def _construct(self, name: str, variables: dict[str, Any]) -> None:
        strict, compose, keyed = (self.get_option(option) for option in ("strict", "compose", "keyed_groups"))
        # What else a host has is fetched only for keys that may ask for it.
        fetch = bool(compose) or not only_paths(keyed)
        self._set_composite_vars(compose, variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(keyed, variables, name, strict=strict, fetch_hostvars=fetch)
