# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""models.lock: what each tag meant when it was fetched. JSON, sorted, made to be kept in version control.

C({"version": 1, "models": {"<host>/<namespace>/<model>:<tag>": {"registry": url, "digest": "sha256:...", "size": bytes,
"layers": [{"digest", "media_type", "size"}], "fetched": "2026-11-22"}}}). The date is that of the pin, in UTC.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ..text import one_line
from .errors import BadLock, StoreError
from .manifest import Manifest
from .names import ModelName, is_full_digest

VERSION = 1
MAX_LOCK = 32 * 1024 * 1024  # bytes


class LockFile:
    """The pins of one file, which need not exist yet. Raises BadLock for what cannot be understood."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._models = self._read()
        self._changed = False

    def digest(self, name: ModelName) -> str:
        """The pinned digest, empty for a model without a pin."""
        return str(self._models.get(name.full, {}).get("digest", ""))

    def pin(self, name: ModelName, registry: str, manifest: Manifest) -> None:
        """Note what the name means. A pin that says so already keeps its date."""
        if self.digest(name) == manifest.digest:
            return
        layers = [{"digest": blob.digest, "media_type": blob.media_type, "size": blob.size} for blob in manifest.blobs]
        self._models[name.full] = {
            "registry": registry,
            "digest": manifest.digest,
            "size": manifest.size,
            "layers": layers,
            "fetched": time.strftime("%Y-%m-%d", time.gmtime()),
        }
        self._changed = True

    def save(self) -> bool:
        """Write the file whole or not at all; not when nothing changed. True if it was written."""
        if not self._changed:
            return False
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        text = json.dumps({"version": VERSION, "models": self._models}, indent=2, sort_keys=True) + "\n"
        try:
            with draft.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, self.path)
        except OSError as error:
            raise StoreError(f"The lock file {self.path} cannot be written: {error.strerror}.") from None
        finally:
            draft.unlink(missing_ok=True)
        self._changed = False
        return True

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            with self.path.open("rb") as stream:
                body = json.loads(stream.read(MAX_LOCK))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise BadLock(f"The lock file {self.path} cannot be read: {error.strerror}.") from None
        except (ValueError, RecursionError):
            raise self._bad("it is not JSON") from None
        if not isinstance(body, dict) or body.get("version") != VERSION or not isinstance(body.get("models"), dict):
            raise self._bad(f"it is not of version {VERSION}")
        for key, entry in body["models"].items():
            digest = entry.get("digest") if isinstance(entry, dict) else None
            if not is_full_digest(digest):
                raise self._bad(f"{one_line(key, 80)} has no digest")
        return dict(body["models"])

    def _bad(self, problem: str) -> BadLock:
        return BadLock(
            f"The lock file {self.path} cannot be understood: {problem}.",
            hint="Restore it from version control, or remove it to pin anew.",
        )
