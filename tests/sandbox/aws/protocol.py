# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which service, action and region a call is for, and how that service words an error."""

from __future__ import annotations

import functools
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import WSGIEnvironment
from xml.sax.saxutils import escape

import botocore.session
from botocore.exceptions import UnknownServiceError

DEFAULT_REGION = "us-east-1"
# Names in a signature that differ from botocore's name of the service.
SIGNING_NAMES = {"elasticfilesystem": "efs", "elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass(frozen=True)
class Call:
    """What a request is; ``service`` is botocore's name where botocore knows it."""

    service: str
    operation: str
    region: str


@functools.cache
def _model(service: str) -> Any:
    try:
        return botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None


@functools.cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Return (method, path pattern, operation) of a REST service, longest path first."""
    model = _model(service)
    routes = []
    for name in model.operation_names if model is not None else []:
        http = model.operation_model(name).http
        parts = re.split(r"\{[^}]+\}", http["requestUri"].split("?")[0])
        routes.append((http["method"], re.compile("[^/]+".join(re.escape(part) for part in parts)), name))
    return sorted(routes, key=lambda route: -len(route[1].pattern))


def _scope(environ: WSGIEnvironment) -> tuple[str, str]:
    """Return (service, region) from the signature's credential scope."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    query = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    match = re.search(r"(?:Credential=|^)[^/=]+/\d+/([^/]+)/([^/]+)/", header or query)
    return (match[2].lower(), match[1]) if match else ("", DEFAULT_REGION)


def _form(environ: WSGIEnvironment) -> dict[str, list[str]]:
    stream = environ["wsgi.input"]
    if not hasattr(stream, "seek"):
        return {}
    body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    stream.seek(0)
    return parse_qs(body.decode("utf-8", "replace"))


def classify(environ: WSGIEnvironment) -> Call:
    """Say which service, action and region a call is for; an unknown action is ``METHOD path``."""
    signed, region = _scope(environ)
    service = SIGNING_NAMES.get(signed, signed)
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if not service and target.startswith("AmazonEC2ContainerService"):
        service = "ecs"
    if target:
        return Call(service, target.rsplit(".", 1)[-1], region)
    content = environ.get("CONTENT_TYPE", "")
    parameters = parse_qs(environ.get("QUERY_STRING", ""))
    if content.startswith("application/x-www-form-urlencoded"):
        parameters |= _form(environ)
    if "Action" in parameters:
        return Call(service, parameters["Action"][0], region)
    method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
    for wanted, pattern, name in _routes(service) if service else []:
        if wanted == method and pattern.fullmatch(path):
            return Call(service, name, region)
    return Call(service or "unknown", f"{method} {path}", region)


def name_of(call: Call, environ: WSGIEnvironment) -> str:
    """Return the protocol of a call: json, rest-json, query, ec2 or rest-xml."""
    if environ.get("HTTP_X_AMZ_TARGET"):
        # Some services speak more than one; the header is that of JSON.
        return "json"
    model = _model(call.service)
    return str(model.metadata.get("protocol", "json")) if model is not None else "json"


def error(call: Call, environ: WSGIEnvironment, status: int, code: str, message: str) -> Answer:
    """Return an error in the form of the service's protocol: JSON, REST-JSON, query XML or EC2's XML."""
    protocol = name_of(call, environ)
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request_id)]
    if protocol in ("json", "rest-json"):
        kind = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
        body: dict[str, Any] = {"__type": code, "message": message}
        if protocol == "rest-json":
            body |= {"ErrorCode": code, "Message": message}
        return status, [("Content-Type", kind), ("x-amzn-errortype", code), *headers], json.dumps(body).encode()
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        fault = f"<Error><Type>Sender</Type>{inner}</Error>"
        text = f"<ErrorResponse>{fault}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return status, [("Content-Type", "text/xml"), *headers], f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
