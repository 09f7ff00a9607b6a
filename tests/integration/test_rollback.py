# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback in two phases: every target can be rolled back, or none is touched."""

from __future__ import annotations

import pytest

from tests.integration.conftest import BETTER_IMAGE, Play
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
TARGETS = ("--limit", "chat-use1:chat-swedencentral")
BETTER = ("-e", f"ollama_image={BETTER_IMAGE}")
WRITES = ("Create", "Update", "Delete", "Register", "PUT", "PATCH", "DELETE")


def test_no_target_is_touched_unless_every_one_can_be_rolled_back(play: Play, clouds: Sandbox) -> None:
    first = play("site", *TARGETS)
    assert first.code == 0, first.output
    assert play("site", "--limit", "chat-use1", *BETTER).code == 0

    clouds.client.clear_requests()
    refused = play("rollback", *TARGETS)
    assert refused.code == 2
    assert [call["operation"] for call in clouds.client.requests() if call["operation"].startswith(WRITES)] == []
    errors = refused.of_targets("error")
    assert "there is no earlier good release to roll back to" in errors["chat-swedencentral"]
    assert "Not touched, since not every target can be rolled back: chat-swedencentral" in errors["chat-use1"]
    assert "0.24.1" in refused.target("chat-use1")["serving"]

    assert play("site", "--limit", "chat-swedencentral", *BETTER).code == 0
    done = play("rollback", *TARGETS)
    assert done.code == 0, done.output
    assert set(done.of_targets("health").values()) == {"healthy"}
    assert all("0.24.0" in serving for serving in done.of_targets("serving").values())
