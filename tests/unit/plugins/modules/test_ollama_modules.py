# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ollama modules as processes, against the test engine: idempotent, check mode as apply, no secret shown."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.client import OllamaClient
from tests.helpers.engines import MODEL, Engines, Scripted
from tests.helpers.modules import run_module
from tests.helpers.playbooks import run_playbook
from tests.helpers.registry import Start, start_registry  # noqa: F401 - a fixture
from tests.helpers.tree import constant, documentation, fragment

Script = Callable[..., Scripted]
UTILS = "ansible_collections.polycloud.ollama.plugins.module_utils"


@pytest.mark.parametrize("state", ["present", "loaded", "absent", "unloaded"])
def test_check_mode_says_what_the_run_then_does_and_a_second_run_changes_nothing(engines: Engines, state: str) -> None:
    url = engines.url(models="" if state in ("present", "loaded") else MODEL)
    if state in ("absent", "unloaded"):
        OllamaClient(url).load(MODEL)
    options = {"url": url, "name": MODEL, "state": state}
    before = run_module("ollama_model_info", {"url": url})["models"]

    check = run_module("ollama_model", options, check=True, diff=True)
    assert check["changed"] is True
    assert run_module("ollama_model_info", {"url": url})["models"] == before

    real = run_module("ollama_model", options, diff=True)
    assert (real["changed"], real["steps"]) == (True, check["steps"])
    # The digest is what only the pull itself can tell.
    expected = json.loads(
        json.dumps(check["diff"]).replace("(known after apply)", (real["model"] or {}).get("digest", ""))
    )
    assert real["diff"] == expected

    again = run_module("ollama_model", options, diff=True)
    assert (again["changed"], again["steps"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"] == real["diff"]["after"]


def test_a_pull_reports_its_events(engines: Engines) -> None:
    result = run_module("ollama_model", {"url": engines.url(models=""), "name": MODEL})
    texts = [event["text"] for event in result["events"]]
    assert texts[0] == f"{MODEL}: pulling manifest"
    assert texts[-1] == f"{MODEL}: success"


def test_a_moved_tag_fails_and_the_events_tell_how_far_it_came(engines: Engines) -> None:
    url = engines.url(models=f"{MODEL}@sha256:{'a' * 64}")
    result = run_module("ollama_model", {"url": url, "name": MODEL, "digest": "b" * 64})
    assert result["failed"] is True
    assert "the tag now means" in result["msg"]
    assert result["events"]


def test_the_disk_is_looked_at_only_where_it_can_be_seen(engines: Engines, tmp_path: Path) -> None:
    url = engines.url(models="")
    full = {"url": url, "name": MODEL, "path": str(tmp_path), "min_free_bytes": 10**18}
    assert "free, min_free_bytes is" in run_module("ollama_model", full, check=True)["msg"]
    unseen = run_module("ollama_model", {"url": url, "name": MODEL, "min_free_bytes": 10**18})
    assert unseen["disk"]["checked"] is False
    assert any("was not checked" in warning for warning in map(str, unseen["warnings"]))


def test_info_tells_disk_memory_and_capabilities(engines: Engines) -> None:
    url = engines.url(models=f"{MODEL},nomic-embed-text")
    OllamaClient(url).load(MODEL)
    every = run_module("ollama_model_info", {"url": url})
    assert {model["name"]: model["resident"] for model in every["models"]} == {
        MODEL: True,
        "nomic-embed-text:latest": False,
    }
    one = run_module("ollama_model_info", {"url": url, "name": "nomic-embed-text"})["models"]
    assert [(model["name"], model["capabilities"]) for model in one] == [("nomic-embed-text:latest", ["embedding"])]
    assert run_module("ollama_model_info", {"url": url, "name": "qwen3"})["models"] == []


def test_the_probe_returns_what_it_documents(engines: Engines) -> None:
    result = run_module("ollama_probe", {"url": engines.url(), "model": MODEL, "require_gpu": True})
    assert result["changed"] is False
    assert result["answer"]
    assert (result["resident"], result["gpu_ratio"]) == (True, 1.0)
    documented = importlib.import_module("ansible_collections.polycloud.ollama.plugins.modules.ollama_probe").RETURN
    for key in set(result) - {"changed", "invocation", "_stderr"}:
        assert f"\n{key}:" in documented, key


def test_the_probe_in_check_mode_loads_nothing(engines: Engines) -> None:
    url = engines.url()
    result = run_module("ollama_probe", {"url": url, "model": MODEL}, check=True)
    assert (result["resident"], result["answer"], result["changed"]) == (False, "", False)
    assert OllamaClient(url).ps() == []


@pytest.mark.parametrize(
    ("tag", "options", "said"),
    [
        ("no-model", {}, "answers but has no model"),
        ("wrong-answer", {}, "answered the prompt with nothing"),
        ("no-gpu", {"require_gpu": True}, "runs on the CPU"),
        ("latest", {"digest": "f" * 64}, "is not the pinned model"),
        ("latest", {"expect": "Paris"}, "answered without 'Paris'"),
        ("latest", {"min_tokens_per_second": 1e9}, "tokens/s are asked for"),
        ("latest", {"model": "{{ hostile }}"}, "model '{{ hostile }}' must be"),
        ("latest", {"interval": 0}, "interval must be greater than 0"),
    ],
)
def test_a_probe_fails_with_one_sentence(engines: Engines, tag: str, options: dict[str, Any], said: str) -> None:
    result = run_module("ollama_probe", {"url": engines.url(tag), "model": MODEL, "timeout": 5, **options})
    assert result["failed"] is True
    assert said in result["msg"]
    assert "exception" not in result


@pytest.mark.parametrize("module", ["ollama_model", "ollama_model_info", "ollama_probe"])
def test_a_key_is_sent_and_never_shown_even_when_the_server_repeats_it(scripted: Script, module: str) -> None:
    echo = (500, b'{"error": "do not say canary-9d2c here"}')
    server = scripted(dict.fromkeys(("/api/version", "/api/tags", "/api/ps"), echo))
    name = {"model": MODEL, "timeout": 1} if module == "ollama_probe" else {"name": MODEL}
    result = run_module(module, {"url": server.url, "api_key": "canary-9d2c", **name})
    assert result["failed"] is True
    assert server.requests[0][2]["Authorization"] == "Bearer canary-9d2c"
    assert "canary" not in json.dumps(result)


@pytest.mark.parametrize("module", ["ollama_model", "ollama_model_info", "ollama_probe"])
def test_the_examples_run(engines: Engines, start_registry: Start, tmp_path: Path, module: str) -> None:  # noqa: F811
    """As printed, with the test servers' addresses and digest in their places, and the word that the engine answers."""
    registry = start_registry()
    registry.add("library/gemma3", "1b", b"weights")
    fetch = {"into": str(tmp_path / "models"), "registry": registry.url, "lock": str(tmp_path / "models.lock")}
    url = engines.url(models=f"{MODEL},gemma3:27b")
    tag = OllamaClient(url).tag(MODEL)
    assert tag is not None
    word = OllamaClient(url).generate(MODEL, "What is the capital of France? Answer with one word.").answer.split()[0]
    tasks = yaml.safe_load(constant(f"plugins/modules/{module}.py", "EXAMPLES") or "")
    for options in (task[f"polycloud.ollama.{module}"] for task in tasks if f"polycloud.ollama.{module}" in task):
        places = {"url": url, "digest": tag.digest, "expect": word, "fetch": fetch}
        options.update({key: value for key, value in places.items() if key == "url" or key in options})
    run = run_playbook(tmp_path, tasks)
    assert run.rc == 0, run.stdout
    assert f"ok={len(tasks)} " in run.stdout


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("polycloud.ollama.ollama", f"{UTILS}.ollama.options.ARGSPEC"),
        ("polycloud.ollama.progress", f"{UTILS}.events.PROGRESS_ARGSPEC"),
    ],
)
def test_a_fragment_documents_exactly_the_options_of_the_code(reference: str, code: str) -> None:
    path, _, name = code.rpartition(".")
    documented = fragment(reference)["options"]
    spec = getattr(importlib.import_module(path), name)
    assert set(documented) == set(spec)
    for option, rules in spec.items():
        assert documented[option]["type"] == rules["type"], option
        assert documented[option].get("default") == rules.get("default"), option


@pytest.mark.parametrize("module", ["ollama_model", "ollama_probe"])
def test_the_options_of_a_module_are_documented_as_they_are(module: str) -> None:
    spec = importlib.import_module(f"ansible_collections.polycloud.ollama.plugins.modules.{module}").OPTIONS
    documented = documentation(module)["options"]
    assert set(documented) == set(spec)
    for option, rules in spec.items():
        for rule in ("type", "default", "choices", "required"):
            assert documented[option].get(rule) == rules.get(rule), (option, rule)
