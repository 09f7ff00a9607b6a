# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL at which a deployment answers. Pure."""

from __future__ import annotations

from typing import Any

from .model import Deployment


def endpoint_url(deployment: Deployment[Any], host: str, port: int | None = None, scheme: str = "http") -> str:
    """The platform's address as a URL, or C(network.endpoint_url) with C({host}) filled in.

    port None leaves it out (the scheme's own).
    """
    template = deployment.network.endpoint_url
    if template:
        return template.replace("{host}", host).rstrip("/")
    literal = f"[{host}]" if ":" in host else host
    return f"{scheme}://{literal}:{port}" if port is not None else f"{scheme}://{literal}"
