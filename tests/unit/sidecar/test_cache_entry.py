# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept comes back as it was, and whatever else lies under a key is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_sidecar.cache_entry import Entry, pack, unpack, whole

NDJSON, EVENTS, JSON = "application/x-ndjson", "text/event-stream; charset=utf-8", "application/json; charset=utf-8"
PIECES = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8).map(tuple)
DONE = b'{"done":true,"done_reason":"stop"}\n'


@given(st.sampled_from([NDJSON, EVENTS, JSON]), PIECES)
def test_an_entry_comes_back_with_its_pieces(content_type: str, pieces: tuple[bytes, ...]) -> None:
    entry = Entry(content_type, pieces)
    assert unpack(pack(entry)) == entry


@given(PIECES, st.data())
def test_an_entry_with_a_wrong_byte_or_a_lost_end_is_none(pieces: tuple[bytes, ...], data: st.DataObject) -> None:
    packed = bytearray(pack(Entry(NDJSON, pieces)))
    at = data.draw(st.integers(0, len(packed) - 1))
    assert unpack(bytes(packed[:at])) is None
    packed[at] ^= data.draw(st.integers(1, 255))
    assert unpack(bytes(packed)) is None


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: b"PCO\x01" + rest))
def test_garbage_is_none(data: bytes) -> None:
    assert unpack(data) is None


def test_an_entry_without_pieces_is_none() -> None:
    assert unpack(pack(Entry(JSON, ()))) is None
    assert unpack(pack(Entry(JSON, (b"",)))) is None


@pytest.mark.parametrize(
    ("content_type", "pieces"),
    [
        (NDJSON, [b'{"done":false}\n', DONE]),
        (NDJSON, [b'{"done":false}\n{"do', b'ne":true}\n']),
        (EVENTS, [b'data: {"a":1}\n\n', b"data: [DONE]\n\n"]),
        (EVENTS, [b"event: message_start\ndata: {}\n\nevent: mess", b"age_stop\ndata: {}\n\n"]),
        (EVENTS, [b"event: response.completed\r\ndata: {}\r\n\r\n"]),
    ],
)
def test_a_stream_that_came_to_its_end_is_kept_piece_by_piece(content_type: str, pieces: list[bytes]) -> None:
    assert whole(content_type, pieces) == Entry(content_type, tuple(pieces))


@pytest.mark.parametrize(
    ("content_type", "pieces"),
    [
        (NDJSON, [b'{"done":false}\n', b'{"error":"the runner died"}\n']),
        (NDJSON, [b'{"done":false}\n']),
        (NDJSON, [b'{"done":true,"error":"x"}\n']),
        (NDJSON, [b'{"done":false,"response":"\\"done\\":true"}\n']),
        (NDJSON, [DONE, b'{"done":tr']),
        (NDJSON, []),
        (EVENTS, [b'data: {"a":1}\n\n']),
        (EVENTS, [b"data: [DONE]\n\n", b'data: {"error":{"message":"x"}}\n\n']),
        (EVENTS, [b'data: {"text":"data: [DONE]"}\n\n']),
        (EVENTS, [b"event: message_delta\ndata: {}\n\n"]),
        (EVENTS, [b"event: error\ndata: {}\n\n"]),
        (EVENTS, [b"event: response.failed\ndata: {}\n\n"]),
        (JSON, [b'{"a":1']),
        (JSON, []),
    ],
)
def test_an_answer_that_is_not_whole_is_not_kept(content_type: str, pieces: list[bytes]) -> None:
    assert whole(content_type, pieces) is None


def test_an_answer_that_is_no_stream_becomes_one_piece() -> None:
    assert whole(JSON, [b'{"a":', b"1}\n"]) == Entry(JSON, (b'{"a":1}\n',))
