# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that the papers name exist, and `make help` lists them."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.helpers.tree import ROOT, files, load

PROMISED = ("setup", "demo", "test", "test-real", "lint", "bench", "docs", "sandbox", "test-the-tests", "clean", "help")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAPERS = [*files(".md"), *files(".yml", under=".github/"), ".ci/run", "Jenkinsfile"]
# `make a b`, at the start of a line, in backticks, in a pipeline's quotes, or after another command.
COMMAND = re.compile(r"(?:^\s*(?:- run: |run: |\$ )?|`|['\"]|&& )make((?: [a-z][a-z-]*(?![\w=]))+)", re.M)


def targets() -> set[str]:
    """Return every target that the Makefile defines."""
    defined = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, flags=re.M))
    return defined - {""}


def helped() -> set[str]:
    """Return the targets that `make help` prints."""
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^  ([a-z][a-z-]*) ", done.stdout, flags=re.M))


@pytest.mark.parametrize("target", PROMISED)
def test_help_lists_each_promised_command(target: str) -> None:
    assert target in helped()


def test_help_lists_every_target_but_the_two_environments() -> None:
    assert targets() - helped() == {"environment", "environment-demo"}


def test_papers_and_pipelines_name_only_targets_that_exist() -> None:
    texts = {paper: (ROOT / paper).read_text(encoding="utf-8") for paper in PAPERS}
    found = [(paper, words) for paper, text in texts.items() for words in COMMAND.findall(text)]
    named = {(paper, word) for paper, words in found for word in words.split()}
    assert named
    assert {(paper, word) for paper, word in named if word not in targets()} == set()


def test_the_readme_names_the_two_commands_of_a_newcomer() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "ansible-galaxy collection install" in text


@pytest.mark.parametrize("script", sorted(set(re.findall(r"tests/tools/[\w.-]+", MAKEFILE))))
def test_a_script_that_the_makefile_calls_exists_and_can_run(script: str) -> None:
    path = ROOT / script
    assert path.is_file()
    assert path.suffix == ".py" or path.stat().st_mode & 0o111


def test_workflows_only_call_make_and_the_ci_script() -> None:
    flows = [load(name) for name in files(".yml", under=".github/workflows/")]
    steps = [step for flow in flows for job in flow["jobs"].values() for step in job["steps"]]
    lines = [step["run"].strip() for step in steps if "run" in step]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"(make [a-z-]+( [A-Z]+=\S+)*|\.ci/run)", line)] == []
