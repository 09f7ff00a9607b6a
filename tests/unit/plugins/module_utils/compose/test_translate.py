# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose file of a deployment: golden files, and what Compose itself knows of each field."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.compose.translate import compose
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import InvalidDeployment
from tests.helpers.sidecar_options import KEY, SIDECAR, TOKEN

GOLDEN = Path(__file__).parents[4] / "golden" / "compose"
DIGEST = "@sha256:" + "a" * 64
SMALL: dict[str, Any] = {
    "name": "chat",
    "image": f"registry.example.com/ollama:0.24.0{DIGEST}",
    "models": [{"name": "gemma3:4b", "digest": "b" * 64}],
}
SERVED: dict[str, Any] = merge(
    SMALL,
    {
        "sidecar": SIDECAR,
        "resources": {"gpu": {"count": 1}},
        "runtime": {"environment": {"OLLAMA_ORIGINS": "$home"}},
        "secrets": [{"name": "LICENCE", "value": "canary-licence"}, {"name": "SIDECAR_CACHE_URL", "value": "canary"}],
    },
)
SEEDED: dict[str, Any] = merge(
    SMALL,
    {
        "storage": {"mode": "volume", "seed": {"image": f"registry.example.com/fetcher:1{DIGEST}"}},
        "secrets": [{"name": "POLYCLOUD_REGISTRY_TOKEN", "value": "canary-token"}],
        "tags": {"team": "search"},
    },
)
DESCRIPTIONS = {"small": SMALL, "sidecar": SERVED, "seeded": SEEDED}
# The fields of a service in the Compose Specification (services) that are used here, and the shape of each.
FIELDS: dict[str, type] = {
    **dict.fromkeys(("image", "user", "restart", "network_mode", "stop_grace_period"), str),
    **dict.fromkeys(("read_only", "init"), bool),
    **dict.fromkeys(("tmpfs", "cap_drop", "security_opt", "command", "entrypoint", "ports", "volumes"), list),
    **dict.fromkeys(("environment", "labels", "depends_on", "healthcheck", "deploy"), dict),
}
CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")


def services(description: dict[str, Any]) -> dict[str, Any]:
    return dict(compose(copy.deepcopy(description))["services"])


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_deployment_is_translated_as_its_golden_file_says(name: str) -> None:
    found = compose(DESCRIPTIONS[name])
    file = GOLDEN / f"{name}.json"
    # `POLYCLOUD_WRITE_GOLDEN=1 pytest ...` writes the files anew, for a person to read in the diff.
    if os.environ.get("POLYCLOUD_WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(file.read_text())


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_every_field_is_one_that_compose_knows(name: str) -> None:
    found = compose(DESCRIPTIONS[name])
    assert set(found) <= {"name", "services", "volumes"}
    for service in found["services"].values():
        assert {key: type(value) for key, value in service.items()} == {key: FIELDS[key] for key in service}
        for other, how in service.get("depends_on", {}).items():
            assert other in found["services"]
            assert how["condition"] in CONDITIONS
        assert all(isinstance(value, str) for value in service.get("environment", {}).values())
        mounted = {mount["source"] for mount in service.get("volumes", [])}
        assert mounted <= set(found.get("volumes", {}))


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_nothing_runs_as_root_or_with_capabilities_and_no_secret_is_written(name: str) -> None:
    for service in services(DESCRIPTIONS[name]).values():
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
    text = json.dumps(compose(DESCRIPTIONS[name]))
    assert not [secret for secret in ("canary", KEY, TOKEN) if secret in text]


def test_clients_reach_the_sidecar_in_a_network_that_outlives_both_and_nothing_else() -> None:
    found = services(SERVED)
    assert found["ollama"]["environment"]["OLLAMA_HOST"] == "127.0.0.1:11435"
    assert found["network"]["ports"] == ["127.0.0.1:11434:11434", "127.0.0.1:9091:9091"]
    assert (found["network"]["image"], found["network"]["entrypoint"]) == (SIDECAR["image"], ["sleep", "infinity"])
    for name in ("ollama", "sidecar"):
        assert found[name]["network_mode"] == "service:network"
        assert "ports" not in found[name], "compose refuses ports of a container without a network of its own"
    assert services(SMALL)["ollama"]["ports"] == ["127.0.0.1:11434:11434"]


def test_the_sidecar_stops_first_and_both_have_the_time_to_drain() -> None:
    found = services(SERVED)
    assert "ollama" in found["sidecar"]["depends_on"]
    assert (found["sidecar"]["stop_grace_period"], found["ollama"]["stop_grace_period"]) == ("110s", "120s")


def test_a_value_is_no_template_and_a_secret_is_asked_for() -> None:
    environment = services(SERVED)["ollama"]["environment"]
    assert environment["OLLAMA_ORIGINS"] == "$$home"
    assert environment["LICENCE"] == "${LICENCE:?set it in the environment}"
    assert "SIDECAR_CACHE_URL" not in environment
    assert services(SERVED)["sidecar"]["environment"]["SIDECAR_CACHE_URL"].startswith("${SIDECAR_CACHE_URL:?")


def test_the_server_waits_for_its_models_and_only_reads_them() -> None:
    found = services(SEEDED)
    assert found["ollama"]["depends_on"]["seed-models"]["condition"] == "service_completed_successfully"
    assert [found[name]["volumes"][0]["read_only"] for name in ("ollama", "seed-models")] == [True, False]


def test_health_asks_for_the_model_where_it_must_be_there_and_else_for_an_answer() -> None:
    asked = {
        name: services(merge(SMALL, change))["ollama"]["healthcheck"]["test"][2]
        for name, change in {"baked": {}, "seeded": SEEDED, "volume": {"storage": {"mode": "volume"}}}.items()
    }
    assert asked == {"baked": "show", "seeded": "show", "volume": "ps"}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two replicas": ({"scaling": {"min": 2, "max": 2}}, "a compose file is one replica"),
    "overrides": ({"overrides": {"service": {}}}, "overrides have no resource here"),
    "a platform": ({"platform": {"cluster": "x"}}, "platform must be left out"),
    "a wrong name": ({"name": "Chat!"}, "name 'Chat!' must be"),
    "a wrong sidecar": ({"sidecar": {"image": "x"}}, "sidecar.image 'x' must be pinned"),
    "root under strict": ({"hardening": "strict", "storage": {"uid": 0}}, "a user other than root"),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG)
def test_what_a_compose_file_cannot_say_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidDeployment) as caught:
        compose(merge(SMALL, change))
    assert any(told in problem for problem in caught.value.problems)
