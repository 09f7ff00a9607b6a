# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run an installed module as `python -m` would, from its source and with cached byte code.

Arguments: the module's import name, the folder that holds the package `ansible`, and `collection=folder` for each
collection that it may import. The module's own arguments are JSON on standard input, as for any module that is started
by hand. The collections are given as exact folders, because the same one may be installed in several search paths.
"""

from __future__ import annotations

import atexit
import os
import runpy
import sys
from types import ModuleType


def add_collection(name: str, folder: str) -> None:
    """Make `ansible_collections.<name>` importable from folder."""
    package = ""
    for part in ("ansible_collections", *name.split(".")):
        package = f"{package}.{part}".lstrip(".")
        if package not in sys.modules:
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = []
    sys.modules[package].__path__ = [folder]


def main(module: str, library: str, *collections: str) -> None:
    """Make the libraries importable and run the module as the main program."""
    sys.path.append(library)
    for collection in collections:
        add_collection(*collection.split("=", 1))
    sys.argv[1:] = []
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


def leave(code: int) -> None:
    """End the process as it would end, but without taking all libraries apart, which costs 40 ms."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
