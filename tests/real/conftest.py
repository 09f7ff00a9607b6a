# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures that several files of real tests share, so that they are made once."""

from __future__ import annotations

from tests.helpers.image_yard import built, start, yard  # noqa: F401
