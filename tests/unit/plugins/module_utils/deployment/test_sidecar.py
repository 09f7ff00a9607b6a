# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidecar before Ollama: what it is told, what Ollama is told of it, and which descriptions are refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from ollama_sidecar.config_file import PREFIX
from ollama_sidecar.requests import canonical
from ollama_sidecar.settings import Settings, read

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import facts, sidecar
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import model as m
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.environment import ollama_environment
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.seeding import server_secrets
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.validate import problems
from tests.helpers.memory_platform import CAPABILITIES

IMAGE = "registry.example.com/ollama-sidecar:0.1.0@sha256:" + "a" * 64
KEY = "a key of a client"
TOKEN = "t" * sidecar.LEAST_TOKEN
WEB = m.SidecarKey(id="web", sha256=hashlib.sha256(KEY.encode()).hexdigest())
MODELS = (m.Model(name="gemma3:1b"), m.Model(name="nomic-embed-text"))
PLAIN = m.Deployment(name="chat", image=IMAGE, models=MODELS, platform=None)


def served(deployment: m.Deployment[None] = PLAIN, **options: Any) -> m.Deployment[None]:
    return dataclasses.replace(deployment, sidecar=m.Sidecar(**{"image": IMAGE, **options}))


def environment(deployment: m.Deployment[None]) -> dict[str, str]:
    assert deployment.sidecar is not None
    return sidecar.sidecar_environment(deployment, deployment.sidecar)


