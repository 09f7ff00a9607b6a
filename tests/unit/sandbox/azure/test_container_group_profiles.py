# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container group profiles keep the bodies of the past as numbered revisions."""

from __future__ import annotations

from typing import Any

PROFILES = "Microsoft.ContainerInstance/containerGroupProfiles"
TARGET = ("rg-ollama-westus3", "chat")


def with_image(body: Any, tag: str) -> Any:
    body["properties"]["containers"][0]["properties"]["image"] = f"example.test/ollama:{tag}"
    return body


def test_each_change_of_the_properties_is_a_new_revision(azure: Any, group_body: Any) -> None:
    profiles = azure.aci.cg_profile
    first = profiles.create_or_update(*TARGET, with_image(group_body, "1"))
    assert (first.properties.revision, first.properties.registered_revisions) == (1, [1])
    assert profiles.create_or_update(*TARGET, with_image(group_body, "1")).properties.revision == 1
    assert profiles.create_or_update(*TARGET, with_image(group_body, "2")).properties.revision == 2
    images = [found.properties.containers[0].properties.image for found in profiles.list_all_revisions(*TARGET)]
    assert images == ["example.test/ollama:1", "example.test/ollama:2"]
    assert profiles.get_by_revision_number(*TARGET, "1").properties.containers[0].properties.image == images[0]


def test_tags_are_patched_without_a_new_revision(azure: Any, group_body: Any) -> None:
    profiles = azure.aci.cg_profile
    profiles.create_or_update(*TARGET, group_body)
    changed = profiles.update(*TARGET, {"tags": {"release": "7"}})
    assert (changed.tags, changed.properties.revision) == ({"release": "7"}, 1)


def test_secrets_are_not_given_back(azure: Any, group_body: Any) -> None:
    answer = azure.call("PUT", azure.path(PROFILES, "chat"), group_body)
    assert answer.status == 201
    assert "hidden" not in str(answer.body)


def test_a_missing_revision_is_a_404_and_delete_takes_all(azure: Any, group_body: Any) -> None:
    profiles = azure.aci.cg_profile
    profiles.create_or_update(*TARGET, group_body)
    assert azure.call("GET", azure.path(PROFILES, "chat", "revisions", "2")).status == 404
    assert [found.name for found in azure.aci.cg_profiles.list_by_resource_group(TARGET[0])] == ["chat"]
    profiles.delete(*TARGET)
    assert azure.call("GET", azure.path(PROFILES, "chat")).status == 404
    assert azure.call("DELETE", azure.path(PROFILES, "chat")).status == 204


def test_a_group_may_name_a_profile_that_exists(azure: Any, group_body: Any) -> None:
    group = azure.path("Microsoft.ContainerInstance/containerGroups", "chat")
    group_body["properties"]["containerGroupProfile"] = {"id": azure.path(PROFILES, "chat"), "revision": 1}
    assert azure.call("PUT", group, group_body).code == "LinkedResourceNotFound"
    profile = {key: value for key, value in group_body["properties"].items() if key != "containerGroupProfile"}
    azure.call("PUT", azure.path(PROFILES, "chat"), {**group_body, "properties": profile})
    assert azure.call("PUT", group, group_body).status == 201
