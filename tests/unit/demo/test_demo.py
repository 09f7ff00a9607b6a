# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo shows of a playbook's output, and how it counts requests."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from tests.demo.load import Load
from tests.demo.show import Story, progress

OUTPUT = """\
PLAY [Deploy Ollama] ****

TASK [Deploy] ****
included: polycloud.ollama.deploy for chat

TASK [polycloud.ollama.deploy : Bring the deployment to its state on ecs] ****
chat on ecs us-east-1: 1 to create
  + create ecs cluster ollama
changed: [chat]
fatal: [other]: FAILED! =>
    a long dump

TASK [polycloud.ollama.common : Summary] ****
ok: [chat -> localhost] =>
    msg:
    - TARGET  HEALTH
    - 'other: it''s bad'

PLAY RECAP ****
chat : ok=1
"""
ANSWER = b'{"response": "ready"}'


def test_the_story_is_the_plan_and_the_summary() -> None:
    story = Story()
    shown = [text for line in OUTPUT.splitlines() if (text := story.shown(line))]
    assert shown == [
        "chat on ecs us-east-1: 1 to create",
        "  + create ecs cluster ollama",
        "TARGET  HEALTH",
        "other: it's bad",
    ]


def test_of_the_other_output_progress_is_shown() -> None:
    assert progress("chat | 00:01 | ECS | service steady\n") == "chat | 00:01 | ECS | service steady"
    assert progress("[WARNING]: something\n") == ""


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server that answers every prompt until it is told to be empty."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(getattr(self.server, "answer", ANSWER))

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield started
        started.shutdown()


def test_requests_are_counted_and_an_empty_answer_is_a_failed_one(server: http.server.ThreadingHTTPServer) -> None:
    with Load({"chat": f"http://127.0.0.1:{server.server_port}", "gone": "http://127.0.0.1:9"}, "m", 0.01) as load:
        while load.counts["chat"].sent < 3:
            time.sleep(0.01)
        assert load.counts["chat"].failed == 0
        server.answer = b'{"response": ""}'  # type: ignore[attr-defined]
        while not load.counts["chat"].failed:
            time.sleep(0.01)
    assert load.counts["chat"].error == "ValueError: the answer is empty"
    assert load.counts["gone"].failed == load.counts["gone"].sent > 0
