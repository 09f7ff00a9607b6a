# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON 1.1 protocol of ECS, driven by botocore's service model.

The service model is the witness: a request is checked against its input shape (types, required members, enumerations,
ranges), and an answer against the output shape, so that the sandbox cannot invent a field.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape

from tests.sandbox.aws.ecs.errors import ClientException, InvalidParameterException, SerializationException

TARGET_PREFIX = "AmazonEC2ContainerServiceV20141113."
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
}


@functools.cache
def service_model() -> ServiceModel:
    """Return the ECS service model of the installed botocore."""
    return botocore.session.get_session().get_service_model("ecs")


def decode(operation: str, body: bytes) -> dict[str, Any]:
    """Parse and check a request body; raises SerializationException, ClientException or InvalidParameterException."""
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise SerializationException("The request body is no valid JSON.") from error
    shape = service_model().operation_model(operation).input_shape
    checked = _check(shape, request, "") if shape is not None else {}
    return checked if isinstance(checked, dict) else {}


def encode(operation: str, answer: dict[str, Any]) -> bytes:
    """Serialise an answer; a field that the model does not know, or has in another type, is a bug of the sandbox."""
    shape = service_model().operation_model(operation).output_shape
    plain = _plain(shape, answer, operation) if shape is not None else {}
    return json.dumps(plain).encode()


def _check(shape: Shape, value: Any, path: str) -> Any:
    if getattr(shape, "is_document_type", False):
        return value
    allowed = _JSON_TYPES.get(shape.type_name)
    # bool is an int for Python, not for JSON.
    wrong_bool = isinstance(value, bool) and shape.type_name not in ("boolean",)
    if allowed is not None and (not isinstance(value, allowed) or wrong_bool):
        raise SerializationException(f"{path or 'The request'} has the wrong type, expected {shape.type_name}.")
    if shape.type_name == "structure":
        return _check_structure(shape, value, path)
    if shape.type_name == "list":
        return [_check(shape.member, item, f"{path}[{index}]") for index, item in enumerate(value) if item is not None]
    if shape.type_name == "map":
        return {key: _check(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    _check_scalar(shape, value, path)
    return value


def _check_structure(shape: Any, value: dict[str, Any], path: str) -> dict[str, Any]:
    present = {key: item for key, item in value.items() if item is not None}
    for name in shape.required_members:
        if name not in present:
            raise InvalidParameterException(f"{f'{path}.{name}'.lstrip('.')} should not be null or empty.")
    # Members that the model does not know are ignored, as the service does.
    return {
        name: _check(shape.members[name], item, f"{path}.{name}".lstrip("."))
        for name, item in present.items()
        if name in shape.members
    }


def _check_scalar(shape: Any, value: Any, path: str) -> None:
    choices = getattr(shape, "enum", None)
    if choices and value not in choices:
        raise InvalidParameterException(f"{path} '{value}' should be one of [{', '.join(choices)}].")
    limits = shape.metadata
    if shape.type_name in ("integer", "long") and not limits.get("min", value) <= value <= limits.get("max", value):
        raise ClientException(f"{path} must be between {limits.get('min')} and {limits.get('max')}.")


def _plain(shape: Any, value: Any, path: str) -> Any:
    if getattr(shape, "is_document_type", False):
        return value
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        if unknown:
            raise AssertionError(f"{path} has no member {', '.join(sorted(unknown))}")
        return {
            key: _plain(shape.members[key], item, f"{path}.{key}") for key, item in value.items() if item is not None
        }
    if shape.type_name == "list":
        return [_plain(shape.member, item, f"{path}[]") for item in value]
    if shape.type_name == "map":
        return {key: _plain(shape.value, item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if not isinstance(value, _JSON_TYPES[shape.type_name]):
        raise AssertionError(f"{path} is {value!r}, the model wants {shape.type_name}")
    return value
