# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an answer is kept: its content type and its pieces, with their boundaries, in one string of bytes."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

MAGIC = b"PCO\x01"
# Magic, CRC-32 of all that follows it, length of the content type, number of pieces; then the length of each piece.
_HEAD = struct.Struct("<4sIHI")
_CHECKED_FROM = 8
STREAMS = ("application/x-ndjson", "text/event-stream")
LEAST_BYTES, PIECE_BYTES = _HEAD.size, 4


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer with status 200. An answer that is no stream is one piece."""

    content_type: str
    pieces: tuple[bytes, ...]


def is_stream(content_type: str) -> bool:
    """Whether an answer of this type comes in pieces that clients read one by one."""
    return content_type.startswith(STREAMS)


def pack(entry: Entry) -> bytes:
    """The entry as bytes."""
    name = entry.content_type.encode("latin-1", "replace")
    lengths = struct.pack(f"<{len(entry.pieces)}I", *map(len, entry.pieces))
    rest = b"".join((struct.pack("<HI", len(name), len(entry.pieces)), lengths, name, *entry.pieces))
    return b"".join((MAGIC, struct.pack("<I", zlib.crc32(rest)), rest))


def unpack(data: bytes) -> Entry | None:
    """The entry that `pack` made into these bytes; None where they are anything else, or not whole."""
    if len(data) < _HEAD.size:
        return None
    magic, check, name_length, count = _HEAD.unpack_from(data)
    begin = _HEAD.size + count * PIECE_BYTES
    if magic != MAGIC or begin + name_length > len(data) or zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != check:
        return None
    at = begin + name_length
    pieces = []
    for length in struct.unpack_from(f"<{count}I", data, _HEAD.size):
        pieces.append(data[at : at + length])
        at += length
    if at != len(data) or not all(pieces) or not pieces:
        return None
    return Entry(data[begin : begin + name_length].decode("latin-1"), tuple(pieces))


def whole(content_type: str, pieces: Sequence[bytes]) -> Entry | None:
    """The entry of an answer that came with status 200 to its end; None where it is not one to keep.

    Ollama reports an error in a stream by its last line, after a 200; then the line that ends a good one is missing.
    """
    body = b"".join(pieces)
    if content_type.startswith("application/x-ndjson"):
        good = _ndjson_ended(body)
    elif content_type.startswith("text/event-stream"):
        good = _events_ended(body)
    else:
        return Entry(content_type, (body,)) if body.strip().endswith(b"}") else None
    return Entry(content_type, tuple(filter(None, pieces))) if good else None


def _ndjson_ended(body: bytes) -> bool:
    try:
        last = json.loads(body.rstrip().rpartition(b"\n")[2])
    except ValueError:
        return False
    return isinstance(last, dict) and last.get("done") is True and "error" not in last


def _events_ended(body: bytes) -> bool:
    """OpenAI's streams end with [DONE], those of /v1/responses and Anthropic's with an event of their own."""
    block = body.replace(b"\r\n", b"\n").rstrip().rpartition(b"\n\n")[2]
    first = block.partition(b"\n")[0]
    return first in (b"data: [DONE]", b"event: response.completed", b"event: message_stop")
