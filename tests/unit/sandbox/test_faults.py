# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault switch: which call fails, how often, and what a bad description is answered with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.faults import FaultError, FaultRule, FaultSwitch


def outcomes(switch: FaultSwitch, calls: int, operation: str = "UpdateService") -> list[str | None]:
    decided = [switch.decide("aws", "ecs", operation, "us-east-1") for _ in range(calls)]
    return [rule.kind if rule else None for rule in decided]


@pytest.mark.parametrize(
    ("nth", "times", "expected"),
    [
        (1, 1, ["throttle", None, None, None]),
        (2, 1, [None, "throttle", None, None]),
        (2, 2, [None, "throttle", "throttle", None]),
        (3, None, [None, None, "throttle", "throttle"]),
    ],
)
def test_a_rule_acts_on_the_nth_call_and_so_many_times(nth: int, times: int | None, expected: list[str | None]) -> None:
    switch = FaultSwitch()
    switch.arm(FaultRule("UpdateService", "throttle", nth=nth, times=times))
    assert outcomes(switch, 4) == expected


def test_counting_begins_when_the_rule_is_armed() -> None:
    switch = FaultSwitch()
    outcomes(switch, 5)
    switch.arm(FaultRule("UpdateService", "error500", nth=2))
    assert outcomes(switch, 2) == [None, "error500"]


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({"operation": "UpdateService"}, True),
        ({"operation": "^ecs "}, True),
        ({"operation": "^ecs Update(Service|Cluster)$"}, True),
        ({"operation": "UpdateServicePrimaryTaskSet"}, False),
        ({"operation": ".", "cloud": "aws"}, True),
        ({"operation": ".", "cloud": "azure"}, False),
        ({"operation": ".", "region": "us-east-1"}, True),
        ({"operation": ".", "region": "eu-west-1"}, False),
    ],
)
def test_a_rule_counts_calls_by_service_operation_cloud_and_region(rule: dict[str, Any], matches: bool) -> None:
    switch = FaultSwitch()
    switch.arm(FaultRule.from_mapping({"kind": "throttle", **rule}))
    assert outcomes(switch, 1) == ["throttle" if matches else None]


def test_of_two_rules_the_first_acts_and_both_count() -> None:
    switch = FaultSwitch()
    switch.arm(FaultRule("Update", "throttle"))
    second = switch.arm(FaultRule("Update", "error500", nth=2))
    assert outcomes(switch, 2) == ["throttle", "error500"]
    assert (second.seen, second.fired) == (2, 1)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({}, "kind is missing"),
        ({"kind": "explode"}, "kind 'explode' is unknown; choose one of throttle"),
        ({"kind": "throttle", "cloud": "gcp"}, "cloud 'gcp' is unknown"),
        ({"kind": "throttle", "nth": 0}, "nth 0 must be"),
        ({"kind": "throttle", "nth": "2"}, "nth '2' must be"),
        ({"kind": "throttle", "times": 0}, "times 0 must be"),
        ({"kind": "hang", "hang_seconds": -1}, "hang_seconds -1 must be"),
        ({"kind": "throttle", "operation": "("}, "no regular expression"),
        ({"kind": "throttle", "operation": 3}, "no regular expression"),
        ({"kind": "throttle", "seen": 3}, r"unknown field\(s\) seen"),
    ],
)
def test_a_bad_rule_is_refused_with_its_field_and_the_rule(wanted: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        FaultRule.from_mapping(wanted)


def test_one_cloud_can_be_down_and_come_back() -> None:
    switch = FaultSwitch()
    switch.set_down("azure", True, "unavailable")
    assert (switch.down_mode("aws"), switch.down_mode("azure")) == (None, "unavailable")
    switch.set_down("azure", False)
    assert switch.down_mode("azure") is None
    with pytest.raises(FaultError, match="'gcp'"):
        switch.set_down("gcp", True)
    with pytest.raises(FaultError, match="mode 'gone'"):
        switch.set_down("aws", True, "gone")


def test_credentials_expire_for_one_cloud_or_for_all() -> None:
    switch = FaultSwitch()
    switch.set_credentials_expired(True)
    switch.set_credentials_expired(False, "aws")
    assert (switch.credentials_expired("aws"), switch.credentials_expired("azure")) == (False, True)


def test_gpus_are_without_limit_until_capacity_or_quota_says_otherwise() -> None:
    switch = FaultSwitch()
    assert not switch.gpu_stockout(1000, 1)
    assert not switch.over_quota(1000, 1)
    switch.gpu_capacity, switch.quota = 2, 0
    assert [switch.gpu_stockout(in_use, 1) for in_use in (0, 1, 2)] == [False, False, True]
    assert switch.over_quota(0, 1)
    assert not switch.over_quota(0, 0)


def test_reset_switches_everything_off() -> None:
    switch = FaultSwitch()
    untouched = switch.state()
    switch.arm(FaultRule(".", "throttle"))
    switch.set_down("aws", True)
    switch.set_credentials_expired(True)
    switch.latency_ms, switch.gpu_capacity, switch.quota = 5, 1, 0
    assert switch.state() != untouched
    switch.reset()
    assert switch.state() == untouched
