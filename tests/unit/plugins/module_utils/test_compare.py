# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing bodies: order, numbers, named lists, and what clouds answer where nothing was sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import FieldChange, diff, drop_empty, mask, merge

BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def paths(before: Any, after: Any) -> list[str]:
    return [change.path for change in diff(before, after)]


@given(BODIES)
def test_a_body_equals_itself(body: Any) -> None:
    assert diff(body, body) == []


@given(BODIES)
def test_dropping_what_is_empty_twice_is_dropping_it_once(body: Any) -> None:
    assert drop_empty(drop_empty(body)) == drop_empty(body)


@given(st.dictionaries(st.sampled_from("abc"), st.integers()), st.dictionaries(st.sampled_from("abc"), st.integers()))
def test_a_difference_is_found_exactly_when_there_is_one(before: dict[str, int], after: dict[str, int]) -> None:
    assert bool(diff(before, after)) == (before != after)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}, ["env.A.value"]),
        ({"env": [{"name": "A"}, {"name": "B"}]}, {"env": [{"name": "B"}, {"name": "A"}]}, []),
        ({"env": [{"name": "A"}]}, {"env": [{"name": "A"}, {"name": "B"}]}, ["env.B"]),
        ({"subnets": ["a", "b"]}, {"subnets": ["a", "c"]}, ["subnets[1]"]),
        ({"cpu": 4}, {"cpu": 4.0}, []),
        ({"cpu": "4"}, {"cpu": 4}, ["cpu"]),
        ({"on": True}, {"on": 1}, ["on"]),
        ({"a": 1}, {}, ["a"]),
    ],
)
def test_differences_are_named_by_path(before: Any, after: Any, changed: list[str]) -> None:
    assert paths(before, after) == changed


def test_overrides_merge_by_key_and_name_and_remove_with_null() -> None:
    body = {"containers": [{"name": "ollama", "cpu": 1, "user": "x"}], "tags": ["a"], "kind": "k"}
    overrides = {"containers": [{"name": "ollama", "user": None}, {"name": "more"}], "tags": ["b"], "new": {"x": 1}}

    assert merge(body, overrides) == {
        "containers": [{"name": "ollama", "cpu": 1}, {"name": "more"}],
        "tags": ["b"],
        "kind": "k",
        "new": {"x": 1},
    }
    assert body["containers"] == [{"name": "ollama", "cpu": 1, "user": "x"}]


def test_a_masked_change_shows_no_value() -> None:
    changes = mask(
        diff({"secrets": {"key": "canary-1"}, "a": 1}, {"secrets": {"key": "canary-2"}, "a": 2}), ["secrets"]
    )

    assert changes[0].to_dict() == {"path": "secrets.key", "before": "(secret)", "after": "(secret)"}
    assert changes[1] == FieldChange("a", 1, 2)
