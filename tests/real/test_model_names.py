# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real Ollama as the witness of our rule for names of models."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.helpers.model_names import NAMES, NO_NAMES, NO_TAG, NOT_OF_THIS_SERVER
from tests.helpers.real_ollama import RealOllama

pytestmark = pytest.mark.real


def shown(server: RealOllama, name: str) -> int:
    """The status of a question for a model: 404 for a good name of a model that is not there."""
    body = json.dumps({"model": name}).encode()
    request = urllib.request.Request(f"{server.url}/api/show", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_ollama_takes_the_names_that_we_take_and_refuses_those_that_we_refuse(real_ollama: RealOllama) -> None:
    # It cuts white space off at both ends; we do not.
    refused = [name for name in NO_NAMES if name == name.strip()]
    assert {name: shown(real_ollama, name) for name in NAMES} == dict.fromkeys(NAMES, 404)
    assert {name: shown(real_ollama, name) for name in refused} == dict.fromkeys(refused, 400)


def test_ollama_reads_a_cloud_and_this_server_out_of_tags(real_ollama: RealOllama) -> None:
    assert {shown(real_ollama, name) for name in NOT_OF_THIS_SERVER} == {403}
    assert shown(real_ollama, NO_TAG[0]) == 200, "tiny:local must mean tiny:latest"
