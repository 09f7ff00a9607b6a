# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidecars count: read before and after one prompt, so that the difference is the prompt's."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from tests.demo.load import OPENER

PORT = 9091
TIMEOUT = 10.0
COUNTED = {
    "requests": "ollama_requests_total",
    "prompt_tokens": "ollama_prompt_tokens_total",
    "generated_tokens": "ollama_generated_tokens_total",
    "first_token_seconds": "ollama_time_to_first_token_seconds_sum",
    "queue_seconds": "ollama_queue_wait_seconds_sum",
}
# Only requests that a model answers: the probes of the platform are none, a load of the start is.
OF_THE_PROMPT = {"requests": {"endpoint": "/api/generate", "code": "200"}}
Sums = dict[str, float]


def sums(text: str) -> Sums:
    """The counts of one sidecar, from its metrics as Prometheus reads them."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        key: sum(
            sample.value
            for sample in samples
            if sample.name == name and OF_THE_PROMPT.get(key, {}).items() <= sample.labels.items()
        )
        for key, name in COUNTED.items()
    }


def sidecars_of(endpoint: str, workloads: Iterable[Mapping[str, Any]]) -> list[str]:
    """The addresses of a target's sidecars: of its task or group, or of the replicas behind its ingress."""
    sidecars = [item for item in workloads if "sidecar" in item["image"]]
    own = [item["address"] for item in sidecars if item["address"] == urlsplit(endpoint).hostname]
    # Replicas of a revision are named after it, and a revision has two hyphens behind the name of its app.
    return own or [item["address"] for item in sidecars if "--" in item["name"]]


def read(addresses: Iterable[str]) -> Sums:
    """The counts of these sidecars together."""
    found = dict.fromkeys(COUNTED, 0.0)
    for address in addresses:
        with OPENER.open(f"http://{address}:{PORT}/metrics", timeout=TIMEOUT) as answer:
            for key, value in sums(answer.read().decode()).items():
                found[key] += value
    return found


def of_one_prompt(endpoint: str, addresses: list[str], model: str) -> Sums:
    """Send one prompt, streaming, and return what the sidecars counted of it. Raises OSError."""
    before = read(addresses)
    body = json.dumps({"model": model, "prompt": "Why is the sky blue?"}).encode()
    request = urllib.request.Request(f"{endpoint}/api/generate", body, {"Content-Type": "application/json"})
    with OPENER.open(request, timeout=TIMEOUT) as answer:
        answer.read()
    # The record of a request is written when its connection is done with it, a moment after its last byte.
    end = time.monotonic() + 2.0
    while (after := read(addresses))["requests"] == before["requests"] and time.monotonic() < end:
        time.sleep(0.05)
    return {key: round(after[key] - before[key], 6) for key in COUNTED}


def table(counted: Mapping[str, Sums]) -> list[str]:
    """The lines for a person."""
    lines = [f"{'TARGET':20}{'REQUESTS':10}{'TOKENS IN':11}{'TOKENS OUT':12}{'FIRST TOKEN':14}IN QUEUE"]
    for target, sums_of in counted.items():
        first, queued = sums_of["first_token_seconds"] * 1000, sums_of["queue_seconds"] * 1000
        lines.append(
            f"{target:20}{sums_of['requests']:<10g}{sums_of['prompt_tokens']:<11g}{sums_of['generated_tokens']:<12g}"
            f"{f'{first:.1f} ms':14}{queued:.1f} ms"
        )
    return lines
