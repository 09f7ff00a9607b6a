# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One platform under contract: its deployment in the sandbox, and what a test asks of it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.contract.adapters import Adapter, Args
from tests.helpers.warm import run_warm
from tests.sandbox.launcher import Sandbox

READS = ("GET", "List", "Describe", "Get")
# ARM asks for secrets by POST.
ASKS = ("/listKeys", "/listSecrets")


@dataclass
class Subject:
    """One platform with its deployment in a fresh sandbox."""

    adapter: Adapter
    sandbox: Sandbox
    base: Args
    said: list[str] = field(default_factory=list)
    runner: Callable[..., dict[str, Any]] = run_warm

    def run(self, *, check: bool = False, fails: bool = False, **changes: Any) -> dict[str, Any]:
        result = self.runner(self.adapter.module, {**self.base, **changes}, check=check, diff=True)
        self.said.append(json.dumps(result, default=str))
        assert bool(result.get("failed")) is fails, result.get("msg", result)
        return result

    def __post_init__(self) -> None:
        # An image that is "slow" would load its model for 20 seconds: the probe gives up before.
        self.base = {**self.base, "health": {"timeout": 5, "startup_timeout": 10}}

    def writes(self) -> list[str]:
        """The writing calls since the log was cleared."""
        calls = [f"{entry['service']} {entry['operation']}" for entry in self.sandbox.client.requests()]
        return [call for call in calls if not call.split(" ", 1)[1].startswith(READS) and not call.endswith(ASKS)]

    def clear(self) -> None:
        self.sandbox.client.clear_requests()

    def answers(self, endpoint: str) -> bool:
        body = json.dumps({"model": "gemma3:1b", "prompt": "hi", "stream": False}).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(f"{endpoint}/api/generate", body), timeout=5) as answer:
                return bool(json.load(answer)["response"])
        except OSError:
            return False


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {change["key"]: change["action"] for change in result["plan"]["changes"]}
