# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m ollama_sidecar [run | check | key ID]"""

from __future__ import annotations

import argparse
import gc
import json
import sys

from . import keys, memory, settings

# Few objects live long here; the collector's walks over them took a tenth of the time.
COLLECT_AFTER = (50_000, 20, 50)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ollama_sidecar", description="What stands in front of Ollama in production.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="serve (the default)")
    commands.add_parser("check", help="say what is wrong with the settings")
    key = commands.add_parser("key", help="make a key; only its hash goes into the settings")
    key.add_argument("id", help="its name in metrics and logs")
    given = parser.parse_args(arguments)
    if given.command == "key":
        return _key(given.id)
    try:
        found = settings.read()
    except settings.Wrong as wrong:
        return _told(wrong)
    return _run(found, only_check=given.command == "check")


def _told(wrong: settings.Wrong) -> int:
    print(f"The settings cannot be used:\n{wrong}", file=sys.stderr)
    return 2


def _key(name: str) -> int:
    secret, digest = keys.new()
    try:
        settings.Key(id=name, sha256=digest)
    except ValueError:
        print("An id has up to 64 letters, digits, dots, dashes and underscores.", file=sys.stderr)
        return 2
    print(f"key, shown this once: {secret}", file=sys.stderr)
    print(json.dumps({"id": name, "sha256": digest}))
    return 0


def _run(found: settings.Settings, *, only_check: bool) -> int:
    import uvloop

    from . import app, logs

    try:
        app.check(found)
    except settings.Wrong as wrong:
        return _told(wrong)
    if only_check:
        return 0
    logs.set_up()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        uvloop.run(app.run(found))
    except OSError as error:
        print(f"The sidecar cannot listen: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    memory.use_libc()
    sys.exit(main())
