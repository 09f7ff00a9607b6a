# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidecar that stands in front of Ollama, the same on every platform. Pure. See docs/guides/sidecar.md.

It takes C(network.port), and Ollama listens on loopback, so nothing passes it by. It is first to stop: it finishes what
runs, and the image's start script holds Ollama's SIGTERM until the sidecar no longer listens.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import facts, names
from .model import Deployment, Secret, Sidecar, SidecarKey

NAME = "sidecar"
# One above Ollama's own, so that network.port may stay 11434 when a sidecar comes: clients and ingress see no change.
OLLAMA_PORT = 11435
ADMIN_PORT = 8081
LIVE, READY, DRAIN = "/livez", "/readyz", "/drain"
# Asks the sidecar of its own container; the image has no curl.
LIVE_COMMAND = ("python3", "-m", "ollama_sidecar.livez")
# Seconds after the drain in which the sidecar closes what is left, and those after it in which Ollama ends.
MARGIN = 10
LEAST_TOKEN = 32
WITHOUT = (
    "no sidecar: Ollama answers clients itself, without metrics, a bounded queue and a drain, and who reaches the port "
    "can delete models; to change that, name the sidecar's image in sidecar.image"
)
SHARED = (
    "several models share the memory of a replica: one that does not fit beside the others is loaded anew each time "
    "that clients change to it; to keep them all, give resources memory for all and set runtime.max_loaded_models to "
    "their number"
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9._/#:-]{1,255}", re.ASCII)


def behind_sidecar(deployment: Deployment[Any]) -> str:
    """HOST:PORT where Ollama listens behind a sidecar; empty without one."""
    return f"127.0.0.1:{OLLAMA_PORT}" if deployment.sidecar is not None else ""


def beside_sidecar(deployment: Deployment[Any]) -> dict[str, str]:
    """What Ollama's container has to know of the sidecar beside it: whom to outlive, and how long at most (seconds)."""
    if deployment.sidecar is None:
        return {}
    return {
        "POLYCLOUD_SIDECAR": f"127.0.0.1:{deployment.network.port}",
        "POLYCLOUD_DRAIN_SECONDS": str(deployment.sidecar.drain_seconds + MARGIN),
    }


def grace_seconds(deployment: Deployment[Any]) -> tuple[int, int]:
    """Seconds from SIGTERM to SIGKILL that the sidecar and then Ollama need at least; zeros without a sidecar."""
    if deployment.sidecar is None:
        return 0, 0
    drain = deployment.sidecar.drain_seconds
    return drain + MARGIN, drain + 2 * MARGIN


def total_size(deployment: Deployment[Any]) -> tuple[float, float]:
    """vCPU and GiB of Ollama and the sidecar, where the platform sizes each container."""
    resources, sidecar = deployment.resources, deployment.sidecar
    if sidecar is None:
        return resources.cpu, resources.memory_gib
    return round(resources.cpu + sidecar.cpu, 2), round(resources.memory_gib + sidecar.memory_gib, 2)


def sidecar_image_among(containers: Iterable[Mapping[str, Any]]) -> str:
    """The sidecar's image among containers with C(name) and C(image), as a platform reports it; empty without one."""
    return next((str(item.get("image") or "") for item in containers if item.get("name") == NAME), "")


def sidecar_environment(deployment: Deployment[Any], sidecar: Sidecar) -> dict[str, str]:
    """Names and values, sorted by name."""
    gpu = deployment.health.require_gpu
    environment = {
        "SIDECAR_LISTEN": f"0.0.0.0:{deployment.network.port}",
        "SIDECAR_ADMIN_LISTEN": f"127.0.0.1:{ADMIN_PORT}",
        "SIDECAR_METRICS_LISTEN": f"0.0.0.0:{sidecar.metrics_port}",
        "SIDECAR_UPSTREAM": f"http://127.0.0.1:{OLLAMA_PORT}",
        # The one that a release must answer with. All of them at once may not fit into the memory.
        "SIDECAR_MODELS": deployment.main_model.name if deployment.models else "",
        "SIDECAR_ALLOWED_MODELS": ",".join(sidecar.allowed_models or [model.name for model in deployment.models]),
        "SIDECAR_ALLOW_SHOW": _text(sidecar.show),
        "SIDECAR_REQUIRE_GPU": _text(deployment.wants_gpu if gpu is None else gpu),
        "SIDECAR_NUM_PARALLEL": str(deployment.runtime.num_parallel),
        "SIDECAR_MAX_QUEUED": str(sidecar.max_queued),
        "SIDECAR_QUEUE_SECONDS": str(sidecar.queue_seconds),
        "SIDECAR_DRAIN_SECONDS": str(sidecar.drain_seconds),
    }
    if sidecar.keys:
        environment["SIDECAR_KEYS"] = json.dumps([_key(key) for key in sidecar.keys], separators=(",", ":"))
    if sidecar.drain_token is not None:
        environment["SIDECAR_DRAIN_TOKEN_SHA256"] = hashlib.sha256(sidecar.drain_token.encode()).hexdigest()
    if sidecar.emf_namespace is not None:
        environment["SIDECAR_EMF_NAMESPACE"] = sidecar.emf_namespace
    return dict(sorted({**environment, **sidecar.environment}.items()))


def sidecar_secrets(deployment: Deployment[Any]) -> tuple[Secret, ...]:
    """The secrets of the sidecar, which the server does not get."""
    return tuple(secret for secret in deployment.secrets if secret.name.startswith(facts.SIDECAR_PREFIX))


def notes(deployment: Deployment[Any]) -> tuple[str, ...]:
    """What a person must know before saying yes."""
    sidecar = deployment.sidecar
    if sidecar is None:
        return (WITHOUT,)
    described = {_canonical(model.name) for model in deployment.models}
    served = described & {_canonical(name) for name in sidecar.allowed_models} if sidecar.allowed_models else described
    return (SHARED,) if len(served) > max(1, deployment.runtime.max_loaded_models or 0) else ()


def problems(deployment: Deployment[Any]) -> Iterator[str]:
    """The rules of C(sidecar), and of its secrets."""
    sidecar = deployment.sidecar
    own = [secret.name for secret in sidecar_secrets(deployment)]
    if sidecar is None:
        for name in own:
            yield f"secrets {ascii(name)[:60]} is for the sidecar: set sidecar.image"
        return
    for rule in (_ports, _numbers, _models, _keys, _tokens):
        yield from rule(deployment, sidecar)
    rule_of_image = names.image_problem(sidecar.image)
    if rule_of_image:
        yield f"sidecar.image {ascii(sidecar.image)[:60]} {rule_of_image}"
    for name in own:
        yield from _setting(f"secrets {ascii(name)[:60]}", name, secret=True)
    for name in sidecar.environment:
        yield from _setting(f"sidecar.environment {ascii(name)[:60]}", name, secret=False)
        if name in own:
            yield f"sidecar.environment {ascii(name)[:60]} is under secrets too"


def _ports(deployment: Deployment[Any], sidecar: Sidecar) -> Iterator[str]:
    if not 1024 <= sidecar.metrics_port <= 65535:
        yield f"sidecar.metrics_port {sidecar.metrics_port} must be between 1024 and 65535"
    taken = {OLLAMA_PORT: "Ollama", ADMIN_PORT: "the sidecar's own operators"}
    for option, port in (("network.port", deployment.network.port), ("sidecar.metrics_port", sidecar.metrics_port)):
        if port in taken:
            yield f"{option} {port} is taken by {taken[port]} behind a sidecar"
        taken.setdefault(port, option)


def _numbers(deployment: Deployment[Any], sidecar: Sidecar) -> Iterator[str]:
    bounds: tuple[tuple[str, float, float, float], ...] = (
        ("max_queued", sidecar.max_queued, 0, 100_000),
        ("queue_seconds", sidecar.queue_seconds, 1, 3600),
        ("drain_seconds", sidecar.drain_seconds, 0, 86_400),
        ("cpu", sidecar.cpu, 0.1, 16),
        ("memory_gib", sidecar.memory_gib, 0.1, 16),
    )
    for option, value, low, high in bounds:
        if not low <= value <= high:
            yield f"sidecar.{option} {value:g} must be between {low:g} and {high:g}"


def _models(deployment: Deployment[Any], sidecar: Sidecar) -> Iterator[str]:
    listed = [("sidecar.allowed_models", name) for name in sidecar.allowed_models]
    listed += [(f"sidecar.keys {ascii(key.id)[:60]} models", name) for key in sidecar.keys for name in key.models]
    for option, name in listed:
        rule = names.model_name_problem(name)
        if rule:
            yield f"{option} {ascii(name)[:60]} {rule}"
    allowed = {_canonical(name) for name in sidecar.allowed_models}
    if allowed and deployment.models and _canonical(deployment.main_model.name) not in allowed:
        yield f"sidecar.allowed_models lacks {deployment.main_model.name}, with which a release must answer"


def _keys(deployment: Deployment[Any], sidecar: Sidecar) -> Iterator[str]:
    for key in sidecar.keys:
        shown = f"sidecar.keys {ascii(key.id)[:60]}"
        if not _ID.fullmatch(key.id):
            yield f"{shown}: an id has up to 64 letters, digits, dots, dashes and underscores"
        if not _SHA256.fullmatch(key.sha256):
            yield f"{shown}: sha256 must be 64 lower-case hex digits (python -m ollama_sidecar key makes a key)"
        for option in ("requests_per_minute", "concurrency"):
            if getattr(key, option) < 0:
                yield f"{shown}: {option} must not be below 0"
    for values, what in (([k.id for k in sidecar.keys], "id"), ([k.sha256 for k in sidecar.keys], "sha256")):
        if len(set(values)) != len(values):
            yield f"sidecar.keys: two of them have the same {what}"


def _tokens(deployment: Deployment[Any], sidecar: Sidecar) -> Iterator[str]:
    known = {key.sha256 for key in sidecar.keys}
    if sidecar.key is not None and hashlib.sha256(sidecar.key.encode()).hexdigest() not in known:
        yield "sidecar.key is none of sidecar.keys: its SHA-256 must be there"
    if sidecar.key is None and known and deployment.health.verify == "prompt":
        yield "sidecar.key is needed with sidecar.keys: a release is verified by a prompt, which needs a key too"
    if sidecar.drain_token is not None and len(sidecar.drain_token) < LEAST_TOKEN:
        yield f"sidecar.drain_token must have at least {LEAST_TOKEN} characters: its hash is not a secret"
    if sidecar.emf_namespace is not None and not _NAMESPACE.fullmatch(sidecar.emf_namespace):
        yield "sidecar.emf_namespace must be 1 to 255 letters, digits and . _ / # : -"


def _setting(option: str, name: str, *, secret: bool) -> Iterator[str]:
    if name in facts.SIDECAR_OURS:
        yield f"{option} is reserved: use the option that sets it"
    elif name in facts.SIDECAR_SECRET and not secret:
        yield f"{option} may hold a password: put it under secrets, where it is never shown"
    elif name not in facts.SIDECAR_FREE | facts.SIDECAR_SECRET:
        yield f"{option} is no setting of the sidecar (docs/guides/sidecar.md lists them)"


def _key(key: SidecarKey) -> dict[str, Any]:
    limits = {"models": list(key.models), "requests_per_minute": key.requests_per_minute}
    given = {name: value for name, value in {**limits, "concurrency": key.concurrency}.items() if value}
    return {"id": key.id, "sha256": key.sha256, **given}


def _canonical(name: str) -> str:
    """As Ollama compares names: a tag always, capitals never."""
    return (name if ":" in name.rpartition("/")[2] else f"{name}:latest").lower()


def _text(value: bool) -> str:
    return "true" if value else "false"
