# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters become the typed model; the options and the model have the same names and the same defaults."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.polycloud.ollama.plugins.doc_fragments.deployment import ModuleDocFragment
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import model as m
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment import options
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.environment import (
    models_value,
    ollama_environment,
    parse_models,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.parse import parse


@dataclasses.dataclass(frozen=True)
class Block:
    zone: str = "a"
    ports: tuple[int, ...] = ()


SHARED = {**options.DEPLOYMENT_OPTIONS, **options.RUN_OPTIONS}
MINIMAL = {"name": "chat", "image": "x", "models": [{"name": "gemma3:1b"}]}


def parsed(platform: dict[str, Any] | None = None, **params: Any) -> m.Deployment[Block]:
    checked = ArgumentSpecValidator(options.DEPLOYMENT_OPTIONS).validate({**MINIMAL, **params})
    assert checked.error_messages == []
    return parse({**checked.validated_parameters, "platform": platform}, Block)


def test_the_argument_specs_defaults_are_the_models_defaults() -> None:
    model = m.Deployment(name="chat", image="x", models=(m.Model(name="gemma3:1b"),), platform=Block())

    assert parsed() == model


def test_nested_blocks_lists_and_the_platform_are_typed() -> None:
    deployment = parsed(
        resources={"cpu": 2, "gpu": {"count": 1, "sharing": {"memory_mib": 8000}}},
        network={"allowed_cidrs": ["10.0.0.0/8"]},
        secrets=[{"name": "KEY", "value": "s"}],
        platform={"zone": "b", "ports": [1, 2]},
    )

    assert deployment.resources.gpu == m.Gpu(sharing=m.GpuSharing(memory_mib=8000))
    assert deployment.network.allowed_cidrs == ("10.0.0.0/8",)
    assert deployment.secrets[0].value == "s"
    assert deployment.platform == Block(zone="b", ports=(1, 2))


def test_environment_and_tags_are_text_however_yaml_read_them() -> None:
    deployment = parsed(runtime={"environment": {"A": True, "B": 1, "C": 1.5}}, tags={"cost": 42})

    assert deployment.runtime.environment == {"A": "true", "B": "1", "C": "1.5"}
    assert deployment.tags == {"cost": "42"}


def test_a_secret_value_is_not_in_the_models_own_text() -> None:
    assert "canary" not in repr(parsed(secrets=[{"name": "KEY", "value": "canary"}]))


def test_every_option_is_a_field_of_the_model() -> None:
    def same(spec: dict[str, Any], cls: Any) -> None:
        hints = typing.get_type_hints(cls)
        fields = {field.name for field in dataclasses.fields(cls)} - {"platform"}
        assert set(spec) == fields, cls
        for name, option in spec.items():
            for inner in [hints[name], *typing.get_args(hints[name])]:
                if dataclasses.is_dataclass(inner):
                    same(option["options"], inner)

    same(options.DEPLOYMENT_OPTIONS, m.Deployment)


def test_the_doc_fragment_says_what_the_argument_spec_says() -> None:
    def same(documented: dict[str, Any], spec: dict[str, Any], path: str) -> None:
        assert set(documented) == set(spec), path
        for name, doc in documented.items():
            option = spec[name]
            for key in ("type", "elements", "default", "choices"):
                assert doc.get(key) == option.get(key), f"{path}{name}: {key}"
            assert bool(doc.get("required")) == bool(option.get("required")), f"{path}{name}"
            if "suboptions" in doc or "options" in option:
                same(doc["suboptions"], option["options"], f"{path}{name}.")

    same(yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], SHARED, "")


def test_the_environment_is_safe_by_default() -> None:
    environment = ollama_environment(parsed())

    assert environment["OLLAMA_NO_CLOUD"] == "1"
    assert environment["OLLAMA_KEEP_ALIVE"] == "-1"
    assert environment["OLLAMA_CONTEXT_LENGTH"] == "4096"
    assert environment["OLLAMA_MODELS"] == "/models"
    assert "OLLAMA_NOPRUNE" not in environment
    assert ollama_environment(parsed(storage={"mode": "volume"}))["OLLAMA_NOPRUNE"] == "1"


def test_what_the_user_sets_reaches_the_server() -> None:
    runtime = {"flash_attention": True, "kv_cache_type": "q8_0", "max_loaded_models": 2, "environment": {"TZ": "UTC"}}
    environment = ollama_environment(parsed(runtime=runtime))

    assert environment["OLLAMA_FLASH_ATTENTION"] == "1"
    assert environment["OLLAMA_KV_CACHE_TYPE"] == "q8_0"
    assert environment["OLLAMA_MAX_LOADED_MODELS"] == "2"
    assert environment["TZ"] == "UTC"


def test_models_are_written_and_read_back_with_their_digests() -> None:
    deployment = parsed(models=[{"name": "a1:1b", "digest": "sha256:" + "c" * 64}, {"name": "b1"}])

    assert parse_models(models_value(deployment)) == (("a1:1b", "c" * 64), ("b1", None))
