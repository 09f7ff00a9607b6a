# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is broken: each platform of the contract suite, and the two storages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from tests.contract.adapters import ADAPTERS, Args
from tests.faults.lab import Call, Lab
from tests.faults.resources import Inventory
from tests.faults.scenarios import SCENARIOS, STORAGE, Scenario
from tests.faults.trial import ENDING, FAULTS, PASSING, STOPPING
from tests.sandbox.launcher import Sandbox

# A wait that asks again and again is broken at its first calls; the later ones are the same call.
MOST_POLLS = 2


@dataclass(frozen=True)
class Subject:
    """A module under test. ours: what it makes, once. surge: the old release answers until the new one does."""

    name: str
    cloud: str
    module: str
    describe: Callable[[Sandbox], Args]
    ours: Callable[[Sandbox], Inventory]
    surge: bool
    scenarios: Sequence[Scenario]

    def lab(self, sandbox: Sandbox) -> Lab:
        """A fresh lab for this subject."""
        return Lab(self.cloud, self.module, sandbox, self.describe, self.ours, self.surge)


def _efs(sandbox: Sandbox) -> Args:
    seeds = sandbox.seeds["aws"]["us-east-1"]
    groups = [seeds["security_group_id"]]
    network = {"subnets": seeds["subnet_ids"], "security_groups": groups}
    return {"name": "models", "region": "us-east-1", **network, "transition_to_ia": "AFTER_30_DAYS"}


def _files(sandbox: Sandbox) -> Args:
    group = sandbox.seeds["azure"]["resource_groups"]["swedencentral"]
    return {"resource_group": group, "location": "swedencentral", "account_name": "ollamamodels01"}


def _efs_ours(sandbox: Sandbox) -> Inventory:
    subnets = sandbox.seeds["aws"]["us-east-1"]["subnet_ids"]
    return {"file systems": ["models"], "mount targets": list(subnets), "access points": ["models"]}


# Names as tests/faults/resources.py lists them.
OURS: dict[str, Inventory] = {
    "ecs": {"clusters": ["ml"], "services": ["chat"], "families": ["chat"], "log groups": ["/ecs/chat"]},
    "aci": {
        "container groups": ["Microsoft.ContainerInstance/containerGroups/chat"],
        "profiles": ["Microsoft.ContainerInstance/containerGroupProfiles/chat"],
    },
    "container_apps": {
        "environments": ["Microsoft.App/managedEnvironments/ml"],
        "apps": ["Microsoft.App/containerApps/chat"],
        "active revisions of chat": ["1"],
    },
    "azure_files": {
        "accounts": ["Microsoft.Storage/storageAccounts/ollamamodels01"],
        "shares of ollamamodels01": ["models"],
    },
}


def _ours(name: str) -> Callable[[Sandbox], Inventory]:
    return lambda sandbox: OURS[name]


SUBJECTS = {
    subject.name: subject
    for subject in (
        *(Subject(a.platform, a.cloud, a.module, a.args, _ours(a.platform), a.surge, SCENARIOS) for a in ADAPTERS),
        Subject("efs", "aws", "efs_storage", _efs, _efs_ours, False, STORAGE),
        Subject("azure_files", "azure", "azure_files_storage", _files, _ours("azure_files"), False, STORAGE),
    )
}


def trials(calls: Sequence[Call], *, all_of_them: bool) -> list[tuple[Call, str]]:
    """Where a run is broken and how: at every call, but for the repetitions of a wait.

    A write meets both faults that stop a run and, in turn, one of each other family; so does the first read of its
    kind, which changes nothing and is spared those that end a run another way; a repeated read is where a run is
    killed. all_of_them: every fault at every such call.
    """
    ending, passing = cycle(ENDING), cycle(PASSING)
    chosen: list[tuple[Call, str]] = []
    for call in calls:
        if call.reads and call.occurrence > MOST_POLLS:
            continue
        if all_of_them:
            faults = list(FAULTS)
        elif not call.reads:
            faults = [*STOPPING, next(ending), next(passing)]
        else:
            faults = [*STOPPING, next(passing)] if call.occurrence == 1 else ["killed"]
        chosen += [(call, fault) for fault in faults]
    return chosen
