# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wrong deployment fails before any call, naming option and rule; all problems come at once."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import facts
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import model as m
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.validate import parse_version, problems
from ansible_collections.polycloud.ollama.plugins.module_utils.models.credentials import (
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    USERNAME_VARIABLE,
)
from tests.helpers.memory_platform import CAPABILITIES

IMAGE = "registry.example.com/ollama:0.24.0@sha256:" + "a" * 64
GOOD = m.Deployment(name="chat", image=IMAGE, models=(m.Model(name="gemma3:1b", digest="b" * 64),), platform=None)


def found(**changes: Any) -> list[str]:
    return problems(dataclasses.replace(GOOD, **changes), CAPABILITIES)


def test_a_good_deployment_has_no_problem() -> None:
    assert found() == []
    assert (
        found(
            tags={"team": "ml", "cost:centre": "42 a"},
            network=m.Network(exposure="public", authentication="external", allowed_cidrs=("203.0.113.0/24",)),
            schedule=m.Schedule(timezone="Europe/Berlin", start="07:30", stop="19:00"),
            runtime=m.Runtime(ollama_version="0.24.0", keep_alive="1h30m", environment={"OLLAMA_DEBUG": "1"}),
            secrets=(m.Secret(name="LICENCE", value="x"),),
        )
        == []
    )


def runtime(**options: Any) -> dict[str, Any]:
    return {"runtime": m.Runtime(**options)}


def network(**options: Any) -> dict[str, Any]:
    return {"network": m.Network(**options)}


def named(name: str) -> dict[str, Any]:
    return {"models": (m.Model(name=name),)}


def schedule(**options: Any) -> dict[str, Any]:
    return {"schedule": m.Schedule(**{"timezone": "Europe/Berlin", "start": "08:00", "stop": "18:00", **options})}


