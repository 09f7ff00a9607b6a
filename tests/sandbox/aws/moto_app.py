# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is not ECS: moto's server, in this process, behind the same lock.

moto answers an action that it does not implement with an HTML page and status 500, which SDKs retry for minutes. Here
it becomes a 4xx in the form of the service's own protocol.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

# Thousands of machine images that nobody here looks at make the first EC2 call slow.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

from moto.backends import list_of_moto_modules
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.http import HTTP_STATUS_CODES

from tests.sandbox.aws import protocol
from tests.sandbox.aws.ecs.world import World
from tests.sandbox.http import call_application

UNKNOWN = "UnknownOperationException"


class MotoApp:
    """A WSGI application for all services of moto."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dispatcher = DomainDispatcherApplication(create_backend_app)
        self._known = set(list_of_moto_modules())
        # Flask would print the traceback of every action that moto lacks.
        logging.getLogger("moto").setLevel(logging.CRITICAL)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one call."""
        call = protocol.classify(environ)
        try:
            with self._world.lock:
                app = self._dispatcher.get_application(environ)
                app.debug = False
                app.config["PROPAGATE_EXCEPTIONS"] = True
                status, headers, body = call_application(app, environ)
            # A page of HTML is Flask's own: moto has no route for the path.
            if status in (404, 405) and body.lstrip()[:9].lower() == b"<!doctype":
                raise NotImplementedError(f"no route for {environ['REQUEST_METHOD']} {environ.get('PATH_INFO')}")
            answer = status, headers, body
        except NotImplementedError as error:
            answer = protocol.error(call, environ, 400, UNKNOWN, f"{call.operation} is not emulated: {error}")
        except Exception as error:  # noqa: BLE001
            # moto raises plain exceptions where its own code meets input that it did not foresee. That must be loud.
            message = f"moto failed in {call.service} {call.operation}: {type(error).__name__}: {error}"
            answer = protocol.error(call, environ, 500, "InternalFailure", message)
        status, headers, body = answer
        start_response(f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown')}", headers)
        return [body]


def forget() -> None:
    """Empty every backend of moto."""
    BackendDict.reset()
    reset_model_data()
