# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of the fine-grained modules, on a kind that lives in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import FieldChange
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import ApiError, InvalidDeployment
from ansible_collections.polycloud.ollama.plugins.module_utils.resource import Found, Kind, Wanted
from ansible_collections.polycloud.ollama.plugins.module_utils.resource_module import Bundle, run_bundle, run_resource
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY, Ref


class Exited(Exception):
    """The module ended. result: what it said."""

    def __init__(self, **result: Any) -> None:
        super().__init__(result)
        self.result = result


class Module:
    """Stands in for AnsibleModule."""

    no_log_values: frozenset[str] = frozenset()

    def __init__(self, *, check: bool = False, **params: Any) -> None:
        self.check_mode = check
        self.params = {"state": "present", **params}

    def exit_json(self, **result: Any) -> None:
        raise Exited(failed=False, **result)

    def fail_json(self, **result: Any) -> None:
        raise Exited(failed=True, **result)


class Memory(Kind):
    """Resources in a dictionary."""

    title = "thing"
    immutable = ("shape",)

    def __init__(self, broken: str = "", **there: Mapping[str, Any]) -> None:
        self.there = dict(there)
        self.tags: dict[str, dict[str, str]] = {}
        self.broken = broken

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(body)

    def read(self, name: str) -> Found | None:
        if name not in self.there:
            return None
        return Found(id=f"id-{name}", body=self.there[name], tags=self.tags.get(name, {}))

    def _write(self, wanted: Wanted) -> Found:
        if self.broken == wanted.name:
            raise ApiError("thing.Put", 500, "Broken", "no")
        self.there[wanted.name] = wanted.body
        self.tags[wanted.name] = {**self.tags.get(wanted.name, {}), **wanted.tags}
        return Found(id=f"id-{wanted.name}", body=wanted.body, tags=self.tags[wanted.name])

    def create(self, wanted: Wanted) -> Found:
        return self._write(wanted)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        return self._write(wanted)

    def delete(self, found: Found) -> None:
        self.there.pop(found.id.removeprefix("id-"))


def run(kind: Memory, module: Module, state: str | None = None, **body: Any) -> dict[str, Any]:
    wanted = Wanted(key="thing", name="a", body=body, tags={"team": "x"})
    with pytest.raises(Exited) as ended:
        run_resource(module, kind, wanted, state, name="thing")
    return ended.value.result


def test_a_missing_resource_is_created_and_a_second_run_changes_nothing() -> None:
    kind = Memory()
    first = run(kind, Module(), size=1)
    assert first["changed"]
    assert first["thing"] == {"id": "id-a", "name": "a", "tags": {"team": "x"}, "size": 1}
    assert "+ create thing a" in first["diff"]["prepared"]
    assert run(kind, Module(), size=1)["changed"] is False


def test_check_mode_says_what_would_be_and_changes_nothing() -> None:
    kind = Memory()
    seen = run(kind, Module(check=True), size=1)
    assert seen["changed"]
    assert seen["thing"]["id"] == KNOWN_AFTER_APPLY
    assert kind.there == {}


def test_the_plan_of_check_mode_is_what_is_then_done() -> None:
    kind = Memory(a={"size": 1})
    foreseen = run(kind, Module(check=True), size=2)
    assert foreseen["plan"] == run(kind, Module(), size=2)["plan"]
    assert kind.there["a"] == {"size": 2}


def test_an_absent_resource_is_deleted_once() -> None:
    kind = Memory(a={})
    assert run(kind, Module(), state="absent")["changed"]
    assert kind.there == {}
    again = run(kind, Module(), state="absent")
    assert (again["changed"], again["thing"]) == (False, None)


def test_a_resource_of_a_deployment_is_refused_unless_it_is_named() -> None:
    kind = Memory(a={"size": 1})
    kind.tags["a"] = {"polycloud-deployment": "chat"}
    refused = run(kind, Module(), size=2)
    assert refused["failed"]
    assert "thing a belongs to deployment chat" in refused["msg"]
    assert kind.there["a"] == {"size": 1}
    assert run(kind, Module(deployment="chat"), size=2)["changed"]


def test_what_cannot_be_changed_in_place_needs_a_word() -> None:
    kind = Memory(a={"shape": "round"})
    assert "Set recreate: true" in run(kind, Module(), shape="square")["msg"]
    assert run(kind, Module(recreate=True), shape="square")["changed"]
    assert kind.there["a"] == {"shape": "square"}


def two(kind: Memory) -> Bundle:
    wanted = [
        Wanted(key="base", name="base", body={"size": 1}),
        Wanted(key="top", name="top", body={"on": Ref("base")}),
    ]
    return Bundle(
        wanted, {"base": kind, "top": kind}, lambda found: {key: item and item.id for key, item in found.items()}
    )


def test_resources_of_a_bundle_refer_to_each_other() -> None:
    kind = Memory()
    with pytest.raises(Exited) as ended:
        run_bundle(Module(), lambda emit: two(kind))
    assert ended.value.result["top"] == "id-top"
    assert kind.there["top"] == {"on": "id-base"}


def test_a_failure_half_way_says_what_was_planned_and_that_something_changed() -> None:
    kind = Memory(broken="top")
    with pytest.raises(Exited) as ended:
        run_bundle(Module(), lambda emit: two(kind))
    result = ended.value.result
    assert result["failed"]
    assert result["changed"]
    assert result["error"] == "ApiError"
    assert [change["action"] for change in result["plan"]["changes"]] == ["create", "create"]
    assert [event["text"] for event in result["events"]] == ["create base", "create top"]


def test_all_problems_of_a_description_are_told() -> None:
    def broken(emit: Any) -> Bundle:
        raise InvalidDeployment(["a is wrong", "b is wrong"])

    with pytest.raises(Exited) as ended:
        run_bundle(Module(), broken)
    assert ended.value.result["problems"] == ["a is wrong", "b is wrong"]
