# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A broken run that the next one does not heal."""

from __future__ import annotations

import pytest


@pytest.mark.sweep
def test_that_the_next_run_does_not_heal() -> None:
    raise AssertionError("still broken")
