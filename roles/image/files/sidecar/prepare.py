# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage of the sidecar's image: python3 prepare.py PYTHON MACHINE ROOT PLACE

ROOT becomes the root of the image, and the packages are in PLACE below it. Looks whether the base fits them, and
compiles them: the sidecar then starts in half the time. Times are the same in every build, so that the layer is, and
cannot tell old byte code from new: it is not checked against its source.
"""

from __future__ import annotations

import compileall
import importlib
import os
import pkgutil
import platform
import sys
from pathlib import Path
from py_compile import PycInvalidationMode


def main(python: str, machine: str, root: str, place: str) -> str:
    """Prepare. python: such as 3.12. machine: such as x86_64. What is wrong; empty where nothing is."""
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found != python:
        return f"the base has Python {found}, and image_sidecar_python is {python}"
    if platform.machine() != machine:
        return f"the base is of {platform.machine()}, and image_sidecar_architecture means {machine}"
    folder = root + place
    mode = PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(folder, quiet=1, stripdir=root, prependdir="/", invalidation_mode=mode):
        return "a package cannot be compiled by this Python"
    sys.path.insert(0, folder)
    try:
        _import_all("ollama_sidecar")
    except ImportError as error:
        return f"the base, which needs glibc 2.28 and all of Python's own library, does not fit the packages: {error}"
    for path in (Path(root), *Path(root).rglob("*")):
        os.utime(path, (0, 0))
    return ""


def _import_all(package: str) -> None:
    """Import each module of the package, and with them all that it needs."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) or 0)
