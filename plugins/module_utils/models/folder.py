# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local folder in Ollama's layout as a source: models that were baked into an image, or copied from elsewhere."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .errors import BadBlob, ModelNotFound, StoreError
from .manifest import MAX_MANIFEST, Blob
from .names import BLOBS, ModelName, blob_file
from .partial import partial_path
from .progress import Meter
from .store import Store, hash_file

PIECE = 16 * 1024 * 1024  # bytes at once
# What says that the kernel cannot copy between these two file systems by itself.
NOT_BY_KERNEL = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)


class Folder:
    """`root` holds C(manifests) and C(blobs). It is only read."""

    describe = "folder"

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[ModelName]:
        """All models in it."""
        return Store(self.root).names()

    def manifest(self, name: ModelName, digest: str) -> bytes:
        """See Source; a folder knows manifests by their tags only."""
        try:
            with (self.root / name.path).open("rb") as stream:
                return stream.read(MAX_MANIFEST + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelNotFound(
                f"{self.root} has no model {name.short}.", hint="See what it has with `list`."
            ) from None
        except OSError as error:
            raise self._unreadable(error) from None

    def bring(self, name: ModelName, blobs: Sequence[Blob], store: Store, meter: Meter, parallel: int) -> None:
        """See Source."""
        with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="copy") as pool:
            for future in [pool.submit(self._bring, blob, store, meter) for blob in blobs]:
                future.result()

    def _bring(self, blob: Blob, store: Store, meter: Meter) -> None:
        partial = partial_path(blob)
        try:
            for attempt in (1, 2):
                self._copy(blob, store, meter)
                if hash_file(store.place(partial)) == blob.digest:
                    store.adopt(partial, blob)
                    return
                if attempt == 1:
                    meter.retract(blob.size)
        finally:
            store.remove(partial)
        raise BadBlob(
            f"Blob {blob.digest} in {self.root} has another sha256 than its name.",
            hint="The folder's copy is damaged: fetch the model into it again.",
        )

    def _copy(self, blob: Blob, store: Store, meter: Meter) -> None:
        source = self._open(blob)
        try:
            if os.fstat(source).st_size != blob.size:
                raise BadBlob(
                    f"Blob {blob.digest} in {self.root} has {os.fstat(source).st_size} bytes, not {blob.size}.",
                    hint="The folder's copy is damaged: fetch the model into it again.",
                )
            target = store.create(partial_path(blob))
            try:
                done = 0
                while done < blob.size:
                    done += _advance(source, target, done, min(PIECE, blob.size - done), meter)
                os.fsync(target)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _open(self, blob: Blob) -> int:
        try:
            return os.open(self.root / BLOBS / blob_file(blob.digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ModelNotFound(
                f"{self.root} has no blob {blob.digest}.",
                hint="The folder's copy is incomplete: fetch the model again.",
            ) from None
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> StoreError:
        return StoreError(f"{self.root} cannot be read: {error.strerror or type(error).__name__}.")


def _advance(source: int, target: int, offset: int, count: int, meter: Meter) -> int:
    """Copy up to `count` bytes at `offset` and return how many it were."""
    try:
        done = os.copy_file_range(source, target, count, offset, offset)
    except OSError as error:
        if error.errno not in NOT_BY_KERNEL:
            raise
        done = os.pwrite(target, os.pread(source, count, offset), offset)
    if done == 0:
        raise OSError(errno.EIO, "the file became shorter while it was copied")
    meter.add(done)
    return done
