# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another try is worth it only for some errors, and only for some time."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import (
    BadBlob,
    ModelError,
    SourceError,
    SourceUnreachable,
    Stopped,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.models.limits import Limits, Patience, retry_after

QUICK = Limits(attempts=4, first_pause=0.001, longest_pause=0.002)


def tries(error: ModelError, limits: Limits = QUICK) -> int:
    patience = Patience(limits, threading.Event())
    for count in range(1, 100):
        try:
            patience.pause(error)
        except type(error):
            return count
    raise AssertionError("it never gave up")


def busy(status: int, seconds: float | None = None) -> SourceError:
    error = SourceError("GET tiny", status, "", "busy")
    error.retry_after = seconds
    return error


def test_what_passes_by_itself_is_tried_again_and_the_rest_is_not() -> None:
    assert tries(SourceUnreachable("cut off")) == 4
    assert [tries(busy(status)) for status in (429, 500, 503)] == [4, 4, 4]
    assert tries(busy(400)) == 1
    final = SourceUnreachable("a certificate that nobody vouches for")
    final.final = True
    assert tries(final) == 1
    assert tries(BadBlob("wrong")) == 1


def test_progress_starts_the_count_anew() -> None:
    patience = Patience(QUICK, threading.Event())
    for dummy in range(20):
        patience.pause(SourceUnreachable("cut off"))
        patience.progressed()


def test_the_server_is_not_asked_before_the_time_that_it_named() -> None:
    started = time.monotonic()
    Patience(QUICK, threading.Event()).pause(busy(429, 0.2))
    assert time.monotonic() - started >= 0.2


def test_a_time_beyond_our_patience_ends_it_at_once() -> None:
    started = time.monotonic()
    assert tries(busy(429, 3600.0)) == 1
    assert time.monotonic() - started < 1


def test_a_stop_ends_a_pause() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Patience(Limits(first_pause=60), stop).pause(SourceUnreachable("cut off"))


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("7") == 7.0
    assert retry_after("soon") is None
    assert retry_after(None) is None
    assert retry_after("-3") is None
    soon = retry_after(formatdate(time.time() + 60, usegmt=True))
    assert soon is not None
    assert 50 < soon < 61


def test_a_wait_that_is_felt_is_told_and_a_short_one_is_not() -> None:
    told: list[str] = []
    stop = threading.Event()
    stop.set()
    for first_pause in (0.1, 8.0):
        patience = Patience(Limits(first_pause=first_pause), stop, told.append)
        with pytest.raises(Stopped):
            patience.pause(SourceUnreachable("registry.example.org gave no whole answer."))
    (line,) = told
    assert line.startswith("registry.example.org gave no whole answer: trying again in ")
