# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidecar answers itself: whether it lives, whether it is ready, its metrics, and the order to drain."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from .http.exchange import Exchange
from .keys import digest, presented_token
from .life import Life
from .monitor import Monitor
from .reply import Reply, send_bytes, send_json
from .routes import Kind, Route

Render = Callable[[str], tuple[str, bytes]]
LONGEST = 4096  # bytes of a request that says nothing


class Service:
    """render: metrics for an Accept header, as content type and bytes. drain_token: SHA-256 of the token, or empty."""

    def __init__(self, life: Life, monitor: Monitor, render: Render, drain_token: str = "") -> None:
        self._life = life
        self._monitor = monitor
        self._render = render
        self._drain_token = drain_token

    async def __call__(self, exchange: Exchange, route: Route, *, trusted: bool) -> None:
        """Answer. trusted: the listener is the operators' own. Raises Reply."""
        await exchange.body(LONGEST)
        if route.kind is Kind.METRICS:
            content_type, body = self._render(exchange.headers.get("Accept", ""))
            await send_bytes(exchange, 200, body, content_type)
        elif route.kind is Kind.DRAIN:
            await self._drain(exchange, trusted)
        elif route.name == "/readyz":
            await self._ready(exchange)
        else:
            await send_json(exchange, 200, {"status": "alive"})

    async def _ready(self, exchange: Exchange) -> None:
        problem = "draining" if self._life.draining else self._monitor.problem()
        if problem:
            await send_json(exchange, 503, {"status": "not ready", "reason": problem})
            return
        remark = self._monitor.remark()
        await send_json(exchange, 200, {"status": "ready", **({"reason": remark} if remark else {})})

    async def _drain(self, exchange: Exchange, trusted: bool) -> None:
        """POST starts it, GET tells how far it is. `?exit=false` leaves the process running afterwards."""
        if not trusted and not self._opens(exchange):
            raise Reply(404, "not found", "policy")
        if exchange.method == "POST":
            self._life.drain(leave="exit=false" not in exchange.target.partition("?")[2].split("&"))
        body = {"draining": self._life.draining, "working": self._life.working}
        await send_json(exchange, 202 if exchange.method == "POST" else 200, body)

    def _opens(self, exchange: Exchange) -> bool:
        token = presented_token(exchange.headers)
        return bool(self._drain_token) and hmac.compare_digest(digest(token), self._drain_token)
