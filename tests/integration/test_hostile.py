# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong and hostile deployments end before the first call to a cloud, in a sentence that names option and rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.contract.adapters import aci_args, container_apps_args, ecs_args
from tests.helpers.modules import run_module
from tests.integration.conftest import Play, inventory_of, variables
from tests.sandbox.launcher import Sandbox

pytestmark = pytest.mark.slow
MODULES = {"ecs": "ecs_deployment", "aci": "aci_deployment", "container_apps": "container_app_deployment"}
DESCRIBED = {"ecs": ecs_args, "aci": aci_args, "container_apps": container_apps_args}
CYRILLIC = "сhat"  # noqa: RUF001 - looks like chat, and is not


class Wrong(NamedTuple):
    """One mistake: on a platform, with these arguments changed (below `platform` where nested), and what is said."""

    platform: str
    change: Mapping[str, Any]
    said: str
    nested: bool = False


def model(name: str, **more: str) -> dict[str, Any]:
    """Return arguments with one model."""
    return {"models": [{"name": name, **more}]}


WRONG = {
    "name-path": Wrong("ecs", {"name": "../../x"}, "name '../../x'"),
    "name-shell": Wrong("aci", {"name": "a;rm -rf"}, "name 'a;rm -rf'"),
    "name-line-break": Wrong("container_apps", {"name": "chat\nname: other"}, "name 'chat\\nname"),
    "name-long": Wrong("ecs", {"name": "c" * 300}, "name 'ccc"),
    "name-look-alike": Wrong("aci", {"name": CYRILLIC}, "name '\\u0441hat'"),
    "image-without-digest": Wrong(
        "ecs", {"image": "registry.example.com/ollama:latest"}, "image 'registry.example.com"
    ),
    "image-option": Wrong("aci", {"image": "--privileged"}, "image '--privileged'"),
    "no-model": Wrong("ecs", {"models": []}, "models must name at least one"),
    "model-path": Wrong("ecs", model("../../etc/passwd"), "models[0].name '../../etc/passwd'"),
    "model-shell": Wrong("container_apps", model("gemma3:1b;reboot"), "models[0].name 'gemma3:1b;reboot'"),
    "model-line-break": Wrong("aci", model("gemma3\n:1b"), "models[0].name 'gemma3\\n:1b'"),
    "model-registry": Wrong("ecs", model("evil.example.com/library/gemma3:1b"), "models[0].name 'evil.example.com"),
    "model-twice": Wrong("ecs", {"models": [{"name": "gemma3:1b"}, {"name": "gemma3:1b"}]}, "models names 'gemma3:1b'"),
    "model-digest": Wrong("ecs", model("gemma3:1b", digest="sha256:xyz"), "models[0].digest 'sha256:xyz'"),
    "old-ollama": Wrong("ecs", {"runtime": {"ollama_version": "0.16.3"}}, "runtime.ollama_version '0.16.3'"),
    "no-parallel": Wrong("aci", {"runtime": {"num_parallel": 0}}, "runtime.num_parallel 0"),
    "context": Wrong("ecs", {"runtime": {"context_length": -1}}, "runtime.context_length -1"),
    "keep-alive": Wrong("ecs", {"runtime": {"keep_alive": "for ever"}}, "runtime.keep_alive 'for ever'"),
    "own-variable": Wrong(
        "ecs", {"runtime": {"environment": {"OLLAMA_HOST": "0.0.0.0"}}}, "runtime.environment.OLLAMA_HOST is reserved"
    ),
    "secret-in-clear": Wrong(
        "ecs", {"runtime": {"environment": {"HF_TOKEN": "x"}}}, "runtime.environment.HF_TOKEN looks like a secret"
    ),
    "no-cpu": Wrong("ecs", {"resources": {"cpu": -4}}, "resources.cpu -4"),
    "gpu-on-aci": Wrong("aci", {"resources": {"cpu": 2, "memory_gib": 4, "gpu": {"count": 1}}}, "resources.gpu:"),
    "gpu-on-fargate": Wrong(
        "ecs",
        {"platform": {"compatibility": "FARGATE"}, "resources": {"cpu": 4, "memory_gib": 16, "gpu": {"count": 1}}},
        "resources.gpu",
        nested=True,
    ),
    "two-gpus": Wrong(
        "container_apps",
        {"resources": {"cpu": 8, "memory_gib": 56, "gpu": {"count": 2, "type": "Consumption-GPU-NC8as-T4"}}},
        "resources.gpu.count 2",
    ),
    "system-path": Wrong("ecs", {"storage": {"path": "/etc/models"}}, "storage.path '/etc/models'"),
    "root": Wrong("ecs", {"storage": {"uid": 0}}, "storage.uid 0"),
    "no-volume": Wrong("ecs", {"storage": {"mode": "volume"}}, "platform.efs is needed with storage.mode volume"),
    "public": Wrong("container_apps", {"network": {"exposure": "public"}}, "network.exposure public needs"),
    "port": Wrong("aci", {"network": {"port": 80}}, "network.port 80"),
    "address-with-user": Wrong(
        "ecs", {"network": {"endpoint_url": "http://me:secret@host"}}, "network.endpoint_url 'http://me:secret@host'"
    ),
    "replicas": Wrong("container_apps", {"scaling": {"min": 3, "max": 1}}, "scaling.min 3"),
    "autoscaling-on-aci": Wrong("aci", {"scaling": {"min": 1, "max": 2}}, "scaling.min and scaling.max must be equal"),
    "time-of-day": Wrong(
        "container_apps",
        {"schedule": {"timezone": "Mars/Base", "start": "25:00", "stop": "18:00"}},
        "schedule.start '25:00'",
    ),
    "surge-on-aci": Wrong("aci", {"update": {"strategy": "surge"}}, "update.strategy surge"),
    "secret-without-value": Wrong("aci", {"secrets": [{"name": "LICENCE"}]}, "secrets[0] 'LICENCE' needs either"),
    "tag-of-ours": Wrong("ecs", {"tags": {"polycloud-deployment": "other"}}, "tags 'polycloud-deployment'"),
    "override-of-nothing": Wrong("container_apps", {"overrides": {"pod": {}}}, "overrides.'pod'"),
    "type": Wrong("ecs", {"scaling": {"min": "many"}}, "scaling"),
    "choice": Wrong("ecs", {"health": {"verify": "hope"}}, "verify"),
    "misspelt": Wrong("aci", {"resources": {"memory_gb": 4}}, "memory_gb"),
}


