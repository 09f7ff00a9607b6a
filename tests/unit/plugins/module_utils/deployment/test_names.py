# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a model is what Ollama takes for one, less what would leave the network or deceive."""

from __future__ import annotations

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.names import model_name_problem
from tests.helpers.model_names import NAMES, NO_NAMES, NO_TAG, NOT_OF_THIS_SERVER


@pytest.mark.parametrize("name", NAMES)
def test_what_ollama_takes_for_a_name_is_one(name: str) -> None:
    assert model_name_problem(name) is None


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_ollama_refuses_is_none(name: str) -> None:
    assert (model_name_problem(name) or "").startswith("must ")


@pytest.mark.parametrize("name", NOT_OF_THIS_SERVER)
def test_a_cloud_model_is_refused_however_it_is_written(name: str) -> None:
    assert model_name_problem(name) == "is a cloud model: its prompts would leave your network"


@pytest.mark.parametrize("name", NO_TAG)
def test_the_tag_local_is_none(name: str) -> None:
    assert "which Ollama reads as" in (model_name_problem(name) or "")


@pytest.mark.parametrize("name", ["evil.example/library/tiny", "evil.example:5000/tiny", "a/b/c"])
def test_a_registry_host_is_told_as_such(name: str) -> None:
    assert (model_name_problem(name) or "").startswith("must not name a registry host")
