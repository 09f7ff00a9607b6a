# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model fetched into a folder without a server: the option C(fetch) of the ollama_model module."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..models.credentials import Credentials, credentials_for
from ..models.fetch import Report, fetch
from ..models.folder import Folder
from ..models.logins import login
from ..models.names import PUBLIC_HOST
from ..models.progress import Emit
from ..models.registry import Registry
from ..models.source import MOST_STREAMS, STREAMS, Source
from ..models.transport import Transport
from .errors import OllamaError
from .model import Found, facts, summary
from .options import wanted_digest, wanted_model

SOURCE = "Models"
OPTIONS: dict[str, dict[str, Any]] = {
    "into": {"type": "path", "required": True},
    "registry": {"type": "str", "default": f"https://{PUBLIC_HOST}"},
    "folder": {"type": "path"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "login": {"type": "str", "choices": ["ecr", "acr"]},
    "insecure": {"type": "bool", "default": False},
    "ca_file": {"type": "path"},
    "lock": {"type": "path"},
    "update_lock": {"type": "bool", "default": False},
    "parallel": {"type": "int", "default": STREAMS},
}
RULES: dict[str, Any] = {
    "required_together": [("username", "password")],
    "mutually_exclusive": [("folder", "login"), ("token", "username", "login")],
}


def fetch_model(params: Mapping[str, Any], emit: Callable[[str, str], None], *, check: bool) -> dict[str, Any]:
    """Bring the model of the options into C(fetch.into) and return the module's result. Raises PolycloudError."""
    options = params["fetch"]
    if params["state"] != "present":
        raise OllamaError(
            f"fetch cannot be used with state={params['state']}: there is no server that could do it.",
            hint="Leave fetch out and give the url of a server, or use state=present.",
        )
    if not 1 <= options["parallel"] <= MOST_STREAMS:
        raise OllamaError(f"fetch.parallel must be 1 to {MOST_STREAMS}, not {options['parallel']}.")
    name, digest = wanted_model("name", params["name"]), wanted_digest(params["digest"])

    def tell(text: str) -> None:
        emit(SOURCE, text)

    report = fetch(
        [f"{name}@sha256:{digest}" if digest else name],
        source_of(options, tell),
        Path(options["into"]),
        lock=Path(options["lock"]) if options["lock"] else None,
        update_lock=options["update_lock"],
        parallel=options["parallel"],
        emit=tell,
        check=check,
    )
    return result_of(report)


def source_of(options: Mapping[str, Any], tell: Emit) -> Source:
    """Where the model comes from: a folder, or a registry with the login that was asked for."""
    if options["folder"]:
        return Folder(Path(options["folder"]))
    transport = Transport(insecure=options["insecure"], ca_file=options["ca_file"])
    return Registry(options["registry"], _credentials(options, transport), transport=transport, tell=tell)


def _credentials(options: Mapping[str, Any], transport: Transport) -> Credentials:
    if options["login"]:
        return login(options["login"], options["registry"], transport)
    if options["username"] or options["token"]:
        given = {key: options[key] or "" for key in ("username", "password", "token")}
        return Credentials(**given)
    return credentials_for(options["registry"], os.environ)


def result_of(report: Report) -> dict[str, Any]:
    """The module's result for the one model of a report."""
    (model,) = report.models
    after = Found(digest=model.digest.removeprefix("sha256:"), size=model.size)
    before = Found() if model.changed else after
    return {
        "changed": report.changed,
        "steps": ["fetch"] if model.changed else [],
        "bytes_fetched": model.bytes_fetched,
        "model": facts(after),
        "diff": {"before": summary(model.name, before), "after": summary(model.name, after)},
    }
