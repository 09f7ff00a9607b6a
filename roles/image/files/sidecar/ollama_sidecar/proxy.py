# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a request: route, key, body, policy, cache, place, Ollama, and back, with one Record at the end."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic  # the loop of uvloop counts milliseconds

from . import cache_key, listing, requests
from .admission import OTHER, Admission, Rejected
from .bodies import Bodies, Share
from .cache import Fetch, ResponseCache
from .cache_flight import Flight
from .http.exchange import Answer, BadBody, ClientGone, Exchange, Header, Pieces, TooLarge, Upstream, UpstreamError
from .keys import Client, KeyRing
from .life import Life, stopping
from .logs import told
from .monitor import CHANGING, Monitor
from .record import Record, new_id
from .relay import Copy, back, passed_on
from .reply import JSON, Reply, busy, error_body, error_line, send_bytes, send_json
from .requests import Asked, canonical
from .routes import Dialect, Kind, Refused, Route, Router, dialect
from .service import Service
from .settings import Settings
from .usage import Meter, inject, meter_for

LOG = logging.getLogger(__name__)
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Their streams tell tokens only to those who ask for it.
COUNTED_ON_REQUEST = ("/v1/chat/completions", "/v1/completions")
# What Ollama says when it has too much to do; it does not say when to come again.
BUSY = (429, 503)
STOPPED = "This server is stopping."
# Without it nginx in front holds a stream until a buffer is full.
NOT_HELD = ("X-Accel-Buffering", "no")


@dataclass(slots=True)
class Parts:
    """What a proxy is made of."""

    settings: Settings
    upstream: Upstream
    admission: Admission
    keys: KeyRing
    bodies: Bodies
    life: Life
    monitor: Monitor
    service: Service
    cache: ResponseCache | None
    observe: Callable[[Record], None]
    worked: Callable[[Record], None]  # an answer that was asked for the cache has ended


