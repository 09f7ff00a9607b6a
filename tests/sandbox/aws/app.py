# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulated AWS: ECS of our own, every other service from moto, one lock around both."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tests.sandbox.aws import autoscaling, efs, moto_app, protocol, seed
from tests.sandbox.aws.ecs import api
from tests.sandbox.aws.ecs.errors import EcsError
from tests.sandbox.aws.ecs.scheduler import Scheduler
from tests.sandbox.aws.ecs.timing import Timing
from tests.sandbox.aws.ecs.world import World
from tests.sandbox.faults import FaultSwitch
from tests.sandbox.runtime import ProcessRuntime

EXPIRED = "The security token included in the request is expired"
# What the gate asks for: status, error code and text.
FAULTS = {
    "throttle": (400, "ThrottlingException", "Rate exceeded"),
    "error500": (500, "InternalFailure", "The request processing has failed because of an unknown error."),
    "unavailable": (503, "ServiceUnavailable", "The service is temporarily unavailable."),
    "expired_credentials": (400, "ExpiredTokenException", EXPIRED),
}
# Protocols that word some of these in their own way.
FAULTS_OF_PROTOCOL = {
    ("throttle", "query"): (400, "Throttling", "Rate exceeded"),
    ("throttle", "ec2"): (503, "RequestLimitExceeded", "Request limit exceeded."),
    ("throttle", "rest-json"): (429, "ThrottlingException", "Rate exceeded"),
    ("expired_credentials", "query"): (403, "ExpiredToken", EXPIRED),
    ("expired_credentials", "ec2"): (400, "RequestExpired", "Request has expired."),
    ("expired_credentials", "rest-json"): (403, "ExpiredTokenException", EXPIRED),
}


class AwsCloud:
    """The Cloud of the sandbox's contract; see ``tests/sandbox/http.py``.

    moto keeps its state in module globals, so one cloud at a time can be in use in a process: creation and ``reset``
    take moto over.
    """

    name = "aws"

    def __init__(self, runtime: ProcessRuntime, switch: FaultSwitch, timing: Timing | None = None) -> None:
        self._world = World(runtime, switch, timing or Timing())
        self._moto = moto_app.MotoApp(self._world)
        self._take_moto()
        self._scheduler = Scheduler(self._world)
        self._scheduler.start()
        self._closed = threading.Event()

    def wsgi(self) -> WSGIApplication:
        """Return the application."""
        return self._answer

    def classify(self, environ: WSGIEnvironment) -> tuple[str, str, str]:
        """Return (service, operation, region), as ``("ecs", "UpdateService", "us-east-1")``."""
        call = protocol.classify(environ)
        return call.service, call.operation, call.region

    def error_response(self, kind: str, environ: WSGIEnvironment) -> protocol.Answer:
        """Return a fault in the form of the service that was called."""
        call = protocol.classify(environ)
        status, code, message = FAULTS_OF_PROTOCOL.get((kind, protocol.name_of(call, environ)), FAULTS[kind])
        return protocol.error(call, environ, status, code, message)

    def seed(self) -> dict[str, Any]:
        """Create what a user would be given, and return the ids by region."""
        with self._world.lock:
            return seed.create(self._world)

    def reset(self) -> None:
        """Stop every task and forget everything."""
        with self._world.lock:
            tasks = [task for region in self._world.regions.values() for task in region.tasks.values()]
            self._world.clear()
            self._take_moto()
        for task in tasks:
            for workload in task.processes:
                if workload.alive():
                    workload.stop(0)
            if task.address is not None:
                self._world.runtime.release_address(task.address)

    def close(self) -> None:
        """Stop for good."""
        if not self._closed.is_set():
            self._closed.set()
            self._scheduler.close()
            self.reset()

    def _take_moto(self) -> None:
        """Empty moto, and let what is patched in it look at this world."""
        moto_app.forget()
        efs.install()
        autoscaling.install(self._world)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        call = protocol.classify(environ)
        if call.service != "ecs":
            return self._moto(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            answer = api.call(self._world, call.region, call.operation, body)
            start_response("200 OK", api.headers())
            return [answer]
        except EcsError as error:
            start_response(f"{error.status} Bad Request", api.headers())
            return [api.error_body(error.code, error.message)]
        except Exception as error:  # noqa: BLE001
            # A defect of the sandbox: seen on the console, and as a failed call in the log.
            traceback.print_exc()
            start_response("500 Internal Server Error", api.headers())
            return [api.error_body("InternalFailure", f"the sandbox failed: {type(error).__name__}: {error}")]


def create_app(runtime: ProcessRuntime, switch: FaultSwitch, timing: Timing | None = None) -> AwsCloud:
    """Return a running cloud, empty until it is seeded."""
    return AwsCloud(runtime, switch, timing)
