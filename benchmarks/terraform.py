# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of B1 outside of Ansible: finds terraform and its AWS provider, applies once, then plans."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness import Measure, NotMeasured
from benchmarks.scene import PLAYS, Scene

# Where providers lie that were put there by hand, besides what POLYCLOUD_TF_PLUGINS names. No download at run time.
PLUGIN_FOLDERS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/opt/terraform/plugins",
    "/opt/tf-plugins",
)
NO_CHANGES, CHANGES = 0, 2


class Terraform:
    """A working folder of its own with the configuration of main.tf. Raises NotMeasured where a part is missing."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._binary = shutil.which("terraform") or ""
        if not self._binary:
            raise NotMeasured("terraform is not on PATH")
        plugins, self.provider = find_provider(os.environ)
        self._folder = scene.bench.folder / "terraform"
        self._folder.mkdir()
        shutil.copy(PLAYS / "main.tf", self._folder)
        config = self._folder / "cli.tfrc"
        config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n')
        variables = {"seeds": scene.variables["seeds"], "containers": scene.containers("terraform")}
        (self._folder / "given.auto.tfvars.json").write_text(json.dumps(variables), "utf-8")
        scene.environment |= {"TF_CLI_CONFIG_FILE": str(config), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}

    @property
    def version(self) -> str:
        """Terraform's own version."""
        told = subprocess.run([self._binary, "version", "-json"], capture_output=True, text=True, check=True)
        return str(json.loads(told.stdout)["terraform_version"])

    def deploy(self) -> None:
        """Install the provider from the mirror and create the resources."""
        self._run("init")
        self._run("apply", "-auto-approve")

    def plan(self) -> Measure:
        """A plan that must find nothing to change."""
        return self._run("plan", "-detailed-exitcode", "-lock=false", expect=NO_CHANGES)

    def _run(self, command: str, *options: str, expect: int = 0) -> Measure:
        line = [self._binary, f"-chdir={self._folder}", command, "-input=false", "-no-color", *options]
        return self._scene.counted(line, expect=expect)


def find_provider(variables: Mapping[str, str]) -> tuple[Path, str]:
    """The folder of providers that holds hashicorp/aws, and its newest version there."""
    named = variables.get("POLYCLOUD_TF_PLUGINS")
    folders = [Path(folder).expanduser() for folder in ([named] if named else PLUGIN_FOLDERS)]
    for folder in folders:
        found = [path.parts[-2] for path in folder.glob("*/hashicorp/aws/*/*") if path.is_dir()]
        if found:
            return folder, max(found, key=_as_numbers)
    searched = ", ".join(map(str, folders))
    raise NotMeasured(f"no hashicorp/aws provider in {searched}; name a folder of providers in POLYCLOUD_TF_PLUGINS")


def _as_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
