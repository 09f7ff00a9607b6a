# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory plugin that gives the hosts of an earlier `ansible-inventory --list` again, for benchmark B3.

It calls no cloud and makes no group but one: what it takes is ansible-core's own time for that output.
`python replayed.py OUTPUT RECORDED` makes the file that it reads.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: replayed
short_description: The hosts of an earlier listing
description: For benchmark B3 only.
options: {}
"""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin

UNTRUSTED = "__ansible_unsafe"


class InventoryModule(BaseInventoryPlugin):
    """Adds the recorded hosts."""

    NAME = "replayed"

    def verify_file(self, path: str) -> bool:
        """Take only what was recorded."""
        return path.endswith(".recorded")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the hosts and their variables."""
        inventory.add_group("replayed_hosts")
        hosts = pickle.loads(Path(path).read_bytes())  # noqa: S301 - written by record(), a moment ago
        for name, variables in hosts.items():
            inventory.add_host(name, "replayed_hosts")
            for key, value in variables.items():
                inventory.set_variable(name, key, value)


def unwrapped(value: Any) -> Any:
    """The value as a plugin gave it, before ansible-inventory marked its strings."""
    if isinstance(value, dict):
        inner = {key: unwrapped(item) for key, item in value.items()}
        return inner[UNTRUSTED] if set(inner) == {UNTRUSTED} else inner
    return [unwrapped(item) for item in value] if isinstance(value, list) else value


def record(output: Path, recorded: Path) -> None:
    """Keep the hosts of a listing."""
    hosts = json.loads(output.read_text("utf-8"))["_meta"]["hostvars"]
    recorded.write_bytes(pickle.dumps(unwrapped(hosts)))


if __name__ == "__main__":
    record(*map(Path, sys.argv[1:]))
