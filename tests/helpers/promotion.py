# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the playbooks that move the tag `stable`, by evidence as the role `validate` writes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.polycloud.ollama.plugins.module_utils.images.evidence import make_evidence, timestamp
from tests.helpers.modules import module_environment

PROBE = {"answer": "ready", "tokens_per_second": 61.5, "gpu_ratio": 1.0, "digest": "c" * 64, "version": "0.24.0"}


@dataclass(frozen=True)
class Done:
    """A run: exit code, how many changes, all that it said as one line."""

    code: int
    changed: int
    said: str


@dataclass(frozen=True)
class Promotion:
    """A folder to run in, with the evidence in C(evidence) and what was moved in C(image/promote.json)."""

    folder: Path

    def validated(
        self, image: str, target: str = "chat", *, passed: bool = True, age: timedelta = timedelta(0), **more: Any
    ) -> Path:
        """Leave the evidence that `target` runs `image`. more: fields that are forged."""
        deployment = {"name": "chat", "release": "1", "image": image, "settled": True}
        probes = {"results": [PROBE if passed else {"failed": True}]}
        at = timestamp(datetime.now(UTC) - age)
        body = make_evidence(deployment, probes, target=target, platform="ecs", model="tiny", at=at)
        path = self.folder / "evidence" / f"validate-{target}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**body, **more}))
        return path

    def run(self, playbook: str, *options: str, **variables: Any) -> Done:
        """Run a playbook of the collection by its short name."""
        places = {
            "image_promote_evidence": str(self.folder / "evidence"),
            "image_evidence_folder": str(self.folder / "image"),
        }
        given = json.dumps({**places, **variables})
        command = [sys.executable, "-m", "ansible.cli.playbook", f"polycloud.ollama.{playbook}", "-e", given, *options]
        environment = module_environment({"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"})
        environment["ANSIBLE_HOME"] = str(self.folder / "home")
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        found = re.search(r"changed=(\d+)", done.stdout)
        return Done(done.returncode, int(found[1]) if found else 0, " ".join((done.stdout + done.stderr).split()))

    def moves(self) -> list[dict[str, Any]]:
        """What was recorded in C(promote.json)."""
        path = self.folder / "image" / "promote.json"
        return list(json.loads(path.read_text())["moves"]) if path.exists() else []
