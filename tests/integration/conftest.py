# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of the collection, run against the sandbox as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.modules import module_environment
from tests.sandbox.launcher import Sandbox

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventory" / "sandbox"
SETTINGS = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1"}
# Another image of the same deployment, and one whose model is missing.
BETTER_IMAGE = "registry.example.com/ollama:0.24.1@sha256:" + "b2" * 32
BAD_IMAGE = "registry.example.com/ollama:no-model@sha256:" + "c3" * 32


@dataclass(frozen=True)
class Run:
    """A playbook run: exit code, all output, and the report that it wrote (empty where it wrote none)."""

    code: int
    output: str
    report: dict[str, Any]

    def target(self, name: str) -> dict[str, Any]:
        """Return the outcome of one target."""
        return next(target for target in self.report["targets"] if target["target"] == name)

    def of_targets(self, key: str) -> dict[str, Any]:
        """Return one field of every outcome."""
        return {target["target"]: target[key] for target in self.report["targets"]}


Play = Callable[..., Run]


def run_playbook(
    playbook: str, *options: str, folder: Path, inventory: Path = INVENTORY, settings: Mapping[str, str] | None = None
) -> Run:
    """Run `playbook` (a path, or a full name) in the folder, where its report goes too."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "ansible.cli.playbook", "-i", str(inventory), playbook, *options]
    done = subprocess.run(
        [*command, "-e", f"ollama_report_path={report}"],
        cwd=folder,
        env=module_environment(SETTINGS if settings is None else settings),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return Run(done.returncode, done.stdout, json.loads(report.read_text("utf-8")) if report.is_file() else {})


@pytest.fixture
def play(clouds: Sandbox, tmp_path: Path) -> Play:
    """Run a playbook of this checkout by its short name: `play("site", "--limit", "aws")`. The clouds are fresh."""

    def run(playbook: str, *options: str, **more: Any) -> Run:
        return run_playbook(str(ROOT / "playbooks" / f"{playbook}.yml"), *options, folder=tmp_path, **more)

    return run


def inventory_of(folder: Path, hosts: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write an inventory with these targets and their variables, and return its path."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    group = {"hosts": {name: dict(variables) for name, variables in hosts.items()}, "vars": local}
    path = folder / "hosts.yml"
    # JSON is YAML, and quotes everything.
    path.write_text(json.dumps({"all": {"children": {"ollama_targets": group}}}), "utf-8")
    return path


def variables(platform: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a deployment module, as `tests/contract/adapters.py` makes them, as a user's variables."""
    taken = dict(arguments)
    region = taken.pop("region", None)
    named = {f"ollama_{name}": value for name, value in taken.items() if name != "platform"}
    aws = {"ollama_aws": {"region": region}} if region else {}
    return {"ollama_platform": platform, **named, **aws, f"ollama_{platform}": taken["platform"]}