def seed(mode: str = "volume", **options: Any) -> dict[str, Any]:
    return {"storage": m.Storage(mode=mode, seed=m.Seed(**{"image": IMAGE, **options}))}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("upper case name", {"name": "Chat"}, "name 'Chat' must be 2 to 24"),
    ("name of one letter", {"name": "c"}, "must be 2 to 24"),
    ("template in the name", {"name": "{{ x }}"}, "name"),
    ("image without digest", {"image": "ollama:latest"}, "must be pinned by digest"),
    ("image with a shell in it", {"image": "ollama;id@sha256:" + "a" * 64}, "image"),
    ("image with a short digest", {"image": "ollama@sha256:abc"}, "image"),
    ("no model", {"models": ()}, "at least one model"),
    ("the same model twice", {"models": (m.Model(name="a1:b"), m.Model(name="a1:b"))}, "twice"),
    ("the same model in capitals", {"models": (m.Model(name="a1:b"), m.Model(name="A1:B"))}, "twice"),
    ("traversal", named("../../x"), "models[0].name"),
    ("traversal inside", named("a/..b"), "models[0].name"),
    ("shell", named("a;rm -rf /"), "models[0].name"),
    ("template", named("{{ lookup('pipe', 'id') }}"), "models[0].name"),
    ("newline", named("gemma3:1b\nx"), "models[0].name"),
    ("300 characters", named("a" * 300), "1 to 80 ASCII"),
    ("look-alike letters", named("gemm\u0430:1b"), "models[0].name"),
    ("a registry host", named("evil.example/library/gemma3:1b"), "registry host"),
    ("a registry host without path", named("evil.example/gemma3"), "registry host"),
    ("a cloud model", named("gpt-oss:120b-cloud"), "would leave your network"),
    ("short model digest", {"models": (m.Model(name="gemma3:1b", digest="abc"),)}, "models[0].digest"),
    ("vulnerable Ollama", runtime(ollama_version="0.17.0"), "CVE-2026-7482"),
    ("no version", runtime(ollama_version="latest"), "must be a version"),
    ("no slot", runtime(num_parallel=0), "runtime.num_parallel 0 must be between"),
    ("keep alive of words", runtime(keep_alive="for ever"), "runtime.keep_alive"),
    ("tiny context", runtime(context_length=1), "runtime.context_length"),
    ("reserved variable", runtime(environment={"OLLAMA_HOST": "0.0.0.0"}), "reserved"),
    ("prompts in the log", runtime(environment={"OLLAMA_DEBUG_LOG_REQUESTS": "1"}), "reserved"),
    ("our own variable", runtime(environment={"POLYCLOUD_MODELS": "x"}), "reserved"),
    ("secret in clear", runtime(environment={"HF_TOKEN": "x"}), "put it under secrets"),
    ("line break in a value", runtime(environment={"A": "b\nc"}), "line break"),
    ("lower case variable", runtime(environment={"path": "x"}), "upper-case"),
    ("no cpu", {"resources": m.Resources(cpu=0)}, "resources.cpu"),
    ("no gpu", {"resources": m.Resources(gpu=m.Gpu(count=0))}, "resources.gpu.count"),
    ("relative path", {"storage": m.Storage(path="models")}, "storage.path"),
    ("path with traversal", {"storage": m.Storage(path="/models/../etc")}, "storage.path"),
    ("system path", {"storage": m.Storage(path="/etc/ollama")}, "system directory"),
    ("negative owner", {"storage": m.Storage(uid=-1)}, "storage.uid"),
    ("size of nothing", {"image_size": 0}, "image_size 0 must be between 1"),
    ("seed beside baked models", seed(mode="both"), "storage.seed is for storage.mode volume, not both"),
    ("seed by tag", seed(image="example.com/fetcher:1"), "storage.seed.image 'example.com/fetcher:1'"),
    ("seed without a program", seed(command=()), "storage.seed.command must start the model fetcher"),
    ("seed in too many streams", seed(parallel=65), "storage.seed.parallel 65"),
    ("seed with a login in the URL", seed(registry="https://u:canary@r.example"), "must not hold a login"),
    ("seed from no URL", seed(registry="registry.example"), "must be an http(s) URL"),
    ("seed over plain http", seed(registry="http://registry.example"), "set storage.seed.insecure: true"),
    ("seed of a tag", {**seed(), "models": (m.Model(name="gemma3:1b"),)}, "models[0].digest is needed"),
    ("a seed's login without a seed", {"secrets": (m.Secret(name="POLYCLOUD_REGISTRY_TOKEN", value="x"),)}, "reserved"),
    ("privileged port", network(port=80), "network.port"),
    ("public without authentication", network(exposure="public"), "needs network.authentication"),
    ("public without addresses", network(exposure="public", authentication="external"), "needs network.allowed_cidrs"),
    ("public for everyone", network(exposure="public", authentication="external", allowed_cidrs=("0.0.0.0/0",)),
     "whole internet"),
    ("host bits", network(allowed_cidrs=("10.0.0.1/8",)), "host bits zero"),
    ("certificate where there is none", network(authentication="client_certificate"), "not available on memory"),
    ("file URL", network(endpoint_url="file:///etc/passwd"), "network.endpoint_url"),
    ("password in the URL", network(endpoint_url="https://a:b@host"), "network.endpoint_url"),
    ("bounds crossed", {"scaling": m.Scaling(min=3, max=2)}, "must not be above"),
    ("time of day", schedule(start="25:00"), "schedule.start"),
    ("unknown time zone", schedule(timezone="Mars/Base"), "schedule.timezone"),
    ("traversal in the time zone", schedule(timezone="../../etc/passwd"), "schedule.timezone"),
    ("no day", schedule(days=()), "at least one day"),
    ("no length", schedule(stop="08:00"), "must differ"),
    ("empty prompt", {"health": m.Health(prompt=" ")}, "health.prompt"),
    ("gpu required, none asked", {"health": m.Health(require_gpu=True)}, "needs resources.gpu"),
    ("strategy of another platform", {"update": m.Update(strategy="in_place")}, "update.strategy in_place"),
    ("secret without source", {"secrets": (m.Secret(name="KEY"),)}, "needs either reference or value"),
    ("secret with two sources", {"secrets": (m.Secret(name="KEY", value="v", reference="arn:aws:secretsmanager:x"),)},
     "needs either reference or value"),
    ("secret from a file", {"secrets": (m.Secret(name="KEY", reference="/etc/passwd"),)}, "secrets[0].reference"),
    ("our tag", {"tags": {"polycloud-deployment": "x"}}, "reserved prefix"),
    ("quote in a tag", {"tags": {"a": "b'c\"d"}}, "tags"),
    ("too many tags", {"tags": {f"t{i}": "v" for i in range(31)}}, "at most 30"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "rule"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_option_is_named_with_its_rule(changes: dict[str, Any], rule: str) -> None:
    assert any(rule in problem for problem in found(**changes)), found(**changes)


def test_a_seeded_volume_may_have_a_login_that_the_fetcher_knows() -> None:
    assert facts.SEED_VARIABLES == (USERNAME_VARIABLE, PASSWORD_VARIABLE, TOKEN_VARIABLE)
    secrets = tuple(m.Secret(name=name, value="x") for name in facts.SEED_VARIABLES)
    assert found(**seed(registry="https://registry.example/path"), secrets=secrets) == []
    assert found(**seed(registry="http://registry.example", insecure=True)) == []


def test_no_problem_of_a_seed_shows_a_login() -> None:
    assert not any("canary" in problem for problem in found(**seed(registry="https://u:canary@r.example")))


def test_root_is_the_users_choice_where_hardening_is_standard() -> None:
    assert found(storage=m.Storage(uid=0, gid=0)) == []


def test_all_problems_come_at_once() -> None:
    wrong = found(name="X", image="latest", models=(), storage=m.Storage(uid=-1), update=m.Update(timeout=0))

    assert len(wrong) == 5


def test_a_secret_value_is_never_in_a_problem() -> None:
    wrong = found(secrets=(m.Secret(name="bad name", value="canary-7f3a"), m.Secret(name="HOME", value="canary-7f3a")))

    assert len(wrong) == 2
    assert not any("canary" in problem for problem in wrong)


@given(st.text(max_size=400))
def test_any_text_as_model_name_is_judged_without_an_error_and_never_echoed_raw(name: str) -> None:
    for problem in found(models=(m.Model(name=name),)):
        assert problem.isprintable()
        assert problem.isascii()


@pytest.mark.parametrize(
    ("text", "version"), [("0.24.0", (0, 24, 0)), ("v0.17.1", (0, 17, 1)), ("0.33.0-rc2", (0, 33, 0)), ("1", None)]
)
def test_versions_are_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version
