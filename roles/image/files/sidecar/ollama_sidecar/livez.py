# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m ollama_sidecar.livez: whether the sidecar in this container lives, for the health check of its image.

It runs all the time, so it imports no library: the settings themselves take half a second to read.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

from . import config_file

# The settings that say where it is asked, and what they are where nobody says. First that of the metrics: clients, who
# may take all connections of the other one, do not reach it.
DEFAULTS = {"metrics_listen": "0.0.0.0:9091", "listen": "0.0.0.0:8080"}
LOOPBACK = {DEFAULTS["listen"].partition(":")[0]: "127.0.0.1", "::": "::1"}  # of an address that means all
SECONDS = 3.0


def place(environment: Mapping[str, str]) -> tuple[str, int]:
    """Host and port where the sidecar is asked. Raises OSError and ValueError, as its settings would."""
    given = config_file.members(environment) | config_file.settings(environment)
    listen = next(filter(None, (str(given.get(name, default)) for name, default in DEFAULTS.items())), "")
    host, dummy, port = listen.rpartition(":")
    host = host.strip("[]")
    return LOOPBACK.get(host, host), int(port)


def main() -> int:
    """0 where it lives; else 1, and why on standard error."""
    try:
        connection = http.client.HTTPConnection(*place(os.environ), timeout=SECONDS)
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"the sidecar does not answer: {type(error).__name__}\n")
        return 1
    if status != 200:
        sys.stderr.write(f"the sidecar answers with status {status}\n")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
