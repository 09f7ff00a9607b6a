# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model: one description of an Ollama deployment. Knows no cloud and imports no SDK.

Units: cpu in vCPU, memory in GiB, times in seconds unless the field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An Ollama model: C(name[:tag]) and, when pinned, the sha256 of its manifest (64 hex digits)."""

    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSharing:
    """A share of one GPU through NVIDIA MPS (ECS on EC2 and Managed Instances only)."""

    memory_mib: int
    max_compute_percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """GPUs for one replica. C(type) is the platform's own spelling (V100, Consumption-GPU-NC8as-T4, …)."""

    count: int = 1
    type: str | None = None
    sharing: GpuSharing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one replica gets."""

    cpu: float = 4.0
    memory_gib: float = 16.0
    gpu: Gpu | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Ollama's own settings. Defaults are the safe ones for a dedicated server."""

    ollama_version: str | None = None
    num_parallel: int = 1
    max_loaded_models: int | None = None
    keep_alive: str = "-1"
    context_length: int = 4096
    flash_attention: bool | None = None
    kv_cache_type: str | None = None
    load_timeout: int = 300
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The container that fetches the models to the volume before the server starts.

    image: one with Python and the model fetcher. command: starts the fetcher in it. registry: URL, the public one of
    Ollama where it is not given.
    """

    image: str
    command: tuple[str, ...] = ("python3", "/fetch.pyz")
    registry: str | None = None
    insecure: bool = False
    parallel: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where the models live: in the image (baked), on a persistent volume, or both (the image seeds the volume)."""

    mode: str = "baked"
    path: str = "/models"
    uid: int = 10001
    gid: int = 10001
    seed: Seed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How the deployment is reached. C(endpoint_url) replaces the platform's address; C({host}) in it is filled in."""

    port: int = 11434
    exposure: str = "private"
    authentication: str = "none"
    allowed_cidrs: tuple[str, ...] = ()
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Replica bounds. Equal bounds are a fixed count; else the platform's autoscaler owns the count."""

    min: int = 1
    max: int = 1
    target_concurrency: int | None = None
    cooldown: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Working hours. Outside of them no replica runs. Times are HH:MM in C(timezone)."""

    timezone: str
    start: str
    stop: str
    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What makes a release good: steady, model resident, a real prompt answered."""

    verify: str = "prompt"
    prompt: str = "Reply with one word: ready"
    timeout: int = 900
    startup_timeout: int = 600
    min_tokens_per_second: float | None = None
    require_gpu: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How a release replaces another. No strategy means the platform's default."""

    strategy: str | None = None
    timeout: int = 1800
    auto_rollback: bool = True
    keep_revisions: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Container logs."""

    retention_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """An environment variable that must never be seen: a vault reference, or a value from an encrypted variable."""

    name: str
    reference: str | None = None
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Generic[P]):
    """One Ollama deployment on one target. C(platform) is that platform's own typed block.

    image_size: packed, in bytes, where it is known.
    """

    name: str
    image: str
    models: tuple[Model, ...]
    platform: P
    image_size: int | None = None
    hardening: str = "standard"
    runtime: Runtime = Runtime()
    resources: Resources = Resources()
    storage: Storage = Storage()
    network: Network = Network()
    scaling: Scaling = Scaling()
    schedule: Schedule | None = None
    health: Health = Health()
    update: Update = Update()
    logging: Logging = Logging()
    secrets: tuple[Secret, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wants_gpu(self) -> bool:
        return self.resources.gpu is not None

    @property
    def main_model(self) -> Model:
        """The model that a release must answer with: the first of the list."""
        return self.models[0]
