# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target folder: Ollama's layout, written so that a reader never sees half of anything.

A file gets its final name by os.replace when it is whole, checked and on the disk. What lies below the folder must not
be a symbolic link: with one, a write would land elsewhere.

C(.polycloud/verified.json) remembers which blobs were hashed: C({"sha256-<hex>": [size, mtime_ns, inode]}). It saves
time and is no proof against somebody who can write into the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from .errors import BadName, NotEnoughSpace, StillLocked, StoreError, UnsafePath
from .manifest import MAX_MANIFEST, Blob
from .names import BLOBS, MANIFESTS, ModelName, blob_file, from_path

OWN = ".polycloud"
RECORD = PurePosixPath(OWN, "verified.json")
LOCK = PurePosixPath(OWN, "lock")
CHUNK = 1024 * 1024  # bytes
MAX_RECORD = 16 * CHUNK
SPARE = 0.05  # of the missing bytes, for the file system's own needs

PRESENT, MISSING, DAMAGED = "present", "missing", "damaged"


class Store:
    """A models folder. Errors of the file system come out as StoreError (see `guarded`)."""

    def __init__(self, root: Path) -> None:
        # The folder itself may be reached by a link: the user named it.
        self.root = Path(os.path.realpath(root))
        self._lock = threading.Lock()
        self._record = self._read_record()

    def blob_path(self, digest: str) -> PurePosixPath:
        return PurePosixPath(BLOBS, blob_file(digest))

    def place(self, relative: PurePosixPath, *, make: bool = False) -> Path:
        """The absolute path, none of whose parts below the root is a symbolic link; `make` its folders.

        Raises UnsafePath.
        """
        if relative.is_absolute() or not relative.parts or ".." in relative.parts:
            raise UnsafePath(f"'{relative}' does not stay in the target folder.")
        if make:
            self.root.mkdir(parents=True, exist_ok=True)
        path = self.root
        for place, part in enumerate(relative.parts):
            path = path / part
            last = place == len(relative.parts) - 1
            if make and not last:
                with contextlib.suppress(FileExistsError):
                    path.mkdir()
            try:
                mode = os.lstat(path).st_mode
            except FileNotFoundError:
                continue
            except NotADirectoryError:
                raise _unsafe(path.parent, "is not a folder") from None
            if stat.S_ISLNK(mode):
                raise _unsafe(path, "is a symbolic link, and following it would leave the target folder")
            if not (stat.S_ISREG(mode) if last else stat.S_ISDIR(mode)):
                raise _unsafe(path, "is not a file" if last else "is not a folder")
        return path

    def create(self, relative: PurePosixPath) -> int:
        """Open a new or emptied file for reading and writing and return its descriptor."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self.place(relative, make=True), flags, 0o644)

    def reopen(self, relative: PurePosixPath) -> int:
        return os.open(self.place(relative), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)

    def read(self, relative: PurePosixPath, limit: int) -> bytes | None:
        """The file's content (at most `limit` + 1 bytes), None if there is none."""
        try:
            descriptor = os.open(self.place(relative), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(limit + 1)

    def write(self, relative: PurePosixPath, content: bytes, *, sync: bool = True) -> None:
        """Write a small file whole or not at all. Without `sync` it may be lost with the power."""
        draft = relative.with_name(f".{relative.name}.draft")
        descriptor = self.create(draft)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                if sync:
                    stream.flush()
                    os.fsync(stream.fileno())
            self.rename(draft, relative, sync=sync)
        except BaseException:
            self.remove(draft)
            raise

    def rename(self, old: PurePosixPath, new: PurePosixPath, *, sync: bool = True) -> None:
        """Give a whole file its final name in the same folder, and have the disk know it."""
        target = self.place(new)
        os.replace(self.place(old), target)
        if not sync:
            return
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, relative: PurePosixPath) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.place(relative).unlink()

    def read_manifest(self, name: ModelName) -> bytes | None:
        return self.read(name.path, MAX_MANIFEST)

    def write_manifest(self, name: ModelName, raw: bytes) -> None:
        self.place(name.path, make=True)
        self.write(name.path, raw)

    def names(self) -> list[ModelName]:
        """The models that have a manifest here. Names that we refuse (capital letters) are left out."""
        found = []
        top = self.root / MANIFESTS
        for path in sorted(top.glob("*/*/*/*")):
            with contextlib.suppress(BadName):
                found.append(from_path(path.relative_to(top).parts))
        return found

    def glance(self, blob: Blob) -> str:
        """The same as `state`, by the size alone."""
        try:
            found = os.lstat(self.place(self.blob_path(blob.digest)))
        except FileNotFoundError:
            return MISSING
        return PRESENT if found.st_size == blob.size else DAMAGED

    def state(self, blob: Blob, *, rehash: bool = False) -> str:
        """PRESENT, MISSING or DAMAGED. Hashes the file unless the record vouches for it."""
        relative = self.blob_path(blob.digest)
        path = self.place(relative)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return MISSING
        if found.st_size != blob.size:
            return DAMAGED
        if not rehash and self._record.get(relative.name) == _mark(found):
            return PRESENT
        if hash_file(path) != blob.digest:
            self._record.pop(relative.name, None)
            return DAMAGED
        self._record[relative.name] = _mark(found)
        return PRESENT

    def adopt(self, partial: PurePosixPath, blob: Blob) -> None:
        """Give a checked, closed blob its final name."""
        target = self.blob_path(blob.digest)
        self.rename(partial, target)
        with self._lock:
            self._record[target.name] = _mark(os.lstat(self.root / target))

    def allocated(self, relative: PurePosixPath) -> int:
        """Bytes that a file takes on the disk, 0 if there is none; a partial file has holes."""
        try:
            return os.lstat(self.place(relative)).st_blocks * 512
        except FileNotFoundError:
            return 0

    def save_record(self) -> None:
        """Keep what was verified. A folder that cannot be written only costs hashing the next time."""
        with self._lock:
            kept = {name: mark for name, mark in self._record.items() if (self.root / BLOBS / name).exists()}
            if kept == self._read_record():
                return
            with contextlib.suppress(OSError):
                self.write(RECORD, json.dumps(kept, sort_keys=True).encode())

    def need(self, missing: int) -> None:
        """Raise NotEnoughSpace unless `missing` bytes and a little more fit."""
        needed = int(missing * (1 + SPARE))
        self.root.mkdir(parents=True, exist_ok=True)
        free = free_bytes(self.root)
        if needed > free:
            raise NotEnoughSpace(
                f"{self.root} needs {needed} bytes for the missing blobs and has {free} free.",
                hint="Free space there, or use a larger volume; nothing was fetched.",
            )

    @contextlib.contextmanager
    def writer(self, wait: float, emit: Callable[[str], None]) -> Iterator[None]:
        """Be the only writer; wait at most `wait` seconds for that. The kernel frees the lock of a dead process."""
        descriptor = self.create(LOCK)
        try:
            self._wait_for(descriptor, wait, emit)
            self._record = {**self._record, **self._read_record()}
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, wait: float, emit: Callable[[str], None]) -> None:
        deadline = time.monotonic() + wait
        told = 0.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
            now = time.monotonic()
            if now >= deadline:
                raise StillLocked(
                    f"Another process has been writing into {self.root} for more than {wait:.0f} s.",
                    hint="Wait for it, or end it: the lock goes with the process.",
                )
            if now - told >= 30:
                emit(f"waiting for another process that writes into {self.root}")
                told = now
            time.sleep(min(0.1, max(0.0, deadline - now)))

    def _read_record(self) -> dict[str, list[int]]:
        try:
            found = json.loads(self.read(RECORD, MAX_RECORD) or b"{}")
        except (OSError, ValueError, RecursionError):
            return {}
        return dict(found) if isinstance(found, dict) else {}


@contextlib.contextmanager
def guarded(root: Path) -> Iterator[None]:
    """Turn the file system's errors into StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{root} cannot be used: {error.strerror or type(error).__name__}.",
            hint="Check its permissions, its free space and whether it is mounted read-only.",
        ) from None


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def hash_file(path: Path) -> str:
    """sha256:<hex> of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _mark(found: os.stat_result) -> list[int]:
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _unsafe(path: Path, problem: str) -> UnsafePath:
    return UnsafePath(f"{path} {problem}.", hint="Nothing was written through it: remove it, or choose another folder.")