class Proxy:
    """Answers the requests of one listener. open: without keys and limits, for the machine's own operators."""

    def __init__(self, parts: Parts, router: Router, *, open_to_all: bool = False) -> None:
        self._parts = parts
        self._router = router
        self._open = open_to_all
        settings = parts.settings
        self._allowed = frozenset(canonical(name) for name in settings.allowed_models or settings.models)
        self._keep = frozenset(settings.keep_options)

    async def __call__(self, exchange: Exchange) -> None:
        record = Record(_id(exchange), exchange.method, monotonic(), peer=exchange.peer)
        observed = True
        try:
            observed = await self._answer(exchange, record)
        except (ClientGone, asyncio.CancelledError):
            record.disconnected = True
            record.status = record.status or 499
            raise
        finally:
            record.ended = monotonic()
            if observed:
                self._parts.observe(record)

    async def _answer(self, exchange: Exchange, record: Record) -> bool:
        """Whether the request is one to be counted: probes and scrapes are not."""
        words = dialect(exchange.target)
        record.dialect = words.value
        try:
            if self._open:
                _no_page(exchange)
            route = self._route(exchange)
            record.route = route.name
            if route.kind in (Kind.HEALTH, Kind.DRAIN, Kind.METRICS):
                await self._parts.service(exchange, route, trusted=self._open)
                return False
            await self._pass(exchange, record, route)
        except Reply as reply:
            await _refuse(exchange, record, words, reply)
        except TooLarge:
            most = self._parts.settings.body_bytes
            await _refuse(exchange, record, words, Reply(413, f"the body is larger than {most} bytes", "body"))
        except BadBody as error:
            await _refuse(exchange, record, words, Reply(error.status, str(error), "body"))
        except UpstreamError as error:
            status = 504 if error.timed_out else 502
            await _refuse(exchange, record, words, Reply(status, str(error), "upstream"))
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours harms one request
            LOG.error("request %s failed: %s", record.id, told(error))
            await _refuse(exchange, record, words, Reply(500, "internal error", "internal"))
        return True

    def _route(self, exchange: Exchange) -> Route:
        try:
            return self._router.match(exchange.method, exchange.target)
        except Refused as refused:
            allow = [("Allow", ", ".join(refused.allow))] if refused.allow else []
            raise Reply(refused.status, str(refused), "policy", allow) from None

    async def _pass(self, exchange: Exchange, record: Record, route: Route) -> None:
        parts = self._parts
        if parts.life.over or (parts.life.draining and not self._open):
            raise stopping()
        with parts.life.work():
            if self._open:
                await self._operate(exchange, record, route)
                return
            client = parts.keys.client(exchange.headers, exchange.peer)
            record.key = client.id
            if route.kind is Kind.READ and route.methods != ("POST",):
                await self._read(exchange, record, route, client)
                return
            client.count(record.began)
            with client.busy(), Share(parts.bodies) as share:
                await self._ask(exchange, record, route, client.allowed, share)

    async def _operate(self, exchange: Exchange, record: Record, route: Route) -> None:
        """What operators ask. The monitor hears of a change of models before they can see that it is done."""
        if route.name not in CHANGING:
            await self._forward(exchange, record, route, None, exchange.piece)
            return
        parts = self._parts
        try:
            answer = await parts.upstream.send(exchange.method, exchange.target, passed_on(exchange), exchange.piece)
            parts.monitor.changed()
            await self._hand_on(exchange, record, route, None, answer)
        finally:
            parts.monitor.changed()

    async def _read(self, exchange: Exchange, record: Record, route: Route, client: Client) -> None:
        """What no model answers. Lists of models are held to what may be asked."""

        def allowed(model: str) -> bool:
            return client.allowed(model) and (not self._allowed or model in self._allowed)

        if (model := listing.asked(route, exchange.target)) and not allowed(model):
            raise Reply(404, f"model {model[:100]!r} not found", "model")
        if exchange.method == "HEAD" or route.name not in listing.LISTS or not (self._allowed or client.models):
            await self._forward(exchange, record, route, None, b"")
            return
        answer = await self._parts.upstream.send("GET", exchange.target, passed_on(exchange), b"")
        try:
            raw = await answer.body(listing.MOST)
        finally:
            answer.close()
        record.status = answer.status
        body = listing.shortened(route, raw, allowed) if answer.status == 200 else raw
        content_type = next((value for name, value in answer.headers if name.lower() == "content-type"), JSON)
        record.bytes_out = await send_bytes(exchange, answer.status, body, content_type, [("X-Request-Id", record.id)])

    async def _ask(
        self, exchange: Exchange, record: Record, route: Route, allowed: Callable[[str], bool], share: Share
    ) -> None:
        """A request to a model."""
        if exchange.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Reply(415, "the body must not be compressed", "policy")
        asked = requests.read(route, await self._body(exchange, record, share))
        asked.sent = share.release
        record.stream = asked.stream
        record.model = self._label(asked.model)
        if self._allowed and asked.model not in self._allowed:
            raise Reply(404, f"model {asked.model[:100]!r} not found", "model")
        if not allowed(asked.model):
            raise Reply(403, f"this key may not ask {asked.model[:100]!r}", "model")
        settings = self._parts.settings
        requests.tame(
            asked,
            route,
            max_num_ctx=settings.max_num_ctx,
            max_num_predict=settings.max_num_predict,
            keep=self._keep,
        )
        if route.kind is Kind.READ:
            requests.encode(asked)
            await self._forward(exchange, record, route, None, asked.give(), asked.sent)
            return
        await self._ask_model(exchange, record, route, asked)

    async def _body(self, exchange: Exchange, record: Record, share: Share) -> bytes:
        raw = await share.read(exchange, self._parts.settings.body_bytes)
        record.bytes_in = len(raw)
        return raw

    async def _ask_model(self, exchange: Exchange, record: Record, route: Route, asked: Asked) -> None:
        key = self._cache_key(exchange, record, route, asked)
        injected = route.name in COUNTED_ON_REQUEST and inject(asked.data)
        asked.changed |= injected
        requests.encode(asked)
        meter = meter_for(route, asked.stream, injected)
        if key and self._parts.cache is not None:
            fetch = self._fetch(exchange, record, meter, asked.body)
            fresh = cache_key.use(exchange.headers) is cache_key.Use.WRITE
            answer = await self._parts.cache.ask(key, fetch, self._parts.monitor.pin(asked.model), fresh=fresh)
            if answer is not None:
                record.cache = answer.how
                await self._hand_on(exchange, record, route, None, answer)
                return
            meter = meter_for(route, asked.stream, injected)
        async with AsyncExitStack() as stack:
            await self._place(stack, record, asked.model)
            await self._forward(exchange, record, route, meter, asked.give(), asked.sent)

    def _cache_key(self, exchange: Exchange, record: Record, route: Route, asked: Asked) -> str:
        """The name of the answer in the cache; empty where it is not for the cache. To be asked before `inject`."""
        cache, digest = self._parts.cache, self._parts.monitor.digest(asked.model)
        if cache is None or not digest:
            return ""
        if cache_key.use(exchange.headers) is cache_key.Use.NEITHER:
            record.cache = "bypass"
            return ""
        return cache.key(route, asked.data, record.bytes_in, digest, record.key, self._parts.monitor.version)

    def _fetch(self, exchange: Exchange, record: Record, meter: Meter, body: bytes) -> Fetch:
        """What asks Ollama for the cache; it runs on when the client of `exchange` has gone and another one waits."""
        method, target, headers = exchange.method, exchange.target, passed_on(exchange)

        async def fetch(flight: Flight) -> None:
            record.shared = True
            async with AsyncExitStack() as stack:
                stack.callback(self._parts.worked, record)
                await self._place(stack, record, record.model)
                answer = await self._parts.upstream.send(method, target, headers, body)
                try:
                    flight.start(answer.status, back(answer.headers, meter))
                    await Copy(flight, record, meter if answer.status == 200 else None, counts=False).run(answer)
                finally:
                    answer.close()

        return fetch

    async def _place(self, stack: AsyncExitStack, record: Record, model: str) -> None:
        admission, key, begin = self._parts.admission, record.key, monotonic()
        known = record.model != OTHER
        try:
            place = admission.gate(model).place(key) if known else admission.strange(model, key)
            await stack.enter_async_context(place)
        except Rejected as rejected:
            message = "too many requests wait for this model"
            if rejected.reason == "queue_timeout":
                message = "no place became free in time"
            raise busy(503, message, rejected.reason, rejected.retry_after) from None
        finally:
            record.queued = monotonic() - begin

    def _label(self, model: str) -> str:
        """The model as metrics and gates know it: a client cannot invent names."""
        return model if model in self._allowed or model in self._parts.monitor.digests else OTHER

    async def _forward(
        self,
        exchange: Exchange,
        record: Record,
        route: Route,
        meter: Meter | None,
        body: bytes | Pieces,
        sent: Callable[[], None] | None = None,
    ) -> None:
        """sent: is called when Ollama has the body."""
        if callable(body) and exchange.method in ("GET", "HEAD"):
            body = b""
        answer = await self._parts.upstream.send(exchange.method, exchange.target, passed_on(exchange), body)
        body = b""
        if sent is not None:
            sent()
        await self._hand_on(exchange, record, route, meter, answer)

    async def _hand_on(
        self, exchange: Exchange, record: Record, route: Route, meter: Meter | None, answer: Answer
    ) -> None:
        record.status = answer.status
        copy = Copy(exchange, record, meter if answer.status == 200 else None)
        head = back(answer.headers, meter)
        # An answer of a known length is cut where it ends too early; nothing can be added to it.
        record.stream = record.stream and not any(name.lower() == "content-length" for name, dummy in head)
        try:
            more = [("X-Cache", record.cache)] if record.cache else []
            if record.stream:
                more.append(NOT_HELD)
            if answer.status in BUSY and not any(name.lower() == "retry-after" for name, dummy in head):
                more.append(("Retry-After", str(self._parts.admission.retry_after(record.model))))
            await exchange.start(answer.status, [*head, ("X-Request-Id", record.id), *more], hold=answer.ready)
            await copy.run(answer)
            await exchange.finish()
        except UpstreamError as error:
            record.broken = "timeout" if error.timed_out else "upstream"
            await _broken(exchange, record, route.dialect, str(error), copy.last)
        except asyncio.CancelledError:
            if self._parts.life.over:
                answer.close()  # else more of it may follow the error
                record.broken = "draining"
                await _broken(exchange, record, route.dialect, STOPPED, copy.last)
            raise
        finally:
            answer.close()


