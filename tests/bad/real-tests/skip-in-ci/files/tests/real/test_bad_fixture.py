# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real test whose component is missing."""

from __future__ import annotations

import pytest


@pytest.mark.real
def test_that_finds_no_engine() -> None:
    pytest.skip("there is no engine on this machine")
