# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach an Ollama: the options of every module that talks to one (doc fragment `polycloud.ollama.ollama`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..deployment.names import digest_problem, model_name_problem
from ..text import one_line
from .client import OllamaClient
from .errors import OllamaError
from .records import canonical_digest

ARGSPEC: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "http://127.0.0.1:11434"},
    "api_key": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "use_proxy": {"type": "bool", "default": True},
    "request_timeout": {"type": "float", "default": 30.0},
}


def client_from(params: Mapping[str, Any]) -> OllamaClient:
    """The client that the connection options of a module describe."""
    return OllamaClient(
        params["url"],
        timeout=params["request_timeout"],
        validate_certs=params["validate_certs"],
        token=params["api_key"],
        ca_path=params["ca_path"],
        use_proxy=params["use_proxy"],
    )


def wanted_model(option: str, name: str) -> str:
    """The name, if it is one that may be sent to a server."""
    problem = model_name_problem(name)
    if problem:
        raise OllamaError(f"{option} '{one_line(name, 80)}' {problem}.")
    return name


def wanted_digest(text: str | None) -> str:
    """The digest as 64 hex digits, or "" where none is pinned."""
    digest = canonical_digest(text or "")
    problem = digest_problem(digest) if digest else None
    if problem:
        raise OllamaError(f"digest '{one_line(digest, 80)}' {problem}.")
    return digest