async def _broken(exchange: Exchange, record: Record, dialect: Dialect, error: str, last: bytes) -> None:
    """Tell the client that the answer which it has begun to read will not be whole."""
    LOG.warning("request %s broke off: %s", record.id, error)
    if record.stream:
        exchange.push(error_line(dialect, error, last))
        await asyncio.sleep(0)
    exchange.abort()


async def _refuse(exchange: Exchange, record: Record, dialect: Dialect, reply: Reply) -> None:
    if record.status:
        exchange.abort()  # another answer has begun
        return
    record.status, record.rejected = reply.status, reply.reason
    body = error_body(dialect, reply.status, reply.message)
    headers: Sequence[Header] = [*reply.headers, ("X-Request-Id", record.id)]
    record.bytes_out = await send_json(exchange, reply.status, body, headers)


def _no_page(exchange: Exchange) -> None:
    """Refuse what a page in a browser sends: the listener has no login, and Ollama, which would refuse it, never sees
    the Origin."""
    if "Origin" in exchange.headers:
        raise Reply(403, "requests of web pages are not taken here", "policy")


def _id(exchange: Exchange) -> str:
    """The client's own id of the request where it is plain, else a new one."""
    given = exchange.headers.get("X-Request-Id", "")
    return given if PLAIN_ID.fullmatch(given) else new_id()
