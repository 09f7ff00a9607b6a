# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis as a place that may be gone at any time: it is waited for a little, once, and then left alone for a while.

Nothing that Redis does or says reaches a client: what cannot be read is a miss, what cannot be written is forgotten.
Logs name the kind of an error and never its text, which can hold an address or a value.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from .cache_key import PREFIX

LOG = logging.getLogger(__name__)
CONNECTIONS = 64
PROBE = f"{PREFIX}probe"  # a key that nothing is kept under
CONNECT_SECONDS = PROBE_SECONDS = WRITE_SECONDS = 1.0
WRITES, WRITE_BYTES = 64, 32 * 2**20  # on their way at most; more are dropped
# Seconds: a timer that is this late was held up by ourselves, and Redis gets a moment more.
STALL = MOMENT = 0.01
# A connection that a firewall forgot is noticed before it is needed.
KEEP_ALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}


class Store:
    """Values of bytes under keys, in Redis.

    url: redis:// or rediss:// (TLS; `?ssl_ca_certs=FILE` names a CA of your own). ttl: seconds that a value is kept.
    most: bytes of a value at most. wait: seconds that a read may take. retry: seconds until Redis is asked again after
    it failed. Raises ValueError for an URL that cannot be used, without telling it.

    Counted: late, reads that waited in vain, also because another's wait was over; trips, how often Redis was left
    alone; refused, commands that it answered with an error; dropped, values that were not written.
    """

    def __init__(self, url: str, *, ttl: int, most: int, wait: float, retry: float) -> None:
        self._ttl, self._most, self._wait, self._retry = ttl, most, wait, retry
        self._redis = Redis(connection_pool=_pool(url))
        self._waiting: set[asyncio.Timeout] = set()
        self._probing: asyncio.Task[None] | None = None
        self._writes = self._write_bytes = 0
        self.up = False
        self.late = self.trips = self.refused = self.dropped = 0

    def start(self) -> None:
        """Begin to ask for Redis; until it answers, nothing is read or written."""
        self._probing = asyncio.get_running_loop().create_task(self._probe(0.0))

    async def close(self) -> None:
        self.up = False
        if self._probing is not None:
            self._probing.cancel()
            with suppress(asyncio.CancelledError):
                await self._probing
        with suppress(Exception):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._redis.connection_pool.disconnect()

    async def get(self, key: str) -> bytes | None:
        """The value, cut at `most` bytes; None or empty where there is none, or Redis does not tell."""
        if not self.up:
            return None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                timer = loop.call_later(self._wait, self._expire, limit, loop.time() + self._wait)
                self._waiting.add(limit)
                try:
                    value = await self._redis.getrange(key, 0, self._most - 1)
                finally:
                    timer.cancel()
                    self._waiting.discard(limit)
                return value if isinstance(value, bytes) else None
        except ResponseError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever a broken Redis makes of its client
            self.late += isinstance(error, TimeoutError)
            self._trip(error)
        return None

    async def put(self, key: str, value: bytes) -> None:
        """Keep a value, if that is quickly done."""
        if not self.up or self._writes >= WRITES or self._write_bytes + len(value) > WRITE_BYTES:
            self.dropped += 1
            return
        self._writes += 1
        self._write_bytes += len(value)
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._redis.set(key, value, ex=self._ttl)
        except ResponseError as error:
            self.dropped += 1
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - whatever a broken Redis makes of its client
            self.dropped += 1
            self._trip(error)
        finally:
            self._writes -= 1
            self._write_bytes -= len(value)

    def _expire(self, limit: asyncio.Timeout, due: float) -> None:
        """End a wait; when this comes late, what Redis sent may lie unread."""
        now = asyncio.get_running_loop().time()
        if not limit.expired():
            limit.reschedule(now + MOMENT if now - due > STALL else now)

    def _refuse(self, error: ResponseError) -> None:
        """An error as an answer costs no time, so it is no reason to stop."""
        self.refused += 1
        if self.refused == 1:
            LOG.warning("cache: Redis refused a command (%s); it is told once", type(error).__name__)

    def _trip(self, error: Exception) -> None:
        """Leave Redis alone, and let nobody wait any longer."""
        if not self.up:
            return
        self.up = False
        self.trips += 1
        LOG.warning("cache: Redis is left alone (%s) until it answers again", type(error).__name__)
        loop = asyncio.get_running_loop()
        for limit in self._waiting:
            if not limit.expired():
                limit.reschedule(loop.time())
        self._probing = loop.create_task(self._probe(self._retry))

    async def _probe(self, delay: float) -> None:
        """Ask until Redis answers; no request waits for this."""
        told = self.trips > 0
        while not self.up:
            await asyncio.sleep(delay)
            delay = self._retry
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._redis.getrange(PROBE, 0, 0)
            except Exception as error:  # noqa: BLE001 - whatever a broken Redis makes of its client
                if not told:
                    LOG.warning("cache: Redis does not answer yet (%s)", type(error).__name__)
                told = True
            else:
                self.up = True
        LOG.info("cache: Redis answers")


def _pool(url: str) -> BlockingConnectionPool:
    """A pool that connects when it is used. Raises ValueError."""
    ours: dict[str, Any] = {
        "protocol": 2,
        "decode_responses": False,
        "driver_info": None,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_keepalive": True,
        "socket_keepalive_options": KEEP_ALIVE,
    }
    # The text of these errors can hold the password, so they are not even the cause of ours.
    with suppress(ValueError, TypeError, AttributeError, OSError, RedisError):
        if url.startswith(("redis://", "rediss://")):
            options: dict[str, Any] = {**parse_url(url), **ours}
            kind = options.pop("connection_class", Connection)
            kind(**options)  # an option that is none is found here
            return BlockingConnectionPool(CONNECTIONS, None, kind, **options)
    raise ValueError("must be redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS")
