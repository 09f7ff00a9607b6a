# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container group in snake_case becomes the API's own body."""

from __future__ import annotations

from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.polycloud.ollama.plugins.module_utils.aci import normalise, single
from ansible_collections.polycloud.ollama.plugins.modules import aci_container_group
from tests.helpers.aci import IDENTITY, SUBNET
from tests.sandbox.azure import derived_specs, schema, sdk_models

EVERYTHING: dict[str, Any] = {
    "name": "proxy",
    "resource_group": "rg",
    "location": "swedencentral",
    "zones": ["1"],
    "identity": {"type": "UserAssigned", "user_assigned_identities": [IDENTITY]},
    "containers": [
        {
            "name": "proxy",
            "image": "registry.example.com/proxy:1",
            "command": ["/proxy"],
            "ports": [{"port": 8080}],
            "environment_variables": [
                {"name": "PLAIN", "value": "1"},
                {"name": "TOKEN", "secure_value": "canary"},
                {"name": "VAULT", "secure_value_reference": "vault"},
            ],
            "resources": {"requests": {"cpu": 1, "memory_in_gb": 1.5}, "limits": {"cpu": 2}},
            "volume_mounts": [{"name": "files", "mount_path": "/files", "read_only": True}],
            "liveness_probe": {"exec": {"command": ["true"]}, "initial_delay_seconds": 5},
            "readiness_probe": {
                "http_get": {"port": 8080, "path": "/healthz", "http_headers": [{"name": "a", "value": "b"}]}
            },
        }
    ],
    "init_containers": [{"name": "first", "image": "registry.example.com/first:1"}],
    "image_registry_credentials": [{"server": "example.azurecr.io", "identity": IDENTITY}],
    "volumes": [
        {
            "name": "files",
            "azure_file": {"share_name": "s", "storage_account_name": "a", "storage_account_key": "canary"},
        },
        {"name": "scratch", "empty_dir": True},
        {"name": "certs", "secret": {"tls.key": "Y2FuYXJ5"}},
    ],
    "secret_references": [{"name": "vault", "identity": IDENTITY, "secret_reference_uri": "https://v/secrets/s"}],
    "ip_address": {"type": "Private", "ports": [{"port": 8080}]},
    "subnet_ids": [SUBNET],
    "dns_config": {"name_servers": ["10.0.0.4"], "options": "ndots:2"},
    "diagnostics": {"log_analytics": {"workspace_id": "1", "workspace_key": "canary"}},
}


def checked(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters as a module gets them: types converted, defaults filled in."""
    result = ArgumentSpecValidator(single.GROUP_OPTIONS).validate(params)
    assert not result.error_messages
    found: dict[str, Any] = result.validated_parameters
    return found


def test_every_option_lands_where_the_sdk_and_the_specification_expect_it() -> None:
    body = single.container_group(checked(EVERYTHING))

    assert schema.clean(sdk_models.schema("Microsoft.ContainerInstance", "ContainerGroup"), body) == body
    derived = derived_specs.schema("Microsoft.ContainerInstance", "2025-09-01", "ContainerGroup")
    if derived is not None:
        assert schema.clean(derived, body) == body


def test_names_that_are_not_simply_camel_case_are_right() -> None:
    properties = single.container_group(checked(EVERYTHING))["properties"]

    assert properties["containers"][0]["properties"]["resources"]["requests"] == {"cpu": 1.0, "memoryInGB": 1.5}
    assert properties["subnetIds"] == [{"id": SUBNET}]
    assert [sorted(volume) for volume in properties["volumes"]] == [
        ["azureFile", "name"],
        ["emptyDir", "name"],
        ["name", "secret"],
    ]
    assert properties["volumes"][2]["secret"] == {"tls.key": "Y2FuYXJ5"}


def test_what_is_compared_misses_no_option() -> None:
    flat = normalise.container_group(single.container_group(checked(EVERYTHING)))

    assert {"identity", "zones", "resources", "dnsConfig", "secretReferences", "diagnostics"} <= set(flat)
    assert flat["containers"][0]["livenessProbe"]["exec"] == {"command": ["true"]}


def test_the_examples_of_the_module_break_no_rule() -> None:
    for task in yaml.safe_load(aci_container_group.EXAMPLES):
        args = task["polycloud.ollama.aci_container_group"]
        if args.pop("state", "present") == "present":
            assert single.problems(checked(args)) == []
