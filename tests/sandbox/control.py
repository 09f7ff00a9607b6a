# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API: what tests, benchmarks and demos use to look at the sandbox and to break it. JSON both ways.

GET /health · GET, POST, DELETE /faults · POST /clouds/<aws|azure> {"down": bool, "mode"?: "reset"|"unavailable"} ·
POST /latency {"ms": n} · POST /capacity {"gpu": n|null, "quota": n|null} · POST /credentials {"expired": bool,
"cloud"?: name} · GET, DELETE /requests[?cloud=] · GET /workloads · POST /kill {"address": a} · POST /reset
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from tests.sandbox.faults import FaultError, FaultRule, FaultSwitch
from tests.sandbox.http import RequestLog
from tests.sandbox.runtime import ProcessRuntime, Workload


class Controlled(Protocol):
    """What the control API needs of a sandbox."""

    runtime: ProcessRuntime
    switch: FaultSwitch
    log: RequestLog

    def describe(self) -> dict[str, Any]:
        """Return pid, URLs, exports and seeds."""

    def reset(self) -> dict[str, Any]:
        """Give every cloud its fresh, seeded state and return the seeds."""


class ControlApi:
    """A WSGI application over one sandbox."""

    def __init__(self, sandbox: Controlled) -> None:
        self._sandbox = sandbox
        routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", "/health", self._health),
            ("GET", "/faults", self._faults),
            ("POST", "/faults", self._arm),
            ("DELETE", "/faults", self._disarm),
            ("POST", "/clouds/<name>", self._cloud),
            ("POST", "/latency", self._latency),
            ("POST", "/capacity", self._capacity),
            ("POST", "/credentials", self._credentials),
            ("GET", "/requests", self._requests),
            ("DELETE", "/requests", self._forget_requests),
            ("GET", "/workloads", self._workloads),
            ("POST", "/kill", self._kill),
            ("POST", "/reset", self._reset),
        ]
        self._routes = Map([Rule(path, methods=[method], endpoint=handler) for method, path, handler in routes])

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call; a bad body is a 400 that names the field."""
        request = Request(environ)
        try:
            handler, arguments = self._routes.bind_to_environ(environ).match()
            answer, status = handler(request, **arguments), 200
        except FaultError as error:
            answer, status = {"error": str(error)}, 400
        except HTTPException as error:
            answer, status = {"error": error.description}, error.code or 500
        response = Response(json.dumps(answer), status, content_type="application/json")
        return response(environ, start_response)

    def _health(self, request: Request) -> Any:
        return {"status": "ok", **self._sandbox.describe()}

    def _faults(self, request: Request) -> Any:
        return self._sandbox.switch.state()

    def _arm(self, request: Request) -> Any:
        return dict(vars(self._sandbox.switch.arm(FaultRule.from_mapping(_body(request)))))

    def _disarm(self, request: Request) -> Any:
        self._sandbox.switch.disarm()
        return self._sandbox.switch.state()

    def _cloud(self, request: Request, name: str) -> Any:
        body = _body(request)
        self._sandbox.switch.set_down(name, _field(body, "down", bool), body.get("mode", "reset"))
        return self._sandbox.switch.state()

    def _latency(self, request: Request) -> Any:
        milliseconds = _field(_body(request), "ms", float)
        if milliseconds < 0:
            raise BadRequest(f"ms {milliseconds!r} must be a number of milliseconds from 0 on")
        self._sandbox.switch.latency_ms = milliseconds
        return self._sandbox.switch.state()

    def _capacity(self, request: Request) -> Any:
        body = _body(request)
        wanted = {name: _count(body, name) for name in ("gpu", "quota") if name in body}
        if not wanted:
            raise BadRequest("name gpu, quota or both; null takes the limit away")
        if "gpu" in wanted:
            self._sandbox.switch.gpu_capacity = wanted["gpu"]
        if "quota" in wanted:
            self._sandbox.switch.quota = wanted["quota"]
        return self._sandbox.switch.state()

    def _credentials(self, request: Request) -> Any:
        body = _body(request)
        self._sandbox.switch.set_credentials_expired(_field(body, "expired", bool), body.get("cloud"))
        return self._sandbox.switch.state()

    def _requests(self, request: Request) -> Any:
        return self._sandbox.log.as_json(request.args.get("cloud"))

    def _forget_requests(self, request: Request) -> Any:
        self._sandbox.log.clear()
        return []

    def _workloads(self, request: Request) -> Any:
        return [_described(workload) for workload in self._sandbox.runtime.workloads()]

    def _kill(self, request: Request) -> Any:
        address = _field(_body(request), "address", str)
        killed = [workload for workload in self._sandbox.runtime.workloads() if workload.spec.address == address]
        if not killed:
            raise NotFound(f"no workload runs at {address}; GET /workloads lists those that do")
        for workload in killed:
            workload.kill()
        return [_described(workload) for workload in killed]

    def _reset(self, request: Request) -> Any:
        return self._sandbox.reset()


def _body(request: Request) -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _field(body: dict[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (kind is float and isinstance(value, bool)):
        raise BadRequest(f"{name} {value!r} must be of type {kind.__name__}")
    return value


def _count(body: dict[str, Any], name: str) -> int | None:
    value = body[name]
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise BadRequest(f"{name} {value!r} must be a whole number from 0 on, or null for no limit")
    return value


def _described(workload: Workload) -> dict[str, Any]:
    """Return what may be shown of a workload; its environment may hold secrets and stays out."""
    spec = workload.spec
    return {
        "name": spec.name,
        "image": spec.image,
        "address": spec.address,
        "port": spec.port,
        "gpu": spec.gpu,
        "pid": workload.pid,
        "started_at": workload.started_at,
    }
