# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `sidecar` as tests describe it, the same for every platform."""

from __future__ import annotations

import hashlib
from typing import Any

IMAGE = "registry.example.com/ollama-sidecar:0.1.0@sha256:" + "a" * 64
KEY = "canary-key"
TOKEN = "canary-token-" + "t" * 32
SIDECAR: dict[str, Any] = {
    "image": IMAGE,
    "keys": [{"id": "web", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}],
    "key": KEY,
    "drain_token": TOKEN,
}
