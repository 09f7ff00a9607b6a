# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be held about the Jenkinsfile by reading it: each command is one that a person can run."""

from __future__ import annotations

import re

from tests.helpers.tree import ROOT

TEXT = (ROOT / "Jenkinsfile").read_text(encoding="utf-8")
SHELL_LINE = re.compile(r"\bsh\s*\(?\s*(?:script:\s*)?(['\"/$])(.*)$", re.M)
COMMAND = re.compile(r"(?:[A-Z]+=\w+ )?make ([a-z-]+)")


def commands() -> list[str]:
    """Return what the Jenkinsfile hands to the shell."""
    return [line.split("'")[0] for _quote, line in SHELL_LINE.findall(TEXT)]


def test_shell_lines_are_single_quoted_so_that_groovy_fills_nothing_in() -> None:
    assert commands()
    assert {quote for quote, _line in SHELL_LINE.findall(TEXT)} == {"'"}


def test_each_shell_line_is_one_make_target_that_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.M))
    assert [line for line in commands() if not COMMAND.fullmatch(line)] == []
    assert {match[1] for line in commands() if (match := COMMAND.fullmatch(line))} - targets == set()


def test_the_playbooks_behind_the_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    playbooks = set(re.findall(r"playbooks/[\w-]+\.yml", makefile))
    assert "playbooks/site.yml" in playbooks
    assert {name for name in playbooks if not (ROOT / name).is_file()} == set()


def test_the_inventories_offered_are_those_of_the_repository() -> None:
    offered = set(re.findall(r"'(inventory/[\w-]+)'", TEXT))
    present = {f"inventory/{path.name}" for path in (ROOT / "inventory").iterdir() if path.is_dir()}
    assert offered == present - {"inventory/sandbox"}


def test_nothing_in_the_jenkinsfile_looks_like_a_key() -> None:
    assert re.findall(r"AKIA\w+|-----BEGIN|(?i:password|secret_?key)\s*[:=]\s*['\"]\w", TEXT) == []
