# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a release is good: a real prompt through the probe, on an endpoint of the new release itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .deployment.facts import MINIMUM_OLLAMA_VERSION
from .deployment.model import Deployment, Model
from .deployment.validate import parse_version
from .errors import RolloutFailed, Unreachable
from .ollama.client import OllamaClient
from .ollama.probe import ProbeResult, ProbeSpec, probe
from .outcome import Emit, Verdict

INTERVAL = 0.5


def verifier(
    deployment: Deployment[Any], emit: Emit, *, validate_certs: bool = True, token: str | None = None
) -> Callable[[Sequence[str], Model], Verdict]:
    """A function that proves a release, or raises what is wrong with it.

    With C(health.verify=steady) the platform's word is enough and no endpoint is called.
    """

    def verify(endpoints: Sequence[str], model: Model) -> Verdict:
        if deployment.health.verify == "steady":
            return Verdict("")
        if not endpoints:
            raise Unreachable(
                "The new release has no address that can be asked.",
                hint="Set network.endpoint_url, or health.verify: steady to trust the platform alone.",
            )
        verdict = Verdict("")
        for endpoint in endpoints:
            emit("Ollama", f"asking {endpoint} for {model.name}")
            client = OllamaClient(endpoint, validate_certs=validate_certs, token=token or _key(deployment))
            result = probe(client, _spec(deployment, model), on_event=emit)
            _check_version(result)
            verdict = Verdict(result.answer, result.tokens_per_second, result.seconds)
        return verdict

    return verify


def _key(deployment: Deployment[Any]) -> str | None:
    """What the sidecar asks of us as of any client."""
    return deployment.sidecar.key if deployment.sidecar is not None else None


def _spec(deployment: Deployment[Any], model: Model) -> ProbeSpec:
    health, sidecar = deployment.health, deployment.sidecar
    require_gpu = health.require_gpu if health.require_gpu is not None else deployment.wants_gpu
    # A sidecar that does not show what is in memory is told itself to be ready only on a GPU.
    require_gpu = require_gpu and (sidecar is None or sidecar.show)
    return ProbeSpec(
        model=model.name,
        digest=model.digest,
        prompt=health.prompt,
        require_gpu=require_gpu,
        min_tokens_per_second=health.min_tokens_per_second,
        timeout_s=health.timeout,
        interval_s=INTERVAL,
    )


def _check_version(result: ProbeResult) -> None:
    version, least = parse_version(result.version), parse_version(MINIMUM_OLLAMA_VERSION)
    if version is None or least is None or version < least:
        raise RolloutFailed(
            f"The image runs Ollama {result.version}, below {MINIMUM_OLLAMA_VERSION} (CVE-2026-7482).",
            hint="Build it on a newer release.",
        )
