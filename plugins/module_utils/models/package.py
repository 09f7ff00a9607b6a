# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fetcher as one file that a bare python3 (3.9 or newer) runs: for a build stage, an init container, a job.

The same sources give the same bytes: fixed times, fixed order, no compression (whose output differs by version).
C(python -m ...module_utils.models.package FILE) writes it.
"""

from __future__ import annotations

import os
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

SHEBANG = b"#!/usr/bin/env python3\n"
ROOT = "polycloud_ollama"
MODULES = (
    "__init__.py",
    "deployment/__init__.py",
    "deployment/names.py",
    "errors.py",
    "models/__init__.py",
    "models/arguments.py",
    "models/auth.py",
    "models/cli.py",
    "models/credentials.py",
    "models/download.py",
    "models/errors.py",
    "models/fetch.py",
    "models/folder.py",
    "models/limits.py",
    "models/lockfile.py",
    "models/logins.py",
    "models/manifest.py",
    "models/names.py",
    "models/partial.py",
    "models/progress.py",
    "models/registry.py",
    "models/source.py",
    "models/store.py",
    "models/transport.py",
    "models/wire.py",
    "text.py",
)
MAIN = f"import sys\n\nfrom {ROOT}.models.cli import main\n\nsys.exit(main())\n"
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can say


def build_zipapp(path: Path) -> None:
    """Write the executable file `path`, whole or not at all."""
    utils = Path(__file__).resolve().parent.parent
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        _add(archive, "__main__.py", MAIN.encode())
        for module in MODULES:
            _add(archive, f"{ROOT}/{module}", (utils / module).read_bytes())
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(SHEBANG + packed.getvalue())
        draft.chmod(0o755)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    entry = ZipInfo(name, OLDEST)
    entry.create_system = 3  # Unix, wherever it is built
    entry.external_attr = 0o100644 << 16
    archive.writestr(entry, content)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m ...models.package FILE")
    build_zipapp(Path(sys.argv[1]))
