# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret values travel beside bodies, never in them."""

from __future__ import annotations

import json

from ansible_collections.polycloud.ollama.plugins.module_utils.aci.secrets import (
    MARK,
    fill_secrets,
    known,
    take_secrets,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY

BODY = {
    "properties": {
        "containers": [
            {
                "name": "web",
                "properties": {
                    "environmentVariables": [
                        {"name": "PLAIN", "value": ""},
                        {"name": "TOKEN", "secureValue": "canary-1"},
                        {"name": "VAULT", "secureValueReference": "vault"},
                    ]
                },
            }
        ],
        "volumes": [{"name": "certs", "secret": {"tls.key": "canary-2"}}, {"name": "tmp", "emptyDir": {}}],
    }
}


def test_values_and_body_are_parted_and_joined_without_loss() -> None:
    marked, values = take_secrets(BODY)

    assert "canary" not in json.dumps(marked)
    assert values == {"containers.web.TOKEN": "canary-1", "volumes.certs.tls.key": "canary-2"}
    assert fill_secrets(marked, values) == (BODY, ())


def test_taking_changes_nothing_in_the_body_that_was_given() -> None:
    before = json.dumps(BODY)
    take_secrets(BODY)

    assert json.dumps(BODY) == before


def test_a_body_that_azure_gave_back_is_filled_by_name() -> None:
    found = {
        "properties": {
            "containers": [{"name": "web", "properties": {"environmentVariables": [{"name": "TOKEN"}]}}],
            "volumes": [{"name": "certs", "secret": {}}],
        }
    }
    filled, missing = fill_secrets(found, {"containers.web.TOKEN": "1", "volumes.certs.tls.key": "2"})

    assert missing == ()
    assert filled["properties"]["containers"][0]["properties"]["environmentVariables"] == [
        {"name": "TOKEN", "secureValue": "1"}
    ]
    assert filled["properties"]["volumes"][0]["secret"] == {"tls.key": "2"}


def test_what_has_no_value_is_named() -> None:
    found = {"properties": {"containers": [], "volumes": [{"name": "certs", "secret": {}}]}}

    assert fill_secrets(found, {})[1] == ("volumes.certs",)


def test_a_marked_body_stays_marked() -> None:
    marked, _values = take_secrets(BODY)
    again, values = take_secrets(marked)

    assert again == marked
    assert values == {}
    assert MARK in json.dumps(again)


def test_a_key_that_is_known_after_apply_is_no_value_yet() -> None:
    assert known({"a": "1", "b": KNOWN_AFTER_APPLY}) == {"a": "1"}
