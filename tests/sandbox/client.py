# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the control API, standard library only."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


class ControlError(RuntimeError):
    """The control API refused a call; the text is its reason."""


class SandboxClient:
    """Looks at a running sandbox and breaks it. Methods return the API's JSON."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        # The sandbox is on loopback, whatever proxy the environment names.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def from_environment(cls) -> SandboxClient:
        """Return a client of the sandbox that POLYCLOUD_SANDBOX_CONTROL names."""
        url = os.environ.get("POLYCLOUD_SANDBOX_CONTROL")
        if not url:
            raise ControlError("POLYCLOUD_SANDBOX_CONTROL is not set; use `python -m tests.sandbox run -- COMMAND`")
        return cls(url)

    def health(self) -> Any:
        """Return pid, URLs, exports and seeds."""
        return self._call("GET", "/health")

    def faults(self) -> Any:
        """Return everything that is switched on."""
        return self._call("GET", "/faults")

    def arm(self, operation: str, kind: str, **rule: Any) -> Any:
        """Arm a rule; see ``faults.FaultRule`` for ``cloud``, ``region``, ``nth``, ``times`` and ``hang_seconds``."""
        return self._call("POST", "/faults", {"operation": operation, "kind": kind, **rule})

    def disarm(self) -> Any:
        """Forget all rules."""
        return self._call("DELETE", "/faults")

    def set_down(self, cloud: str, down: bool = True, mode: str = "reset") -> Any:
        """Take a cloud down or bring it back."""
        return self._call("POST", f"/clouds/{cloud}", {"down": down, "mode": mode})

    def set_latency(self, milliseconds: float) -> Any:
        """Delay every call to either cloud."""
        return self._call("POST", "/latency", {"ms": milliseconds})

    def set_capacity(self, **limits: int | None) -> Any:
        """Limit ``gpu`` (GPUs that exist per region) or ``quota`` (GPUs allowed per region); None is no limit."""
        return self._call("POST", "/capacity", limits)

    def expire_credentials(self, expired: bool = True, cloud: str | None = None) -> Any:
        """Let credentials count as expired, or as valid again."""
        return self._call("POST", "/credentials", {"expired": expired, "cloud": cloud})

    def requests(self, cloud: str | None = None) -> Any:
        """Return the calls that the clouds have had, oldest first."""
        return self._call("GET", "/requests" + (f"?{urllib.parse.urlencode({'cloud': cloud})}" if cloud else ""))

    def clear_requests(self) -> Any:
        """Forget the calls so far."""
        return self._call("DELETE", "/requests")

    def workloads(self) -> Any:
        """Return the tasks and replicas that run now."""
        return self._call("GET", "/workloads")

    def kill(self, address: str) -> Any:
        """Kill the workload at an address, as a crash would."""
        return self._call("POST", "/kill", {"address": address})

    def reset(self) -> Any:
        """Give every cloud its fresh, seeded state; returns the seeds."""
        return self._call("POST", "/reset", {})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(f"{method} {path}: {_reason(error)}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the text of a refusal; a sandbox that is broken may answer something else than JSON."""
    body = error.read()
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}: {body[:500].decode('utf-8', 'replace')}"