# The whole way through playbook and roles takes a second for each, so that way is shown by some; a module is as strict.
THROUGH_THE_PLAYBOOK = ("name-path", "model-shell", "gpu-on-aci", "no-volume", "public", "type", "choice", "misspelt")


def arguments(wrong: Wrong, sandbox: Sandbox) -> dict[str, Any]:
    """Return the module arguments of a good deployment with the mistake in it."""
    good = DESCRIBED[wrong.platform](sandbox)
    change = dict(wrong.change)
    if wrong.nested:
        change["platform"] = {**good["platform"], **change["platform"]}
    return {**good, **change}


def test_there_are_thirty() -> None:
    assert len(WRONG) >= 30


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_deployment_ends_before_any_call_and_names_option_and_rule(clouds: Sandbox, name: str) -> None:
    wrong = WRONG[name]
    result = run_module(MODULES[wrong.platform], arguments(wrong, clouds))
    assert result.get("failed"), result
    assert wrong.said in result["msg"]
    assert clouds.client.requests() == []


def test_the_playbook_tells_each_target_its_mistake_and_calls_nothing(
    play: Play, clouds: Sandbox, tmp_path: Path
) -> None:
    chosen = {name: WRONG[name] for name in THROUGH_THE_PLAYBOOK}
    hosts = {name: variables(wrong.platform, arguments(wrong, clouds)) for name, wrong in chosen.items()}
    run = play("site", inventory=inventory_of(tmp_path, hosts))
    assert run.code == 2
    errors = run.of_targets("error")
    assert {name: errors[name] for name, wrong in chosen.items() if wrong.said not in errors[name]} == {}
    assert clouds.client.requests() == []


def test_all_mistakes_are_told_at_once(clouds: Sandbox) -> None:
    change = {"name": "Chat", "image": "ollama", "runtime": {"num_parallel": 0}, "network": {"port": 1}}
    wrong = Wrong("aci", {**change, "platform": {"location": "the moon"}}, "", nested=True)
    told = run_module("aci_deployment", arguments(wrong, clouds))["problems"]
    options = ("name ", "image ", "runtime.num_parallel ", "network.port ", "platform.location ")
    assert [option for option in options if not any(text.startswith(option) for text in told)] == [], told
    assert clouds.client.requests() == []
