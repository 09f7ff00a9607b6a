# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executes the Jenkinsfile in real Groovy and gives its calls as a tree.

The Groovy runtime comes with npm-groovy-lint, by a lock file with hashes. This is a stand-in for Jenkins: it shows what
the pipeline calls, not that Jenkins accepts it. With a Jenkins at hand, its own linter is one line:
`curl -fsS --user "$USER:$TOKEN" -F "jenkinsfile=<Jenkinsfile" "$JENKINS_URL/pipeline-model-converter/validate"`.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.tree import ROOT

LOCK = ROOT / "tests" / "tools" / "groovy"
PLACE = ROOT / ".build" / "groovy"
JARS = PLACE / "node_modules" / "npm-groovy-lint" / "lib" / "java" / "groovy" / "lib"
RECORDER = Path(__file__).with_name("record_pipeline.groovy")


@dataclass(frozen=True)
class Call:
    """A call that the pipeline made: its name, its arguments, what was called inside, where it stands, its value."""

    name: str
    args: tuple[Any, ...]
    children: tuple[Call, ...]
    path: tuple[str, ...]
    value: bool | None

    def walk(self) -> Iterator[Call]:
        """Yield this call and all inside it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def child(self, name: str) -> Call | None:
        """Return the first direct child of this name."""
        return next((child for child in self.children if child.name == name), None)

    def calls(self, name: str) -> list[Call]:
        """Return all calls of this name inside."""
        return [call for call in self.walk() if call.name == name]


def missing_programs() -> list[str]:
    """Return the programs that the recorder needs and this machine lacks."""
    return [name for name in ("java", "npm") if shutil.which(name) is None]


@functools.cache
def classpath() -> str:
    """Return the class path of Groovy, installed on first use."""
    if not JARS.is_dir():
        PLACE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy2(LOCK / name, PLACE / name)
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PLACE, check=True
        )
    return os.pathsep.join(str(path) for path in sorted(JARS.glob("*.jar")))


def execute(jenkinsfile: Path, **parameters: Any) -> Call:
    """Run a Jenkinsfile with these parameters and return `pipeline`, its root."""
    done = subprocess.run(
        ["java", "-cp", classpath(), "groovy.ui.GroovyMain", str(RECORDER), str(jenkinsfile), json.dumps(parameters)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode or not done.stdout.strip():
        raise AssertionError(f"Groovy could not run {jenkinsfile.name}:\n{done.stderr}")
    return next(call for node in json.loads(done.stdout) if (call := _call(node, ())).name == "pipeline")


def _call(node: dict[str, Any], path: tuple[str, ...]) -> Call:
    below = (*path, f"{node['call']} {node['args'][0]}" if node["call"] == "stage" else node["call"])
    children = tuple(_call(child, below) for child in node["children"])
    return Call(node["call"], tuple(node["args"]), children, path, node.get("value"))
