# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's configuration is checked whole before the first call; sources are read side by side, fail alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import Executor
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import (
    InvalidDeployment,
    PolycloudError,
    Unreachable,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.reading import read_fleet
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.replica import Replica
from ansible_collections.polycloud.ollama.plugins.module_utils.fleet.sources import AWS_OPTIONS, Account, fleet_sources

PATHS = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def sources(**options: Any) -> dict[str, Any]:
    return fleet_sources(**{"aws": [], "azure": [], "managed_only": True, "template": lambda value: value, **options})


def test_every_region_and_subscription_is_a_source_of_its_own() -> None:
    found = sources(
        aws=[{"name": "prod", "regions": ["us-east-1", "eu-west-1"]}, {"regions": ["us-east-1"]}],
        azure=[{"subscription_id": "s-1"}, {"subscription_id": "s-1"}],
    )

    assert list(found) == ["aws prod us-east-1", "aws prod eu-west-1", "aws us-east-1", "azure s-1", "azure s-1 #5"]


def test_all_wrong_keys_are_named_at_once() -> None:
    with pytest.raises(InvalidDeployment) as wrong:
        sources(aws=[{"region": "us-east-1"}, "us-east-1"], azure=[{"subscription": "x"}])

    text = str(wrong.value)
    assert "aws[0]" in text
    assert "regions" in text
    assert "aws[1] must be a mapping" in text
    assert "azure[0]" in text


def test_nothing_to_read_is_an_error_and_not_an_empty_fleet() -> None:
    with pytest.raises(InvalidDeployment, match="at least one account"):
        sources()


def test_values_may_be_templates() -> None:
    found = sources(azure=[{"subscription_id": "{{ x }}"}], template=lambda value: value.replace("{{ x }}", "filled"))

    assert list(found) == ["azure filled"]


def test_the_regions_of_an_account_share_one_session_and_assume_its_role_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str]] = []

    class Session:
        def __init__(self, **options: Any) -> None:
            self.region = options["region_name"]

        def client(self, service: str, region_name: str = "", **_: Any) -> Any:
            made.append((service, region_name or self.region))
            return self

        def assume_role(self, **_: str) -> dict[str, dict[str, str]]:
            return {"Credentials": dict.fromkeys(("AccessKeyId", "SecretAccessKey", "SessionToken"), "assumed")}

    monkeypatch.setattr("boto3.session.Session", Session)
    options = dict.fromkeys(AWS_OPTIONS) | {"assume_role_arn": "arn:aws:iam::123456789012:role/read"}
    account = Account(options)
    regions = ("us-east-1", "eu-west-1", "eu-north-1")
    clients = [account.aws(region).client("ecs") for region in regions]

    assert made == [("sts", "us-east-1"), *(("ecs", region) for region in regions)]
    assert len(set(map(id, clients))) == 1, "all from the session of the assumed role"


def test_a_profile_that_does_not_exist_is_one_of_our_errors() -> None:
    account = Account(dict.fromkeys(AWS_OPTIONS) | {"profile": "no-such-profile-7d1f"})

    with pytest.raises(PolycloudError, match=r"No AWS session: .*no-such-profile-7d1f"):
        account.aws("us-east-1").client("ecs")


def test_a_clouds_libraries_are_loaded_only_where_it_is_named() -> None:
    program = f"""
import sys
from {fleet_sources.__module__} import fleet_sources
fleet_sources(aws=[{{"regions": ["us-east-1"]}}], azure=[], template=lambda value: value)
print("boto3" in sys.modules, "azure.core" in sys.modules)
fleet_sources(aws=[], azure=[{{"subscription_id": "s"}}], template=lambda value: value)
print("azure.core" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=PATHS)
    assert done.stdout.split() == ["True", "False", "True"]


def test_one_source_that_fails_costs_only_itself() -> None:
    def broken(pool: Executor) -> list[Replica]:
        raise Unreachable("no answer")

    reading = read_fleet({"aws us-east-1": lambda pool: [], "azure s": broken}, 4)

    assert not reading.complete
    assert reading.failures == {"azure s": "no answer"}


def test_sources_are_read_at_the_same_time_even_with_one_thread_for_their_batches() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def read(pool: Executor) -> list[Replica]:
        meeting.wait()
        return [future.result() for future in [pool.submit(list)] if future.result()]

    assert read_fleet({str(index): read for index in range(3)}, 1).complete


def test_no_source_is_an_empty_reading() -> None:
    assert read_fleet({}, 4).complete
