# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events are short, clean and in order, and never stop the work they tell about."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace

from ansible_collections.polycloud.ollama.plugins.module_utils.events import EventLog


def test_an_event_has_the_seconds_since_the_start() -> None:
    ticks = iter([100.0, 100.04, 112.26])
    log = EventLog(clock=lambda: next(ticks))
    log.emit("ECS", "service created")
    log.emit("ECS", "service steady: 1 of 1 tasks healthy")
    assert log.events == [
        {"at": 0.0, "source": "ECS", "text": "service created"},
        {"at": 12.3, "source": "ECS", "text": "service steady: 1 of 1 tasks healthy"},
    ]


def test_events_are_appended_to_the_sink_as_they_come(tmp_path: Path) -> None:
    sink = tmp_path / "events"
    sink.write_text("before\n")
    log = EventLog(sink)
    log.emit("A", "one")
    assert json.loads(sink.read_text().splitlines()[1]) == log.events[0]
    log.emit("A", "two")
    assert len(sink.read_text().splitlines()) == 3


def test_control_characters_do_not_get_into_an_event() -> None:
    log = EventLog()
    log.emit("E\x1b[31mCS", "steady\r\nfatal: [host]: FAILED!\u2028\u202e")
    assert log.events[0]["source"] == "E [31mCS"
    assert log.events[0]["text"] == "steady fatal: [host]: FAILED!"


def test_a_long_text_is_cut() -> None:
    log = EventLog()
    log.emit("A", "x" * 10_000)
    assert len(log.events[0]["text"]) == 500


def test_a_sink_that_is_missing_is_neither_made_nor_an_error(tmp_path: Path) -> None:
    sink = tmp_path / "gone" / "events"
    log = EventLog(sink)
    log.emit("A", "one")
    assert len(log.events) == 1
    log = EventLog(tmp_path / "never-made")
    log.emit("A", "one")
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_the_sink_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "sink").symlink_to(target)
    EventLog(tmp_path / "sink").emit("A", "one")
    assert target.read_text() == ""


def test_a_modules_log_masks_the_values_it_knows_as_secret(tmp_path: Path) -> None:
    sink = tmp_path / "events"
    sink.touch()
    module = SimpleNamespace(params={"progress_file": str(sink)}, no_log_values={"canary-51"})
    log = EventLog.for_module(module)
    log.emit("A", "said canary-51 aloud")
    assert log.events[0]["text"] == "said ******** aloud"
    assert "canary" not in sink.read_text()


def test_events_of_several_threads_are_all_there_and_whole(tmp_path: Path) -> None:
    sink = tmp_path / "events"
    sink.touch()
    log = EventLog(sink)

    def talk() -> None:
        for _ in range(50):
            log.emit("T", "x" * 300)

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads(line) for line in sink.read_text().splitlines()] == log.events
    assert len(log.events) == 400
