# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide's command lines work as they stand, in their order; only the registry is another one."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.helpers.registry import Registry
from tests.helpers.tree import ROOT

GUIDE = (ROOT / "docs/guides/models.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.S) for line in block.splitlines()]


def test_each_command_of_the_guide_works(remote: Registry, tmp_path: Path) -> None:
    digest = remote.add("library/gemma3", "1b", b"weights" * 1000)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".build")}
    outputs = {}
    for command in COMMANDS:
        program, *arguments = shlex.split(command.replace("https://registry.example.org", remote.url))
        assert program == "python3"
        if arguments[1] in ("pull", "resolve") and "--registry" not in arguments:
            arguments += ["--registry", remote.url]
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        outputs[command] = done.stdout
    assert len(COMMANDS) >= 10
    assert digest in outputs["python3 models.pyz resolve gemma3:1b"]
    assert outputs["python3 models.pyz list --into models"] == f"gemma3:1b {digest} 7002 (good)\n"
    assert (tmp_path / "volume/manifests/registry.ollama.ai/library/gemma3/1b").exists()


def test_the_guide_names_the_variables_and_options_of_the_program() -> None:
    shown = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible_collections.polycloud.ollama.plugins.module_utils.models.cli",
            "pull",
            "--help",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / ".build")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    named = set(re.findall(r"`(--[a-z-]+)", GUIDE))
    assert named
    assert named <= set(re.findall(r"--[a-z-]+", shown))
