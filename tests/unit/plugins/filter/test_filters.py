# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each filter is found under its name, documents itself, and does what its example says."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.playbooks import run_playbook
from tests.helpers.tree import ROOT

FILTERS = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.py") if path.stem != "__init__")
OUTCOME = {"target": "chat", "platform": "ecs", "region": "", "ok": True, "health": "healthy", "changed": True}
OUTCOME |= {"seconds": 1.0, "answer": "", "serving": "", "plans": {}, "error": "", "outage_seconds": None}
VARIABLES: dict[str, Any] = {
    "deployed": {"changed": True, "deployment": {}},
    "probed": {"results": []},
    "outcomes": [OUTCOME],
    "report": {"status": "ok", "check": False, "changed": 1, "targets": [OUTCOME]},
}


def plugin(name: str) -> Any:
    """Return the module of a filter."""
    return importlib.import_module(f"ansible_collections.polycloud.ollama.plugins.filter.{name}")


def test_there_are_filters() -> None:
    assert FILTERS == ["compose", "run_report", "summary_table", "target_outcome", "validate_evidence"]


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_handed_out_under_the_name_of_its_file_and_its_documentation(name: str) -> None:
    assert list(plugin(name).FilterModule().filters()) == [name]
    assert yaml.safe_load(plugin(name).DOCUMENTATION)["name"] == name


def test_the_examples_work_in_a_playbook(tmp_path: Path) -> None:
    tasks = [task for name in FILTERS for task in yaml.safe_load(plugin(name).EXAMPLES)]
    run = run_playbook(tmp_path, tasks, hosts=("chat",), variables={**VARIABLES, "folder": str(tmp_path)})
    assert run.rc == 0, run.stdout
    assert "ok: 1 of 1 targets ok, 1 changed" in run.stdout
    assert set(yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]) == {"ollama", "sidecar", "network"}
