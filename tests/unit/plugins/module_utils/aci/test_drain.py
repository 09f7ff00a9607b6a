# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a group is changed its sidecar is drained; what cannot be drained is told and holds up nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.aci import translate
from ansible_collections.polycloud.ollama.plugins.module_utils.aci.drain import Drain
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import ApiError
from tests.helpers.aci import SERVED, SMALL, describe
from tests.helpers.engines import Reply, Scripted
from tests.helpers.sidecar_options import TOKEN

Script = Callable[..., Scripted]


class Yard:
    """A group and what was told, restarted and changed."""

    def __init__(self, urls: tuple[str, ...], token: str | None = TOKEN) -> None:
        self.told: list[str] = []
        self.restarts = 0
        self.now = 0.0
        self.group = translate.container_group(describe(SERVED))
        self.drain = Drain(
            token,
            lambda group: urls,
            self._restart,
            lambda source, text: self.told.append(text),
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def _restart(self) -> None:
        self.restarts += 1

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def change(self, problem: Exception | None = None) -> None:
        with self.drain.before(self.group):
            self.told.append("changed")
            if problem:
                raise problem


def working(*counts: int) -> dict[str, Callable[[], Reply]]:
    """A sidecar that says so many requests still run, the last number for ever."""
    left = list(counts)

    def reply() -> Reply:
        count = left.pop(0) if len(left) > 1 else left[0]
        return 202, json.dumps({"draining": True, "working": count}).encode()

    return {"/drain?exit=false": reply, "/drain": reply}


def test_the_change_waits_until_no_request_runs(scripted: Script) -> None:
    server = scripted(working(2, 2, 1, 0))
    yard = Yard((server.url,))
    yard.change()
    assert yard.told == ["draining: 2 request(s) still run", "draining: 1 request(s) still run", "drained", "changed"]
    assert [(method, path) for method, path, _, _ in server.requests[:2]] == [
        ("POST", "/drain?exit=false"),
        ("GET", "/drain"),
    ]
    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in " ".join(yard.told)


def test_requests_that_take_too_long_are_cut_and_that_is_told(scripted: Script) -> None:
    yard = Yard((scripted(working(1)).url,))
    yard.change()
    assert yard.told[-2:] == ["1 request(s) took longer than sidecar.drain_seconds and are cut", "changed"]
    assert yard.now >= 100


def test_a_group_that_cannot_be_reached_is_changed_all_the_same(scripted: Script) -> None:
    for urls in (("http://127.0.0.1:1",), ()):
        yard = Yard(urls)
        yard.change()
        assert yard.told[0].startswith("not drained, running answers may be cut: ")
        assert yard.told[-1] == "changed"


def test_a_drain_that_is_refused_is_told(scripted: Script) -> None:
    yard = Yard((scripted({"/drain?exit=false": (404, b'{"error": "not found"}')}).url,))
    yard.change()
    assert "not found" in yard.told[0]
    assert yard.told[-1] == "changed"


def test_without_a_token_nobody_is_asked(scripted: Script) -> None:
    server = scripted(working(0))
    yard = Yard((server.url,), token=None)
    yard.change()
    assert yard.told == ["not drained, running answers may be cut: there is no sidecar.drain_token", "changed"]
    assert server.requests == []


REFUSED = ApiError("PUT containerGroups", 409, "ContainerGroupTransitioning", "later")


def test_a_group_whose_change_is_refused_takes_requests_again(scripted: Script) -> None:
    yard = Yard((scripted(working(0)).url,))
    with pytest.raises(ApiError):
        yard.change(REFUSED)
    assert yard.restarts == 1


def test_a_group_that_was_not_drained_is_not_restarted(scripted: Script) -> None:
    yard = Yard(())
    with pytest.raises(ApiError):
        yard.change(REFUSED)
    assert yard.restarts == 0


@pytest.mark.parametrize("state", ["Stopped", "without a sidecar", "gone"])
def test_what_has_no_running_sidecar_is_changed_without_a_word(scripted: Script, state: str) -> None:
    server = scripted(working(0))
    yard = Yard((server.url,))
    groups: dict[str, dict[str, Any]] = {
        "Stopped": {"properties": {**yard.group["properties"], "instanceView": {"state": "Stopped"}}},
        "without a sidecar": translate.container_group(describe(SMALL)),
        "gone": {},
    }
    yard.group = groups[state]
    yard.change()
    assert yard.told == ["changed"]
    assert server.requests == []
