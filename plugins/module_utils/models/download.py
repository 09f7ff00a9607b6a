# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blobs from a registry in parallel ranged parts, each tried again from where it was cut off."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from .errors import BadBlob, ModelError, SourceError, SourceUnreachable, Stopped
from .limits import Limits, Patience
from .manifest import Blob
from .partial import Partial
from .progress import Meter
from .store import Store
from .transport import Answer

READ = 256 * 1024  # bytes at once
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)

OpenBlob = Callable[[Blob, int, int], Answer]


@dataclass
class Cursor:
    """What one stream has to bring: from `position` up to `end`. `whole`: the server sends all, whatever was asked."""

    position: int
    end: int
    whole: bool = False


class Download:
    """One run over some blobs. `open_blob` asks once for a range, and may be called by several threads."""

    def __init__(self, open_blob: OpenBlob, store: Store, meter: Meter, limits: Limits) -> None:
        self._open = open_blob
        self._store = store
        self._meter = meter
        self._limits = limits
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._futures: list[Future[None]] = []

    def run(self, blobs: Sequence[Blob], parallel: int) -> None:
        """Bring all blobs or raise the first error. Parts that are whole stay for the next run."""
        partials = [Partial(self._store, blob, self._limits.part_size) for blob in blobs]
        self._pool = ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="blob")
        try:
            for partial in partials:
                self._submit(self._begin, partial, 1)
            self._join()
        finally:
            self._stop.set()
            self._pool.shutdown(wait=True)
            for partial in partials:
                partial.keep()
                partial.close()

    def _submit(self, work: Callable[..., None], *arguments: object) -> None:
        with self._lock:
            if not self._stop.is_set():
                self._futures.append(self._pool.submit(work, *arguments))

    def _join(self) -> None:
        """Wait for all work, also for what work itself submits."""
        while True:
            with self._lock:
                pending = [future for future in self._futures if not future.done()]
                failed = [future for future in self._futures if future.done() and future.exception() is not None]
            if failed or not pending:
                break
            wait(pending, return_when=FIRST_EXCEPTION)
        for future in failed:
            future.result()

    def _begin(self, partial: Partial, attempt: int) -> None:
        """Fetch the first missing part; as soon as the server is seen to serve ranges, have the others fetched too."""
        if self._stop.is_set():
            return
        self._meter.skip(partial.open())
        missing = partial.missing()
        if not missing:
            self._settle(partial, attempt)
            return
        self._part(partial, missing[0], missing[1:], attempt)

    def _part(self, partial: Partial, part: int, others: list[int] | None, attempt: int) -> None:
        """others: parts to submit when ranges work; None where they are known to."""
        if self._stop.is_set():
            return
        begin, end = partial.position(part), partial.span(part)[1]
        cursor = Cursor(begin, end)
        patience = Patience(self._limits, self._stop, self._meter.tell)
        while cursor.position < cursor.end:
            before = cursor.position
            try:
                with self._open(partial.blob, cursor.position, cursor.end) as answer:
                    self._check(answer, partial.blob, cursor, others is not None)
                    if cursor.whole:
                        self._meter.retract(before - begin + partial.kept)
                    if others is not None and answer.status == 206:
                        for other in others:
                            self._submit(self._part, partial, other, None, attempt)
                        others = None
                    self._stream(answer, partial, part, cursor)
            except ModelError as error:
                if cursor.whole:
                    self._meter.retract(cursor.position - partial.kept)
                    cursor = Cursor(begin, end)
                elif cursor.position - before >= min(self._limits.stall_bytes, end - begin):
                    patience.progressed()
                patience.pause(error)
        if partial.finish(partial.missing() if cursor.whole else [part]):
            self._settle(partial, attempt)

    def _check(self, answer: Answer, blob: Blob, cursor: Cursor, may_be_whole: bool) -> None:
        """Compare the answer's words with what was asked; turn `cursor` to the whole blob if that is what comes."""
        length = answer.length()
        if answer.status == 206:
            found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if not found or int(found[1]) != cursor.position or found[3] not in ("*", str(blob.size)):
                raise SourceError(
                    f"GET {blob.digest}", 206, "", f"{answer.host} sent another range than the one asked for"
                )
            return
        if length is not None and length != blob.size:
            raise BadBlob(
                f"Blob {blob.digest} has {length} bytes at {answer.host}; its manifest says {blob.size}.",
                hint="The registry's copy is damaged: push the model again.",
            )
        if (cursor.position, cursor.end) == (0, blob.size):
            return
        if not may_be_whole:
            raise SourceUnreachable(f"{answer.host} sent all of {blob.digest} where a part was asked for.")
        cursor.position, cursor.end, cursor.whole = 0, blob.size, True

    def _stream(self, answer: Answer, partial: Partial, part: int, cursor: Cursor) -> None:
        window, came = time.monotonic(), 0
        while cursor.position < cursor.end:
            data = answer.some(min(READ, cursor.end - cursor.position))
            if not data:
                raise SourceUnreachable(
                    f"{answer.host} cut off {partial.blob.digest} at byte {cursor.position} of {partial.blob.size}."
                )
            partial.write(cursor.position, data)
            cursor.position += len(data)
            if not cursor.whole:
                partial.note(part, cursor.position)
            self._meter.add(len(data))
            if self._stop.is_set():
                raise Stopped("The fetch was stopped.")
            came += len(data)
            if time.monotonic() - window >= self._limits.stall:
                if came < self._limits.stall_bytes:
                    raise SourceUnreachable(f"{answer.host} sends {partial.blob.digest} too slowly.")
                window, came = time.monotonic(), 0
        if answer.status == 200 and answer.length() is None and answer.some(1):
            raise BadBlob(f"Blob {partial.blob.digest} is longer at {answer.host} than its manifest says.")

    def _settle(self, partial: Partial, attempt: int) -> None:
        """Check the whole blob and give it its name; fetch a wrong one once more."""
        if partial.matches():
            partial.adopt()
            return
        partial.discard()
        if attempt > 1:
            raise BadBlob(
                f"Blob {partial.blob.digest} has another sha256 than its name, twice.",
                hint="The source's copy is damaged, or something on the way changes it; the blob was removed.",
            )
        self._meter.retract(partial.blob.size)
        self._meter.tell(f"{partial.blob.digest} came damaged: fetching it again")
        self._submit(self._begin, partial, attempt + 1)
