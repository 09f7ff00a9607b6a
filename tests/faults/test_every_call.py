# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Break a run at each of its calls, in each way, and run again: it must converge, with nothing twice or left over.

The quick part breaks each kind of writing call once. The whole sweep (C(make sweep)) takes every call of every scenario
and leaves what it found in build/faults/; with POLYCLOUD_SWEEP=all every fault meets every call, which takes hours.
"""

from __future__ import annotations

import json
import os
import time
from itertools import chain, cycle
from pathlib import Path

import pytest

from tests.faults.lab import Call
from tests.faults.scenarios import Scenario
from tests.faults.subjects import SUBJECTS, Subject, trials
from tests.faults.trial import FAULTS, clean_run, trial
from tests.sandbox.launcher import Sandbox

RESULTS = Path(__file__).resolve().parents[2] / "build" / "faults"
# The writing calls of each scenario that no scenario above has; the sweep holds this list to what really happens.
WRITES: dict[str, dict[str, tuple[str, ...]]] = {
    "ecs": {
        "create": (
            "ecs CreateCluster",
            "logs CreateLogGroup",
            "logs PutRetentionPolicy",
            "ecs RegisterTaskDefinition",
            "ecs CreateService",
            "ecs ContinueServiceDeployment",
            "ecs TagResource",
            "ecs UntagResource",
        ),
        "update": ("ecs UpdateService",),
        "delete": ("ecs DeleteService", "ecs DeregisterTaskDefinition", "logs DeleteLogGroup", "ecs DeleteCluster"),
    },
    "aci": {
        "create": (
            "Microsoft.ContainerInstance PUT containerGroupProfiles",
            "Microsoft.ContainerInstance PUT containerGroups",
            "Microsoft.ContainerInstance PATCH containerGroups",
        ),
        "stop": ("Microsoft.ContainerInstance POST containerGroups/stop",),
        "start": ("Microsoft.ContainerInstance POST containerGroups/start",),
        "delete": (
            "Microsoft.ContainerInstance DELETE containerGroups",
            "Microsoft.ContainerInstance DELETE containerGroupProfiles",
        ),
    },
    "container_apps": {
        "create": (
            "Microsoft.App PUT managedEnvironments",
            "Microsoft.App PUT containerApps",
            "Microsoft.App PATCH containerApps",
        ),
        "update": (
            "Microsoft.App POST containerApps/listSecrets",
            "Microsoft.App POST containerApps/revisions/deactivate",
        ),
        "rollback": ("Microsoft.App POST containerApps/revisions/activate",),
        "stop": ("Microsoft.App POST containerApps/stop",),
        "start": ("Microsoft.App POST containerApps/start",),
        "delete": ("Microsoft.App DELETE containerApps", "Microsoft.App DELETE managedEnvironments"),
    },
    "efs": {
        "create": (
            "efs CreateFileSystem",
            "efs PutLifecycleConfiguration",
            "efs CreateMountTarget",
            "efs CreateAccessPoint",
        )
    },
    "azure_files": {
        "create": (
            "Microsoft.Storage PUT storageAccounts",
            "Microsoft.Storage PUT storageAccounts/fileServices",
            "Microsoft.Storage PUT storageAccounts/fileServices/shares",
        )
    },
}


def _scenario(subject: Subject, name: str) -> Scenario:
    return next(item for item in subject.scenarios if item.name == name)


def _quick() -> list[object]:
    """Each writing call once, each fault in turn."""
    faults = cycle(FAULTS)
    return [
        pytest.param(SUBJECTS[name], scenario, Call(call), next(faults), id=f"{name}-{call.split(' ', 1)[1]}")
        for name, table in WRITES.items()
        for scenario, calls in table.items()
        for call in calls
    ]


@pytest.mark.parametrize(("subject", "scenario", "call", "fault"), _quick())
def test_a_run_that_was_broken_at_a_write_is_healed_by_the_next(
    clouds: Sandbox, subject: Subject, scenario: str, call: Call, fault: str
) -> None:
    assert trial(subject.lab(clouds), _scenario(subject, scenario), call, fault)


@pytest.mark.sweep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("subject", "scenario"),
    [
        pytest.param(subject, scenario, id=f"{subject.name}-{scenario.name}")
        for subject in SUBJECTS.values()
        for scenario in subject.scenarios
    ],
)
def test_a_run_that_was_broken_anywhere_is_healed_by_the_next(
    clouds: Sandbox, subject: Subject, scenario: Scenario
) -> None:
    lab, began = subject.lab(clouds), time.monotonic()
    calls = clean_run(lab, scenario)
    listed = set(chain.from_iterable(WRITES[subject.name].values()))
    assert {call.operation for call in calls if not call.reads} <= listed, "WRITES above lacks a call"
    outcomes: dict[str, str] = {}
    for call, fault in trials(calls, all_of_them=os.environ.get("POLYCLOUD_SWEEP") == "all"):
        try:
            made = trial(lab, scenario, call, fault)
        except AssertionError as error:
            outcomes[f"{call}, {fault}"] = str(error)
            lab.fresh()
        else:
            outcomes[f"{call}, {fault}"] = "converged" if made else "not reached"
    _write(subject, scenario, calls, outcomes, time.monotonic() - began)
    assert {where: what for where, what in outcomes.items() if what not in ("converged", "not reached")} == {}
    assert list(outcomes.values()).count("not reached") <= len(outcomes) // 10


def _write(subject: Subject, scenario: Scenario, calls: list[Call], outcomes: dict[str, str], seconds: float) -> None:
    """Leave the figures where a person can read them."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    values = list(outcomes.values())
    figures = {
        "subject": subject.name,
        "scenario": scenario.name,
        "calls": len(calls),
        "trials": len(values),
        "converged": values.count("converged"),
        "not reached": values.count("not reached"),
        "seconds": round(seconds, 1),
        "outcomes": outcomes,
    }
    name = f"{subject.name}-{scenario.name.replace(' ', '-')}.json"
    (RESULTS / name).write_text(json.dumps(figures, indent=1) + "\n")
