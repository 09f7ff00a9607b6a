# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel on which a long module tells the controller what happens. Held equal to PROGRESS_ARGSPEC by a test."""

from __future__ import annotations


class ModuleDocFragment:
    """`polycloud.ollama.progress`."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - Internal. The action plugin of this module sets it to show the events of the module while it runs.
      - Leave it unset.
      - A file that exists and to which the module appends one JSON object per line.
      - Set the environment variable E(POLYCLOUD_PROGRESS) to V(0) on the controller to show no progress.
    type: path
"""
