# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for everything in plugins/ that talks to an Ollama."""

from __future__ import annotations

from tests.helpers.engines import engine_runtime, engines, scripted  # noqa: F401
