# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the sidecar together, listens, and ends it in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

from . import logs
from .admission import Admission
from .http.exchange import Handler, Listener
from .http.server import serve
from .http.upstream import PooledUpstream
from .keys import KeyRing
from .life import Life
from .monitor import Monitor
from .proxy import Parts, Proxy
from .record import Record
from .requests import canonical
from .routes import admin, metrics, public
from .service import Render, Service
from .settings import Settings, address

LOG = logging.getLogger(__name__)


class Sidecar:
    """A running sidecar. ports: of the listeners public, admin and metrics, where 0 was asked for too."""

    def __init__(self, settings: Settings, observe: Callable[[Record], None], render: Render) -> None:
        where = urlsplit(settings.upstream)
        self.settings = settings
        self.life = Life()
        self.admission = Admission(settings.num_parallel, settings.max_queued, settings.queue_seconds)
        self.upstream = PooledUpstream(
            where.hostname or "",
            where.port or 11434,
            connect=settings.connect_seconds,
            silence=settings.silence_seconds,
        )
        self.monitor = Monitor(
            self.upstream,
            [canonical(name) for name in settings.models],
            seconds=settings.poll_seconds,
            require_gpu=settings.require_gpu,
            warm_up=settings.warm_up,
        )
        service = Service(self.life, self.monitor, render, settings.drain_token_sha256)
        keys = KeyRing(settings.keys, settings.trusted_proxies, settings.user_header)
        self._parts = Parts(settings, self.upstream, self.admission, keys, self.life, self.monitor, service, observe)
        self.listeners: dict[str, Listener] = {}
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Serve until a signal or a drain, and then until nothing runs any more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: self.life.drain(leave=True))
        async with AsyncExitStack() as stack:
            await self._listen(stack)
            monitor = loop.create_task(self.monitor.run())
            stack.push_async_callback(_ended, monitor)
            await self.life.leaving.wait()
            await self._drain(loop.time() + self.settings.drain_seconds)
        await self.upstream.close()

    async def _drain(self, end: float) -> None:
        """Wait for what runs. The listeners stay, so that clients are told 503 and when to come again."""
        now = asyncio.get_running_loop().time
        LOG.info("draining, %d requests are running", self.life.working)
        if not await self.life.idle(end - now()):
            LOG.warning("%d requests were cut: they took longer than drain_seconds", self.life.working)
        # Ollama is done with them, their clients may not have taken all of it.
        for listener in self.listeners.values():
            if not await listener.flushed(max(0.0, end - now())):
                LOG.warning("clients that were too slow were cut")
                return

    async def _listen(self, stack: AsyncExitStack) -> None:
        for name, where, handler in self._handlers():
            if where:
                self.listeners[name] = await serve(handler, *address(where), patience=self.settings.client_seconds)
                stack.push_async_callback(self.listeners[name].close)
        self.listening.set()
        LOG.info("listening on %s", {name: listener.port for name, listener in self.listeners.items()})

    def _handlers(self) -> list[tuple[str, str, Handler]]:
        settings = self.settings
        return [
            ("public", settings.listen, Proxy(self._parts, public(show=settings.allow_show))),
            ("admin", settings.admin_listen, Proxy(self._parts, admin(), open_to_all=True)),
            ("metrics", settings.metrics_listen, Proxy(self._parts, metrics())),
        ]


async def run(settings: Settings) -> None:
    """Serve until the end."""
    asyncio.get_running_loop().set_exception_handler(logs.on_loop_error)
    await Sidecar(settings, lambda record: None, lambda accept: ("text/plain", b"")).run()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
