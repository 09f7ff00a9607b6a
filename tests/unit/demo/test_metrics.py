# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo reads from the sidecars: the counts of the prompt, and none of others."""

from __future__ import annotations

from tests.demo.metrics import COUNTED, sidecars_of, sums, table

TEXT = """\
# TYPE ollama_requests_total counter
ollama_requests_total{code="200",endpoint="/api/generate",model="m"} 2.0
ollama_requests_total{code="503",endpoint="/api/generate",model="m"} 7.0
ollama_requests_total{code="200",endpoint="/api/version",model=""} 5.0
# TYPE ollama_generated_tokens_total counter
ollama_generated_tokens_total{endpoint="/api/generate",model="m"} 9.0
"""
WORKLOADS = [
    {"image": "ollama:1", "address": "127.64.0.1", "name": "service:chat/1"},
    {"image": "ollama-sidecar:1", "address": "127.64.0.1", "name": "service:chat/1/sidecar"},
    {"image": "ollama-sidecar:1", "address": "127.68.0.1", "name": "chat--r1-abc/sidecar"},
]


def test_answered_prompts_are_counted_and_nothing_else() -> None:
    found = sums(TEXT)
    assert (found["requests"], found["generated_tokens"], found["prompt_tokens"]) == (2, 9, 0)


def test_the_sidecar_of_a_target_is_at_its_address_or_behind_its_ingress() -> None:
    assert sidecars_of("http://127.64.0.1:11434", WORKLOADS) == ["127.64.0.1"]
    assert sidecars_of("http://127.66.0.9:8080", WORKLOADS) == ["127.68.0.1"]


def test_the_table_has_a_line_for_each_target() -> None:
    counted = {**dict.fromkeys(COUNTED, 1.0), "first_token_seconds": 0.0042}
    header, line = table({"chat-use1": counted})
    assert "FIRST TOKEN" in header
    assert line.split() == ["chat-use1", "1", "1", "1", "4.2", "ms", "1000.0", "ms"]
