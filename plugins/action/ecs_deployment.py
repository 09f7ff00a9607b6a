# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name and shows its events live. The other names in this folder are links to this file."""

from __future__ import annotations

from ansible_collections.polycloud.ollama.plugins.plugin_utils.progress import ProgressAction


class ActionModule(ProgressAction):
    """A class of its own for each name: Ansible notes the name of a plugin on its class."""
