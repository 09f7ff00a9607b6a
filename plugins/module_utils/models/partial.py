# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A blob on its way into the store: a partial file, the parts of it that are whole, and its hash as far as known.

Beside C(blobs/sha256-<hex>-partial) lies C(...-partial.json) with C({"size", "part_size", "done": [numbers], "begun":
{number: bytes}}), so that a fetch that was killed goes on where it stopped. A wrong record is found out by the hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from pathlib import PurePosixPath

from .manifest import Blob
from .names import BLOBS, blob_file
from .store import CHUNK, Store

MAX_STATE = 1024 * 1024  # bytes
NOTED = 1.0  # seconds between two records of how far the parts are: what a killed fetch loses


def partial_path(blob: Blob) -> PurePosixPath:
    return PurePosixPath(BLOBS, f"{blob_file(blob.digest)}-partial")


class Partial:
    """Safe for several threads, each of which writes a part of its own."""

    def __init__(self, store: Store, blob: Blob, part_size: int) -> None:
        self.blob = blob
        self._store = store
        self._part_size = part_size
        self._path = partial_path(blob)
        self._state_path = self._path.with_name(f"{self._path.name}.json")
        self._lock = threading.Lock()
        self._hash_lock = threading.Lock()
        self._count = -(-blob.size // part_size)
        self._done: set[int] = set()
        self._begun: dict[int, int] = {}
        self._noted = 0.0
        self._descriptor = -1
        self.kept = 0  # bytes that a former fetch left
        self._forget_hash()

    def open(self) -> int:
        """Go on with what is there, or begin. Returns the bytes that need not come any more."""
        self._done, self._begun = self._read_state()
        self._noted = time.monotonic()
        if self._done or self._begun:
            self._descriptor = self._store.reopen(self._path)
        else:
            self._descriptor = self._store.create(self._path)
            os.ftruncate(self._descriptor, self.blob.size)
        spans = [self.span(part) for part in self._done]
        self.kept = sum(end - start for start, end in spans) + sum(self._begun.values())
        return self.kept

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def span(self, part: int) -> tuple[int, int]:
        """Offset of the first byte of a part and of the first one behind it."""
        start = part * self._part_size
        return start, min(self.blob.size, start + self._part_size)

    def missing(self) -> list[int]:
        with self._lock:
            return [part for part in range(self._count) if part not in self._done]

    def position(self, part: int) -> int:
        """Where a part goes on."""
        with self._lock:
            return part * self._part_size + self._begun.get(part, 0)

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            offset += written
            view = view[written:]

    def note(self, part: int, position: int) -> None:
        """A part has been written up to `position`."""
        with self._lock:
            self._begun[part] = position - part * self._part_size
            if time.monotonic() - self._noted >= NOTED:
                self._write_state()

    def keep(self) -> None:
        """Record how far an unfinished blob is, as far as the folder can be written."""
        with self._lock, contextlib.suppress(OSError):
            if self._descriptor >= 0 and self._begun:
                self._write_state()

    def finish(self, parts: list[int]) -> bool:
        """Note that parts are whole. True for the one call that completes the blob."""
        with self._lock:
            self._done.update(parts)
            for part in parts:
                self._begun.pop(part, None)
            complete = len(self._done) == self._count
            if not complete:
                self._write_state()
        # One stream hashes what the others bring; none waits for it.
        if self._hash_lock.acquire(blocking=False):
            try:
                self._hash_on()
            finally:
                self._hash_lock.release()
        return complete

    def matches(self) -> bool:
        """True if the sha256 of the whole is what the manifest says."""
        with self._hash_lock:
            self._hash_on()
            return f"sha256:{self._hash.hexdigest()}" == self.blob.digest

    def adopt(self) -> None:
        """Give the checked blob its final name."""
        os.fsync(self._descriptor)
        self.close()
        self._store.adopt(self._path, self.blob)
        self._store.remove(self._state_path)

    def discard(self) -> None:
        """Throw away what was fetched."""
        self.close()
        with self._lock:
            self._store.remove(self._path)
            self._store.remove(self._state_path)
            self._done, self._begun = set(), {}
        with self._hash_lock:
            self._forget_hash()

    def _forget_hash(self) -> None:
        self._hash = hashlib.sha256()
        self._hashed = 0  # parts

    def _hash_on(self) -> None:
        # While other parts still come in; what was just written is read back from memory, not from the disk.
        while self._hashed in self._done:
            position, end = self.span(self._hashed)
            while position < end:
                piece = os.pread(self._descriptor, min(CHUNK, end - position), position)
                if not piece:
                    return
                self._hash.update(piece)
                position += len(piece)
            self._hashed += 1

    def _read_state(self) -> tuple[set[int], dict[int, int]]:
        raw = self._store.read(self._state_path, MAX_STATE)
        try:
            state = json.loads(raw or b"null")
            found = os.lstat(self._store.place(self._path))
        except (ValueError, RecursionError, FileNotFoundError):
            return set(), {}
        same = isinstance(state, dict) and (state.get("size"), state.get("part_size")) == (
            self.blob.size,
            self._part_size,
        )
        if not same or found.st_size != self.blob.size:
            return set(), {}
        listed, begun = state.get("done"), state.get("begun")
        done = set(listed) if isinstance(listed, list) and all(isinstance(part, int) for part in listed) else set()
        came = {part: begun.get(str(part)) for part in range(self._count)} if isinstance(begun, dict) else {}
        lengths = {part: self.span(part)[1] - self.span(part)[0] for part in range(self._count)}
        done = {part for part in lengths if part in done or came.get(part) == lengths[part]}
        return done, {
            part: count
            for part, count in came.items()
            if part not in done and isinstance(count, int) and 0 < count < lengths[part]
        }

    def _write_state(self) -> None:
        self._noted = time.monotonic()
        state = {"size": self.blob.size, "part_size": self._part_size, "done": sorted(self._done), "begun": self._begun}
        self._store.write(self._state_path, json.dumps(state).encode(), sync=False)
