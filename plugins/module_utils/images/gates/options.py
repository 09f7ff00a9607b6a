# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the module container_image_gate, and what they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ...errors import Refused
from .findings import SEVERITIES
from .lint import LEVELS, lint
from .sbom import sbom
from .scan import Policy, Setting, ignores_of, scan
from .signature import Key, sign
from .tool import CannotJudge, Places, Runner
from .trivy import Source
from .verdict import SKIP, Verdict, entry, record, recorded

IGNORE = {
    "id": {"type": "str", "required": True},
    "reason": {"type": "str", "required": True},
    "expires": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "paths": {"type": "list", "elements": "str"},
}
MODEL = {
    "name": {"type": "str", "required": True},
    "digest": {"type": "str", "required": True},
    "registry": {"type": "str"},
    "license": {"type": "str"},
}
ARGSPEC: dict[str, Any] = {
    "gate": {"type": "str", "required": True, "choices": ["lint", "scan", "sbom", "signature"]},
    "mode": {"type": "str", "choices": ["enforce", "warn", "skip"], "default": "enforce"},
    "evidence": {"type": "path", "required": True},
    "build": {"type": "str", "required": True},
    "command": {"type": "str"},
    "dockerfile": {"type": "path"},
    "archive": {"type": "path"},
    "image": {"type": "str"},
    "image_id": {"type": "str"},
    "severity": {"type": "str", "choices": [*LEVELS, *SEVERITIES]},
    "ignore": {"type": "list", "elements": "dict", "default": [], "options": IGNORE},
    "fixed_only": {"type": "bool", "default": False},
    "skip_folders": {"type": "list", "elements": "str", "default": []},
    "update": {"type": "bool", "default": True},
    "cache": {"type": "path"},
    "database_days": {"type": "int", "default": 7},
    "models": {"type": "list", "elements": "dict", "default": [], "options": MODEL},
    "key": {"type": "str", "no_log": False},
    "password": {"type": "str", "no_log": True},
    "transparency_log": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
}
REQUIRED_IF = [
    ("gate", "lint", ["dockerfile"]),
    ("gate", "scan", ["archive", "image"], True),
    ("gate", "sbom", ["archive", "image"], True),
    ("gate", "signature", ["image"]),
]
Params = Mapping[str, Any]
SWITCHED_OFF = "The gate is switched off."
NO_KEY = "There is no key to sign with."


def judge(params: Params, scratch: Path, run: Runner, now: datetime) -> tuple[bool, dict[str, Any]]:
    """Run a gate and record what it found; (whether anything was changed, what gates.json tells of it).

    scratch: an empty folder. Raises PolycloudError, where there is nothing to judge.
    """
    folder, gate, mode = Path(params["evidence"]), str(params["gate"]), str(params["mode"])
    before = recorded(folder, params["build"]).get(gate, {})
    if not folder.is_dir():
        raise Refused(f"The folder for the evidence, {folder}, does not exist.")
    try:
        verdict = _skipped(params) or GATES[gate](params, Places(folder, scratch, run, before), now)
    except CannotJudge as error:
        verdict = Verdict(False, str(error))
    found = entry(verdict, mode, now)
    record(folder, params["build"], gate, found)
    return verdict.changed, found


def _skipped(params: Params) -> Verdict | None:
    if params["mode"] == SKIP:
        return Verdict(False, SWITCHED_OFF, skipped=True)
    if params["gate"] == "signature" and not params["key"]:
        return Verdict(False, NO_KEY, skipped=True)
    return None


def _lint(params: Params, places: Places, now: datetime) -> Verdict:
    del now
    level = _severity(params, LEVELS, "info")
    command = params["command"] or "hadolint"
    return lint(command, Path(params["dockerfile"]).absolute(), level, places)


def _scan(params: Params, places: Places, now: datetime) -> Verdict:
    policy = Policy(
        _severity(params, SEVERITIES, "high"),
        params["fixed_only"],
        ignores_of(params["ignore"]),
        tuple(params["skip_folders"]),
    )
    setting = Setting(
        params["command"] or "trivy",
        _absolute(params["cache"]),
        params["update"],
        params["database_days"],
        params["image_id"] or "",
    )
    return scan(_source(params), policy, setting, places, now)


def _sbom(params: Params, places: Places, now: datetime) -> Verdict:
    del now
    name = params["image"] or Path(params["archive"]).name
    command, cache = params["command"] or "trivy", _absolute(params["cache"])
    return sbom(_source(params), name, params["models"], command, cache, places)


def _signature(params: Params, places: Places, now: datetime) -> Verdict:
    del now
    place = params["key"] if "://" in params["key"] else _absolute(params["key"])
    key = Key(place, params["password"] or "", params["transparency_log"])
    command = params["command"] or "cosign"
    certs = params["validate_certs"]
    return sign(params["image"], key, command, places, validate_certs=certs)


GATES: dict[str, Callable[[Params, Places, datetime], Verdict]] = {
    "lint": _lint,
    "scan": _scan,
    "sbom": _sbom,
    "signature": _signature,
}


def _source(params: Params) -> Source:
    return Source(_absolute(params["archive"]), params["image"] or "", params["validate_certs"])


def _absolute(path: str | None) -> str:
    """A path for a program that runs in another folder; empty where there is none."""
    return str(Path(path).absolute()) if path else ""


def _severity(params: Params, known: tuple[str, ...], default: str) -> str:
    severity = str(params["severity"] or default)
    if severity not in known:
        raise Refused(f"The gate {params['gate']} knows no severity {severity}, only {', '.join(known)}.")
    return severity
