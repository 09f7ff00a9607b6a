# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies are judged by two witnesses: the SDK models, and the derived structural files where they are at hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.azure import derived_specs, sdk_models
from tests.sandbox.azure.errors import ArmError
from tests.sandbox.azure.schema import Node, clean

BOTH = [
    ("Microsoft.ContainerInstance", "2025-09-01", "ContainerGroup"),
    ("Microsoft.ContainerInstance", "2025-09-01", "ContainerGroupProfile"),
    ("Microsoft.App", "2026-07-01", "ContainerApp"),
    ("Microsoft.App", "2026-07-01", "ManagedEnvironment"),
    ("Microsoft.App", "2026-07-01", "ManagedEnvironmentStorage"),
]


def tree(node: Node, path: str = "", above: tuple[str, ...] = ()) -> set[tuple[str, str, bool, bool]]:
    """Return all properties below a node: path, kind, required, read only."""
    if node.items is not None:
        return tree(node.items, path + "[]", above)
    found: set[tuple[str, str, bool, bool]] = set()
    if node.name in above:
        return found
    for name, wanted in node.properties.items():
        below = f"{path}.{name}"
        found.add((below, wanted.node.kind, wanted.required, wanted.read_only))
        found |= tree(wanted.node, below, (*above, node.name))
    return found


@pytest.mark.skipif(derived_specs.folder() is None, reason="the derived files are not at hand: POLYCLOUD_AZURE_SPECS")
@pytest.mark.parametrize(("namespace", "version", "model"), BOTH)
def test_both_witnesses_describe_the_same_body(namespace: str, version: str, model: str) -> None:
    derived = derived_specs.schema(namespace, version, model)
    assert derived is not None
    found = tree(sdk_models.schema(namespace, model))
    assert len(found) > 15
    assert found == tree(derived)


def test_read_only_properties_are_dropped_and_others_kept() -> None:
    node = sdk_models.schema("Microsoft.App", "ContainerApp")
    body = {"location": "x", "id": "/a", "properties": {"provisioningState": "Succeeded", "workloadProfileName": "gpu"}}
    assert clean(node, body) == {"location": "x", "properties": {"workloadProfileName": "gpu"}}


def test_a_merge_patch_may_lack_required_properties_but_not_inside_of_an_array() -> None:
    node = sdk_models.schema("Microsoft.App", "ContainerApp")
    assert clean(node, {"tags": {"a": None}}, partial=True) == {"tags": {"a": None}}
    probes = [{"type": "Liveness", "httpGet": {"path": "/"}}]
    change = {"properties": {"template": {"containers": [{"name": "x", "probes": probes}]}}}
    with pytest.raises(ArmError, match="Required property 'port'"):
        clean(node, change, partial=True)


@pytest.mark.parametrize(
    ("value", "named"),
    [({"location": 1}, "location"), ({"location": True}, "location"), ({"location": "x", "tags": ["a"]}, "tags")],
)
def test_wrong_types_are_refused_by_name(value: dict[str, Any], named: str) -> None:
    with pytest.raises(ArmError, match=f"Path '{named}'"):
        clean(sdk_models.schema("Microsoft.App", "ContainerApp"), value)


def test_enum_values_are_an_open_set() -> None:
    node = sdk_models.schema("Microsoft.App", "ContainerApp")
    body = {"location": "x", "properties": {"configuration": {"activeRevisionsMode": "Labels"}}}
    assert clean(node, body) == body
