# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud that takes a call and says nothing: the run waits as long as its read time-out says, and asks again.

On AWS, where a user sets that time-out (C(aws_config)); on Azure it is a minute, which no test should wait.
"""

from __future__ import annotations

import time

import pytest

from tests.faults.lab import Call
from tests.faults.subjects import SUBJECTS
from tests.sandbox.launcher import Sandbox

HANG_SECONDS = 30.0


@pytest.mark.parametrize("operation", ["ecs DescribeClusters", "ecs CreateService"])
def test_a_call_without_an_answer_is_made_again(clouds: Sandbox, operation: str) -> None:
    lab = SUBJECTS["ecs"].lab(clouds)
    lab.base = {**lab.base, "aws_config": {"read_timeout": 2}}
    lab.image = lab.new_image()
    began = time.monotonic()

    with lab.broken(Call(operation), "hang", 1, hang_seconds=HANG_SECONDS) as rule:
        lab.run()

    assert rule.fired == 1
    assert time.monotonic() - began < HANG_SECONDS
    assert not lab.run(check=True)["changed"]
    assert len(lab.settled_workloads(1)) == 1
