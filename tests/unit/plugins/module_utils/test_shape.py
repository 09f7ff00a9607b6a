# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""snake_case to an API's own names and back, by the argument spec."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils import shape

SPEC = {
    "desired_count": {"type": "int"},
    "tags": {"type": "dict"},
    "containers": {"type": "list", "options": {"memory_in_gb": {"type": "float"}, "image": {"type": "str"}}},
    "network": {"type": "dict", "options": {"subnet_ids": {"type": "list"}}},
}


def test_parameters_become_the_apis_names_and_what_was_not_given_is_left_out() -> None:
    params = {
        "desired_count": 0,
        "tags": {"snake_key": "v"},
        "containers": [{"memory_in_gb": 1.5, "image": None}],
        "network": {"subnet_ids": ["a"]},
        "unknown": 1,
    }

    assert shape.to_api(params, SPEC) == {
        "desiredCount": 0,
        "tags": {"snake_key": "v"},
        "containers": [{"memoryInGB": 1.5}],
        "network": {"subnetIds": ["a"]},
    }


@pytest.mark.parametrize("name", [*shape.SPECIAL, "launch_type", "port"])
def test_a_name_there_and_back_is_itself(name: str) -> None:
    assert shape.snake(shape.camel(name)) == name


def test_an_answer_becomes_snake_case_and_the_users_own_words_stay() -> None:
    answer = {
        "desiredCount": 1,
        "tags": {"TeamName": "ml"},
        "list": [{"memoryInGB": 2}],
        "createdAt": datetime(2026, 11, 22, tzinfo=UTC),
    }

    assert shape.from_api(answer) == {
        "desired_count": 1,
        "tags": {"TeamName": "ml"},
        "list": [{"memory_in_gb": 2}],
        "created_at": "2026-11-22T00:00:00+00:00",
    }
