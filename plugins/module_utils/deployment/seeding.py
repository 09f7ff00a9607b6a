# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container that fills a volume before the server starts, the same on every platform. Pure.

It runs the model fetcher: one writer at a time holds the lock on the volume, others wait and find the work done; what
is there already is not fetched again, and nothing is removed. The server then mounts the volume read-only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from . import facts, names
from .environment import HOME
from .model import Deployment, Secret

SEED = "seed-models"
MOST_STREAMS = 64


def seeds(deployment: Deployment[Any]) -> bool:
    """True if a container seeds the volume, so that the server needs to read only."""
    return deployment.storage.mode == "volume" and deployment.storage.seed is not None


def seed_arguments(deployment: Deployment[Any]) -> list[str]:
    """The arguments of the fetcher. Each model carries its digest, so that a seeded volume needs no registry."""
    seed = deployment.storage.seed
    if seed is None:
        return []
    pinned = [f"{model.name}@sha256:{(model.digest or '').removeprefix('sha256:')}" for model in deployment.models]
    arguments = ["pull", *pinned, "--into", deployment.storage.path, "--parallel", str(seed.parallel)]
    if seed.registry is not None:
        arguments += ["--registry", seed.registry]
    return [*arguments, "--insecure"] if seed.insecure else arguments


def seed_environment() -> dict[str, str]:
    """Names and values."""
    return {"HOME": HOME}


def seed_secrets(deployment: Deployment[Any]) -> tuple[Secret, ...]:
    """The login to the registry of the models: for the seeding container only."""
    return tuple(secret for secret in deployment.secrets if secret.name in facts.SEED_VARIABLES)


def server_secrets(deployment: Deployment[Any]) -> tuple[Secret, ...]:
    """The secrets of the server: all but that login."""
    return tuple(secret for secret in deployment.secrets if secret.name not in facts.SEED_VARIABLES)


def problems(deployment: Deployment[Any]) -> Iterator[str]:
    """The rules of C(storage.seed)."""
    seed = deployment.storage.seed
    if seed is None:
        return
    if deployment.storage.mode != "volume":
        yield f"storage.seed is for storage.mode volume, not {deployment.storage.mode}"
    rule = names.image_problem(seed.image)
    if rule:
        yield f"storage.seed.image {ascii(seed.image)[:60]} {rule}"
    if not seed.command:
        yield "storage.seed.command must start the model fetcher, such as [python3, /fetch.pyz]"
    if not 1 <= seed.parallel <= MOST_STREAMS:
        yield f"storage.seed.parallel {seed.parallel} must be between 1 and {MOST_STREAMS}"
    yield from _registry(seed.registry, seed.insecure)
    for index, model in enumerate(deployment.models):
        if model.digest is None:
            yield f"models[{index}].digest is needed with storage.seed: a tag may mean another model at the next start"


def _registry(url: str | None, insecure: bool) -> Iterator[str]:
    if url is None:
        return
    parts = urlsplit(url)
    if parts.username or parts.password:
        yield f"storage.seed.registry must not hold a login: put {' and '.join(facts.SEED_VARIABLES[:2])} under secrets"
    elif parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        yield f"storage.seed.registry {ascii(url)[:60]} must be an http(s) URL without query"
    elif parts.scheme == "http" and not insecure:
        yield "storage.seed.registry is plain http: use https, or set storage.seed.insecure: true"
