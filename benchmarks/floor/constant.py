# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory plugin that does nothing: so many hosts with the same variables. The rest is ansible-core."""

from __future__ import annotations

DOCUMENTATION = r"""
name: constant
short_description: So many hosts with the same variables
description: For benchmark B3 only.
options:
  plugin:
    description: Marks the file as one of this plugin.
    type: str
    required: true
  hosts:
    description: Their number.
    type: int
    required: true
"""

from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin

# As many as the fleet inventory has by default, as long as those of an ECS task.
VARIABLES = {
    "ansible_host": "10.20.9.170",
    "fleet_account": "123456789012",
    "fleet_cloud": "aws",
    "fleet_deployment": "batch",
    "fleet_gpu": "yes",
    "fleet_health": "healthy",
    "fleet_id": "arn:aws:ecs:eu-west-1:123456789012:task/ollama/00a78b70992b27051953d58631f579fd",
    "fleet_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ollama:0.32.15",
    "fleet_models": ["gpt-oss:20b"],
    "fleet_platform": "ecs",
    "fleet_region": "eu-west-1",
    "fleet_release": "batch:7",
    "fleet_started_at": "2026-11-20T08:15:30.125000+00:00",
    "fleet_status": "RUNNING",
    "fleet_unit": "00a78b70992b27051953d58631f579fd",
    "fleet_url": "http://10.20.9.170:11434",
}


class InventoryModule(BaseInventoryPlugin):
    """Calls nothing, parses nothing, makes no group but one."""

    NAME = "constant"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add the hosts."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        inventory.add_group("constant_hosts")
        for number in range(self.get_option("hosts")):
            name = f"batch-eu-west-1-{number:012}"
            inventory.add_host(name, "constant_hosts")
            for key, value in VARIABLES.items():
                inventory.set_variable(name, key, value)
