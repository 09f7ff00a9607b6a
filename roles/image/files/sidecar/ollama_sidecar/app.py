# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the sidecar together, listens, and ends it in order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from . import descriptors, gpu, logs
from .access_log import AccessLog, Output
from .admission import Admission
from .bodies import Bodies
from .cache import ResponseCache
from .emf import Emf
from .http.exchange import Handler, Listener
from .http.server import serve
from .http.upstream import PooledUpstream
from .keys import KeyRing
from .life import Life
from .memory import Memory
from .metrics import Metrics, State
from .monitor import TAGS_EVERY, Monitor
from .otlp import Exporter
from .proxy import Parts, Proxy
from .record import Record, new_id
from .requests import canonical
from .routes import admin, metrics, public
from .rules import address
from .service import Service
from .settings import Settings

LOG = logging.getLogger(__name__)
VERSION = "0.1.0"
LAST_WORDS = 1.0  # seconds in which clients are told that they are cut
Observer = Callable[[Record], None]


class Sidecar:
    """A running sidecar. listeners: public, admin and metrics, with their ports where 0 was asked for too.

    observers: are told of each request that ended, besides metrics and access log. Raises Wrong.
    """

    def __init__(self, settings: Settings, observers: Sequence[Observer] = ()) -> None:
        self.settings = settings
        self.life = Life()
        self.admission = Admission(settings.num_parallel, settings.max_queued, settings.queue_seconds)
        self.upstream = _upstream(settings)
        self.monitor = Monitor(
            self.upstream,
            [canonical(name) for name in settings.models],
            seconds=settings.poll_seconds,
            require_gpu=settings.require_gpu,
            warm_up=settings.warm_up,
            others=[canonical(name) for name in settings.allowed_models],
            tags_every=0.0 if settings.cache_url.get_secret_value() else TAGS_EVERY,
            asked=lambda: {model for model, counts in self.admission.queues().items() if any(counts)},
        )
        self.metrics = Metrics(self._state, version=VERSION, more=gpu.collectors())
        self._exporter = exporter(settings, self.metrics)
        self._output = Output() if settings.access_log or settings.emf_namespace else None
        self._access_log = AccessLog(self._output) if settings.access_log and self._output is not None else None
        self._cache = _cache(settings)
        self._parts = Parts(
            settings,
            self.upstream,
            self.admission,
            KeyRing(settings.keys, settings.trusted_proxies, settings.user_header),
            Bodies(max(settings.bodies_bytes, settings.body_bytes)),
            self.life,
            self.monitor,
            Service(self.life, self.monitor, self.metrics.render, settings.drain_token_sha256),
            self._cache,
            self._observer(observers),
            self._worked,
        )
        self.listeners: dict[str, Listener] = {}
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Serve until a signal or a drain, and then until nothing runs any more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: self.life.drain(leave=True))
        async with AsyncExitStack() as stack:
            if self._output is not None:
                stack.callback(self._output.close)
            stack.push_async_callback(self.upstream.close)
            if self._cache is not None:
                stack.push_async_callback(self._cache.close)
                self._cache.start()
            self._begin(stack)
            # They are closed first: who waits for the end of the sidecar looks whether it listens.
            await self._listen(stack)
            await self.life.leaving.wait()
            await self._drain(loop.time() + self.settings.drain_seconds)

    def _begin(self, stack: AsyncExitStack) -> None:
        """Start what runs beside the requests."""
        settings = self.settings
        # Without it nobody knows whether Ollama is ready, so a sidecar without it ends and is started anew.
        self._task(stack, "monitor", self.monitor.run(), lambda: self.life.drain(leave=True))
        self._task(stack, "memory", Memory(lambda: self.life.working).run())
        if settings.emf_namespace and self._output is not None:
            emf = Emf(self.metrics.registry, settings.emf_namespace, self._output.line)
            self._task(stack, "emf", emf.run(settings.emf_seconds))
        if self._exporter is not None:
            self._task(stack, "otlp", self._exporter.run(settings.otlp_seconds))

    def _task(
        self,
        stack: AsyncExitStack,
        name: str,
        work: Coroutine[Any, Any, None],
        died: Callable[[], None] | None = None,
    ) -> None:
        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                LOG.error("%s has ended: %s", name, logs.told(error))
                if died is not None:
                    died()

        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(done)
        stack.push_async_callback(_ended, task)

    async def _drain(self, end: float) -> None:
        """Wait for what runs. The listeners stay, so that clients are told 503 and when to come again."""
        now = asyncio.get_running_loop().time
        LOG.info("draining, %d requests are running", self.life.working)
        if not await self.life.idle(end - now()):
            LOG.warning("%d requests were cut: they took longer than drain_seconds", self.life.working)
            self.life.end()
            end = now() + LAST_WORDS
            await self.life.idle(LAST_WORDS)
        # Ollama is done with them, their clients may not have taken all of it.
        for listener in self.listeners.values():
            if not await listener.flushed(max(0.0, end - now())):
                LOG.warning("clients that were too slow were cut")
                return

    async def _listen(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        most = descriptors.most(settings.max_connections)
        if most < settings.max_connections:
            LOG.warning("there are file descriptors for %d connections only, see max_connections", most)
        for name, where, handler in self._handlers():
            if where:
                self.listeners[name] = await serve(
                    handler,
                    *address(where),
                    patience=settings.client_seconds,
                    most=most if name == "public" else descriptors.ASIDE,
                    unreadable=self._unreadable,
                )
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

    def _observer(self, more: Sequence[Observer]) -> Observer:
        observers = [self.metrics.observe, self.monitor.observe, *more]
        if self._access_log is not None:
            observers.append(self._access_log.observe)

        def observe(record: Record) -> None:
            for observer in observers:
                observer(record)

        return observe

    def _worked(self, record: Record) -> None:
        """Count what Ollama did for the cache. record: of the request that began it, which may have ended."""
        self.metrics.work(record)
        if record.ended and self._access_log is not None:
            self._access_log.work(record)

    def _unreadable(self, status: int, peer: str) -> str:
        """Count and log what the server could not read as a request."""
        now = monotonic()
        record = Record(new_id(), "", now, peer=peer, status=status, rejected="http", ended=now)
        self._parts.observe(record)
        return record.id

    def _state(self) -> State:
        monitor = self.monitor
        return State(
            up=monitor.up,
            ready=not monitor.problem() and not self.life.draining,
            draining=self.life.draining,
            version=monitor.version,
            available=len(monitor.digests),
            loaded=tuple(monitor.loaded.values()) if monitor.up else (),
            queues=self.admission.queues(),
            parallel=self.settings.num_parallel,
            capacity=self.settings.max_queued,
        )


def _upstream(settings: Settings) -> PooledUpstream:
    where = urlsplit(settings.upstream)
    connect, silence = settings.connect_seconds, settings.silence_seconds
    return PooledUpstream(where.hostname or "", where.port or 80, connect=connect, silence=silence)


def _cache(settings: Settings) -> ResponseCache | None:
    """The cache, where one is asked for."""
    url = settings.cache_url.get_secret_value()
    if not url:
        return None
    return ResponseCache(
        url,
        ttl=settings.cache_ttl_seconds,
        most=settings.cache_bytes,
        wait=settings.cache_milliseconds / 1000,
        retry=settings.cache_retry_seconds,
    )


def exporter(settings: Settings, metrics: Metrics) -> Exporter | None:
    """What sends metrics by OTLP, where that is asked for. Raises Wrong."""
    if not settings.otlp_endpoint:
        return None
    headers = settings.otlp_headers.get_secret_value()
    return Exporter(metrics.registry, settings.otlp_endpoint, headers, version=VERSION)


def check(settings: Settings) -> None:
    """Raise Wrong where something that the settings need is not installed."""
    exporter(settings, Metrics(State))


async def run(settings: Settings) -> None:
    """Serve until the end. Raises OSError where it cannot listen."""
    asyncio.get_running_loop().set_exception_handler(logs.on_loop_error)
    await Sidecar(settings).run()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