def settings(deployment: m.Deployment[None], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the sidecar itself makes of it."""
    for name, value in environment(deployment).items():
        monkeypatch.setenv(name, value)
    return read()


def test_the_sidecar_itself_reads_what_the_deployment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = dataclasses.replace(
        served(
            metrics_port=9100,
            max_queued=7,
            queue_seconds=8,
            drain_seconds=9,
            keys=(dataclasses.replace(WEB, models=("gemma3:1b",), concurrency=2),),
            key=KEY,
            drain_token=TOKEN,
            emf_namespace="Ollama",
            environment={"SIDECAR_MAX_NUM_CTX": "8192"},
        ),
        runtime=m.Runtime(num_parallel=4),
        network=m.Network(port=8080),
        resources=m.Resources(gpu=m.Gpu()),
    )
    assert problems(deployment, CAPABILITIES) == []
    found = settings(deployment, monkeypatch)
    assert (found.listen, found.metrics_listen) == ("0.0.0.0:8080", "0.0.0.0:9100")
    assert (found.num_parallel, found.max_queued, found.queue_seconds, found.drain_seconds) == (4, 7, 8, 9)
    assert found.models == ("gemma3:1b",)
    assert found.allowed_models == ("gemma3:1b", "nomic-embed-text")
    assert found.require_gpu
    assert not found.allow_show
    assert [(key.id, key.sha256, key.models, key.concurrency) for key in found.keys] == [
        ("web", WEB.sha256, ("gemma3:1b",), 2)
    ]
    assert found.drain_token_sha256 == hashlib.sha256(TOKEN.encode()).hexdigest()
    assert (found.emf_namespace, found.max_num_ctx) == ("Ollama", 8192)


def test_neither_key_nor_token_is_told_to_a_container() -> None:
    told = json.dumps(environment(served(keys=(WEB,), key=KEY, drain_token=TOKEN)))
    assert KEY not in told
    assert TOKEN not in told
    assert KEY not in repr(served(keys=(WEB,), key=KEY))


def test_every_setting_of_the_sidecar_is_somebodys_to_give() -> None:
    groups = (facts.SIDECAR_OURS, facts.SIDECAR_FREE, facts.SIDECAR_SECRET)
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{PREFIX}CONFIG"}
    assert frozenset.union(*groups) == known
    assert sum(map(len, groups)) == len(known)
    everything = served(keys=(WEB,), key=KEY, drain_token=TOKEN, emf_namespace="Ollama")
    assert set(environment(everything)) == facts.SIDECAR_OURS


def test_behind_a_sidecar_ollama_is_on_loopback_and_outlives_it() -> None:
    found = ollama_environment(served(drain_seconds=40))
    assert found["OLLAMA_HOST"] == "127.0.0.1:11435"
    assert environment(served())["SIDECAR_UPSTREAM"] == "http://127.0.0.1:11435"
    assert found["POLYCLOUD_SIDECAR"] == "127.0.0.1:11434"
    held = int(found["POLYCLOUD_DRAIN_SECONDS"])
    own, servers = sidecar.grace_seconds(served(drain_seconds=40))
    assert 40 < own <= held < servers, "the drain, the sidecar's end, then Ollama's, each before the platform kills"


def test_without_a_sidecar_ollama_answers_itself_and_the_plan_says_what_is_missing() -> None:
    found = ollama_environment(PLAIN)
    assert found["OLLAMA_HOST"] == "0.0.0.0:11434"
    assert not [name for name in found if name in ("POLYCLOUD_SIDECAR", "POLYCLOUD_DRAIN_SECONDS")]
    assert sidecar.grace_seconds(PLAIN) == (0, 0)
    (note,) = sidecar.notes(PLAIN)
    assert "no metrics" in note or "without metrics" in note


def test_the_plan_says_that_several_models_share_the_memory() -> None:
    (note,) = sidecar.notes(served())
    assert "runtime.max_loaded_models" in note
    assert sidecar.notes(served(allowed_models=["gemma3:1b"])) == ()
    assert sidecar.notes(served(dataclasses.replace(PLAIN, models=MODELS[:1]))) == ()
    assert sidecar.notes(served(dataclasses.replace(PLAIN, runtime=m.Runtime(max_loaded_models=2)))) == ()
    assert sidecar.notes(served(dataclasses.replace(PLAIN, runtime=m.Runtime(max_loaded_models=1)))) == (note,)


def test_the_secrets_of_the_sidecar_reach_it_alone() -> None:
    secrets = (m.Secret(name="LICENCE", value="x"), m.Secret(name="SIDECAR_CACHE_URL", value="y"))
    deployment = dataclasses.replace(served(), secrets=secrets)
    assert problems(deployment, CAPABILITIES) == []
    assert [secret.name for secret in sidecar.sidecar_secrets(deployment)] == ["SIDECAR_CACHE_URL"]
    assert [secret.name for secret in server_secrets(deployment)] == ["LICENCE"]


def test_a_gpu_that_is_not_asked_of_a_release_is_not_asked_of_readiness() -> None:
    deployment = dataclasses.replace(served(), resources=m.Resources(gpu=m.Gpu()), health=m.Health(require_gpu=False))
    assert environment(deployment)["SIDECAR_REQUIRE_GPU"] == "false"


OTHER = m.SidecarKey(id="web", sha256="b" * 64)
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("image by tag", {"image": "ollama-sidecar:1"}, "sidecar.image 'ollama-sidecar:1' must be pinned by digest"),
    ("low metrics port", {"metrics_port": 80}, "sidecar.metrics_port 80 must be between"),
    ("the port of clients", {"metrics_port": 11434}, "sidecar.metrics_port 11434 is taken by network.port"),
    ("Ollama's port", {"metrics_port": 11435}, "sidecar.metrics_port 11435 is taken by Ollama"),
    ("the operators' port", {"metrics_port": 8081}, "sidecar.metrics_port 8081 is taken by the sidecar's own"),
    ("negative queue", {"max_queued": -1}, "sidecar.max_queued -1 must be between"),
    ("no patience", {"queue_seconds": 0}, "sidecar.queue_seconds 0 must be between"),
    ("negative drain", {"drain_seconds": -1}, "sidecar.drain_seconds -1 must be between"),
    ("no cpu", {"cpu": 0.0}, "sidecar.cpu 0 must be between"),
    ("no memory", {"memory_gib": 0.0}, "sidecar.memory_gib 0 must be between"),
    ("hostile model", {"allowed_models": ("../../x", "gemma3:1b")}, "sidecar.allowed_models '../../x'"),
    ("the model of a release is shut out", {"allowed_models": ("phi:1",)}, "sidecar.allowed_models lacks gemma3:1b"),
    (
        "hostile model of a key",
        {"keys": (dataclasses.replace(WEB, models=("a b",)),), "key": KEY},
        "'web' models 'a b'",
    ),
    ("strange id", {"keys": (dataclasses.replace(WEB, id="a\nb"),), "key": KEY}, "an id has up to 64"),
    ("no hash", {"keys": (dataclasses.replace(WEB, sha256=KEY),)}, "sha256 must be 64 lower-case hex digits"),
    ("negative limit", {"keys": (dataclasses.replace(WEB, concurrency=-1),), "key": KEY}, "concurrency must not be"),
    ("one id twice", {"keys": (WEB, OTHER), "key": KEY}, "two of them have the same id"),
    (
        "one key twice",
        {"keys": (WEB, dataclasses.replace(WEB, id="b")), "key": KEY},
        "two of them have the same sha256",
    ),
    ("a key that is none", {"keys": (WEB,), "key": "other"}, "sidecar.key is none of sidecar.keys"),
    ("keys, and none of ours", {"keys": (WEB,)}, "sidecar.key is needed with sidecar.keys"),
    ("a token that can be guessed", {"drain_token": "x"}, "sidecar.drain_token must have at least 32"),
    ("strange namespace", {"emf_namespace": "a b"}, "sidecar.emf_namespace must be"),
    ("a setting of ours", {"environment": {"SIDECAR_LISTEN": "x"}}, "'SIDECAR_LISTEN' is reserved"),
    ("no setting", {"environment": {"SIDECAR_LOUD": "x"}}, "'SIDECAR_LOUD' is no setting"),
    ("a password", {"environment": {"SIDECAR_CACHE_URL": "x"}}, "'SIDECAR_CACHE_URL' may hold a password"),
]


@pytest.mark.parametrize(("options", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_sidecar_is_refused_by_name(options: dict[str, Any], told: str) -> None:
    found = problems(served(**options), CAPABILITIES)
    assert any(told in problem for problem in found), found
    assert KEY not in "".join(found)


def test_nothing_that_the_rules_let_pass_is_refused_by_the_sidecar_for_its_names() -> None:
    """Both compare names in the same form, so that `nomic-embed-text` is `nomic-embed-text:latest` to both."""
    for name in ("gemma3:1b", "nomic-embed-text", "team/Model", "team/model:Q4"):
        assert sidecar._canonical(name) == canonical(name)


@pytest.mark.parametrize("name", ["SIDECAR_LISTEN", "SIDECAR_LOUD"])
def test_a_secret_that_the_sidecar_does_not_take_is_refused(name: str) -> None:
    deployment = dataclasses.replace(served(), secrets=(m.Secret(name=name, value="x"),))
    assert any(f"secrets '{name}'" in problem for problem in problems(deployment, CAPABILITIES))


def test_a_secret_of_the_sidecar_needs_a_sidecar() -> None:
    deployment = dataclasses.replace(PLAIN, secrets=(m.Secret(name="SIDECAR_CACHE_URL", value="x"),))
    assert problems(deployment, CAPABILITIES) == ["secrets 'SIDECAR_CACHE_URL' is for the sidecar: set sidecar.image"]


def test_a_secret_given_twice_is_refused() -> None:
    secrets = (m.Secret(name="SIDECAR_OTLP_ENDPOINT", value="x"),)
    deployment = dataclasses.replace(served(environment={"SIDECAR_OTLP_ENDPOINT": "y"}), secrets=secrets)
    assert problems(deployment, CAPABILITIES) == ["sidecar.environment 'SIDECAR_OTLP_ENDPOINT' is under secrets too"]
