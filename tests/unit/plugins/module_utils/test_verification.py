# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release answers with its own version, whatever the description says, and an Ollama with a known hole is bad."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils import verification
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import (
    Deployment,
    Health,
    Model,
    Runtime,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import RolloutFailed, Unreachable
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.probe import ProbeResult
from ansible_collections.polycloud.ollama.plugins.module_utils.outcome import Verdict

MODEL = Model(name="gemma3:1b")
ENDPOINTS = ("http://127.0.0.1:1", "http://127.0.0.1:2")


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions by endpoint; a probe of the endpoint gives that one."""
    versions: dict[str, str] = {}

    def probe(client: Any, spec: Any, on_event: Any) -> ProbeResult:
        version = versions.get(client.base_url, "0.24.0")
        return ProbeResult(
            "ready", 1.0, 9.5, resident=True, gpu_ratio=0.0, digest="", load_seconds=0.1, version=version
        )

    monkeypatch.setattr(verification, "probe", probe)
    return versions


def verify(*endpoints: str, **health: Any) -> Verdict:
    runtime = Runtime(ollama_version="0.24.0")
    deployment = Deployment(
        name="chat", image="", models=(MODEL,), platform=None, runtime=runtime, health=Health(**health)
    )
    return verification.verifier(deployment, lambda source, text: None)(endpoints, MODEL)


def test_a_release_that_answers_is_good(answering: dict[str, str]) -> None:
    assert verify(*ENDPOINTS) == Verdict("ready", 9.5, 1.0)


@pytest.mark.parametrize("version", ["0.17.0", "0.3.14", "0.0.0", "unknown", ""])
def test_one_replica_with_an_ollama_below_the_least_version_makes_the_release_bad(
    answering: dict[str, str], version: str
) -> None:
    answering[ENDPOINTS[1]] = version
    with pytest.raises(RolloutFailed, match=r"below 0\.17\.1 \(CVE-2026-7482\)"):
        verify(*ENDPOINTS)


def test_the_least_version_itself_is_good(answering: dict[str, str]) -> None:
    answering[ENDPOINTS[0]] = "0.17.1"
    assert verify(ENDPOINTS[0]).answer == "ready"


def test_where_the_platforms_word_is_enough_nothing_is_asked() -> None:
    assert verify(*ENDPOINTS, verify="steady") == Verdict("")


def test_a_release_without_an_address_cannot_be_proven() -> None:
    with pytest.raises(Unreachable, match="no address"):
        verify()
