# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many connections the file descriptors of this process are enough for."""

from __future__ import annotations

import resource

RESERVE = 96  # kept connections to Ollama, Redis, logs, the GPU's library
ASIDE = 64  # connections of the operators' listener, and of that of the metrics


def most(wanted: int) -> int:
    """Connections that clients may have, at most `wanted`. The soft limit is raised as far as they need.

    Each may have a request, and so a second descriptor to Ollama; what the operators need is kept free.
    """
    needed = RESERVE + 3 * ASIDE + 2 * wanted
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < needed:
        limit = needed if hard == resource.RLIM_INFINITY else max(limit, min(hard, needed))
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    free = needed if limit == resource.RLIM_INFINITY else limit
    return max(1, min(wanted, (free - RESERVE - 3 * ASIDE) // 2))
