# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of an Ollama container, the same on every platform. Pure."""

from __future__ import annotations

from typing import Any

from .model import Deployment

HOME = "/tmp/ollama"  # noqa: S108 - a path inside the container: Ollama must write its key pair somewhere
MODELS_VARIABLE = "POLYCLOUD_MODELS"
# The start script of the image of the role C(image) reads it, so that one image serves all modes.
STORAGE_VARIABLE = "POLYCLOUD_STORAGE"


def ollama_environment(deployment: Deployment[Any]) -> dict[str, str]:
    """Names and values, sorted by name. User variables come last and cannot replace the reserved ones (validated)."""
    runtime = deployment.runtime
    environment = {
        "HOME": HOME,
        "OLLAMA_CONTEXT_LENGTH": str(runtime.context_length),
        "OLLAMA_HOST": f"0.0.0.0:{deployment.network.port}",
        "OLLAMA_KEEP_ALIVE": runtime.keep_alive,
        "OLLAMA_LOAD_TIMEOUT": f"{runtime.load_timeout}s",
        "OLLAMA_MODELS": deployment.storage.path,
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NUM_PARALLEL": str(runtime.num_parallel),
        MODELS_VARIABLE: models_value(deployment),
        STORAGE_VARIABLE: deployment.storage.mode,
    }
    if deployment.storage.mode != "baked":
        environment["OLLAMA_NOPRUNE"] = "1"
    if runtime.max_loaded_models is not None:
        environment["OLLAMA_MAX_LOADED_MODELS"] = str(runtime.max_loaded_models)
    if runtime.flash_attention is not None:
        environment["OLLAMA_FLASH_ATTENTION"] = "1" if runtime.flash_attention else "0"
    if runtime.kv_cache_type is not None:
        environment["OLLAMA_KV_CACHE_TYPE"] = runtime.kv_cache_type
    return dict(sorted({**environment, **runtime.environment}.items()))


def models_value(deployment: Deployment[Any]) -> str:
    """The models as one value: C(name[@sha256:hex]) joined by commas. Rollback reads it back from an old release."""
    return ",".join(
        f"{model.name}@sha256:{model.digest.removeprefix('sha256:')}" if model.digest else model.name
        for model in deployment.models
    )


def parse_models(value: str) -> tuple[tuple[str, str | None], ...]:
    """The inverse of models_value: pairs of name and digest (64 hex digits or None)."""
    pairs = []
    for item in filter(None, value.split(",")):
        name, dummy, digest = item.partition("@sha256:")
        pairs.append((name, digest or None))
    return tuple(pairs)
